#include "slayer/recipe/run.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <vector>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/checkpoint/gguf_import.h"
#include "slayer/core/error.h"
#include "slayer/core/file.h"
#include "slayer/core/log.h"
#include "slayer/core/sha256.h"
#include "slayer/data/documents.h"
#include "slayer/eval/perplexity.h"
#include "slayer/model/device.h"
#include "slayer/model/load.h"
#include "slayer/model/verify.h"
#include "slayer/recipe/evaluate.h"
#include "slayer/recipe/stages.h"
#include "slayer/recipe/summary.h"
#include "slayer/surgery/apply.h"
#include "slayer/surgery/summary.h"
#include "slayer/tokenizer/tokenizer.h"
#include "slayer/train/trainer.h"

namespace slayer {
namespace {

// What surgery is verified on: short pieces of the held-out texts.
constexpr size_t kVerifyDocuments = 4;
constexpr size_t kVerifyTokens = 256;

/// SHA-256 of the files' content, in order.
std::string content_hash(const std::vector<std::string>& patterns) {
  Sha256 hash;
  for (const std::filesystem::path& file : find_document_files(patterns)) {
    const MappedFile mapped(file);
    hash.update(fmt::format("{} ", mapped.bytes().size()));
    hash.update(mapped.bytes());
  }
  return hash.hex_digest();
}

Json table_of(const Recipe& recipe, const std::string& name) {
  return recipe.json.value(name, Json::object());
}

/// The recipe's stages over one folder.
class RecipeRun final {
 public:
  RecipeRun(const Recipe& recipe, std::filesystem::path out, const RunControl& control)
      : recipe_(recipe),
        out_(std::move(out)),
        control_(control),
        base_(Checkpoint::open(recipe.base)) {
    check();
  }

  std::vector<Stage> stages();

  /// The Hugging Face folder that surgery starts from.
  std::filesystem::path base_path() const { return base_.is_gguf() ? out_ / "base" : recipe_.base; }

 private:
  /// All that can be found wrong before anything long begins.
  void check() const;

  static std::string hash_of(const std::filesystem::path& path) {
    return Checkpoint::open(path).hash();
  }

  void import_base() const;
  void write_plan() const;
  void operate() const;
  void verify() const;
  void train(bool goes_on) const;

  Json train_inputs() const;
  Json eval_inputs(const std::filesystem::path& model) const;
  Stage eval_stage(const std::string& name, const std::filesystem::path& model) const;

