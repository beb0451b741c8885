#include "slayer/model/rotary.h"

#include <ATen/ATen.h>

#include <numbers>

namespace slayer {
namespace {

/// Long wavelengths are stretched by the factor, short ones kept, those between interpolated.
at::Tensor scale_as_llama3(const at::Tensor& frequencies, const RopeScaling& scaling) {
  const auto context = static_cast<double>(scaling.original_max_position_embeddings);
  const double longest = context / scaling.low_freq_factor;
  const double shortest = context / scaling.high_freq_factor;
  const at::Tensor wavelength = 2.0 * std::numbers::pi / frequencies;
  const at::Tensor scaled =
      at::where(wavelength > longest, frequencies / scaling.factor, frequencies);
  const at::Tensor smooth = (context / wavelength - scaling.low_freq_factor) /
                            (scaling.high_freq_factor - scaling.low_freq_factor);
  const at::Tensor between = (1.0 - smooth) * scaled / scaling.factor + smooth * scaled;
  const at::Tensor is_between = (wavelength >= shortest).logical_and(wavelength <= longest);
  return at::where(is_between, between, scaled);
}

}  // namespace

at::Tensor inverse_frequencies(const ModelConfig& config) {
  const at::Tensor exponents =
      at::arange(0, config.head_dim, 2, at::kFloat) / static_cast<double>(config.head_dim);
  const at::Tensor frequencies = 1.0 / at::pow(at::Scalar(config.rope_theta), exponents);
  switch (config.rope_scaling.type) {
    case RopeScaling::Type::kDefault:
      break;
    case RopeScaling::Type::kLinear:
      return frequencies / config.rope_scaling.factor;
    case RopeScaling::Type::kLlama3:
      return scale_as_llama3(frequencies, config.rope_scaling);
  }
  return frequencies;
}

RotaryTable rotary_table(const ModelConfig& config,
                         const at::Tensor& position_ids,
                         at::ScalarType dtype) {
  const at::Tensor frequencies = inverse_frequencies(config).to(position_ids.device());
  const at::Tensor angles = position_ids.to(at::kFloat).unsqueeze(-1) * frequencies;
  return {.cos = angles.cos().to(dtype).unsqueeze(1), .sin = angles.sin().to(dtype).unsqueeze(1)};
}

at::Tensor apply_rotary(const at::Tensor& x, const RotaryTable& table) {
  const auto halves = x.chunk(2, /*dim=*/-1);
  const at::Tensor& real = halves[0];
  const at::Tensor& imaginary = halves[1];
  return at::cat(
      {real * table.cos - imaginary * table.sin, imaginary * table.cos + real * table.sin},
      /*dim=*/-1);
}

}  // namespace slayer
