#include "slayer/train/trainer.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

#include "slayer/core/error.h"
#include "slayer/data/order.h"
#include "slayer/model/device.h"
#include "slayer/model/load.h"
#include "slayer/train/export.h"
#include "slayer/train/folder.h"
#include "slayer/train/gradients.h"
#include "slayer/train/metrics.h"
#include "slayer/train/schedule.h"
#include "slayer/train/state.h"
#include "slayer/train/trainable.h"

namespace slayer {
namespace fs = std::filesystem;
namespace {

using std::chrono::steady_clock;

constexpr size_t kDocumentsNamed = 8;

CausalLM load_model(const TrainJob& job) {
  return load_causal_lm(job.checkpoint,
                        scalar_type_from_name(job.options.dtype),
                        device_from_name(job.options.device));
}

/// One training, from its last checkpoint to its last step.
class Trainer final {
 public:
  Trainer(const TrainJob& job, const TrainControl& control);

  TrainSummary run();

 private:
  /// One optimizer step; leaves everything as it was when asked to stop within. @return whether the
  /// step was done.
  bool step();
  /// Adds the batch's gradients up. @return the mean loss; nothing when asked to stop within.
  std::optional<double> accumulate(const std::vector<int64_t>& indices);
  std::vector<int64_t> draw(int64_t step) const;
  void require_finite(double value,
                      const std::string& what,
                      std::span<const int64_t> indices) const;
  std::string documents_of(std::span<const int64_t> indices) const;
  void save();

