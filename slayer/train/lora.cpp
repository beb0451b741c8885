#include "slayer/train/lora.h"

#include <algorithm>
#include <array>
#include <cassert>

namespace slayer {
namespace {

constexpr std::array<std::string_view, 7> kLinearNames{
    "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"};
constexpr std::array kLinearRoles{TensorRole::kQueryWeight,
                                  TensorRole::kKeyWeight,
                                  TensorRole::kValueWeight,
                                  TensorRole::kOutputWeight,
                                  TensorRole::kGateWeight,
                                  TensorRole::kUpWeight,
                                  TensorRole::kDownWeight};
constexpr std::string_view kWeight = ".weight";

std::string replace_ending(const std::string& weight_name, std::string_view ending) {
  assert(weight_name.ends_with(kWeight));
  return weight_name.substr(0, weight_name.size() - kWeight.size()).append(ending);
}

}  // namespace

std::span<const std::string_view> linear_names() { return kLinearNames; }

std::optional<TensorRole> find_linear_role(std::string_view name) {
  const auto* const found = std::ranges::find(kLinearNames, name);
  return found == kLinearNames.end()
             ? std::nullopt
             : std::optional(kLinearRoles[static_cast<size_t>(found - kLinearNames.begin())]);
}

bool is_target(const LoraOptions& options, TensorRole role) {
  return std::ranges::any_of(
      options.targets, [role](const std::string& name) { return find_linear_role(name) == role; });
}

std::string lora_a_name(const std::string& weight_name) {
  return replace_ending(weight_name, ".lora_A.weight");
}

std::string lora_b_name(const std::string& weight_name) {
  return replace_ending(weight_name, ".lora_B.weight");
}

}  // namespace slayer
