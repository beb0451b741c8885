#pragma once

#include <optional>
#include <span>

#include "slayer/checkpoint/config.h"
#include "slayer/checkpoint/gguf_reader.h"

namespace slayer {

/// The config.json that a GGUF's metadata and tensors describe, with the keys that transformers 4
/// and 5 both read; without a dtype, which is the reader's choice.
/// @throws Error for an architecture other than llama, qwen2 and qwen3, mixtures of experts, rope
/// scaling other than linear and Llama 3's, and missing, ill-typed or contradictory metadata.
Json config_from_gguf(const GgufFile& file);

/// Factors that Llama 3's scaling divides rotary frequencies by: what "rope_freqs.weight" holds,
/// one for each pair of a head's elements.
/// Source: transformers modeling_rope_utils.py, _compute_llama3_parameters.
std::vector<float> llama3_frequency_factors(const RopeScaling& scaling,
                                            double rope_theta,
                                            int64_t head_dim);

/// The scaling whose factors these are: its four numbers are solved for and must give the factors
/// back. Nothing when no llama3 scaling does; type kDefault when all factors are 1.
std::optional<RopeScaling> scaling_from_frequency_factors(std::span<const float> factors,
                                                          double rope_theta);

}  // namespace slayer
