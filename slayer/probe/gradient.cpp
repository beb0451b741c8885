#include "slayer/probe/gradient.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "slayer/checkpoint/family.h"
#include "slayer/model/linear.h"
#include "slayer/probe/base_states.h"

namespace slayer {
namespace {

constexpr size_t kMostFolds = 8;

/// Two-sided 95 % quantiles of Student's t with 1 to 7 degrees of freedom.
constexpr std::array kStudent{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365};

/// A batch on the way down.
struct GradientBatch {
  const PackedBatch* packed;
  ForwardPass pass;
  std::vector<at::Tensor> states = {};  ///< What enters each layer, and what leaves the last.
  at::Tensor gradient = {};             ///< Of L at the state reached, as that state.
};

/// A part of the text.
struct Fold {
  std::vector<PackedChunk> chunks;
  std::vector<GradientBatch> batches;
  double tokens = 0.0;
};

/// Splits the text's units over the folds.
std::vector<Fold> make_folds(const CausalLM& model,
                             const ProbeSet& text,
                             const PackingOptions& packing) {
  const size_t count = std::min(kMostFolds, text.units);
  std::vector<std::vector<SequenceGroup>> groups(count);
  std::vector<Fold> folds(count);
  for (size_t group = 0; group < text.groups.size(); ++group) {
    const size_t fold = text.unit_of_group[group] % count;
    groups[fold].push_back(text.groups[group]);
    folds[fold].tokens += text.weights[group];
  }
  for (size_t fold = 0; fold < count; ++fold) {
    folds[fold].chunks = pack_groups(groups[fold], packing, model.device());
    for (const PackedChunk& chunk : folds[fold].chunks) {
      for (const PackedBatch& batch : chunk.batches) {
        folds[fold].batches.push_back(
            {.packed = &batch, .pass = begin_pass(model, batch.input_ids, batch.layout)});
      }
    }
  }
  return folds;
}

/// The gradient of `scale` times the batch's loss at what leaves the last layer.
at::Tensor head_gradient(const CausalLM& model,
                         const at::Tensor& state,
                         const WantedLogits& wanted,
                         double scale) {
  constexpr int64_t kRowsAtOnce = 256;
  at::Tensor gradient = at::zeros_like(state.flatten(0, 1));
  std::vector<int64_t> target_ids;
  for (const WantedLogits::Entry& entry : wanted.entries) {
    target_ids.push_back(entry.token);
  }
  const at::Tensor positions = at::tensor(wanted.positions, at::kLong).to(state.device());
  const at::Tensor targets = at::tensor(target_ids, at::kLong).to(state.device());
  for (int64_t begin = 0; begin < positions.size(0); begin += kRowsAtOnce) {
    const at::Tensor index = positions.slice(0, begin, begin + kRowsAtOnce);
    const at::Tensor rows = state.flatten(0, 1).index_select(0, index).requires_grad_();
    const at::Tensor scores = logits(model, final_norm(model, rows)).to(at::kFloat);
    const at::Tensor loss = at::cross_entropy_loss(
        scores, targets.slice(0, begin, begin + kRowsAtOnce), {}, at::Reduction::Sum);
    (loss * scale).backward();
    gradient.index_copy_(0, index, rows.grad());
  }
  return gradient.view_as(state);
}

/// A layer whose tensors are leaves of a graph.
DecoderLayer as_leaves(DecoderLayer layer) {
  for (const TensorRole role : kLayerRoles) {
    at::Tensor& tensor = tensor_of(layer, role);
    if (tensor.defined()) {
      tensor = tensor.detach().requires_grad_();
    }
  }
  return layer;
}

/// Takes a fold's gradients through one layer. @return those of the layer's tensors, in the order
/// of kLayerRoles; undefined where the layer has no such tensor.
std::vector<at::Tensor> step_down(const CausalLM& model, size_t layer, Fold& fold) {
  const DecoderLayer leaves = as_leaves(model.layers[layer]);
  for (GradientBatch& batch : fold.batches) {
    const at::Tensor input = batch.states[layer].detach().requires_grad_();
    forward_layer(leaves, model.config, input, batch.pass).backward(batch.gradient);
    batch.gradient = input.grad();
    batch.states.pop_back();
  }
  std::vector<at::Tensor> gradients;
  for (const TensorRole role : kLayerRoles) {
    const at::Tensor& tensor = tensor_of(leaves, role);
    gradients.push_back(tensor.defined() ? tensor.grad().to(at::kFloat) : at::Tensor());
  }
  return gradients;
}

double importance(const at::Tensor& weight, const at::Tensor& gradient) {
  return (weight.to(at::kFloat) * gradient).abs().sum(at::kDouble).item<double>();
}

/// One layer's scores from the gradients of each fold.
class LayerScores final {
 public:
  LayerScores(const DecoderLayer& layer,
              const std::vector<Fold>& folds,
              const std::vector<std::vector<at::Tensor>>& gradients)
      : without_fold_(folds.size()) {
    double tokens = 0.0;
    for (const Fold& fold : folds) {
      tokens += fold.tokens;
    }
    for (size_t role = 0; role < kLayerRoles.size(); ++role) {
      const at::Tensor& weight = tensor_of(layer, kLayerRoles[role]);
      if (!weight.defined()) {
        continue;
      }
      at::Tensor total = at::zeros_like(gradients[0][role]);
      for (const std::vector<at::Tensor>& of_fold : gradients) {
        total += of_fold[role];
      }
      add(kLayerRoles[role], importance(weight, total), total);
      for (size_t fold = 0; fold < folds.size() && folds.size() > 1; ++fold) {
        without_fold_[fold] += importance(weight, total - gradients[fold][role]) * tokens /
                               (tokens - folds[fold].tokens);
      }
    }
  }

