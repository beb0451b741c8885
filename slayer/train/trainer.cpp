#include "slayer/train/trainer.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

#include "slayer/core/cpu_time.h"
#include "slayer/core/error.h"
#include "slayer/core/folder_lock.h"
#include "slayer/core/log.h"
#include "slayer/model/device.h"
#include "slayer/model/load.h"
#include "slayer/train/event_file.h"
#include "slayer/train/export.h"
#include "slayer/train/folder.h"
#include "slayer/train/gradients.h"
#include "slayer/train/loss_spikes.h"
#include "slayer/train/metrics.h"
#include "slayer/train/peft_adapter.h"
#include "slayer/train/schedule.h"
#include "slayer/train/state.h"
#include "slayer/train/trainable.h"
#include "slayer/train/training_data.h"

namespace slayer {
namespace fs = std::filesystem;
namespace {

using std::chrono::steady_clock;

constexpr size_t kDocumentsNamed = 8;

CausalLM load_model(const TrainJob& job) {
  return load_causal_lm(job.checkpoint,
                        scalar_type_from_name(job.choices.compute),
                        device_from_name(job.options.device));
}

std::vector<TrainableParameter> make_parameters(const TrainJob& job, CausalLM& model) {
  std::vector<TrainableParameter> parameters =
      make_trainable(model, job.trainable, job.options.seed);
  if (!job.options.method.adapter.empty()) {
    load_adapter(job.options.method.adapter, parameters);
  }
  apply_lr_scales(job.options.lr_scales, job.record, parameters);
  return parameters;
}

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// One training, from its last checkpoint to its last step.
class Trainer final {
 public:
  Trainer(const TrainJob& job, const TrainControl& control);

  TrainSummary run();

 private:
  /// Steps until all are done or too much is forgotten.
  void take_steps();
  /// One optimizer step; leaves everything as it was when asked to stop within. @return whether the
  /// step was done.
  bool step();
  /// Adds the batch's gradients up. @return the mean loss; nothing when asked to stop within.
  std::optional<double> accumulate(const std::vector<int64_t>& draws);
  std::vector<int64_t> draws_of(int64_t step) const;
  void require_finite(double value, const std::string& what, std::span<const int64_t> draws) const;
  /// Looks at the watched texts after the last step where it is time. @return whether that step
  /// became the best one.
  bool watch();
  bool is_due(int64_t every) const { return every > 0 && position_.step % every == 0; }
  /// Where too much was forgotten, takes up the best checkpoint. @return its step, or the last.
  TrainPosition take_up_best();
  void note_spike(const std::vector<int64_t>& draws);
  void save();

