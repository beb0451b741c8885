#include "slayer/probe/lens.h"

#include <c10/core/InferenceMode.h>

#include "slayer/probe/base_states.h"
#include "slayer/probe/resampling.h"

namespace slayer {
namespace {

/// Adds what a chunk's text costs after each layer.
/// @param losses [layer][unit]
void add_chunk(const CausalLM& model,
               const ProbeSet& text,
               const PackedChunk& chunk,
               int64_t logit_rows,
               std::vector<std::vector<double>>& losses) {
  for (const PackedBatch& batch : chunk.batches) {
    watch_states(model, batch, [&](int64_t state, const at::Tensor& hidden) {
      if (state == 0) {
        return;
      }
      std::vector<SequenceScore> scores(chunk.slots());
      score_wanted(model, hidden.flatten(0, 1), batch.wanted, logit_rows, scores);
      for (size_t slot = 0; slot < scores.size(); ++slot) {
        losses[static_cast<size_t>(state - 1)][text.unit_of_group[chunk.first_group + slot]] -=
            scores[slot].loglikelihood;
      }
    });
  }
}

}  // namespace

Json measure_lens(const CausalLM& model,
                  const ProbeSet& text,
                  const SweepOptions& options,
                  const BootstrapOptions& bootstrap,
                  const ProbeControl& control) {
  const c10::InferenceMode inference;
  std::vector<std::vector<double>> losses(model.layers.size(), std::vector<double>(text.units));
  Progress progress(text.name + ": lens", std::ssize(text.groups), "windows", control.progress);
  for (const PackedChunk& chunk : pack_groups(text.groups, options.packing, model.device())) {
    throw_if_stopped(control);
    add_chunk(model, text, chunk, options.logit_rows, losses);
    progress.advance(static_cast<int64_t>(chunk.last_group - chunk.first_group));
  }
  progress.finish();
  std::vector<double> tokens(text.units);
  for (size_t group = 0; group < text.groups.size(); ++group) {
    tokens[text.unit_of_group[group]] += text.weights[group];
  }
  const Resampling resampling(text.units, bootstrap);
  Json layers = Json::array();
  for (size_t layer = 0; layer < losses.size(); ++layer) {
    double loss = 0.0;
    double count = 0.0;
    for (size_t unit = 0; unit < text.units; ++unit) {
      loss += losses[layer][unit];
      count += tokens[unit];
    }
    Json entry{{"layer", layer}, {"loss", loss / count}};
    if (text.units > 1) {
      const Interval interval =
          percentile_interval(resampling.ratios(losses[layer], tokens), bootstrap.level);
      entry["low"] = interval.low;
      entry["high"] = interval.high;
    }
    layers.push_back(std::move(entry));
  }
  return {{"layers", std::move(layers)}};
}

}  // namespace slayer