  Json json(size_t layer) const {
    Json entry{{"layer", layer}, {"importance", importance_}};
    if (without_fold_.size() > 1) {
      const double half = half_width();
      entry["low"] = importance_ - half;
      entry["high"] = importance_ + half;
    }
    entry["norm"] = std::sqrt(squares_);
    entry["projections"] = projections_;
    return entry;
  }

 private:
  void add(TensorRole role, double importance_of_role, const at::Tensor& gradient) {
    // "model.layers.0.self_attn.q_proj.weight" -> "self_attn.q_proj"
    std::string name = tensor_name(role, 0).substr(std::string("model.layers.0.").size());
    if (name.ends_with(".weight")) {
      name.resize(name.size() - std::string(".weight").size());
    }
    const double norm = gradient.norm(2, at::kDouble).item<double>();
    importance_ += importance_of_role;
    squares_ += norm * norm;
    projections_[name] = {{"importance", importance_of_role}, {"norm", norm}};
  }

  /// Of the jackknife's 95 % interval.
  double half_width() const {
    const auto count = static_cast<double>(without_fold_.size());
    double mean = 0.0;
    for (const double value : without_fold_) {
      mean += value / count;
    }
    double squares = 0.0;
    for (const double value : without_fold_) {
      squares += (value - mean) * (value - mean);
    }
    return kStudent.at(without_fold_.size() - 2) * std::sqrt((count - 1.0) / count * squares);
  }

  double importance_ = 0.0;
  double squares_ = 0.0;
  std::vector<double> without_fold_;  ///< The importance if that fold were not there.
  Json projections_ = Json::object();
};

}  // namespace

Json measure_gradient(const CausalLM& model,
                      const ProbeSet& text,
                      const PackingOptions& packing,
                      const ProbeControl& control) {
  std::vector<Fold> folds = make_folds(model, text, packing);
  double tokens = 0.0;
  for (const Fold& fold : folds) {
    tokens += fold.tokens;
  }
  Progress progress(
      text.name + ": gradient", std::ssize(model.layers) + 1, "layers", control.progress);
  for (Fold& fold : folds) {
    for (GradientBatch& batch : fold.batches) {
      throw_if_stopped(control);
      watch_states(model, *batch.packed, [&](int64_t, const at::Tensor& state) {
        batch.states.push_back(state);
      });
      batch.gradient =
          head_gradient(model, batch.states.back(), batch.packed->wanted, 1.0 / tokens);
    }
  }
  progress.advance(1);
  std::vector<Json> layers(model.layers.size());
  for (size_t layer = model.layers.size(); layer-- > 0;) {
    throw_if_stopped(control);
    std::vector<std::vector<at::Tensor>> gradients;
    for (Fold& fold : folds) {
      gradients.push_back(step_down(model, layer, fold));
    }
    layers[layer] = LayerScores(model.layers[layer], folds, gradients).json(layer);
    progress.advance(1);
  }
  progress.finish();
  return {{"layers", layers}};
}

}  // namespace slayer
