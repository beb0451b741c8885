#include <ATen/Parallel.h>

#include <algorithm>
#include <fmt/format.h>

#include "slayer/checkpoint/gguf_export.h"
#include "slayer/checkpoint/gguf_import.h"
#include "slayer/core/error.h"
#include "slayer/core/file.h"
#include "slayer/core/log.h"
#include "slayer/core/output_file.h"
#include "slayer/data/documents.h"
#include "slayer/eval/compare.h"
#include "slayer/model/device.h"
#include "slayer/model/verify.h"
#include "slayer/recipe/evaluate.h"
#include "slayer/recipe/job.h"
#include "slayer/surgery/apply.h"
#include "slayer/surgery/pack.h"
#include "slayer/surgery/summary.h"
#include "slayer/tokenizer/tokenizer.h"
#include "slayer/train/folder.h"
#include "slayer/train/state.h"
#include "slayer/train/trainer.h"

// What each stage does.

namespace slayer {
namespace {

// What surgery is verified on: short pieces of the held-out texts.
constexpr size_t kVerifyDocuments = 4;
constexpr size_t kVerifyTokens = 256;

GgmlType gguf_type(const std::string& name) {
  return name == "f32"    ? GgmlType::kF32
         : name == "f16"  ? GgmlType::kF16
         : name == "bf16" ? GgmlType::kBF16
                          : GgmlType::kQ8_0;
}

void throw_if_stopped(const std::stop_token& stop) {
  if (stop.stop_requested()) {
    throw Interrupted("run the same command again to go on");
  }
}

}  // namespace

void Job::import_base() const {
  StagedFolder folder(folders_.run / "base", /*force=*/true);
  const Dtype dtype = dtype_from_torch_name(recipe_.import_dtype);
  int64_t bytes = 0;
  for (const TensorInfo& tensor : base_.tensors()) {
    bytes += tensor.element_count() * size_in_bytes(dtype);
  }
  Progress progress("import", bytes, "bytes", control_.progress);
  import_gguf(base_, folder.path(), dtype, [&](int64_t written) {
    throw_if_stopped(control_.stop);
    progress.advance(written);
  });
  folder.commit();
  progress.finish();
}

void Job::probe(bool goes_on) const {
  const std::filesystem::path out = folders_.run / "probe.json";
  if (!goes_on) {
    std::filesystem::remove(journal_of(out));
  }
  probe_checkpoint(
      Checkpoint::open(base_path()), *recipe_.probe, out, control_.progress, control_.stop);
}

void Job::write_plan() const {
  Plan plan;
  if (recipe_.plan.strategy == "auto") {
    AutoPlan made = make_auto_plan();
    for (const std::string& reason : made.reasons) {
      log_info(reason);
    }
    plan = std::move(made.plan);
  } else {
    plan = make_plan(recipe_.plan, base_.config().num_hidden_layers);
    plan.source_hash = Checkpoint::open(base_path()).hash();
  }
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

TrainJob Job::prepared(const Training& training, bool goes_on) const {
  TrainOptions options = *training.options;
  options.checkpoint = training.checkpoint;
  options.out = training.out();
  options.force = !goes_on;
  if (training.name == std::string_view("sft") && options.method.method == Method::kPlan &&
      recipe_.train.method.method != Method::kPlan) {
    // The model's own marks are of all that differs from the base, by [train] too.
    options.lr = options.lr.value_or(default_lr(Method::kPlan));
    options.method = {.method = Method::kLayers,
                      .layers = trainable_set(options.method, read_plan()).layers};
  }
  if (goes_on && TrainFolder(options.out).stored_settings()) {
    options.threads.reset();  // It goes on with those it began with: others give other last bits.
  }
  return prepare(options, {.progress = control_.progress, .stop = control_.stop});
}

void Job::discard(const Training& training) const {
  if (std::filesystem::exists(training.out())) {
    prepared(training, /*goes_on=*/false);
    TrainFolder(training.out()).clear();
  }
}

void Job::train(const Training& training, bool goes_on) const {
  const TrainJob job = prepared(training, goes_on);
  const TrainFolder folder(training.out());
  if (goes_on && TrainStates(folder.checkpoints()).last()) {
    std::filesystem::remove_all(folder.model());  // It may not be whole, and is quickly made again.
  }
  log_info(describe(job, forecast(job)));
  const int threads = at::get_num_threads();
  slayer::train(job, {.progress = control_.progress, .stop = control_.stop});
  at::set_num_threads(threads);
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
  if (recipe_.exported.pack) {
    pack(model,
         folder.path() / "pack.safetensors",
         {.progress = control_.progress, .stop = control_.stop});
  }
  for (const std::string& type : recipe_.exported.gguf) {
    OutputFile output(folder.path() / fmt::format("model-{}.gguf", type));
    Progress progress(
        "export " + type, exported_bytes(model, gguf_type(type)), "bytes", control_.progress);
    export_gguf(model, output, gguf_type(type), [&](int64_t bytes) {
      throw_if_stopped(control_.stop);
      progress.advance(bytes);
    });
    output.close();
    progress.finish();
  }
  folder.commit();
}

}  // namespace slayer
