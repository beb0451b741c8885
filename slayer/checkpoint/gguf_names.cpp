#include "slayer/checkpoint/gguf_names.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <fmt/format.h>

namespace slayer {
namespace {

struct NameRow {
  TensorRole role;
  bool is_in_layer;
  std::string_view name;  ///< After "blk.N." for a layer's.
};

/// Source: gguf-py constants.py, TENSOR_NAMES.
constexpr std::array kNames{
    NameRow{TensorRole::kEmbedding, false, "token_embd.weight"},
    NameRow{TensorRole::kFinalNorm, false, "output_norm.weight"},
    NameRow{TensorRole::kHead, false, "output.weight"},
    NameRow{TensorRole::kInputNorm, true, "attn_norm.weight"},
    NameRow{TensorRole::kPostAttentionNorm, true, "ffn_norm.weight"},
    NameRow{TensorRole::kQueryWeight, true, "attn_q.weight"},
    NameRow{TensorRole::kQueryBias, true, "attn_q.bias"},
    NameRow{TensorRole::kKeyWeight, true, "attn_k.weight"},
    NameRow{TensorRole::kKeyBias, true, "attn_k.bias"},
    NameRow{TensorRole::kValueWeight, true, "attn_v.weight"},
    NameRow{TensorRole::kValueBias, true, "attn_v.bias"},
    NameRow{TensorRole::kOutputWeight, true, "attn_output.weight"},
    NameRow{TensorRole::kOutputBias, true, "attn_output.bias"},
    NameRow{TensorRole::kQueryNorm, true, "attn_q_norm.weight"},
    NameRow{TensorRole::kKeyNorm, true, "attn_k_norm.weight"},
    NameRow{TensorRole::kGateWeight, true, "ffn_gate.weight"},
    NameRow{TensorRole::kGateBias, true, "ffn_gate.bias"},
    NameRow{TensorRole::kUpWeight, true, "ffn_up.weight"},
    NameRow{TensorRole::kUpBias, true, "ffn_up.bias"},
    NameRow{TensorRole::kDownWeight, true, "ffn_down.weight"},
    NameRow{TensorRole::kDownBias, true, "ffn_down.bias"},
};

constexpr std::string_view kLayerPrefix = "blk.";

}  // namespace

std::string gguf_tensor_name(TensorRole role, int64_t layer) {
  const auto* const row = std::ranges::find(kNames, role, &NameRow::role);
  assert(row != kNames.end() && row->is_in_layer == (layer >= 0));
  return row->is_in_layer ? fmt::format("{}{}.{}", kLayerPrefix, layer, row->name)
                          : std::string(row->name);
}

std::optional<TensorPlace> place_from_gguf_name(std::string_view name) {
  int64_t layer = -1;
  std::string_view rest = name;
  if (name.starts_with(kLayerPrefix)) {
    const std::string_view tail = name.substr(kLayerPrefix.size());
    const auto number = std::from_chars(tail.data(), tail.data() + tail.size(), layer);
    rest = tail.substr(static_cast<size_t>(number.ptr - tail.data()));
    if (number.ec != std::errc() || layer < 0 || !rest.starts_with('.')) {
      return std::nullopt;
    }
    rest.remove_prefix(1);
  }
  for (const NameRow& row : kNames) {
    // The comparison of the whole name refuses "blk.007.", which would be a second layer 7.
    if (row.is_in_layer == (layer >= 0) && row.name == rest &&
        gguf_tensor_name(row.role, layer) == name) {
      return TensorPlace{.role = row.role, .layer = layer};
    }
  }
  return std::nullopt;
}

bool is_permuted(std::string_view gguf_architecture, TensorRole role) {
  return gguf_architecture == "llama" &&
         (role == TensorRole::kQueryWeight || role == TensorRole::kQueryBias ||
          role == TensorRole::kKeyWeight || role == TensorRole::kKeyBias);
}

int64_t gguf_row_from_row(int64_t row, int64_t head_dim) {
  const int64_t within = row % head_dim;
  const int64_t half = head_dim / 2;
  return row - within + 2 * (within % half) + within / half;
}

int64_t row_from_gguf_row(int64_t gguf_row, int64_t head_dim) {
  const int64_t within = gguf_row % head_dim;
  return gguf_row - within + within % 2 * (head_dim / 2) + within / 2;
}

}  // namespace slayer
