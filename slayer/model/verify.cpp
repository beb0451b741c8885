#include "slayer/model/verify.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <fmt/format.h>

#include "slayer/core/error.h"
#include "slayer/model/causal_lm.h"
#include "slayer/model/load.h"

namespace slayer {
namespace {

/// Tokens whose logits are alive at once, twice.
constexpr int64_t kTokensAtOnce = 128;

void require_layers(const Checkpoint& checkpoint, int64_t expected) {
  if (checkpoint.config().num_hidden_layers != expected) {
    throw Error({.file = checkpoint.path().string(),
                 .item = "num_hidden_layers",
                 .found = fmt::format("{}", checkpoint.config().num_hidden_layers),
                 .expected = fmt::format("{}, as in the plan", expected)});
  }
}

double summed_loss(const at::Tensor& scores, const at::Tensor& targets) {
  const at::Tensor log_probabilities = at::log_softmax(scores.to(at::kFloat), /*dim=*/-1);
  return -log_probabilities.gather(1, targets.unsqueeze(1)).sum(at::kDouble).item<double>();
}

/// Adds one sequence to sums that verify_surgery divides at the end.
void compare(const CausalLM& base,
             const CausalLM& written,
             const at::Tensor& ids,
             VerifyReport& report) {
  const int64_t predicted = ids.size(0) - 1;
  const at::Tensor inputs = ids.narrow(0, 0, predicted).unsqueeze(0);
  const at::Tensor base_hidden = forward_hidden(base, inputs).squeeze(0);
  const at::Tensor new_hidden = forward_hidden(written, inputs).squeeze(0);
  for (int64_t begin = 0; begin < predicted; begin += kTokensAtOnce) {
    const int64_t count = std::min(kTokensAtOnce, predicted - begin);
    const at::Tensor base_scores = logits(base, base_hidden.narrow(0, begin, count));
    const at::Tensor new_scores = logits(written, new_hidden.narrow(0, begin, count));
    const at::Tensor targets = ids.narrow(0, begin + 1, count);
    report.base_loss += summed_loss(base_scores, targets);
    report.new_loss += summed_loss(new_scores, targets);
    report.is_identical = report.is_identical && at::equal(base_scores, new_scores);
    report.largest_difference =
        std::max(report.largest_difference, (base_scores - new_scores).abs().max().item<double>());
  }
  report.tokens += predicted;
}

}  // namespace

std::string VerifyReport::summary() const {
  const std::string losses =
      fmt::format("loss {:.4f} before, {:.4f} after, on {} tokens", base_loss, new_loss, tokens);
  if (is_identical) {
    return fmt::format("logits are bit-identical to the base's ({})", losses);
  }
  const std::string difference = fmt::format("largest difference {:.3g}", largest_difference);
  if (must_be_identical) {
    return fmt::format(
        "logits differ from the base's, though the plan only adds identity layers: "
        "{} ({})",
        difference,
        losses);
  }
  return fmt::format("surgery costs {:+.4f} nats per token ({}; {})", cost(), losses, difference);
}

VerifyReport verify_surgery(const Checkpoint& base,
                            const Checkpoint& written,
                            const Plan& plan,
                            const std::vector<std::vector<int32_t>>& sequences,
                            at::ScalarType dtype,
                            at::Device device) {
  require_layers(base, plan.source_layers);
  require_layers(written, static_cast<int64_t>(plan.layers.size()));
  const c10::InferenceMode inference;
  const CausalLM base_model = load_causal_lm(base, dtype, device);
  const CausalLM new_model = load_causal_lm(written, dtype, device);
  VerifyReport report{.must_be_identical = is_identity(plan), .is_identical = true};
  for (const auto& sequence : sequences) {
    if (sequence.size() >= 2) {
      compare(base_model, new_model, at::tensor(sequence, at::kLong).to(device), report);
    }
  }
  if (report.tokens == 0) {
    throw Error({.file = "--text", .found = "nothing to predict", .expected = "2 tokens or more"});
  }
  report.base_loss /= static_cast<double>(report.tokens);
  report.new_loss /= static_cast<double>(report.tokens);
  return report;
}

}  // namespace slayer
