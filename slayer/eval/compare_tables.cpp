#include <fmt/format.h>

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
  return json;
}

std::string comparison_to_markdown(const Comparison& comparison) {
  return fmt::format("## {}\n\n", comparison.name) +
         markdown_block("Domain tasks", comparison.domain) +
         markdown_block("General tasks", comparison.general) + forgetting_line(comparison);
}

std::string comparison_to_text(const Comparison& comparison) {
  return fmt::format("{}: task, metric, base, new, difference, 95 % interval, flips\n",
                     comparison.name) +
         text_block("domain tasks", comparison.domain) +
         text_block("general tasks", comparison.general) + forgetting_line(comparison);
}

}  // namespace slayer
