#include "slayer/probe/sweep.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <numeric>

#include "slayer/checkpoint/family.h"
#include "slayer/core/error.h"
#include "slayer/probe/run_plans.h"

namespace slayer {
namespace {

constexpr double kNotMeasured = std::numeric_limits<double>::quiet_NaN();

/// What scoring one plan costs, in layers.
int64_t head_in_layers(const ModelConfig& config) {
  return std::max<int64_t>(1,
                           config.vocab_size * config.hidden_size / parameters_per_layer(config));
}

/// A race is looked at the more often the better, but items share their context within a chunk,
/// which small chunks would compute again and again.
PackingOptions packing_of(const SweepOptions& options, const ProbeSet& set) {
  constexpr int64_t kTokensBetweenLooks = 512;
  const bool is_text =
      std::ranges::all_of(set.groups, [](const SequenceGroup& group) { return group.size() == 1; });
  PackingOptions packing = options.packing;
  if (options.race && is_text) {
    packing.chunk_tokens = std::min(packing.chunk_tokens, kTokensBetweenLooks);
  }
  return packing;
}

class Sweep final {
 public:
  Sweep(const CausalLM& base,
        const ProbeSet& set,
        const std::vector<Variant>& variants,
        const SweepOptions& options,
        const ProbeControl& control)
      : base_(base),
        set_(set),
        variants_(variants),
        options_(options),
        control_(control),
        chunks_(pack_groups(set.groups, packing_of(options, set), base.device())) {
    scores_.values.assign(
        variants.size(),
        {set.measures.size(), std::vector<double>(set.groups.size(), kNotMeasured)});
  }

  SweepScores run() {
    std::vector<size_t> running(variants_.size());
    std::iota(running.begin(), running.end(), size_t{0});
    const int64_t layers = work(running);
    Progress progress(
        set_.name, layers, "layers", layers > 0 ? control_.progress : ProgressStyle::kSilent);
    std::optional<Race> race;
    if (options_.race) {
      race.emplace(set_, variants_, *options_.race);
    }
    for (size_t chunk = 0; chunk < chunks_.size() && !running.empty(); ++chunk) {
      run_chunk(chunk, take_up(chunk, running), progress);
      if (race) {
        race->look(scores_, chunks_[chunk].last_group);
        running = race->running();
      }
    }
    if (race) {
      scores_.extremes = race->extremes(scores_);
    }
    progress.finish();
    return std::move(scores_);
  }

 private:
  std::string journal_name(size_t chunk, size_t variant) const {
    return fmt::format("{} {} {}", set_.name, chunk, variants_[variant].name());
  }

  /// What the journal has of it, if that is a number for each measure and group.
  const Json* known(size_t chunk, size_t variant) const {
    const Json* const found = control_.journal.find(journal_name(chunk, variant));
    const size_t groups = chunks_[chunk].last_group - chunks_[chunk].first_group;
    const bool fits = found != nullptr && found->is_array() &&
                      found->size() == set_.measures.size() &&
                      std::ranges::all_of(*found, [&](const Json& values) {
                        return values.is_array() && values.size() == groups &&
                               std::ranges::all_of(values, &Json::is_number);
                      });
    return fits ? found : nullptr;
  }

  PlanTrie trie_of(const std::vector<size_t>& variants) const {
    std::vector<Plan> plans;
    for (const size_t variant : variants) {
      plans.push_back(variants_[variant].plan);
    }
    return make_plan_trie(plans);
  }

  /// Layers to evaluate, the head counted in layers; more than there will be when variants race.
  int64_t work(const std::vector<size_t>& running) const {
    int64_t layers = 0;
    for (size_t chunk = 0; chunk < chunks_.size(); ++chunk) {
      std::vector<size_t> open;
      std::ranges::copy_if(running, std::back_inserter(open), [&](size_t variant) {
        return known(chunk, variant) == nullptr;
      });
      layers += trie_of(open).layer_count() + std::ssize(open) * head_in_layers(base_.config);
    }
    return layers;
  }

  /// Fills in what the journal knows. @return the variants that are still to be measured.
  std::vector<size_t> take_up(size_t chunk, const std::vector<size_t>& running) {
    std::vector<size_t> open;
    for (const size_t variant : running) {
      const Json* const values = known(chunk, variant);
      if (values == nullptr) {
        open.push_back(variant);
        continue;
      }
      for (size_t measure = 0; measure < set_.measures.size(); ++measure) {
        std::ranges::transform((*values)[measure],
                               scores_.values[variant][measure].begin() +
                                   static_cast<int64_t>(chunks_[chunk].first_group),
                               [](const Json& value) { return value.get<double>(); });
      }
    }
    return open;
  }

  void run_chunk(size_t chunk, const std::vector<size_t>& open, Progress& progress) {
    const RunPlansOptions options{.logit_rows = options_.logit_rows, .on_layer = [&] {
                                    throw_if_stopped(control_);
                                    progress.advance(1);
                                  }};
    run_plans(base_,
              trie_of(open),
              chunks_[chunk],
              options,
              [&](size_t plan, const std::vector<SequenceScore>& scores) {
                note(chunk, open[plan], scores);
                progress.advance(head_in_layers(base_.config));
              });
  }

  void require_finite(double value, size_t variant, size_t measure) const {
    if (!std::isfinite(value)) {
      throw Error(
          {.item = fmt::format(
               "{} of {} on {}", set_.measures[measure].name, variants_[variant].name(), set_.name),
           .found = std::isnan(value) ? "nan" : "infinity",
           .expected = "a number",
           .hint = "--dtype float32 has a wider range than float16"});
    }
  }

  void note(size_t chunk, size_t variant, std::span<const SequenceScore> scores) {
    const PackedChunk& packed = chunks_[chunk];
    Json noted(set_.measures.size(), Json::array());
    for (size_t group = packed.first_group; group < packed.last_group; ++group) {
      const size_t slot = packed.first_slot[group - packed.first_group];
      const std::vector<double> values =
          set_.values(group, scores.subspan(slot, set_.groups[group].size()));
      for (size_t measure = 0; measure < values.size(); ++measure) {
        require_finite(values[measure], variant, measure);
        scores_.values[variant][measure][group] = values[measure];
        noted[measure].push_back(values[measure]);
      }
    }
    control_.journal.add(journal_name(chunk, variant), std::move(noted));
  }

  const CausalLM& base_;
  const ProbeSet& set_;
  const std::vector<Variant>& variants_;
  const SweepOptions& options_;
  const ProbeControl& control_;
  std::vector<PackedChunk> chunks_;
  SweepScores scores_;
};

}  // namespace

void throw_if_stopped(const ProbeControl& control) {
  if (control.stop.stop_requested()) {
    throw Interrupted(control.journal.is_kept()
                          ? "run the same command again to go on from what is measured"
                          : "with --out, the same command would go on");
  }
}

SweepOptions SweepOptions::to_the_end(const ProbeSet& set) const {
  SweepOptions options = *this;
  options.packing = packing_of(*this, set);
  options.race = std::nullopt;
  return options;
}

SweepScores run_sweep(const CausalLM& base,
                      const ProbeSet& set,
                      const std::vector<Variant>& variants,
                      const SweepOptions& options,
                      const ProbeControl& control) {
  return Sweep(base, set, variants, options, control).run();
}

}  // namespace slayer
