#include "slayer/probe/prune_search.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

#include "slayer/core/error.h"
#include "slayer/probe/summary.h"

namespace slayer {
namespace {

using Layers = std::vector<int64_t>;

/// A sweep over sets of layers to remove, and what came of it.
struct Candidates {
  std::vector<Variant> variants;
  SweepSummary summary;
  size_t best = 0;  ///< Index of the variant that costs least.
};

class PruneSearch final {
 public:
  PruneSearch(const CausalLM& base,
              const ProbeSet& text,
              const SweepOptions& options,
              const BootstrapOptions& bootstrap,
              const ProbeControl& control)
      : base_(base), text_(text), options_(options), bootstrap_(bootstrap), control_(control) {}

  Json run(int64_t most) {
    const Candidates singles = measure_singles();
    rank(singles, most);
    std::vector<Json> steps;
    std::vector<Layers> chosen;
    for (int64_t count = 1; count <= most; ++count) {
      const Candidates candidates = count == 1 ? singles : measure_sets(sets_of(count, chosen));
      chosen.push_back(candidates.variants[candidates.best].removed);
      Json step{{"count", count}, {"layers", chosen.back()}};
      step.update(best_json(candidates));
      steps.push_back(std::move(step));
    }
    add_collapsed(chosen, steps);
    return {{"steps", steps}};
  }

 private:
  int64_t layers() const { return base_.config.num_hidden_layers; }

  /// Each layer alone: what a removal sweep measures, so where there was one it is in the journal.
  Candidates measure_singles() const {
    std::vector<Variant> variants = removal_variants(layers(), 1);
    variants.insert(variants.begin(), base_variant(layers()));
    return measure(std::move(variants), options_);
  }

  /// Layers by their cost alone, as many as are worth a try.
  void rank(const Candidates& singles, int64_t most) {
    std::vector<VariantSummary> ranked(singles.summary.variants.begin() + 1,
                                       singles.summary.variants.end());
    std::ranges::stable_sort(ranked, {}, &VariantSummary::dip);
    const auto worth_a_try = static_cast<size_t>(8 + 2 * most);
    for (size_t i = 0; i < std::min(ranked.size(), worth_a_try); ++i) {
      cheapest_.push_back(singles.variants[ranked[i].variant].layer);
    }
  }

  std::set<Layers> sets_of(int64_t count, const std::vector<Layers>& chosen) const {
    std::set<Layers> sets;
    for (int64_t first = 0; first + count <= layers(); ++first) {
      Layers run;
      for (int64_t layer = first; layer < first + count; ++layer) {
        run.push_back(layer);
      }
      sets.insert(std::move(run));
    }
    for (const int64_t layer : cheapest_) {
      Layers set = chosen.back();
      if (std::ranges::find(set, layer) == set.end()) {
        set.insert(std::ranges::upper_bound(set, layer), layer);
        sets.insert(std::move(set));
      }
    }
    return sets;
  }

  /// Sets of which only the cheapest is wanted.
  Candidates measure_sets(const std::set<Layers>& sets) const {
    SweepOptions options = options_;
    if (options.race) {
      options.race = {.best = 1};
    }
    return measure(variants_of(sets, /*collapses=*/false), options);
  }

  std::vector<Variant> variants_of(const std::set<Layers>& sets, bool collapses) const {
    std::vector<Variant> variants{base_variant(layers())};
    for (const Layers& set : sets) {
      variants.push_back(prune_variant(layers(), set, collapses));
    }
    return variants;
  }

  Candidates measure(std::vector<Variant> variants, const SweepOptions& options) const {
    const SweepScores scores = run_sweep(base_, text_, variants, options, control_);
    Candidates candidates{
        .variants = std::move(variants),
        .summary = summarize_sweep(text_, scores, text_.deciding_measure, bootstrap_)};
    const std::vector<VariantSummary>& measured = candidates.summary.variants;
    candidates.best = scores.extremes.empty()
                          ? std::ranges::min_element(
                                measured.begin() + 1, measured.end(), {}, &VariantSummary::dip)
                                ->variant
                          : scores.extremes.begin()->second.best.front();
    return candidates;
  }

  /// What the best costs, on all of the text: a race may have stopped it before.
  Json best_json(const Candidates& candidates) const {
    const Candidates whole = measure({base_variant(layers()), candidates.variants[candidates.best]},
                                     options_.to_the_end(text_));
    return variant_json(whole.summary, whole.summary.variants[1], text_.groups.size());
  }

  void add_collapsed(const std::vector<Layers>& chosen, std::vector<Json>& steps) const {
    std::set<Layers> sets;
    for (const Layers& set : chosen) {
      if (set.front() > 0) {  // Else nobody is there to absorb it.
        sets.insert(set);
      }
    }
    if (sets.empty()) {
      return;
    }
    const Candidates collapsed =
        measure(variants_of(sets, /*collapses=*/true), options_.to_the_end(text_));
    for (const VariantSummary& one : collapsed.summary.variants) {
      for (size_t step = 0; step < chosen.size() && one.variant != 0; ++step) {
        if (*std::next(sets.begin(), static_cast<int64_t>(one.variant) - 1) == chosen[step]) {
          steps[step]["collapse"] = variant_json(collapsed.summary, one, text_.groups.size());
        }
      }
    }
  }

  const CausalLM& base_;
  const ProbeSet& text_;
  const SweepOptions& options_;
  const BootstrapOptions& bootstrap_;
  const ProbeControl& control_;
  Layers cheapest_;
};

}  // namespace

Json search_prune(const CausalLM& base,
                  const ProbeSet& text,
                  int64_t most,
                  const SweepOptions& options,
                  const BootstrapOptions& bootstrap,
                  const ProbeControl& control) {
  const int64_t layers = base.config.num_hidden_layers;
  if (most < 1 || most >= layers) {
    throw Error({.item = "number of layers to prune",
                 .found = fmt::format("{}", most),
                 .expected = fmt::format("1 to {}", layers - 1)});
  }
  return PruneSearch(base, text, options, bootstrap, control).run(most);
}

}  // namespace slayer
