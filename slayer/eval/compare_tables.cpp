#include <algorithm>
#include <fmt/format.h>

#include "slayer/core/error.h"
#include "slayer/eval/compare.h"

namespace slayer {
namespace {

Json change_to_json(const MetricChange& change) {
  Json json = {{"task", change.task},
               {"metric", change.metric},
               {"base", change.base},
               {"new", change.changed},
               {"difference", change.difference},
               {"low", change.interval.low},
               {"high", change.interval.high},
               {"items", change.items}};
  if (change.p_value) {
    json["mcnemar_p"] = *change.p_value;
    json["gained"] = change.gained;
    json["lost"] = change.lost;
  }
  return json;
}

Json changes_to_json(const std::vector<MetricChange>& changes) {
  Json json = Json::array();
  for (const MetricChange& change : changes) {
    json.push_back(change_to_json(change));
  }
  return json;
}

/// "+3/-1, p 0.6250": items that became right and wrong.
std::string flips(const MetricChange& change) {
  return change.p_value
             ? fmt::format(
                   "+{}/-{}, p {:.4f}", change.gained.size(), change.lost.size(), *change.p_value)
             : "";
}

std::string interval_text(const Interval& interval) {
  return fmt::format("{:+.4f} to {:+.4f}", interval.low, interval.high);
}

std::string markdown_block(std::string_view title, const std::vector<MetricChange>& changes) {
  if (changes.empty()) {
    return "";
  }
  std::string block = fmt::format(
      "### {}\n\n| task | metric | base | new | difference | 95 % interval | flips |\n"
      "|---|---|--:|--:|--:|---|---|\n",
      title);
  for (const MetricChange& change : changes) {
    block += fmt::format("| {} | {} | {:.4f} | {:.4f} | {:+.4f} | {} | {} |\n",
                         change.task,
                         change.metric,
                         change.base,
                         change.changed,
                         change.difference,
                         interval_text(change.interval),
                         flips(change));
  }
  return block + "\n";
}

std::string text_block(std::string_view title, const std::vector<MetricChange>& changes) {
  std::string block;
  for (const MetricChange& change : changes) {
    block += fmt::format("  {:<30} {:<18} {:>9.4f} {:>9.4f} {:>+9.4f}  {:<20} {}\n",
                         change.task,
                         change.metric,
                         change.base,
                         change.changed,
                         change.difference,
                         interval_text(change.interval),
                         flips(change));
  }
  return block.empty() ? "" : fmt::format("{}\n{}", title, block);
}

/// Printed on one line, not too long.
std::string brief(const std::string& text) { return printable(text, 160); }

/// "became right (2 of 31)" and the items below it.
std::string flip_list(const Comparison& comparison, int64_t most, const std::string& bullet) {
  std::string list;
  std::string heading;
  int64_t shown = 0;
  for (const Flip& flip : comparison.flips) {
    const std::string own =
        fmt::format("{} became {}", flip.task, flip.is_gain ? "right" : "wrong");
    if (own != heading) {
      heading = own;
      shown = 0;
      const auto is_same = [&](const Flip& other) {
        return other.task == flip.task && other.is_gain == flip.is_gain;
      };
      const int64_t all = std::ranges::count_if(comparison.flips, is_same);
      list += fmt::format("{} ({} of {}):\n", heading, std::min(most, all), all);
    }
    if (shown++ < most) {
      list += fmt::format("{}item {}: {} expected: {}; base: {}; new: {}\n",
                          bullet,
                          flip.doc_id,
                          brief(flip.question),
                          brief(flip.expected),
                          brief(flip.base_said),
                          brief(flip.changed_said));
    }
  }
  return list;
}

Json flips_to_json(const std::vector<Flip>& flips) {
  Json json = Json::array();
  for (const Flip& flip : flips) {
    json.push_back({{"task", flip.task},
                    {"doc_id", flip.doc_id},
                    {"became", flip.is_gain ? "right" : "wrong"},
                    {"question", flip.question},
                    {"expected", flip.expected},
                    {"base", flip.base_said},
                    {"new", flip.changed_said}});
  }
  return json;
}

std::string forgetting_line(const Comparison& comparison) {
  return comparison.forgetting
             ? fmt::format("forgetting (mean drop over general tasks): {:+.4f} ({})\n",
                           *comparison.forgetting,
                           interval_text(comparison.forgetting_interval))
             : "";
}

}  // namespace

Json comparison_to_json(const Comparison& comparison) {
  Json json = {{"name", comparison.name},
               {"domain", changes_to_json(comparison.domain)},
               {"general", changes_to_json(comparison.general)}};
  if (comparison.forgetting) {
    json["forgetting"] = {{"mean_drop", *comparison.forgetting},
                          {"low", comparison.forgetting_interval.low},
                          {"high", comparison.forgetting_interval.high}};
  }
  json["flips"] = flips_to_json(comparison.flips);
  return json;
}

std::string comparison_to_markdown(const Comparison& comparison, int64_t flips) {
  std::string text = fmt::format("## {}\n\n", comparison.name) +
                     markdown_block("Domain tasks", comparison.domain) +
                     markdown_block("General tasks", comparison.general) +
                     forgetting_line(comparison);
  if (flips > 0 && !comparison.flips.empty()) {
    text += "\n### Items that flipped\n\n" + flip_list(comparison, flips, "- ");
  }
  return text;
}

std::string comparison_to_text(const Comparison& comparison, int64_t flips) {
  return fmt::format("{}: task, metric, base, new, difference, 95 % interval, flips\n",
                     comparison.name) +
         text_block("domain tasks", comparison.domain) +
         text_block("general tasks", comparison.general) + forgetting_line(comparison) +
         (flips > 0 ? flip_list(comparison, flips, "  ") : "");
}

}  // namespace slayer
