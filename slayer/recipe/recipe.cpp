#include "slayer/recipe/recipe.h"

#include <algorithm>
#include <array>

#include "slayer/core/error.h"
#include "slayer/core/file.h"
#include "slayer/core/toml.h"
#include "slayer/model/device.h"
#include "slayer/recipe/tables.h"
#include "slayer/recipe/values.h"
#include "slayer/recipe/variants.h"

namespace slayer {
namespace {

/// Puts a variant's name to the errors of its keys.
template <class Read>
auto named_after(const std::string& variant, const Read& read) {
  try {
    return read();
  } catch (const Error& error) {
    ErrorParts parts = error.parts();
    parts.item = "variant " + variant + ": " + parts.item;
    throw Error(parts);
  }
}

/// What `read` makes of a table of the recipe, empty where the file has none, after unknown keys
/// were refused.
template <class Read>
auto read_table(const JsonObject& recipe, const std::string& name, const Read& read) {
  static const Json kEmpty = Json::object();
  const JsonObject table =
      recipe.has(name) ? recipe.object(name) : JsonObject(kEmpty, recipe.file(), name);
  table.refuse_unknown_keys(recipe_keys().at(name));
  return checked(recipe.file(), name, [&] { return read(table); });
}

/// A training's table, with what it shares with the others.
TrainOptions read_training(const JsonObject& root,
                           const std::string& name,
                           DocumentFormat usual_format,
                           const Recipe& recipe) {
  return read_table(root, name, [&](const JsonObject& table) {
    TrainOptions train = read_train_table(table, recipe.file.parent_path(), usual_format);
    if (!table.has("compute") && root.has("dtype") && recipe.dtype != "float16") {
      train.compute = recipe.dtype;
    }
    train.device = recipe.device;
    if (recipe.threads > 0) {
      train.threads = recipe.threads;
    }
    validate(train);
    return train;
  });
}

void read_sft(const JsonObject& root, Recipe& recipe) {
  if (!root.has("sft")) {
    return;
  }
  recipe.sft = read_training(root, "sft", DocumentFormat::kMessages, recipe);
  if (recipe.sft->format == DocumentFormat::kText) {
    root.object("sft").fail("format", "text", "messages, alpaca or sharegpt");
  }
}

void read_probe(const JsonObject& root, Recipe& recipe) {
  if (!root.has("probe")) {
    return;
  }
  recipe.probe = read_table(root, "probe", [&](const JsonObject& table) {
    return read_probe_table(table, recipe.file.parent_path());
  });
  recipe.probe->data_dir = recipe.eval.data_dir;
  recipe.probe->tasks_dir = recipe.eval.tasks_dir;
  recipe.probe->dtype = recipe.dtype;
  recipe.probe->device = recipe.device;
}

/// An auto plan comes from removals of single layers on each text there is.
void require_probe_for_auto(const JsonObject& root, const Recipe& recipe) {
  if (recipe.plan.strategy != "auto") {
    return;
  }
  if (!recipe.probe) {
    root.fail("plan.strategy", "auto without a probe", "a table [probe]");
  }
  const ProbeRequest& probe = *recipe.probe;
  const bool has_texts = std::ranges::all_of(
      std::array{&probe.plain, &probe.domain, &probe.general},
      [](const ProbeSources* sources) { return sources->is_empty() || !sources->text.empty(); });
  if (!probe.methods.remove || probe.methods.span != 1 || !has_texts) {
    root.fail("probe",
              "nothing that an auto plan could follow",
              "the method remove with span 1, and a text wherever there are tasks");
  }
}

void require_task_data(const JsonObject& root, const Recipe& recipe) {
  const bool has_tasks = !recipe.eval.domain_tasks.empty() || !recipe.eval.general_tasks.empty() ||
                         (recipe.probe && recipe.probe->has_tasks());
  if (has_tasks && recipe.eval.data_dir.empty()) {
    root.fail(
        "eval.data_dir", "nothing", "the folder of the tasks' data, here or in SLAYER_DATA_DIR");
  }
}

/// A pack is layers; what else a training changes would be lost.
void require_layers_for_pack(const JsonObject& root, const Recipe& recipe) {
  const bool has_full = recipe.train.method.method == Method::kFull ||
                        (recipe.sft && recipe.sft->method.method == Method::kFull);
  if (recipe.exported.pack && has_full) {
    root.fail("export.pack", "method full", "a method that trains layers only");
  }
}

Recipe parse(const std::filesystem::path& file, const std::string& text, const Json& json) {
  Recipe recipe;
  recipe.file = file;
  recipe.text = text;
  recipe.json = json;
  const JsonObject root(recipe.json, file.string());
  root.refuse_unknown_keys(recipe_keys().at(""));
  const std::filesystem::path folder = file.parent_path();
  recipe.base = path_of(root, "base", root.string("base"), folder);
  recipe.import_dtype = root.string_or("import_dtype", recipe.import_dtype);
  recipe.dtype = root.string_or("dtype", recipe.dtype);
  recipe.device = root.string_or("device", recipe.device);
  recipe.threads = root.integer_or("threads", 0, 4096, recipe.threads);
  checked(file.string(), "", [&] {
    scalar_type_from_name(recipe.import_dtype);
    scalar_type_from_name(recipe.dtype);
    device_from_name(recipe.device);
  });
  recipe.plan = read_table(root, "plan", read_plan_table);
  recipe.train = read_training(root, "train", DocumentFormat::kText, recipe);
  read_sft(root, recipe);
  recipe.eval = read_table(
      root, "eval", [&](const JsonObject& table) { return read_eval_table(table, folder); });
  recipe.exported = read_table(root, "export", read_export_table);
  read_probe(root, recipe);
  require_probe_for_auto(root, recipe);
  require_task_data(root, recipe);
  require_layers_for_pack(root, recipe);
  return recipe;
}

}  // namespace

Recipe read_recipe(const std::filesystem::path& file) {
  const std::string text = read_text_file(file);
  const Json json = parse_toml(text, file.string());
  Recipe recipe = parse(file, text, json);
  for (const RecipeVariant& variant : expand_variants(JsonObject(json, file.string()))) {
    recipe.variants.push_back(
        named_after(variant.name, [&] { return parse(file, text, variant.json); }));
    recipe.variants.back().variant = variant.name;
  }
  return recipe;
}

}  // namespace slayer
