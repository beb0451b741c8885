#include "slayer/recipe/trained.h"

#include "slayer/core/error.h"
#include "slayer/recipe/values.h"
#include "slayer/train/parameter_groups.h"

namespace slayer {
namespace {

TrainableSet planned_set(const Recipe& recipe,
                         const std::string& table,
                         const TrainOptions& options,
                         const Plan& plan) {
  return checked(recipe.file.string(), table, [&] {
    TrainableSet set = trainable_set(resolve(options.method), plan);
    if (!set.layers.empty()) {  // A plan that trains none may yet be edited.
      validate(options.lr_scales,
               parameter_groups(set, SurgeryRecord{.plan = plan, .source = {}, .version = {}}));
    }
    return set;
  });
}

void mark(const TrainableSet& set, Plan& plan) {
  for (const int64_t layer : set.layers) {
    plan.layers[static_cast<size_t>(layer)].train = true;
  }
}

}  // namespace

PlannedTrainings planned_trainings(const Recipe& recipe, const Plan& plan) {
  PlannedTrainings trainings{
      .train = planned_set(recipe, "train", recipe.train, plan), .sft = {}, .plan = plan};
  for (PlannedLayer& layer : trainings.plan.layers) {
    layer.train = false;
  }
  mark(trainings.train, trainings.plan);
  if (recipe.sft) {
    trainings.sft = planned_set(recipe, "sft", *recipe.sft, plan);
    if (trainings.sft->layers.empty() && !trainings.train.layers.empty()) {
      throw Error({.file = recipe.file.string(),
                   .item = "sft.method",
                   .found = "\"plan\", of a plan that marks no layer",
                   .expected = "another method, as [train] has"});
    }
    mark(*trainings.sft, trainings.plan);
  }
  return trainings;
}

}  // namespace slayer
