#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "slayer/surgery/record.h"
#include "slayer/train/trainable.h"

namespace slayer {

/// Factors on the schedule's learning rate, by group of parameters. The groups:
///   new         layers that surgery added
///   old         the source's own layers, and the final norm
///   embeddings  embeddings and head
///   lora-a, lora-b   the matrices of adapters, in whatever layer
/// Factors rather than rates of their own: one schedule moves all groups, as lr_mult does in
/// Megatron-LM and the ratio of LoRA+ (Hayou et al. 2024, arXiv 2402.12354) for B matrices.
using LrScales = std::map<std::string, double>;

/// "new=2" -> {"new", 2}. @throws Error for another form, an unknown group, a factor that is no
/// number from 0 to 1000.
std::pair<std::string, double> parse_lr_scale(const std::string& text);

/// The groups that a training has. @param record of the checkpoint; without one all layers are old.
std::set<std::string> parameter_groups(const TrainableSet& set,
                                       const std::optional<SurgeryRecord>& record);

/// @throws Error naming the first group that this training does not have.
void validate(const LrScales& scales, const std::set<std::string>& groups);

/// Sets each parameter's `lr_scale`.
void apply_lr_scales(const LrScales& scales,
                     const std::optional<SurgeryRecord>& record,
                     std::vector<TrainableParameter>& parameters);

}  // namespace slayer
