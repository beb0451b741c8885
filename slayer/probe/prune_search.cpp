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
      const Candidates candidates =
          count == 1 ? singles : measure(sets_of(count, chosen), /*collapses=*/false);
      const VariantSummary& best = *best_of(candidates);
      chosen.push_back(candidates.variants[best.variant].removed);
      Json step{{"count", count}, {"layers", chosen.back()}};
      step.update(variant_json(candidates.summary, best, text_.groups.size()));
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
    return measure_variants(std::move(variants));
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

  Candidates measure(const std::set<Layers>& sets, bool collapses) const {
    std::vector<Variant> variants{base_variant(layers())};
    for (const Layers& set : sets) {
      variants.push_back(prune_variant(layers(), set, collapses));
    }
    return measure_variants(std::move(variants));
  }

  Candidates measure_variants(std::vector<Variant> variants) const {
    const SweepScores scores = run_sweep(base_, text_, variants, options_, control_);
    return {.variants = std::move(variants),
            .summary = summarize_sweep(text_, scores, text_.deciding_measure, bootstrap_)};
  }

  /// The smallest dip among those that were measured on all of the text.
  const VariantSummary* best_of(const Candidates& candidates) const {
    const VariantSummary* best = nullptr;
    for (const VariantSummary& one : candidates.summary.variants) {
      if (one.variant != 0 && one.groups == text_.groups.size() &&
          (best == nullptr || one.dip < best->dip)) {
        best = &one;
      }
    }
    return best;
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
    const Candidates collapsed = measure(sets, /*collapses=*/true);
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
