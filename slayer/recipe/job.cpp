#include "slayer/recipe/job.h"

#include <algorithm>
#include <fmt/format.h>

#include "slayer/checkpoint/gguf_export.h"
#include "slayer/checkpoint/gguf_import.h"
#include "slayer/core/error.h"
#include "slayer/core/file.h"
#include "slayer/core/log.h"
#include "slayer/core/mapped_file.h"
#include "slayer/core/output_file.h"
#include "slayer/core/sha256.h"
#include "slayer/data/documents.h"
#include "slayer/data/mixture.h"
#include "slayer/eval/compare.h"
#include "slayer/model/device.h"
#include "slayer/model/verify.h"
#include "slayer/recipe/evaluate.h"
#include "slayer/recipe/overlap.h"
#include "slayer/surgery/apply.h"
#include "slayer/surgery/pack.h"
#include "slayer/surgery/summary.h"
#include "slayer/tokenizer/tokenizer.h"
#include "slayer/train/trainer.h"

namespace slayer {
namespace {

// What surgery is verified on: short pieces of the held-out texts.
constexpr size_t kVerifyDocuments = 4;
constexpr size_t kVerifyTokens = 256;

std::string hash_of(const std::filesystem::path& path) { return Checkpoint::open(path).hash(); }

/// SHA-256 of the files' content, in order.
std::string content_hash(const std::vector<std::string>& patterns) {
  Sha256 hash;
  for (const std::filesystem::path& file : find_document_files(patterns_of(patterns))) {
    const MappedFile mapped(file);
    hash.update(fmt::format("{} ", mapped.bytes().size()));
    hash.update(mapped.bytes());
  }
  return hash.hex_digest();
}

std::string file_hash(const std::filesystem::path& file) { return sha256(read_text_file(file)); }

Json table_of(const Recipe& recipe, const std::string& name) {
  return recipe.json.value(name, Json::object());
}

GgmlType gguf_type(const std::string& name) {
  return name == "f32"    ? GgmlType::kF32
         : name == "f16"  ? GgmlType::kF16
         : name == "bf16" ? GgmlType::kBF16
                          : GgmlType::kQ8_0;
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

void Job::import_base() const {
  StagedFolder folder(folders_.run / "base", /*force=*/true);
  const Dtype dtype = dtype_from_torch_name(recipe_.import_dtype);
  int64_t bytes = 0;
  for (const TensorInfo& tensor : base_.tensors()) {
    bytes += tensor.element_count() * size_in_bytes(dtype);
  }
  Progress progress("import", bytes, "bytes", control_.progress);
  import_gguf(base_, folder.path(), dtype, [&](int64_t written) { progress.advance(written); });
  folder.commit();
  progress.finish();
}

Plan Job::read_plan() const { return read_plan_file(folders_.plan / "plan.json"); }

void Job::write_plan() const {
  Plan plan = make_plan(recipe_.plan, base_.config().num_hidden_layers);
  plan.source_hash = hash_of(base_path());
  write_text_file(folders_.plan / "plan.json", plan_file_text(plan));
}

void Job::operate() const {
  const Plan plan = read_plan();
  const Checkpoint base = Checkpoint::open(base_path());
  require_plan_for(base, plan, (folders_.plan / "plan.json").string());
  log_info(sketch_layers(plan));
  apply(base,
        plan,
        std::nullopt,
        folders_.plan / "expanded",
        {.force = true, .progress = control_.progress, .stop = control_.stop});
}

void Job::verify() const {
  const Plan plan = read_plan();
  const Checkpoint base = Checkpoint::open(base_path());
  const Tokenizer tokenizer = Tokenizer::from_side_files(base.side_files(), base.path().string());
  std::vector<std::vector<int32_t>> sequences;
  for (const auto* patterns : {&recipe_.eval.domain, &recipe_.eval.general}) {
    std::vector<Document> documents = read_texts(*patterns, recipe_.eval.text_field);
    documents.resize(std::min(documents.size(), kVerifyDocuments));
    for (std::vector<TokenId>& tokens : encode_documents(tokenizer, documents)) {
      tokens.resize(std::min(tokens.size(), kVerifyTokens));
      if (tokens.size() >= 2) {
        sequences.push_back(std::move(tokens));
      }
    }
  }
  const VerifyReport report = verify_surgery(base,
                                             Checkpoint::open(folders_.plan / "expanded"),
                                             plan,
                                             sequences,
                                             scalar_type_from_name(recipe_.dtype),
                                             device_from_name(recipe_.device));
  if (report.is_broken()) {
    throw std::logic_error("surgery broke the identity: " + report.summary());
  }
  if (report.is_costly()) {
    log_warning(report.summary());
  } else {
    log_info(report.summary());
  }
  write_json_file(folders_.plan / "verify.json",
                  {{"must_be_identical", report.must_be_identical},
                   {"is_identical", report.is_identical},
                   {"largest_difference", report.largest_difference},
                   {"tokens", report.tokens},
                   {"base_loss", report.base_loss},
                   {"new_loss", report.new_loss}});
}

void Job::train(bool goes_on) const {
  TrainOptions options = recipe_.train;
  options.checkpoint = folders_.plan / "expanded";
  options.out = folders_.train / "train";
  options.force = !goes_on;
  const TrainControl control{.progress = control_.progress, .stop = control_.stop};
  const TrainJob job = prepare(options, control);
  log_info(describe(job, forecast(job)));
  slayer::train(job, control);
}

void Job::compare() const {
  const EvaluationFile base = EvaluationFile::read(folders_.run / "eval" / "base.json");
  const std::filesystem::path changed = folders_.own / "eval" / "new.json";
  const TaskCatalogue catalogue = task_catalogue(recipe_.eval);
  CompareOptions options;
  options.domain_tasks = resolve_tasks(catalogue, recipe_.eval.domain_tasks);
  options.domain_tasks.insert(options.domain_tasks.begin(), "text:domain");
  const Comparison comparison =
      compare_evaluations(base, EvaluationFile::read(changed), "new.json", options);
  write_json_file(folders_.own / "compare.json", comparison_to_json(comparison));
}

void Job::export_model() const {
  const Checkpoint model = Checkpoint::open(model_path());
  StagedFolder folder(folders_.own / "export", /*force=*/true);
  for (const std::string& type : recipe_.exported.gguf) {
    OutputFile output(folder.path() / fmt::format("model-{}.gguf", type));
    Progress progress(
        "export " + type, exported_bytes(model, gguf_type(type)), "bytes", control_.progress);
    export_gguf(model, output, gguf_type(type), [&](int64_t bytes) { progress.advance(bytes); });
    output.close();
    progress.finish();
  }
  if (recipe_.exported.pack) {
    pack(model,
         folder.path() / "pack.safetensors",
         {.progress = control_.progress, .stop = control_.stop});
  }
  folder.commit();
}

Json Job::plan_inputs() const {
  // A plan that was edited by hand is carried out too: what counts is what the file says.
  return {{"base", hash_of(base_path())}, {"plan", read_text_file(folders_.plan / "plan.json")}};
}

Json Job::train_inputs() const {
  Json settings = table_of(recipe_, "train");
  settings.erase("data");
  Json inputs = {{"model", hash_of(folders_.plan / "expanded")},
                 {"settings", settings},
                 {"dtype", recipe_.dtype},
                 {"data", content_hash(recipe_.train.data)}};
  for (const WeightedText& text : parse_weighted_texts(recipe_.train.data)) {
    if (text.weight) {
      inputs["weights"].push_back(*text.weight);
    }
  }
  return inputs;
}

Json Job::eval_inputs(const std::filesystem::path& model) const {
  Json settings = table_of(recipe_, "eval");
  for (const char* const path : {"domain", "general", "data_dir", "tasks_dir"}) {
    settings.erase(path);
  }
  return {{"model", hash_of(model)},
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
  import.make = [this](bool) { import_base(); };
  return import;
}

Stage Job::eval_stage(const std::string& name, const std::filesystem::path& model) const {
  const std::filesystem::path& folder = name == "base" ? folders_.run : folders_.own;
  Stage eval = stage("eval-" + name, folder, std::filesystem::path("eval") / (name + ".json"));
  eval.inputs = [this, model] { return eval_inputs(model); };
  eval.make = [this, name, model, folder](bool) {
    const EvalSettings settings{.recipe = recipe_.eval,
                                .dtype = scalar_type_from_name(recipe_.dtype),
                                .device = device_from_name(recipe_.device),
                                .progress = control_.progress,
                                .stop = control_.stop};
    write_json_file(folder / "eval" / (name + ".json"),
                    evaluate(model, name, folder / "eval" / name, settings));
  };
  return eval;
}

Stage Job::compare_stage() const {
  Stage comparison = stage("compare", folders_.own, "compare.json");
  comparison.inputs = [this] {
    return Json{{"base", file_hash(folders_.run / "eval" / "base.json")},
                {"new", file_hash(folders_.own / "eval" / "new.json")},
                {"domain_tasks", recipe_.eval.domain_tasks}};
  };
  comparison.make = [this](bool) { compare(); };
  return comparison;
}

Stage Job::overlap_stage() const {
  Stage overlap = stage("overlap", folders_.train, "overlap.json");
  overlap.inputs = [this] {
    return Json{{"train", content_hash(recipe_.train.data)},
                {"train_field", recipe_.train.text_field},
                {"domain", content_hash(recipe_.eval.domain)},
                {"general", content_hash(recipe_.eval.general)},
                {"domain_tasks", recipe_.eval.domain_tasks},
                {"general_tasks", recipe_.eval.general_tasks},
                {"limit", recipe_.eval.limit ? Json(*recipe_.eval.limit) : Json()}};
  };
  overlap.make = [this](bool) {
    write_json_file(folders_.train / "overlap.json", find_overlap(recipe_));
  };
  return overlap;
}

Stage Job::export_stage() const {
  Stage exported = stage("export", folders_.own, "export");
  exported.inputs = [this] {
    return Json{{"model", hash_of(model_path())}, {"settings", table_of(recipe_, "export")}};
  };
  exported.make = [this](bool) { export_model(); };
  return exported;
}

std::vector<Stage> Job::stages() const {
  std::vector<Stage> stages;
  if (base_.is_gguf()) {
    stages.push_back(import_stage());
  }
  Stage plan = stage("plan", folders_.plan, "plan.json");
  plan.inputs = [this] {
    return Json{{"base", hash_of(base_path())}, {"settings", table_of(recipe_, "plan")}};
  };
  plan.make = [this](bool) { write_plan(); };
  stages.push_back(plan);

  Stage surgery = stage("surgery", folders_.plan, "expanded");
  surgery.inputs = [this] { return plan_inputs(); };
  surgery.make = [this](bool) { operate(); };
  stages.push_back(surgery);

  Stage check = stage("verify", folders_.plan, "verify.json");
  check.inputs = [this] {
    return Json{{"model", hash_of(folders_.plan / "expanded")}, {"text", eval_inputs(base_path())}};
  };
  check.make = [this](bool) { verify(); };
  stages.push_back(check);

  Stage training = stage("train", folders_.train, "train/model");
  training.inputs = [this] { return train_inputs(); };
  training.make = [this](bool goes_on) { train(goes_on); };
  stages.push_back(training);

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
