#include <set>
#include <stdexcept>
#include <string>

#include "slayer/recipe/tables.h"
#include "slayer/recipe/values.h"

namespace slayer {
namespace {

constexpr double kSmallestBudget = 0.01;
constexpr double kLargestBudget = 100.0;

void check_auto(const JsonObject& object, const PlanRecipe& plan) {
  if (!plan.new_layers && !plan.budget && !plan.prune) {
    object.fail("budget", "nothing", "a budget, as 1.18, or new_layers and prune");
  }
  if (plan.budget && !(*plan.budget >= kSmallestBudget && *plan.budget <= kLargestBudget)) {
    object.fail("budget",
                compact_text(*plan.budget),
                "the new model's parameters over the base's, from 0.01 to 100");
  }
}

}  // namespace

PlanRecipe read_plan_table(const JsonObject& object) {
  PlanRecipe plan;
  plan.strategy = object.string_or("strategy", plan.strategy);
  const std::set<std::string> known{"slayer", "llama-pro", "solar", "prune", "passthrough", "auto"};
  if (!known.contains(plan.strategy)) {
    object.fail("strategy",
                printable(plan.strategy),
                "slayer, llama-pro, solar, prune, passthrough or auto");
  }
  plan.every = object.integer_or("every", 1, kAny, plan.every);
  plan.shallow = object.number_or("shallow", plan.shallow);
  plan.new_layers = optional_integer(object, "new_layers", 0);
  plan.ranges = object.string_or("ranges", "");
  plan.budget = optional_number(object, "budget");
  plan.prune = optional_integer(object, "prune", 0);
  plan.prune_layers = integers(object, "prune_layers");
  if (plan.prune.value_or(0) > 0 && !plan.prune_layers.empty()) {
    object.fail("prune_layers", "both", "prune or prune_layers");
  }
  if (object.has("prune_mode")) {
    plan.prune_mode = prune_mode_from_name(object.string("prune_mode"));
  }
  if (plan.strategy == "auto") {
    check_auto(object, plan);
  }
  return plan;
}

Plan make_plan(const PlanRecipe& recipe, int64_t source_layers) {
  if (recipe.strategy == "auto") {
    throw std::logic_error("an auto plan is made from a probe");
  }
  const Prune prune{.layers = recipe.prune_layers.empty()
                                  ? last_layers(source_layers, recipe.prune.value_or(0))
                                  : recipe.prune_layers,
                    .mode = recipe.prune_mode.value_or(PruneMode::kDrop)};
  if (recipe.strategy == "llama-pro") {
    return llama_pro_plan(source_layers, recipe.new_layers.value_or(0));
  }
  if (recipe.strategy == "solar") {
    return solar_plan(source_layers, recipe.new_layers.value_or(source_layers / 2));
  }
  if (recipe.strategy == "prune") {
    return prune_plan(source_layers, prune);
  }
  if (recipe.strategy == "passthrough") {
    return passthrough_plan(source_layers, recipe.ranges);
  }
  return slayer_plan(source_layers, recipe.every, recipe.shallow, prune);
}

AutoPlanOptions auto_plan_options(const PlanRecipe& recipe) {
  return {.new_layers = recipe.new_layers,
          .prune = recipe.prune,
          .budget = recipe.budget,
          .mode = recipe.prune_mode};
}

}  // namespace slayer
