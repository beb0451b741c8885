#include "slayer/model/loss.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

namespace slayer {

namespace {

/// Elements of the logits that are alive at once: a few of them fit the caches.
constexpr int64_t kLogitsAtOnce = int64_t{1} << 22;

}  // namespace

at::Tensor token_losses(const CausalLM& model,
                        const at::Tensor& hidden_states,
                        const at::Tensor& targets) {
  const at::NoGradGuard no_grad;
  const int64_t tokens = hidden_states.size(0);
  const int64_t step = std::max<int64_t>(1, kLogitsAtOnce / model.config.vocab_size);
  at::Tensor losses = at::empty({tokens}, hidden_states.options().dtype(at::kFloat));
  for (int64_t begin = 0; begin < tokens; begin += step) {
    const int64_t count = std::min(step, tokens - begin);
    const at::Tensor scores = logits(model, hidden_states.narrow(0, begin, count)).to(at::kFloat);
    const at::Tensor log_probabilities = at::log_softmax(scores, /*dim=*/-1);
    losses.narrow(0, begin, count)
        .copy_(
            -log_probabilities.gather(1, targets.narrow(0, begin, count).unsqueeze(1)).squeeze(1));
  }
  return losses;
}

at::Tensor next_token_losses(const CausalLM& model, const at::Tensor& input_ids) {
  const at::NoGradGuard no_grad;
  const int64_t batch = input_ids.size(0);
  const int64_t predicted = input_ids.size(1) - 1;
  const at::Tensor hidden = forward_hidden(model, input_ids.narrow(1, 0, predicted));
  const at::Tensor targets = input_ids.narrow(1, 1, predicted).flatten();
  return token_losses(model, hidden.flatten(0, 1), targets).view({batch, predicted});
}

}  // namespace slayer
