#include "slayer/recipe/job.h"

#include <fmt/format.h>
#include <initializer_list>

#include "slayer/core/file.h"
#include "slayer/core/mapped_file.h"
#include "slayer/core/sha256.h"
#include "slayer/data/documents.h"
#include "slayer/data/mixture.h"
#include "slayer/data/row_stream.h"
#include "slayer/eval/item.h"
#include "slayer/eval/task_folder.h"
#include "slayer/model/device.h"
#include "slayer/recipe/evaluate.h"
#include "slayer/recipe/overlap.h"
#include "slayer/recipe/values.h"
#include "slayer/tokenizer/tokenizer.h"
#include "slayer/train/peft_adapter.h"

// The stages of a job: what each reads and makes. What it does stands in work.cpp.

namespace slayer {
namespace {

std::string hash_of(const std::filesystem::path& path) { return Checkpoint::open(path).hash(); }

/// What a text's tokens depend on.
std::string tokenizer_of(const std::filesystem::path& model) {
  return tokenizer_key(Checkpoint::open(model).side_files());
}

/// SHA-256 of all files beside the weights, which a model made from this one carries.
std::string side_files_hash(const Checkpoint& model) {
  Sha256 hash;
  for (const auto& [name, text] : model.side_files()) {
    hash.update(name);
    hash.update(sha256(text));
  }
  return hash.hex_digest();
}

std::string side_files_hash(const std::filesystem::path& model) {
  return side_files_hash(Checkpoint::open(model));
}

/// SHA-256 of some files beside the weights, as far as they are there.
std::string side_files_hash(const std::filesystem::path& model,
                            std::initializer_list<const char*> names) {
  const std::map<std::string, std::string> files = Checkpoint::open(model).side_files();
  Sha256 hash;
  for (const char* const name : names) {
    if (const auto file = files.find(name); file != files.end()) {
      hash.update(name);
      hash.update(sha256(file->second));
    }
  }
  return hash.hex_digest();
}

/// SHA-256 of the files' content and, where they are no .jsonl, kind, in order.
std::string content_hash(const std::vector<std::string>& patterns) {
  Sha256 hash;
  for (const std::filesystem::path& file : find_document_files(patterns_of(patterns))) {
    const MappedFile mapped(file);
    if (const FileKind kind = kind_of(file); kind != FileKind::kJsonLines) {
      hash.update(fmt::format("kind {} ", static_cast<int>(kind)));
    }
    hash.update(fmt::format("{} ", mapped.bytes().size()));
    hash.update(mapped.bytes());
  }
  return hash.hex_digest();
}

std::string file_hash(const std::filesystem::path& file) { return sha256(read_text_file(file)); }

Json table_of(const Recipe& recipe, const std::string& name) {
  return recipe.json.value(name, Json::object());
}

/// Adds the content of texts, for settings that name files: these may be moved.
void add_content(Json& inputs, const char* key, const std::vector<std::string>& patterns) {
  if (!patterns.empty()) {
    inputs[key] = content_hash(patterns);
  }
}

/// Adds the content of tasks, for the same reason.
void add_tasks(Json& inputs, const std::vector<std::string>& tasks, const EvalRecipe& eval) {
  if (tasks.empty()) {
    return;
  }
  TaskCatalogue catalogue =
      read_task_folder(eval.tasks_dir.empty() ? default_task_folder() : eval.tasks_dir);
  for (const std::string& name : resolve_tasks(catalogue, add_own_tasks(tasks, catalogue))) {
    inputs["tasks"][name] = content_hash(catalogue.tasks.at(name), eval.data_dir);
  }
}

}  // namespace

Job::Job(const Recipe& recipe, JobFolders folders, const RunControl& control)
    : recipe_(recipe),
      folders_(std::move(folders)),
      control_(control),
      base_(Checkpoint::open(recipe.base)) {}

std::filesystem::path Job::base_path() const {
  return base_.is_gguf() ? folders_.run / "base" : recipe_.base;
}

std::filesystem::path Job::model_path() const {
  return recipe_.sft ? folders_.sft / "sft" / "model" : folders_.train / "train" / "model";
}

Plan Job::read_plan() const { return read_plan_file(folders_.plan / "plan.json"); }

AutoPlan Job::make_auto_plan() const {
  const std::filesystem::path probe = folders_.run / "probe.json";
  return auto_plan(read_json_file(probe),
                   probe.string(),
                   base_.config(),
                   hash_of(base_path()),
                   auto_plan_options(recipe_.plan));
}

Plan Job::expected_plan() const {
  const bool is_auto = recipe_.plan.strategy == "auto";
  const bool has_inputs = std::filesystem::exists(base_path()) &&
                          (!is_auto || std::filesystem::exists(folders_.run / "probe.json"));
  if (has_inputs && is_up_to_date(plan_stage())) {
    Plan made = read_plan();
    if (made.source_layers == base_.config().num_hidden_layers) {
      return made;
    }
  }
  return checked(recipe_.file.string(), "plan", [&] {
    return is_auto ? outline_auto_plan(base_.config(), auto_plan_options(recipe_.plan))
                   : make_plan(recipe_.plan, base_.config().num_hidden_layers);
  });
}

Json Job::probe_inputs() const {
  Json settings = table_of(recipe_, "probe");
  for (const char* const path : {"text", "domain", "general"}) {
    settings.erase(path);
  }
  Json inputs = {{"base", hash_of(base_path())},
                 {"tokenizer", tokenizer_of(base_path())},
                 {"settings", settings},
                 {"dtype", recipe_.dtype}};
  add_content(inputs, "text", recipe_.probe->plain.text);
  add_content(inputs, "domain", recipe_.probe->domain.text);
  add_content(inputs, "general", recipe_.probe->general.text);
  std::vector<std::string> tasks;
  for (const ProbeSources* const sources :
       {&recipe_.probe->plain, &recipe_.probe->domain, &recipe_.probe->general}) {
    tasks.insert(tasks.end(), sources->tasks.begin(), sources->tasks.end());
  }
  add_tasks(inputs, tasks, recipe_.eval);
  return inputs;
}

Json Job::plan_inputs() const {
  Json inputs = {{"base", hash_of(base_path())}, {"settings", table_of(recipe_, "plan")}};
  if (recipe_.plan.strategy == "auto") {
    inputs["probe"] = file_hash(folders_.run / "probe.json");
  }
  return inputs;
}

Json Job::surgery_inputs() const {
  // A plan that was edited by hand is carried out too: what counts is what the file says.
  return {{"base", hash_of(base_path())}, {"plan", read_text_file(folders_.plan / "plan.json")}};
}

Json Job::training_inputs(const Training& training) const {
  const TrainOptions& options = *training.options;
  Json settings = table_of(recipe_, training.name);
  for (const char* const path : {"data", "eval_domain", "eval_general", "adapter"}) {
    settings.erase(path);
  }
  Json inputs = {{"model", hash_of(training.checkpoint)},
                 {"tokenizer", tokenizer_of(training.checkpoint)},
                 {"settings", settings},
                 {"dtype", recipe_.dtype},
                 {"data", content_hash(options.data)}};
  if (options.format != DocumentFormat::kText) {
    // Of conversations the tokens depend on the chat template too, which stands in one of these.
    inputs["chat_template"] =
        side_files_hash(training.checkpoint, {"chat_template.jinja", "tokenizer_config.json"});
  }
  for (const WeightedText& text : parse_weighted_texts(options.data)) {
    if (text.weight) {
      inputs["weights"].push_back(*text.weight);
    }
  }
  add_content(inputs, "eval_domain", options.eval_domain);
  add_content(inputs, "eval_general", options.eval_general);
  if (!options.method.adapter.empty()) {
    inputs["adapter"] = adapter_hash(options.method.adapter);
  }
  return inputs;
}

Json Job::eval_inputs(const std::filesystem::path& model) const {
  Json settings = table_of(recipe_, "eval");
  for (const char* const path : {"domain", "general", "data_dir", "tasks_dir"}) {
    settings.erase(path);
  }
  return {{"model", hash_of(model)},
          {"tokenizer", tokenizer_of(model)},
          // Generated answers end where that says.
          {"generation_config", side_files_hash(model, {"generation_config.json"})},
          {"settings", settings},
          {"dtype", recipe_.dtype},
          {"domain", content_hash(recipe_.eval.domain)},
          {"general", content_hash(recipe_.eval.general)}};
}

Stage Job::stage(const std::string& name,
                 const std::filesystem::path& folder,
                 const std::filesystem::path& output) const {
  return {.name = name,
          .folder = folder,
          .output = output,
          .inputs = {},
          .make = {},
          .variant = folder == folders_.run ? "" : folder.filename().string()};
}

Stage Job::import_stage() const {
  Stage import = stage("import", folders_.run, "base");
  import.inputs = [this] { return Json{{"base", base_.hash()}, {"dtype", recipe_.import_dtype}}; };
  import.carried = [this] { return side_files_hash(base_); };
  import.make = [this](bool) { import_base(); };
  return import;
}

Stage Job::probe_stage() const {
  Stage probe = stage("probe", folders_.run, "probe.json");
  probe.reads = {base_path()};
  probe.inputs = [this] { return probe_inputs(); };
  probe.make = [this](bool goes_on) { this->probe(goes_on); };
  return probe;
}

Stage Job::plan_stage() const {
  Stage plan = stage("plan", folders_.plan, "plan.json");
  plan.reads = {base_path()};
  if (recipe_.plan.strategy == "auto") {
    plan.reads.push_back(folders_.run / "probe.json");
  }
  plan.inputs = [this] { return plan_inputs(); };
  plan.make = [this](bool) { write_plan(); };
  return plan;
}

Stage Job::surgery_stage() const {
  Stage surgery = stage("surgery", folders_.plan, "expanded");
  surgery.reads = {base_path(), folders_.plan / "plan.json"};
  surgery.inputs = [this] { return surgery_inputs(); };
  surgery.carried = [this] { return side_files_hash(base_path()); };
  surgery.make = [this](bool) { operate(); };
  return surgery;
}

Stage Job::verify_stage() const {
  Stage check = stage("verify", folders_.plan, "verify.json");
  check.reads = {base_path(), folders_.plan / "expanded"};
  check.inputs = [this] {
    return Json{{"base", hash_of(base_path())},
                {"model", hash_of(folders_.plan / "expanded")},
                {"tokenizer", tokenizer_of(base_path())},
                {"dtype", recipe_.dtype},
                {"text_field", recipe_.eval.text_field},
                {"domain", content_hash(recipe_.eval.domain)},
                {"general", content_hash(recipe_.eval.general)}};
  };
  check.make = [this](bool) { verify(); };
  return check;
}

Stage Job::training_stage(const Training& training) const {
  const std::filesystem::path model = std::filesystem::path(training.name) / "model";
  Stage made = stage(training.name, training.folder, model);
  made.reads = {training.checkpoint};
  made.work = {model, std::filesystem::path(training.name) / "checkpoints"};
  made.states = made.work.back();
  made.carried = [training] { return side_files_hash(training.checkpoint); };
  made.discard = [this, training] { discard(training); };
  made.inputs = [this, training] { return training_inputs(training); };
  made.make = [this, training](bool goes_on) { train(training, goes_on); };
  return made;
}

Stage Job::eval_stage(const std::string& name, const std::filesystem::path& model) const {
  const std::filesystem::path& folder = name == "base" ? folders_.run : folders_.own;
  Stage eval = stage("eval-" + name, folder, std::filesystem::path("eval") / (name + ".json"));
  eval.reads = {model};
  eval.inputs = [this, model] {
    Json inputs = eval_inputs(model);
    add_tasks(inputs, task_names(recipe_.eval, task_catalogue(recipe_.eval)), recipe_.eval);
    return inputs;
  };
  eval.make = [this, name, model, folder](bool) {
    const EvalSettings settings{.recipe = recipe_.eval,
                                .dtype = scalar_type_from_name(recipe_.dtype),
                                .device = device_from_name(recipe_.device),
                                .progress = control_.progress,
                                .stop = control_.stop};
    write_json_file(folder / "eval" / (name + ".json"),
                    evaluate(model, name, folder / "eval" / name, settings));
    discard_journals(recipe_.eval, folder / "eval" / name);
  };
  return eval;
}

Stage Job::compare_stage() const {
  Stage comparison = stage("compare", folders_.own, "compare.json");
  comparison.reads = {folders_.run / "eval" / "base.json", folders_.own / "eval" / "new.json"};
  comparison.inputs = [this] {
    return Json{{"base", file_hash(folders_.run / "eval" / "base.json")},
                {"new", file_hash(folders_.own / "eval" / "new.json")},
                {"domain_tasks", recipe_.eval.domain_tasks}};
  };
  comparison.make = [this](bool) { compare(); };
  return comparison;
}

Stage Job::overlap_stage() const {
  Stage overlap = stage("overlap", folders_.sft, "overlap.json");
  overlap.inputs = [this] {
    Json inputs = {{"train", content_hash(recipe_.train.data)},
                   {"train_rows", {name_of(recipe_.train.format), recipe_.train.text_field}},
                   {"text_field", recipe_.eval.text_field},
                   {"domain", content_hash(recipe_.eval.domain)},
                   {"general", content_hash(recipe_.eval.general)},
                   {"domain_tasks", recipe_.eval.domain_tasks},
                   {"general_tasks", recipe_.eval.general_tasks},
                   {"limit", recipe_.eval.limit ? Json(*recipe_.eval.limit) : Json()}};
    if (recipe_.sft) {
      add_content(inputs, "sft", recipe_.sft->data);
      inputs["sft_rows"] = {name_of(recipe_.sft->format), recipe_.sft->text_field};
    }
    add_tasks(inputs, task_names(recipe_.eval, task_catalogue(recipe_.eval)), recipe_.eval);
    return inputs;
  };
  overlap.make = [this](bool) {
    write_json_file(folders_.sft / "overlap.json", find_overlap(recipe_));
  };
  return overlap;
}

Stage Job::export_stage() const {
  Stage exported = stage("export", folders_.own, "export");
  exported.reads = {model_path()};
  exported.inputs = [this] {
    return Json{{"model", hash_of(model_path())},
                {"side_files", side_files_hash(model_path())},
                {"settings", table_of(recipe_, "export")}};
  };
  exported.make = [this](bool) { export_model(); };
  return exported;
}

std::vector<Stage> Job::stages() const {
  std::vector<Stage> stages;
  if (base_.is_gguf()) {
    stages.push_back(import_stage());
  }
  if (recipe_.probe) {
    stages.push_back(probe_stage());
  }
  stages.push_back(plan_stage());
  stages.push_back(surgery_stage());
  stages.push_back(verify_stage());
  stages.push_back(training_stage({.name = "train",
                                   .options = &recipe_.train,
                                   .checkpoint = folders_.plan / "expanded",
                                   .folder = folders_.train}));
  if (recipe_.sft) {
    stages.push_back(training_stage({.name = "sft",
                                     .options = &*recipe_.sft,
                                     .checkpoint = folders_.train / "train" / "model",
                                     .folder = folders_.sft}));
  }
  stages.push_back(eval_stage("base", base_path()));
  stages.push_back(eval_stage("new", model_path()));
  stages.push_back(compare_stage());
  stages.push_back(overlap_stage());
  if (recipe_.exported.pack || !recipe_.exported.gguf.empty()) {
    stages.push_back(export_stage());
  }
  return stages;
}

}  // namespace slayer
