#include "slayer/probe/bar_chart.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <optional>
#include <vector>

namespace slayer {
namespace {

constexpr double kBarWidth = 40.0;

struct Bar {
  std::string label;
  double value = 0.0;
  std::optional<double> low = {};
  std::optional<double> high = {};
};

void append_paragraph(std::string& text, const std::string& paragraph) {
  if (!text.empty()) {
    text += '\n';
  }
  text += paragraph;
}

/// Bars grow with the square root: a layer whose loss ruins the model must not flatten the others.
std::string draw(const std::vector<Bar>& bars) {
  double largest = 0.0;
  for (const Bar& bar : bars) {
    largest = std::max(largest, bar.value);
  }
  std::string text;
  for (const Bar& bar : bars) {
    const double share = largest > 0.0 ? std::sqrt(std::max(0.0, bar.value) / largest) : 0.0;
    const std::string interval =
        bar.low ? fmt::format("[{:.3f}, {:.3f}]", *bar.low, *bar.high) : "";
    text += fmt::format("{:>7}  {:8.3f}  {:<17}  {:#<{}}\n",
                        bar.label,
                        bar.value,
                        interval,
                        "",
                        static_cast<int>(std::lround(share * kBarWidth)));
  }
  return text;
}

std::optional<double> number(const Json& json, const std::string& key) {
  return json.contains(key) && json[key].is_number() ? std::optional(json[key].get<double>())
                                                     : std::nullopt;
}

/// One bar for each entry of section["layers"].
std::vector<Bar> bars_of(const Json& section,
                         const std::string& value,
                         const std::string& low,
                         const std::string& high) {
  std::vector<Bar> bars;
  for (const Json& layer : section["layers"]) {
    bars.push_back({.label = fmt::format(
                        "{}{}", layer["layer"].get<int64_t>(), layer.contains("groups") ? "*" : ""),
                    .value = number(layer, value).value_or(0.0),
                    .low = number(layer, low),
                    .high = number(layer, high)});
  }
  return bars;
}

std::string depth_sentence(const Json& section) {
  const Json& spearman = section["spearman"];
  if (spearman.is_null()) {
    return "";
  }
  std::string text =
      fmt::format("rank correlation with depth {:.2f}", spearman["rho"].get<double>());
  if (spearman.contains("low")) {
    text += fmt::format(
        " [{:.2f}, {:.2f}]", spearman["low"].get<double>(), spearman["high"].get<double>());
  }
  return text + "\n";
}

std::string indistinguishable_sentence(const Json& section) {
  std::vector<std::string> pairs;
  for (const Json& pair : section["indistinguishable"]) {
    pairs.push_back(fmt::format("{}-{}", pair[0].get<int64_t>(), pair[1].get<int64_t>()));
  }
  if (pairs.empty()) {
    return "all neighbours in the order of dips can be told apart\n";
  }
  return fmt::format("cannot be told apart: {}\n", fmt::join(pairs, " "));
}

/// What a race settled; nothing where there was none.
std::string extremes_sentence(const Json& section) {
  if (!section.contains("best")) {
    return "";
  }
  const auto list = [&section](const char* key) {
    return fmt::format("{}", fmt::join(section[key].get<std::vector<int64_t>>(), " "));
  };
  return fmt::format("least harm: {}; most: {}\n", list("best"), list("worst"));
}

std::string heading_of(const std::string& method, const Json& section) {
  if (method == "remove") {
    const int64_t span = section.value("span", int64_t{1});
    return span == 1 ? "each layer removed" : fmt::format("{} layers from each on removed", span);
  }
  if (method == "last") {
    return "the last so many layers removed";
  }
  return fmt::format("each layer repeated ({}, {} more)",
                     section.value("init", "copy"),
                     section.value("copies", int64_t{1}));
}

/// The base and the sweeps under one measure.
std::string format_measure(const std::string& title, const std::string& measure, const Json& json) {
  std::string text =
      fmt::format("{}: {} {:.4f}\n", title, measure, json["base"][measure].get<double>());
  for (const char* const method : {"remove", "last", "expand"}) {
    if (json.contains(method)) {
      text += fmt::format("\n{}: {}\n", title, heading_of(method, json[method]));
      text += fmt::format("  layer  dip of {}\n", measure);
      text += draw(bars_of(json[method], "dip", "dip_low", "dip_high"));
      text += extremes_sentence(json[method]) + depth_sentence(json[method]) +
              indistinguishable_sentence(json[method]);
    }
  }
  return text;
}

std::string format_prune(const std::string& title, const Json& prune) {
  std::string text = fmt::format("\n{}: cheapest layers to remove together\n", title);
  for (const Json& step : prune["steps"]) {
    text +=
        fmt::format("  {:<24} {:+.3f} nats per token",
                    fmt::format("{}", fmt::join(step["layers"].get<std::vector<int64_t>>(), ", ")),
                    step["dip"].get<double>());
    if (step.contains("collapse")) {
      text += fmt::format(", {:+.3f} absorbed by the layer before",
                          step["collapse"]["dip"].get<double>());
    }
    text += "\n";
  }
  return text;
}

std::string format_plain(const std::string& title,
                         const std::string& what,
                         const std::string& value,
                         const Json& section) {
  return fmt::format("\n{}: {}\n{}", title, what, draw(bars_of(section, value, "low", "high")));
}

std::string format_section(const std::string& title, const Json& section) {
  std::string text;
  if (section.contains("base")) {
    text += format_measure(title, "loss", section);
  }
  if (section.contains("prune")) {
    text += format_prune(title, section["prune"]);
  }
  if (section.contains("angular")) {
    text += format_plain(
        title, "angular distance of each layer, last token", "angular", section["angular"]);
    text += format_plain(title, "block influence, all tokens", "influence", section["angular"]);
  }
  if (section.contains("gradient")) {
    text += format_plain(title, "sum of |weight x gradient|", "importance", section["gradient"]);
  }
  if (section.contains("lens")) {
    text += format_plain(title, "loss read after each layer", "loss", section["lens"]);
  }
  if (section.contains("tasks")) {
    for (const auto& [task, json] : section["tasks"].items()) {
      for (const char* const measure : {"acc", "loglikelihood"}) {
        append_paragraph(text, format_measure(task, measure, json[measure]));
      }
    }
  }
  return text;
}

}  // namespace

std::string format_probe(const Json& probe) {
  std::string text = format_section("text", probe);
  for (const char* const name : {"domain", "general"}) {
    if (probe.contains(name)) {
      append_paragraph(text, format_section(name, probe[name]));
    }
  }
  if (probe.contains("domain_minus_general")) {
    for (const auto& [method, section] : probe["domain_minus_general"].items()) {
      text += format_plain("domain minus general", "dips of " + method, "dip", section);
    }
  }
  if (text.find('*') != std::string::npos) {  // Some bar's label.
    text += "\n* settled early by the race: measured on a part of the text only\n";
  }
  return text;
}

}  // namespace slayer
