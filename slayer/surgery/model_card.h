#pragma once

#include <string>
#include <string_view>

#include "slayer/surgery/record.h"

namespace slayer {

inline constexpr std::string_view kModelCardFile = "README.md";

/// The README.md of a model that surgery made: base, plan, data, licence, how made; with the front
/// matter that the Hugging Face hub reads. `license` is the base card's, empty where unknown.
std::string model_card(const SurgeryRecord& record, const std::string& license);

/// The `license:` of a model card's front matter; empty when it has none.
std::string license_of_card(std::string_view card);

}  // namespace slayer