  const Recipe& recipe_;
  std::filesystem::path out_;
  RunControl control_;
  Checkpoint base_;
};

void RecipeRun::check() const {
  base_.require_complete();
  make_plan(recipe_.plan, base_.config().num_hidden_layers);
  Tokenizer::from_side_files(base_.side_files(), recipe_.base.string());
  const int64_t positions = base_.config().max_position_embeddings;
  if (recipe_.eval.seq_len > positions) {
    throw Error({.file = recipe_.file.string(),
                 .item = "eval.seq_len",
                 .found = fmt::format("{}", recipe_.eval.seq_len),
                 .expected = fmt::format("at most the model's {} positions", positions)});
  }
  if (std::filesystem::exists(out_) && !std::filesystem::exists(out_ / "stages")) {
    throw Error({.file = out_.string(),
                 .found = "a folder that no run made",
                 .expected = "a new path or the folder of a run"});
  }
}

void RecipeRun::import_base() const {
  StagedFolder folder(out_ / "base", /*force=*/true);
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

void RecipeRun::write_plan() const {
  Plan plan = make_plan(recipe_.plan, base_.config().num_hidden_layers);
  plan.source_hash = hash_of(base_path());
  write_json_file(out_ / "plan.json", plan_to_json(plan));
}

void RecipeRun::operate() const {
  const std::string plan_file = (out_ / "plan.json").string();
  const Plan plan = plan_from_json(read_json_file(plan_file), plan_file);
  const Checkpoint base = Checkpoint::open(base_path());
  require_plan_for(base, plan, plan_file);
  log_info(sketch_layers(plan));
  apply(base,
        plan,
        std::nullopt,
        out_ / "expanded",
        {.force = true, .progress = control_.progress, .stop = control_.stop});
}

void RecipeRun::verify() const {
  const std::string plan_file = (out_ / "plan.json").string();
  const Plan plan = plan_from_json(read_json_file(plan_file), plan_file);
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
                                             Checkpoint::open(out_ / "expanded"),
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
  write_json_file(out_ / "verify.json",
                  {{"must_be_identical", report.must_be_identical},
                   {"is_identical", report.is_identical},
                   {"largest_difference", report.largest_difference},
                   {"tokens", report.tokens},
                   {"base_loss", report.base_loss},
                   {"new_loss", report.new_loss}});
}

Json RecipeRun::train_inputs() const {
  Json settings = table_of(recipe_, "train");
  settings.erase("data");
  return {{"model", hash_of(out_ / "expanded")},
          {"settings", settings},
          {"dtype", recipe_.dtype},
          {"data", content_hash(recipe_.train.data)}};
}

void RecipeRun::train(bool goes_on) const {
  TrainOptions options = recipe_.train;
  options.checkpoint = out_ / "expanded";
  options.out = out_ / "train";
  options.force = !goes_on;
  const TrainControl control{.progress = control_.progress, .stop = control_.stop};
  const TrainJob job = prepare(options, control);
  log_info(describe(job, forecast(job)));
  slayer::train(job, control);
}

Json RecipeRun::eval_inputs(const std::filesystem::path& model) const {
  Json settings = table_of(recipe_, "eval");
  settings.erase("domain");
  settings.erase("general");
  return {{"model", hash_of(model)},
          {"settings", settings},
          {"dtype", recipe_.dtype},
          {"domain", content_hash(recipe_.eval.domain)},
          {"general", content_hash(recipe_.eval.general)}};
}

Stage RecipeRun::eval_stage(const std::string& name, const std::filesystem::path& model) const {
  const std::filesystem::path output = std::filesystem::path("eval") / (name + ".json");
  return {.name = "eval-" + name,
          .output = output,
          .inputs = [this, model] { return eval_inputs(model); },
          .make =
              [this, name, model, output](bool) {
                const EvalSettings settings{.recipe = recipe_.eval,
                                            .dtype = scalar_type_from_name(recipe_.dtype),
                                            .device = device_from_name(recipe_.device),
                                            .progress = control_.progress,
                                            .stop = control_.stop};
                write_json_file(out_ / output, evaluate(model, name, settings));
              }};
}

std::vector<Stage> RecipeRun::stages() {
  std::vector<Stage> stages;
  if (base_.is_gguf()) {
    stages.push_back(
        {.name = "import",
         .output = "base",
         .inputs = [this] { return Json{{"base", base_.hash()}, {"dtype", recipe_.import_dtype}}; },
         .make = [this](bool) { import_base(); }});
  }
  stages.push_back({.name = "plan",
                    .output = "plan.json",
                    .inputs =
                        [this] {
                          return Json{{"base", hash_of(base_path())},
                                      {"settings", table_of(recipe_, "plan")}};
                        },
                    .make = [this](bool) { write_plan(); }});
  // A plan that was edited by hand is carried out too: what counts is what the file says.
  const auto plan_inputs = [this] {
    return Json{{"base", hash_of(base_path())}, {"plan", read_text_file(out_ / "plan.json")}};
  };
  stages.push_back(
      {.name = "surgery", .output = "expanded", .inputs = plan_inputs, .make = [this](bool) {
         operate();
       }});
  stages.push_back({.name = "verify",
                    .output = "verify.json",
                    .inputs =
                        [this] {
                          return Json{{"model", hash_of(out_ / "expanded")},
                                      {"text", eval_inputs(base_path())}};
                        },
                    .make = [this](bool) { verify(); }});
  stages.push_back({.name = "train",
                    .output = "train/model",
                    .inputs = [this] { return train_inputs(); },
                    .make = [this](bool goes_on) { train(goes_on); }});
  stages.push_back(eval_stage("base", base_path()));
  stages.push_back(eval_stage("new", out_ / "train" / "model"));
  return stages;
}

}  // namespace

Json run_recipe(const Recipe& recipe, const std::filesystem::path& out, const RunControl& control) {
  if (recipe.threads > 0) {
    at::set_num_threads(static_cast<int>(recipe.threads));
  }
  RecipeRun run(recipe, out, control);
  const StageLog log(out);
  const std::vector<Stage> stages = run.stages();
  for (size_t i = 0; i < stages.size(); ++i) {
    const std::string title = fmt::format("[{}/{}] {}", i + 1, stages.size(), stages[i].name);
    if (log.is_up_to_date(stages[i])) {
      log_info(title + ": up to date");
      continue;
    }
    if (control.stop.stop_requested()) {
      throw Interrupted("run the same command again to go on with " + stages[i].name);
    }
    log_info(title);
    log.make(stages[i]);
  }
  const Json summary = summarize_run(out, run.base_path(), stages, log);
  write_json_file(out / "summary.json", summary);
  return summary;
}

std::string describe_run(const Recipe& recipe, const std::filesystem::path& out) {
  RecipeRun run(recipe, out, {});
  const StageLog log(out);
  std::string lines;
  bool is_stale = false;  // A stage that will run changes what those after it work on.
  for (const Stage& stage : run.stages()) {
    is_stale = is_stale || !log.is_up_to_date(stage);
    lines += fmt::format("{:<10} {:<11} {}\n",
                         stage.name,
                         is_stale ? "to do" : "up to date",
                         (out / stage.output).string());
  }
  return lines;
}

}  // namespace slayer
