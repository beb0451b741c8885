#include "slayer/probe/angular.h"

#include <ATen/ATen.h>

#include <numbers>
#include <numeric>

#include "slayer/probe/base_states.h"
#include "slayer/probe/resampling.h"

namespace slayer {
namespace {

/// Sums of one quantity for each unit and pair of states, and how many tokens they are of.
struct PairSums {
  at::Tensor sums;    ///< [units, states, states] float64
  at::Tensor counts;  ///< [units] float64

  PairSums(size_t units, int64_t states)
      : sums(at::zeros({static_cast<int64_t>(units), states, states}, at::kDouble)),
        counts(at::zeros({static_cast<int64_t>(units)}, at::kDouble)) {}

  /// @param values [tokens, states, states]; `units` [tokens] int64.
  void add(const at::Tensor& values, const at::Tensor& units) {
    sums.index_add_(0, units, values.to(at::kCPU, at::kDouble));
    counts.index_add_(0, units, at::ones({units.size(0)}, at::kDouble));
  }

  double mean(int64_t from, int64_t to) const {
    return (sums.select(2, to).select(1, from).sum() / counts.sum()).item<double>();
  }

  /// Of one pair, an entry a unit.
  std::vector<double> of_pair(int64_t from, int64_t to) const {
    const at::Tensor column = sums.select(2, to).select(1, from).contiguous();
    const double* const data = column.const_data_ptr<double>();
    return {data, data + column.numel()};
  }

  std::vector<double> weights() const {
    const double* const data = counts.const_data_ptr<double>();
    return {data, data + counts.numel()};
  }
};

struct Angles {
  PairSums last_token;
  PairSums all_tokens;
};

/// The unit of each scored position of a batch, and whether it is its sequence's last.
struct Positions {
  at::Tensor flat;     ///< [tokens] into the flattened rows.
  at::Tensor units;    ///< [tokens]
  at::Tensor is_last;  ///< [tokens] bool
};

Positions positions_of(const PackedBatch& batch, const PackedChunk& chunk, const ProbeSet& text) {
  std::vector<int64_t> flat;
  std::vector<int64_t> units;
  std::vector<int64_t> is_last;
  const std::vector<WantedLogits::Entry>& entries = batch.wanted.entries;
  for (size_t i = 0; i < entries.size(); ++i) {
    flat.push_back(batch.wanted.positions[static_cast<size_t>(entries[i].position)]);
    units.push_back(static_cast<int64_t>(text.unit_of_group[chunk.first_group + entries[i].slot]));
    is_last.push_back(i + 1 == entries.size() || entries[i + 1].slot != entries[i].slot ? 1 : 0);
  }
  return {.flat = at::tensor(flat, at::kLong),
          .units = at::tensor(units, at::kLong),
          .is_last = at::tensor(is_last, at::kLong).to(at::kBool)};
}

void add_batch(const CausalLM& model,
               const PackedBatch& batch,
               const Positions& positions,
               Angles& angles) {
  constexpr int64_t kTokensAtOnce = 256;  // [tokens, states, hidden] is alive.
  std::vector<at::Tensor> states;
  watch_states(model, batch, [&](int64_t, const at::Tensor& hidden) {
    states.push_back(hidden.flatten(0, 1));
  });
  for (int64_t begin = 0; begin < positions.flat.size(0); begin += kTokensAtOnce) {
    const auto slice = [&](const at::Tensor& x) {
      return x.slice(0, begin, begin + kTokensAtOnce);
    };
    const at::Tensor flat = slice(positions.flat).to(model.device());
    std::vector<at::Tensor> directions;
    for (const at::Tensor& state : states) {
      const at::Tensor x = state.index_select(0, flat).to(at::kFloat);
      // A token without a direction, as a padding token's embedding: at right angles to all.
      directions.push_back(x / x.norm(2, /*dim=*/-1, /*keepdim=*/true).clamp_min(1e-20));
    }
    const at::Tensor stacked = at::stack(directions, /*dim=*/1);
    const at::Tensor cosine =
        at::bmm(stacked, stacked.transpose(1, 2)).clamp(-1.0, 1.0).to(at::kCPU);
    angles.all_tokens.add(1.0 - cosine, slice(positions.units));
    const at::Tensor last = slice(positions.is_last).nonzero().squeeze(1);
    angles.last_token.add(cosine.index_select(0, last).acos() / std::numbers::pi,
                          slice(positions.units).index_select(0, last));
  }
}

Json spans_json(const PairSums& sums) {
  const int64_t layers = sums.sums.size(1) - 1;
  const at::Tensor means = (sums.sums.sum(0) / sums.counts.sum()).contiguous();
  const auto value = means.accessor<double, 2>();
  Json spans = Json::array();
  for (int64_t span = 1; span <= layers; ++span) {
    Json starts = Json::array();
    for (int64_t start = 0; start + span <= layers; ++start) {
      starts.push_back(value[start][start + span]);
    }
    spans.push_back(std::move(starts));
  }
  return spans;
}

void add_layer(Json& entry,
               const PairSums& sums,
               int64_t layer,
               const std::string& name,
               const std::string& prefix,
               const Resampling& resampling,
               double level) {
  entry[name] = sums.mean(layer, layer + 1);
  if (sums.counts.numel() > 1) {
    const Interval interval = percentile_interval(
        resampling.ratios(sums.of_pair(layer, layer + 1), sums.weights()), level);
    entry[prefix + "low"] = interval.low;
    entry[prefix + "high"] = interval.high;
  }
}

}  // namespace

Json measure_angular(const CausalLM& model,
                     const ProbeSet& text,
                     const PackingOptions& packing,
                     const BootstrapOptions& bootstrap,
                     const ProbeControl& control) {
  const int64_t states = std::ssize(model.layers) + 1;
  Angles angles{.last_token = {text.units, states}, .all_tokens = {text.units, states}};
  const std::vector<PackedChunk> chunks = pack_groups(text.groups, packing, model.device());
  Progress progress(text.name + ": angular", std::ssize(text.groups), "windows", control.progress);
  for (const PackedChunk& chunk : chunks) {
    for (const PackedBatch& batch : chunk.batches) {
      throw_if_stopped(control);
      add_batch(model, batch, positions_of(batch, chunk, text), angles);
    }
    progress.advance(static_cast<int64_t>(chunk.last_group - chunk.first_group));
  }
  progress.finish();
  const Resampling resampling(text.units, bootstrap);
  Json layers = Json::array();
  for (int64_t layer = 0; layer + 1 < states; ++layer) {
    Json entry{{"layer", layer}};
    add_layer(entry, angles.last_token, layer, "angular", "", resampling, bootstrap.level);
    add_layer(
        entry, angles.all_tokens, layer, "influence", "influence_", resampling, bootstrap.level);
    layers.push_back(std::move(entry));
  }
  return {{"layers", std::move(layers)},
          {"spans", spans_json(angles.last_token)},
          {"influence_spans", spans_json(angles.all_tokens)}};
}

}  // namespace slayer