  const TrainJob& job_;
  const TrainOptions& options_;
  const TrainChoices& choices_;
  const TrainControl& control_;
  TrainFolder folder_;
  TrainingData data_;
  Schedule schedule_;
  CausalLM model_;  ///< What is measured and written.
  std::vector<TrainableParameter> parameters_;
  CausalLM stepped_;  ///< As the steps run it: the same tensors, frozen ones maybe also in int8.
  AdamW optimizer_;
  TrainStates states_;
  TrainPosition position_;
  int64_t saved_step_ = 0;
  MetricsFile metrics_;
  EventFile events_;
  LossSpikes spikes_;
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
      choices_(job.choices),
      control_(control),
      folder_(options_.out),
      data_(job.data()),
      schedule_{.shape = options_.schedule,
                .peak = choices_.lr,
                .floor = options_.min_lr,
                .warmup_steps = choices_.warmup,
                .decay_steps = choices_.decay_steps,
                .steps = choices_.steps},
      model_(load_model(job)),
      parameters_(make_parameters(job, model_)),
      stepped_(options_.has_int8_frozen ? with_int8_frozen(model_) : model_),
      optimizer_(parameters_, options_.adamw),
      states_(folder_.checkpoints()),
      position_(restore(states_, parameters_, optimizer_)),
      saved_step_(position_.step),
      metrics_(folder_.metrics_file(), position_.step),
      events_(folder_.events_file(), position_.step) {
  for (const double loss : metrics_.losses_before()) {
    spikes_.add(loss);
  }
}

TrainSummary Trainer::run() {
  if (!job_.watched.is_empty() && !position_.watch.base) {
    position_.watch.base = measure(model_, job_.watched, choices_.seq_len);
    const StepMetrics before{.watched = *position_.watch.base};
    metrics_.append(before);
    events_.append(before, seconds_since_1970());
  }
  if (!position_.watch.has_stopped) {
    take_steps();
  }
  const TrainPosition reached = take_up_best();
  if (job_.trainable.lora) {
    write_adapter(
        folder_.adapter(), options_.checkpoint.string(), *job_.trainable.lora, parameters_);
  }
  write_trained_model(job_, reached, parameters_, folder_.model(), control_);
  return {.model = folder_.model(),
          .steps = reached.step,
          .tokens = reached.tokens,
          .loss = last_.loss,
          .elapsed_s = position_.elapsed_s};
}

void Trainer::take_steps() {
  const int64_t tokens_per_step = options_.batch_size * choices_.seq_len;
  Progress progress("training", choices_.steps * tokens_per_step, "tokens", control_.progress);
  progress.resume_at(position_.tokens);
  while (position_.step < choices_.steps) {
    if (control_.stop.stop_requested() || !step()) {
      save();
      throw Interrupted(fmt::format("run the same command again to go on after step {} of {}",
                                    position_.step,
                                    choices_.steps));
    }
    progress.advance(tokens_per_step,
                     fmt::format("step {}/{}, loss {:.3f}, lr {:.1e}",
                                 position_.step,
                                 choices_.steps,
                                 last_.loss,
                                 last_.lr));
    const bool is_best = watch();
    metrics_.append(last_);
    events_.append(last_, seconds_since_1970());
    if (is_best || is_due(options_.save_every)) {
      save();
    }
    if (position_.watch.has_stopped) {
      break;
    }
  }
  save();
  progress.finish();
}

bool Trainer::watch() {
  if (!is_due(choices_.eval_every) && position_.step < choices_.steps) {
    return false;
  }
  if (job_.watched.is_empty()) {
    return false;
  }
  const WatchedLosses losses = measure(model_, job_.watched, choices_.seq_len);
  position_.watch.add(position_.step, losses, options_.stop_if_forgetting);
  last_.watched = losses;
  last_.forgetting = position_.watch.forgetting(losses);
  return position_.watch.best_step == position_.step;
}

TrainPosition Trainer::take_up_best() {
  if (!position_.watch.has_stopped) {
    return position_;
  }
  const std::string limit = fmt::format("{:g}", *options_.stop_if_forgetting);
  const int64_t best = position_.watch.best_step;
  if (best == 0) {
    throw Error({.file = options_.out.string(),
                 .item = fmt::format("step {}", position_.step),
                 .found = "more forgotten than --stop-if-forgetting " + limit + " allows",
                 .expected = "a look at the texts before that with less",
                 .hint = "a lower --lr, a smaller --eval-every, or general text in --data?"});
  }
  log_warning(
      fmt::format("stopped after step {}: more forgotten than {} allows; the model is that "
                  "of step {}",
                  position_.step,
                  limit,
                  best));
  TrainPosition reached = TrainStates::load(states_.path_of(best), parameters_, optimizer_);
  reached.watch = position_.watch;
  return reached;
}

bool Trainer::step() {
  const auto start = steady_clock::now();
  const double cpu_start = process_cpu_seconds();
  const int64_t number = position_.step + 1;
  const std::vector<int64_t> draws = draws_of(number);
  const std::optional<double> loss = accumulate(draws);
  if (!loss) {
    return false;
  }
  const double norm = gradient_norm(parameters_);
  require_finite(norm, "a gradient norm", draws);
  const double lr = schedule_.at(number);
  const double divisor = options_.clip > 0.0 ? std::max(norm / options_.clip, 1.0) : 1.0;
  optimizer_.step(parameters_, lr, divisor);
  update_model(parameters_);
  clear_gradients(parameters_);
  const double seconds = std::chrono::duration<double>(steady_clock::now() - start).count();
  const int64_t tokens = options_.batch_size * choices_.seq_len;
  position_.step = number;
  position_.tokens += tokens;
  position_.elapsed_s += seconds;
  position_.cpu_seconds += process_cpu_seconds() - cpu_start;
  last_ = {.step = number,
           .loss = *loss,
           .lr = lr,
           .grad_norm = norm,
           .tokens = position_.tokens,
           .tokens_per_second = static_cast<double>(tokens) / seconds,
           .elapsed_s = position_.elapsed_s,
           .cpu_seconds = position_.cpu_seconds};
  note_spike(draws);
  return true;
}

void Trainer::note_spike(const std::vector<int64_t>& draws) {
  if (const std::optional<double> usual = spikes_.add(last_.loss)) {
    last_.is_spike = true;
    log_warning(
        fmt::format("step {}: loss {:.3f}, far above {:.3f}, the median of those before; on {}",
                    last_.step,
                    last_.loss,
                    *usual,
                    data_.document_names(draws, kDocumentsNamed)));
  }
}

std::optional<double> Trainer::accumulate(const std::vector<int64_t>& draws) {
  std::vector<Sequence> rows;
  int64_t targets = 0;
  for (const int64_t draw : draws) {
    rows.push_back(data_.at(draw));
    targets += rows.back().target_count;
  }
  const double scale = 1.0 / static_cast<double>(std::max<int64_t>(targets, 1));
  const Activations activations =
      choices_.recompute ? Activations::kRecomputed : Activations::kKept;
  const auto micro = static_cast<size_t>(choices_.micro_batch_size);
  double loss = 0.0;
  for (size_t begin = 0; begin < rows.size(); begin += micro) {
    if (control_.stop.stop_requested()) {
      clear_gradients(parameters_);
      return std::nullopt;
    }
    const size_t count = std::min(micro, rows.size() - begin);
    const auto first = rows.begin() + static_cast<std::ptrdiff_t>(begin);
    const Batch batch =
        make_batch({first, first + static_cast<std::ptrdiff_t>(count)}, model_.device());
    const double loss_sum = accumulate_gradients(stepped_, batch, scale, activations);
    require_finite(loss_sum, "a loss", std::span(draws).subspan(begin, count));
    collect_gradients(parameters_);
    loss += loss_sum * scale;
  }
  return loss;
}

std::vector<int64_t> Trainer::draws_of(int64_t step) const {
  std::vector<int64_t> draws(static_cast<size_t>(options_.batch_size));
  std::iota(draws.begin(), draws.end(), (step - 1) * options_.batch_size);
  return draws;
}

void Trainer::require_finite(double value,
                             const std::string& what,
                             std::span<const int64_t> draws) const {
  if (std::isfinite(value)) {
    return;
  }
  const std::optional<fs::path> last = states_.last();
  throw Error({.file = options_.out.string(),
               .item = fmt::format("step {}", position_.step + 1),
               .found = fmt::format(
                   "{} of {} on {}", what, value, data_.document_names(draws, kDocumentsNamed)),
               .expected = "a finite one",
               .hint = fmt::format("a lower --lr? last good checkpoint: {}",
                                   last ? last->string() : "none")});
}

void Trainer::save() {
  if (position_.step > saved_step_) {
    states_.save(position_, parameters_, optimizer_);
    saved_step_ = position_.step;
  }
}

/// Where the training came to, if `model` is what it came to.
std::optional<TrainPosition> finished_at(const TrainStates& states,
                                         const fs::path& model,
                                         int64_t steps) {
  const std::optional<fs::path> last = states.last();
  if (!last) {
    return std::nullopt;
  }
  const TrainPosition position = TrainStates::position_of(*last);
  const int64_t reached = position.watch.has_stopped ? position.watch.best_step : steps;
  if (reached == 0 || trained_steps(model) != reached) {
    return std::nullopt;
  }
  return reached == position.step ? position : TrainStates::position_of(states.path_of(reached));
}

}  // namespace

TrainSummary train(const TrainJob& job, const TrainControl& control) {
  const FolderLock lock(job.options.out);
  const TrainFolder folder(job.options.out);
  if (job.options.force) {
    folder.clear();
  }
  const TrainStates states(folder.checkpoints());
  if (const auto done = finished_at(states, folder.model(), job.choices.steps)) {
    return {.model = folder.model(),
            .steps = done->step,
            .tokens = done->tokens,
            .elapsed_s = done->elapsed_s};
  }
  write_json_file(folder.settings_file(), job.settings);
  at::set_num_threads(static_cast<int>(job.choices.threads));
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
