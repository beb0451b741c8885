#include "slayer/probe/base_states.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cassert>

namespace slayer {

void watch_states(const CausalLM& model,
                  const PackedBatch& batch,
                  const std::function<void(int64_t, const at::Tensor&)>& on_state) {
  const at::NoGradGuard no_grad;
  const ForwardPass pass = begin_pass(model, batch.input_ids, batch.layout);
  at::Tensor hidden = embed(model, batch.input_ids);
  on_state(0, hidden);
  for (int64_t layer = 0; layer < std::ssize(model.layers); ++layer) {
    hidden = run_layers(model, hidden, layer, layer + 1, pass);
    on_state(layer + 1, hidden);
  }
}

}  // namespace slayer
