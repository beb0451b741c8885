#include "slayer/model/apply_plan.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "slayer/checkpoint/family.h"
#include "slayer/core/error.h"
#include "slayer/surgery/init.h"

namespace slayer {
namespace {

constexpr int64_t kElementsAtOnce = int64_t{1} << 16;

/// One tensor of a planned layer, by surgery's own arithmetic.
at::Tensor computed(const CausalLM& base, const PlannedLayer& planned, TensorRole role) {
  std::map<int64_t, at::Tensor> sources;
  for (const int64_t layer : planned.from) {
    const at::Tensor& source = tensor_of(base.layers.at(static_cast<size_t>(layer)), role);
    sources[layer] = source.to(at::kCPU, at::kFloat).contiguous();
  }
  const at::Tensor& like = tensor_of(base.layers.at(static_cast<size_t>(planned.from[0])), role);
  const at::Tensor result = at::empty(like.sizes(), at::kFloat);
  at::parallel_for(0, result.numel(), kElementsAtOnce, [&](int64_t begin, int64_t end) {
    const ReadSource read = [&](int64_t layer, std::span<float> values) {
      std::copy_n(sources.at(layer).const_data_ptr<float>() + begin, values.size(), values.data());
    };
    initialize(planned,
               role,
               read,
               {result.mutable_data_ptr<float>() + begin, static_cast<size_t>(end - begin)});
  });
  return result.to(like.device(), like.scalar_type());
}

}  // namespace

DecoderLayer planned_layer(const CausalLM& base, const PlannedLayer& planned) {
  const at::NoGradGuard no_grad;
  DecoderLayer layer = base.layers.at(static_cast<size_t>(planned.from[0]));
  for (const TensorRole role : kLayerRoles) {
    at::Tensor& tensor = tensor_of(layer, role);
    if (!tensor.defined() || is_copied(planned, role)) {
      continue;
    }
    tensor = tensor.is_meta() ? at::empty_like(tensor) : computed(base, planned, role);
  }
  return layer;
}

CausalLM apply_plan(const CausalLM& base, const Plan& plan) {
  const at::NoGradGuard no_grad;
  validate(plan, "plan");
  if (plan.source_layers != base.config.num_hidden_layers) {
    throw Error({.file = "plan",
                 .item = "source.layers",
                 .found = fmt::format("{}", plan.source_layers),
                 .expected = fmt::format("{}, the model's", base.config.num_hidden_layers)});
  }
  CausalLM model = base;
  model.config = with_layers(base.config, layer_origins(plan));
  model.layers.clear();
  for (const PlannedLayer& planned : plan.layers) {
    model.layers.push_back(planned_layer(base, planned));
    model.layers.back().sliding_window = model.config.sliding_window[model.layers.size() - 1];
  }
  return model;
}

}  // namespace slayer
