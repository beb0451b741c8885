#include "slayer/surgery/model_card.h"

#include <fmt/format.h>

#include "slayer/surgery/summary.h"

namespace slayer {
namespace {

constexpr std::string_view kFrontMatterFence = "---";

/// Takes the first line off `text`, without its end.
std::string_view take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) {
    line.remove_suffix(1);
  }
  return line;
}

}  // namespace

std::string license_of_card(std::string_view card) {
  constexpr std::string_view kKey = "license: ";
  if (take_line(card) != kFrontMatterFence) {
    return "";
  }
  while (!card.empty()) {
    const std::string_view line = take_line(card);
    if (line == kFrontMatterFence) {
      break;
    }
    if (line.starts_with(kKey)) {
      return std::string(line.substr(kKey.size()));
    }
  }
  return "";
}

std::string model_card(const SurgeryRecord& record, const std::string& license) {
  const Plan& plan = record.plan;
  std::string card = fmt::format(
      "{}\nbase_model: {}\nlibrary_name: transformers\n", kFrontMatterFence, record.source);
  if (!license.empty()) {
    card += fmt::format("license: {}\n", license);
  }
  card += fmt::format("tags:\n- slayer\n{}\n\n", kFrontMatterFence);
  card += fmt::format(
      "# {0} with {1} layers\n\n"
      "**Base**: {0}, {2} layers, hash `{3}`.\n\n"
      "**Plan**: strategy {4}; the embedding's side first, `=` kept, `+` new, `*` kept and\n"
      "trained, `x` gone:\n\n"
      "```\n{5}\n\n{6}```\n\n",
      record.source,
      plan.layers.size(),
      plan.source_layers,
      plan.source_hash,
      plan.strategy,
      sketch_layers(plan),
      tabulate_layers(plan));
  card += fmt::format(
      "{}**Data**: none yet. The layers to train are as surgery left them.\n\n"
      "**Licence**: {}\n\n"
      "**How made**: `slayer apply {} --plan plan.json --out DIR`, slayer {}; the plan is in\n"
      "`{}`.\n",
      is_identity(plan)
          ? "The new layers add nothing yet: the logits are the base's, bit for bit.\n\n"
          : "",
      license.empty() ? "the base model's; see there." : "the base model's, " + license + ".",
      record.source,
      record.version,
      kRecordFile);
  return card;
}

}  // namespace slayer
