#include "slayer/probe/summary.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "slayer/probe/resampling.h"

namespace slayer {
namespace {

/// Sums over the groups of each unit.
struct UnitSums {
  std::vector<double> values;
  std::vector<double> differences;  ///< To the base; positive where worse.
  std::vector<double> weights;
  size_t groups = 0;
};

UnitSums sum_up(const ProbeSet& set, const SweepScores& scores, size_t measure, size_t variant) {
  UnitSums sums{.values = std::vector<double>(set.units),
                .differences = std::vector<double>(set.units),
                .weights = std::vector<double>(set.units)};
  const double sign = set.measures[measure].higher_is_better ? -1.0 : 1.0;
  for (size_t group = 0; group < set.groups.size(); ++group) {
    if (!scores.has(variant, group)) {
      continue;
    }
    const size_t unit = set.unit_of_group[group];
    const double value = scores.values[variant][measure][group];
    sums.values[unit] += value;
    sums.differences[unit] += sign * (value - scores.values[0][measure][group]);
    sums.weights[unit] += set.weights[group];
    ++sums.groups;
  }
  return sums;
}

double total(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

std::optional<Interval> interval_of(std::vector<double> draws, const SweepSummary& summary) {
  return interval_of_draws(std::move(draws), summary.bootstrap.level);
}

void add_interval(const std::optional<Interval>& interval, const std::string& prefix, Json& json) {
  if (interval) {
    json[prefix + "low"] = interval->low;
    json[prefix + "high"] = interval->high;
  }
}

std::vector<const VariantSummary*> of_method(const SweepSummary& summary,
                                             const std::vector<Variant>& variants,
                                             const std::string& method) {
  std::vector<const VariantSummary*> found;
  for (const VariantSummary& variant : summary.variants) {
    if (variants[variant.variant].method == method) {
      found.push_back(&variant);
    }
  }
  return found;
}

std::vector<double> layers_of(const std::vector<const VariantSummary*>& summaries,
                              const std::vector<Variant>& variants) {
  std::vector<double> layers;
  for (const VariantSummary* summary : summaries) {
    layers.push_back(static_cast<double>(variants[summary->variant].layer));
  }
  return layers;
}

/// Rank correlation of dips and depth, with its interval over the shared draws.
Json spearman_json(const SweepSummary& sweep,
                   const std::vector<const VariantSummary*>& summaries,
                   const std::vector<Variant>& variants) {
  const std::vector<double> layers = layers_of(summaries, variants);
  std::vector<double> dips;
  for (const VariantSummary* summary : summaries) {
    dips.push_back(summary->dip);
  }
  const std::optional<double> rho = spearman(layers, dips);
  if (!rho) {
    return nullptr;
  }
  Json json{{"rho", *rho}};
  std::vector<double> drawn;
  for (size_t draw = 0; draw < summaries.front()->dip_draws.size(); ++draw) {
    for (size_t i = 0; i < summaries.size(); ++i) {
      dips[i] = summaries[i]->dip_draws[draw];
    }
    if (std::ranges::none_of(dips, [](double dip) { return std::isnan(dip); })) {
      drawn.push_back(spearman(layers, dips).value_or(0.0));
    }
  }
  add_interval(interval_of(std::move(drawn), sweep), "", json);
  return json;
}

/// Differences draw by draw.
std::vector<double> difference_of(const std::vector<double>& first,
                                  const std::vector<double>& second) {
  std::vector<double> differences;
  for (size_t i = 0; i < std::min(first.size(), second.size()); ++i) {
    differences.push_back(first[i] - second[i]);
  }
  return differences;
}

Json indistinguishable_json(const SweepSummary& sweep,
                            std::vector<const VariantSummary*> summaries,
                            const std::vector<Variant>& variants) {
  std::ranges::stable_sort(summaries, std::ranges::greater{}, &VariantSummary::dip);
  Json pairs = Json::array();
  for (size_t i = 0; i + 1 < summaries.size(); ++i) {
    const std::optional<Interval> interval =
        interval_of(difference_of(summaries[i]->dip_draws, summaries[i + 1]->dip_draws), sweep);
    if (!interval || interval->low <= 0.0) {
      pairs.push_back(
          {variants[summaries[i]->variant].layer, variants[summaries[i + 1]->variant].layer});
    }
  }
  return pairs;
}

}  // namespace

SweepSummary summarize_sweep(const ProbeSet& set,
                             const SweepScores& scores,
                             size_t measure,
                             const BootstrapOptions& bootstrap) {
  SweepSummary summary{.measure = set.measures[measure], .bootstrap = bootstrap};
  const Resampling resampling(set.units, bootstrap);
  for (size_t variant = 0; variant < scores.values.size(); ++variant) {
    const UnitSums sums = sum_up(set, scores, measure, variant);
    const double weight = total(sums.weights);
    VariantSummary& fresh = summary.variants.emplace_back();
    fresh.variant = variant;
    fresh.groups = sums.groups;
    fresh.value = total(sums.values) / weight;
    fresh.dip = total(sums.differences) / weight;
    if (set.units > 1) {
      fresh.value_interval = interval_of(resampling.ratios(sums.values, sums.weights), summary);
      fresh.dip_draws = resampling.ratios(sums.differences, sums.weights);
      fresh.dip_interval = interval_of(fresh.dip_draws, summary);
    }
  }
  return summary;
}

Json variant_json(const SweepSummary& summary, const VariantSummary& variant, size_t groups) {
  Json json{{summary.measure.name, variant.value}};
  add_interval(variant.value_interval, "", json);
  if (variant.variant != 0) {
    json["dip"] = variant.dip;
    add_interval(variant.dip_interval, "dip_", json);
  }
  if (variant.groups < groups) {
    json["groups"] = variant.groups;
  }
  return json;
}

Json method_json(const SweepSummary& summary,
                 const std::vector<Variant>& variants,
                 const std::string& method,
                 size_t groups) {
  const std::vector<const VariantSummary*> summaries = of_method(summary, variants, method);
  Json layers = Json::array();
  for (const VariantSummary* one : summaries) {
    Json entry{{"layer", variants[one->variant].layer}};
    entry.update(variant_json(summary, *one, groups));
    layers.push_back(std::move(entry));
  }
  return {{"layers", std::move(layers)},
          {"spearman", spearman_json(summary, summaries, variants)},
          {"indistinguishable", indistinguishable_json(summary, summaries, variants)}};
}

Json difference_json(const SweepSummary& first,
                     const SweepSummary& second,
                     const std::vector<Variant>& variants,
                     const std::string& method) {
  Json layers = Json::array();
  for (const VariantSummary* one : of_method(first, variants, method)) {
    const VariantSummary& other = second.variants[one->variant];
    Json entry{{"layer", variants[one->variant].layer}, {"dip", one->dip - other.dip}};
    add_interval(interval_of(difference_of(one->dip_draws, other.dip_draws), first), "", entry);
    layers.push_back(std::move(entry));
  }
  return {{"layers", std::move(layers)}};
}

}  // namespace slayer
