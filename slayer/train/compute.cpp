#include "slayer/train/compute.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "slayer/model/linear.h"

namespace slayer {
namespace {

/// Of the MLP's widest product over a short batch, the best of a few runs.
double product_seconds(const ModelConfig& config, at::ScalarType type) {
  constexpr int64_t kTokens = 256;
  constexpr int kRuns = 6;                // The first one sets things up.
  constexpr int64_t kLargestSize = 4096;  // A 70B model's product would take seconds.
  const int64_t in = std::min(config.hidden_size, kLargestSize);
  const int64_t out = std::min(config.intermediate_size, kLargestSize);
  const at::Tensor x = at::ones({kTokens, in}, type);
  const at::Tensor weight = at::ones({out, in}, type);
  double best = std::numeric_limits<double>::infinity();
  for (int run = 0; run < kRuns; ++run) {
    const auto begin = std::chrono::steady_clock::now();
    apply_linear(x, weight);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    best = std::min(best, taken.count());
  }
  return best;
}

}  // namespace

std::string quicker_compute(const ModelConfig& config, at::Device device) {
  // Products are four fifths of a float32 step. The factor is 3 to 8 with AMX, about 2 with
  // AVX-512's bfloat16, and just below 1 without either.
  constexpr double kWorthwhile = 1.5;
  if (config.dtype != Dtype::kBF16) {
    return "float32";
  }
  if (!device.is_cpu()) {
    return "bfloat16";
  }
  const c10::InferenceMode no_graph;
  const double ratio = product_seconds(config, at::kFloat) / product_seconds(config, at::kBFloat16);
  return ratio > kWorthwhile ? "bfloat16" : "float32";
}

}  // namespace slayer