  const TrainJob& job_;
  const TrainOptions& options_;
  const TrainControl& control_;
  TrainFolder folder_;
  PackedSequences sequences_;
  EpochOrder order_;
  Schedule schedule_;
  CausalLM model_;
  std::vector<TrainableParameter> parameters_;
  AdamW optimizer_;
  TrainStates states_;
  TrainPosition position_;
  int64_t saved_step_ = 0;
  MetricsFile metrics_;
  StepMetrics last_;
};

TrainPosition restore(const TrainStates& states,
                      std::vector<TrainableParameter>& parameters,
                      AdamW& optimizer) {
  const std::optional<fs::path> last = states.last();
  return last ? TrainStates::load(*last, parameters, optimizer) : TrainPosition{};
}

Trainer::Trainer(const TrainJob& job, const TrainControl& control)
    : job_(job),
      options_(job.options),
      control_(control),
      folder_(options_.out),
      sequences_(job.sequences()),
      order_(sequences_.count(), options_.seed),
      schedule_{.peak = options_.lr, .warmup_steps = *options_.warmup, .steps = *options_.steps},
      model_(load_model(job)),
      parameters_(make_trainable(model_, job.layers)),
      optimizer_(parameters_, options_.adamw),
      states_(folder_.checkpoints()),
      position_(restore(states_, parameters_, optimizer_)),
      saved_step_(position_.step),
      metrics_(folder_.metrics_file(), position_.step) {}

TrainSummary Trainer::run() {
  const int64_t tokens_per_step = options_.batch_size * *options_.seq_len;
  Progress progress("training", *options_.steps * tokens_per_step, "tokens", control_.progress);
  progress.resume_at(position_.tokens);
  while (position_.step < *options_.steps) {
    if (control_.stop.stop_requested() || !step()) {
      save();
      throw Interrupted(fmt::format("run the same command again to go on after step {} of {}",
                                    position_.step,
                                    *options_.steps));
    }
    progress.advance(tokens_per_step,
                     fmt::format("step {}/{}, loss {:.3f}, lr {:.1e}",
                                 position_.step,
                                 *options_.steps,
                                 last_.loss,
                                 last_.lr));
    if (options_.save_every > 0 && position_.step % options_.save_every == 0) {
      save();
    }
  }
  save();
  progress.finish();
  write_trained_model(job_, position_, parameters_, folder_.model(), control_);
  return {.model = folder_.model(),
          .steps = position_.step,
          .tokens = position_.tokens,
          .loss = last_.loss,
          .elapsed_s = position_.elapsed_s};
}

bool Trainer::step() {
  const auto start = steady_clock::now();
  const int64_t number = position_.step + 1;
  const std::vector<int64_t> indices = draw(number);
  const std::optional<double> loss = accumulate(indices);
  if (!loss) {
    return false;
  }
  const double norm = gradient_norm(parameters_);
  require_finite(norm, "a gradient norm", indices);
  const double lr = schedule_.at(number);
  const double divisor = options_.clip > 0.0 ? std::max(norm / options_.clip, 1.0) : 1.0;
  optimizer_.step(parameters_, lr, divisor);
  update_model(parameters_);
  for (TrainableParameter& parameter : parameters_) {
    parameter.gradient.reset();
  }
  const double seconds = std::chrono::duration<double>(steady_clock::now() - start).count();
  const int64_t tokens = options_.batch_size * *options_.seq_len;
  position_ = {.step = number,
               .tokens = position_.tokens + tokens,
               .elapsed_s = position_.elapsed_s + seconds};
  last_ = {.step = number,
           .loss = *loss,
           .lr = lr,
           .grad_norm = norm,
           .tokens = position_.tokens,
           .tokens_per_second = static_cast<double>(tokens) / seconds,
           .elapsed_s = position_.elapsed_s};
  metrics_.append(last_);
  return true;
}

std::optional<double> Trainer::accumulate(const std::vector<int64_t>& indices) {
  std::vector<Sequence> rows;
  int64_t targets = 0;
  for (const int64_t index : indices) {
    rows.push_back(sequences_.at(index));
    targets += rows.back().target_count;
  }
  const double scale = 1.0 / static_cast<double>(std::max<int64_t>(targets, 1));
  const auto micro = static_cast<size_t>(*options_.micro_batch_size);
  double loss = 0.0;
  for (size_t begin = 0; begin < rows.size(); begin += micro) {
    if (control_.stop.stop_requested()) {
      for (TrainableParameter& parameter : parameters_) {
        parameter.gradient.reset();
      }
      return std::nullopt;
    }
    const size_t count = std::min(micro, rows.size() - begin);
    const auto first = rows.begin() + static_cast<std::ptrdiff_t>(begin);
    const Batch batch =
        make_batch({first, first + static_cast<std::ptrdiff_t>(count)}, model_.device());
    const double loss_sum = accumulate_gradients(model_, batch, scale);
    require_finite(loss_sum, "a loss", std::span(indices).subspan(begin, count));
    collect_gradients(parameters_);
    loss += loss_sum * scale;
  }
  return loss;
}

std::vector<int64_t> Trainer::draw(int64_t step) const {
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < options_.batch_size; ++i) {
    indices.push_back(order_.at((step - 1) * options_.batch_size + i));
  }
  return indices;
}

void Trainer::require_finite(double value,
                             const std::string& what,
                             std::span<const int64_t> indices) const {
  if (std::isfinite(value)) {
    return;
  }
  const std::optional<fs::path> last = states_.last();
  throw Error({.file = options_.out.string(),
               .item = fmt::format("step {}", position_.step + 1),
               .found = fmt::format("{} of {} on {}", what, value, documents_of(indices)),
               .expected = "a finite one",
               .hint = fmt::format("a lower --lr? last good checkpoint: {}",
                                   last ? last->string() : "none")});
}

std::string Trainer::documents_of(std::span<const int64_t> indices) const {
  std::set<int64_t> documents;
  for (const int64_t index : indices) {
    const auto [first, last] = sequences_.documents(index);
    for (int64_t document = first; document <= last; ++document) {
      documents.insert(document);
    }
  }
  std::vector<std::string> names;
  for (const int64_t document : documents) {
    if (names.size() == kDocumentsNamed) {
      names.push_back(fmt::format("{} more", documents.size() - kDocumentsNamed));
      break;
    }
    names.push_back(job_.corpus.document_name(document));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

void Trainer::save() {
  if (position_.step > saved_step_) {
    states_.save(position_, parameters_, optimizer_);
    saved_step_ = position_.step;
  }
}

}  // namespace

TrainSummary train(const TrainJob& job, const TrainControl& control) {
  const TrainFolder folder(job.options.out);
  if (job.options.force) {
    folder.clear();
  }
  const std::optional<fs::path> last = TrainStates(folder.checkpoints()).last();
  if (last && trained_steps(folder.model()) == *job.options.steps) {
    const TrainPosition done = TrainStates::position_of(*last);
    return {.model = folder.model(),
            .steps = done.step,
            .tokens = done.tokens,
            .elapsed_s = done.elapsed_s};
  }
  write_json_file(folder.settings_file(), job.settings);
  at::set_num_threads(static_cast<int>(*job.options.threads));
  return Trainer(job, control).run();
}

Json to_json(const TrainSummary& summary) {
  return {{"model", summary.model.string()},
          {"steps", summary.steps},
          {"tokens", summary.tokens},
          {"loss", summary.loss},
          {"elapsed_s", summary.elapsed_s}};
}

}  // namespace slayer
