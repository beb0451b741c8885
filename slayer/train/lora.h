#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "slayer/checkpoint/family.h"

namespace slayer {

/// Low-rank adapters: their shape and where they stand.
/// Source: Hu et al. 2021, arXiv 2106.09685; names as in PEFT.
struct LoraOptions {
  int64_t rank = 0;
  double alpha = 0.0;  ///< B (A x) is multiplied by alpha / rank.
  std::vector<std::string> targets =
      {};  ///< Names of linear layers, in the order of `linear_names`.

  double scale() const { return alpha / static_cast<double>(rank); }
};

/// "q_proj", "k_proj", ..., "down_proj": the linear layers of a decoder layer.
std::span<const std::string_view> linear_names();

/// The role of the weight of the linear layer with this name; nothing for another name.
std::optional<TensorRole> find_linear_role(std::string_view name);

/// Whether a weight with this role has an adapter.
bool is_target(const LoraOptions& options, TensorRole role);

/// "model.layers.3.self_attn.q_proj.weight" -> "model.layers.3.self_attn.q_proj.lora_A.weight".
std::string lora_a_name(const std::string& weight_name);
std::string lora_b_name(const std::string& weight_name);

}  // namespace slayer
