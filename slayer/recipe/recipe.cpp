#include "slayer/recipe/recipe.h"

#include <cstdlib>
#include <limits>
#include <optional>
#include <set>
#include <string_view>

#include "slayer/core/error.h"
#include "slayer/core/toml.h"
#include "slayer/data/documents.h"
#include "slayer/data/mixture.h"
#include "slayer/model/device.h"
#include "slayer/recipe/variants.h"

namespace slayer {
namespace {

constexpr int64_t kAny = std::numeric_limits<int64_t>::max();

/// Runs a check of another module, which does not know of the recipe, and puts the recipe's name to
/// its error.
template <class Check>
auto checked(const std::string& recipe, const Check& check) {
  try {
    return check();
  } catch (const Error& error) {
    ErrorParts parts = error.parts();
    if (parts.file != recipe) {
      parts.item = parts.item.empty() ? parts.file : parts.file + ": " + parts.item;
      parts.file = recipe;
    }
    throw Error(parts);
  }
}

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

/// A table of the recipe with known keys only, empty where the file has none.
JsonObject table(const JsonObject& recipe, const std::string& name) {
  static const Json kEmpty = Json::object();
  JsonObject object =
      recipe.has(name) ? recipe.object(name) : JsonObject(kEmpty, recipe.file(), name);
  object.refuse_unknown_keys(recipe_keys().at(name));
  return object;
}

std::vector<std::string> strings(const JsonObject& object, std::string_view key) {
  std::vector<std::string> words;
  if (!object.has(key)) {
    return words;
  }
  for (const Json& word : object.array(key)) {
    if (!word.is_string() || word.get_ref<const std::string&>().empty()) {
      object.fail(key, printable(compact_text(word)), "a list of texts");
    }
    words.push_back(word.get<std::string>());
  }
  return words;
}

std::vector<int64_t> integers(const JsonObject& object, std::string_view key) {
  std::vector<int64_t> numbers;
  if (!object.has(key)) {
    return numbers;
  }
  for (const Json& number : object.array(key)) {
    if (!number.is_number_integer()) {
      object.fail(key, printable(compact_text(number)), "a list of whole numbers");
    }
    numbers.push_back(number.get<int64_t>());
  }
  return numbers;
}

/// Files named under the key, from the recipe's folder; at least one, and all must be there.
std::vector<std::string> text_files(const JsonObject& object,
                                    std::string_view key,
                                    const std::filesystem::path& folder) {
  std::vector<std::string> patterns;
  for (const std::string& pattern : strings(object, key)) {
    patterns.push_back((folder / pattern).lexically_normal().string());
  }
  if (patterns.empty()) {
    object.fail(key, "nothing", "at least one file");
  }
  checked(object.file(), [&] { return find_document_files(patterns_of(patterns)); });
  return patterns;
}

std::optional<int64_t> optional_integer(const JsonObject& object,
                                        std::string_view key,
                                        int64_t low) {
  return object.has(key) ? std::optional(object.integer(key, low, kAny)) : std::nullopt;
}

PlanRecipe read_plan(const JsonObject& object) {
  PlanRecipe plan;
  plan.strategy = object.string_or("strategy", plan.strategy);
  const std::set<std::string> known{"slayer", "llama-pro", "solar", "prune", "passthrough"};
  if (!known.contains(plan.strategy)) {
    object.fail(
        "strategy", printable(plan.strategy), "slayer, llama-pro, solar, prune or passthrough");
  }
  plan.every = object.integer_or("every", 1, kAny, plan.every);
  plan.shallow = object.number_or("shallow", plan.shallow);
  plan.new_layers = object.integer_or("new_layers", 1, kAny, plan.new_layers);
  plan.ranges = object.string_or("ranges", "");
  plan.prune = object.integer_or("prune", 0, kAny, plan.prune);
  plan.prune_layers = integers(object, "prune_layers");
  if (plan.prune > 0 && !plan.prune_layers.empty()) {
    object.fail("prune_layers", "both", "prune or prune_layers");
  }
  plan.prune_mode = checked(
      object.file(), [&] { return prune_mode_from_name(object.string_or("prune_mode", "drop")); });
  return plan;
}

TrainOptions read_train(const JsonObject& object, const std::filesystem::path& folder) {
  TrainOptions train;
  train.data = text_files(object, "data", folder);
  train.text_field = object.string_or("text_field", train.text_field);
  train.steps = optional_integer(object, "steps", 1);
  train.warmup = optional_integer(object, "warmup", 0);
  train.seq_len = optional_integer(object, "seq_len", 1);
  train.batch_size = object.integer_or("batch_size", 1, kAny, train.batch_size);
  train.micro_batch_size = optional_integer(object, "micro_batch_size", 1);
  train.lr = object.has("lr") ? std::optional(object.number("lr")) : std::nullopt;
  train.clip = object.number_or("clip", train.clip);
  train.adamw.weight_decay = object.number_or("weight_decay", train.adamw.weight_decay);
  train.adamw.beta1 = object.number_or("beta1", train.adamw.beta1);
  train.adamw.beta2 = object.number_or("beta2", train.adamw.beta2);
  train.seed = static_cast<uint64_t>(object.integer_or("seed", 0, kAny, 0));
  train.save_every = object.integer_or("save_every", 0, kAny, train.save_every);
  train.packing = checked(object.file(), [&] {
    return object.has("packing") ? std::optional(packing_from_name(object.string("packing")))
                                 : std::nullopt;
  });
  train.add_eos = object.boolean_or("eos", train.add_eos);
  return train;
}

EvalRecipe read_eval(const JsonObject& object, const std::filesystem::path& folder) {
  EvalRecipe eval;
  eval.domain = text_files(object, "domain", folder);
  eval.general = text_files(object, "general", folder);
  eval.text_field = object.string_or("text_field", eval.text_field);
  eval.seq_len = object.integer_or("seq_len", 2, kAny, eval.seq_len);
  eval.prompts = strings(object, "prompts");
  eval.max_new_tokens = object.integer_or("max_new_tokens", 1, kAny, eval.max_new_tokens);
  eval.domain_tasks = strings(object, "domain_tasks");
  eval.general_tasks = strings(object, "general_tasks");
  eval.limit = optional_integer(object, "limit", 1);
  eval.num_fewshot = optional_integer(object, "num_fewshot", 0);
  if (object.has("tasks_dir")) {
    eval.tasks_dir = (folder / object.string("tasks_dir")).lexically_normal();
  }
  if (object.has("data_dir")) {
    eval.data_dir = (folder / object.string("data_dir")).lexically_normal();
  } else if (const char* const from_environment = std::getenv("SLAYER_DATA_DIR")) {
    eval.data_dir = from_environment;
  }
  if (eval.data_dir.empty() && !(eval.domain_tasks.empty() && eval.general_tasks.empty())) {
    object.fail("data_dir", "nothing", "the folder of the tasks' data, here or in SLAYER_DATA_DIR");
  }
  return eval;
}

ExportRecipe read_export(const JsonObject& object) {
  ExportRecipe exported{.gguf = strings(object, "gguf"), .pack = object.boolean_or("pack", false)};
  const std::set<std::string> known{"f32", "f16", "bf16", "q8_0"};
  for (const std::string& type : exported.gguf) {
    if (!known.contains(type)) {
      object.fail("gguf", printable(type), "f32, f16, bf16 or q8_0");
    }
  }
  return exported;
}

Recipe parse(const std::filesystem::path& file, const Json& json) {
  Recipe recipe;
  recipe.file = file;
  recipe.json = json;
  const JsonObject root(recipe.json, file.string());
  root.refuse_unknown_keys(recipe_keys().at(""));
  const std::filesystem::path folder = file.parent_path();
  recipe.base = (folder / root.string("base")).lexically_normal();
  recipe.import_dtype = root.string_or("import_dtype", recipe.import_dtype);
  recipe.dtype = root.string_or("dtype", recipe.dtype);
  recipe.device = root.string_or("device", recipe.device);
  recipe.threads = root.integer_or("threads", 0, 4096, recipe.threads);
  recipe.plan = read_plan(table(root, "plan"));
  recipe.train = read_train(table(root, "train"), folder);
  recipe.train.dtype = recipe.dtype;
  recipe.train.device = recipe.device;
  if (recipe.threads > 0) {
    recipe.train.threads = recipe.threads;
  }
  checked(file.string(), [&] {
    scalar_type_from_name(recipe.import_dtype);
    scalar_type_from_name(recipe.dtype);
    device_from_name(recipe.device);
    validate(recipe.train);
  });
  recipe.eval = read_eval(table(root, "eval"), folder);
  recipe.exported = read_export(table(root, "export"));
  return recipe;
}

}  // namespace

const std::map<std::string, std::vector<std::string_view>>& recipe_keys() {
  static const std::map<std::string, std::vector<std::string_view>> kKeys{
      {"",
       {"base",
        "import_dtype",
        "dtype",
        "device",
        "threads",
        "plan",
        "train",
        "eval",
        "export",
        "variants",
        "matrix"}},
      {"plan",
       {"strategy",
        "every",
        "shallow",
        "new_layers",
        "ranges",
        "prune",
        "prune_layers",
        "prune_mode"}},
      {"train",
       {"data",
        "text_field",
        "steps",
        "warmup",
        "seq_len",
        "batch_size",
        "micro_batch_size",
        "lr",
        "clip",
        "weight_decay",
        "beta1",
        "beta2",
        "seed",
        "save_every",
        "packing",
        "eos"}},
      {"eval",
       {"domain",
        "general",
        "text_field",
        "seq_len",
        "prompts",
        "max_new_tokens",
        "domain_tasks",
        "general_tasks",
        "data_dir",
        "tasks_dir",
        "limit",
        "num_fewshot"}},
      {"export", {"gguf", "pack"}},
  };
  return kKeys;
}

Recipe read_recipe(const std::filesystem::path& file) {
  const Json json = read_toml_file(file);
  Recipe recipe = parse(file, json);
  for (const Variant& variant : expand_variants(JsonObject(json, file.string()))) {
    recipe.variants.push_back(named_after(variant.name, [&] { return parse(file, variant.json); }));
    recipe.variants.back().variant = variant.name;
  }
  return recipe;
}

Plan make_plan(const PlanRecipe& recipe, int64_t source_layers) {
  const Prune prune{.layers = recipe.prune_layers.empty() ? last_layers(source_layers, recipe.prune)
                                                          : recipe.prune_layers,
                    .mode = recipe.prune_mode};
  if (recipe.strategy == "llama-pro") {
    return llama_pro_plan(source_layers, recipe.new_layers);
  }
  if (recipe.strategy == "solar") {
    return solar_plan(source_layers,
                      recipe.new_layers == 0 ? source_layers / 2 : recipe.new_layers);
  }
  if (recipe.strategy == "prune") {
    return prune_plan(source_layers, prune);
  }
  if (recipe.strategy == "passthrough") {
    return passthrough_plan(source_layers, recipe.ranges);
  }
  return slayer_plan(source_layers, recipe.every, recipe.shallow, prune);
}

}  // namespace slayer
