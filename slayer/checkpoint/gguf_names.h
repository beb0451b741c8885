#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "slayer/checkpoint/family.h"

namespace slayer {

/// Factors on the rotary frequencies; in config.json they are rope_scaling.
inline constexpr std::string_view kRopeFactorsName = "rope_freqs.weight";

/// Which tensor of which layer (-1 outside the layers).
struct TensorPlace {
  TensorRole role;
  int64_t layer = -1;
};

/// GGUF's name: "blk.3.attn_q.weight" for the query weight of layer 3.
std::string gguf_tensor_name(TensorRole role, int64_t layer = -1);

/// The other way; nothing for a name that is none of a decoder's.
std::optional<TensorPlace> place_from_gguf_name(std::string_view name);

/// Queries and keys of Llama GGUFs have the rows of each head interleaved: Hugging Face rotates
/// element j with element j + head_dim / 2, llama.cpp's "llama" architecture 2 j with 2 j + 1.
/// Qwen's are stored as they are.
/// Source: convert_hf_to_gguf.py, LlamaModel.permute.
bool is_permuted(std::string_view gguf_architecture, TensorRole role);

/// The GGUF's row that holds Hugging Face's `row` of a permuted tensor, and the other way.
int64_t gguf_row_from_row(int64_t row, int64_t head_dim);
int64_t row_from_gguf_row(int64_t gguf_row, int64_t head_dim);

}  // namespace slayer
