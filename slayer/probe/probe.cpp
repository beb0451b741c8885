#include "slayer/probe/probe.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "slayer/core/error.h"
#include "slayer/core/version.h"
#include "slayer/probe/angular.h"
#include "slayer/probe/gradient.h"
#include "slayer/probe/lens.h"
#include "slayer/probe/prune_search.h"
#include "slayer/probe/summary.h"
#include "slayer/surgery/strategies.h"

namespace slayer {
namespace {

std::vector<Variant> make_variants(const ProbeMethods& methods, int64_t layers) {
  std::vector<Variant> variants{base_variant(layers)};
  const auto append = [&](std::vector<Variant> more) {
    std::ranges::move(more, std::back_inserter(variants));
  };
  if (methods.remove) {
    append(removal_variants(layers, methods.span));
  }
  if (methods.last > 0) {
    append(last_variants(layers, methods.last));
  }
  if (methods.expand) {
    append(expansion_variants(layers, methods.init, methods.copies));
  }
  return variants;
}

/// The methods that these variants belong to, but the base.
std::vector<std::string> methods_of(const std::vector<Variant>& variants) {
  std::vector<std::string> methods;
  for (const Variant& variant : variants) {
    if (variant.method != "base" && std::ranges::find(methods, variant.method) == methods.end()) {
      methods.push_back(variant.method);
    }
  }
  return methods;
}

class ProbeRun final {
 public:
  ProbeRun(const CausalLM& model, const ProbeOptions& options, const ProbeControl& control)
      : model_(model),
        options_(options),
        control_(control),
        variants_(make_variants(options.methods, model.config.num_hidden_layers)) {}

  /// @param searches_prune  whether what can go is searched on this section's text.
  Json section(const ProbeSection& section, bool searches_prune) {
    Json json = Json::object();
    for (const ProbeSet& text : section.texts) {
      add_text(text, section.name, searches_prune, json);
    }
    if (options_.methods.has_variants()) {
      for (const ProbeSet& task : section.tasks) {
        json["tasks"][task.name] = task_json(task);
      }
    }
    return json;
  }

  /// How the domain's dips differ from the general text's; null where either is missing.
  Json difference() const {
    const auto domain = of_text_.find("domain");
    const auto general = of_text_.find("general");
    if (domain == of_text_.end() || general == of_text_.end()) {
      return nullptr;
    }
    Json json = Json::object();
    for (const std::string& method : methods_of(variants_)) {
      json[method] = difference_json(domain->second, general->second, variants_, method);
    }
    return json;
  }

 private:
  /// The base and every method under one measure of a set.
  void add_measure(const ProbeSet& set,
                   const SweepSummary& summary,
                   const std::map<std::string, Extremes>& extremes,
                   Json& json) const {
    const size_t groups = set.groups.size();
    json["base"] = variant_json(summary, summary.variants.front(), groups);
    for (const std::string& method : methods_of(variants_)) {
      json[method] = method_json(summary, variants_, method, groups);
    }
    for (const auto& [method, ends] : extremes) {
      json[method]["best"] = layers_of(ends.best);
      json[method]["worst"] = layers_of(ends.worst);
    }
    if (json.contains("remove")) {
      json["remove"]["span"] = options_.methods.span;
    }
    if (json.contains("expand")) {
      json["expand"]["init"] = options_.methods.init == RepeatInit::kCopy ? "copy" : "average";
      json["expand"]["copies"] = options_.methods.copies;
    }
  }

  std::vector<int64_t> layers_of(const std::vector<size_t>& variants) const {
    std::vector<int64_t> layers;
    for (const size_t variant : variants) {
      layers.push_back(variants_[variant].layer);
    }
    return layers;
  }

  /// Different sets are resampled independently of each other.
  BootstrapOptions bootstrap_of(const std::string& section) const {
    BootstrapOptions bootstrap = options_.bootstrap;
    bootstrap.seed += section == "general" ? 1 : 0;
    return bootstrap;
  }

  void add_text(const ProbeSet& text, const std::string& section, bool searches_prune, Json& json) {
    json["text"] = text.description;
    const BootstrapOptions bootstrap = bootstrap_of(section);
    const SweepScores scores = run_sweep(model_, text, variants_, options_.sweep, control_);
    SweepSummary summary = summarize_sweep(text, scores, 0, bootstrap);
    add_measure(text, summary, scores.extremes, json);
    of_text_[section] = std::move(summary);
    if (searches_prune) {
      json["prune"] =
          search_prune(model_, text, options_.methods.prune, options_.sweep, bootstrap, control_);
    }
    const PackingOptions& packing = options_.sweep.packing;
    if (options_.methods.angular) {
      json["angular"] = once(text.name + " angular", [&] {
        return measure_angular(model_, text, packing, bootstrap, control_);
      });
    }
    if (options_.methods.gradient) {
      json["gradient"] = once(text.name + " gradient",
                              [&] { return measure_gradient(model_, text, packing, control_); });
    }
    if (options_.methods.lens) {
      json["lens"] = once(text.name + " lens", [&] {
        return measure_lens(model_, text, options_.sweep, bootstrap, control_);
      });
    }
  }

  /// What `measure` gives, unless the journal knows it.
  Json once(const std::string& name, const std::function<Json()>& measure) const {
    if (const Json* const noted = control_.journal.find(name)) {
      return *noted;
    }
    Json json = measure();
    control_.journal.add(name, json);
    return json;
  }

  Json task_json(const ProbeSet& task) const {
    Json json{{"task", task.description}};
    const SweepScores scores = run_sweep(model_, task, variants_, options_.sweep, control_);
    for (size_t measure = 0; measure < task.measures.size(); ++measure) {
      add_measure(
          task,
          summarize_sweep(task, scores, measure, options_.bootstrap),
          measure == task.deciding_measure ? scores.extremes : std::map<std::string, Extremes>(),
          json[task.measures[measure].name]);
    }
    return json;
  }

  const CausalLM& model_;
  const ProbeOptions& options_;
  const ProbeControl& control_;
  std::vector<Variant> variants_;
  std::map<std::string, SweepSummary> of_text_;  ///< By section.
};

}  // namespace

void check_methods(const ProbeMethods& methods, int64_t layers, bool has_text) {
  if (layers < 2) {
    throw Error({.item = "layers of the model",
                 .found = "one",
                 .expected = "two or more: a probe compares layers with each other"});
  }
  if (!has_text && (methods.angular || methods.gradient || methods.lens || methods.prune > 0)) {
    throw Error({.item = "angular, gradient, lens and prune",
                 .found = "tasks only",
                 .expected = "a text",
                 .hint = "--text, or --domain and --general"});
  }
  make_variants(methods, layers);
  last_layers(layers, methods.prune);
}

void add_method(const std::string& name, ProbeMethods& methods) {
  const std::map<std::string, bool ProbeMethods::*> known{{"remove", &ProbeMethods::remove},
                                                          {"expand", &ProbeMethods::expand},
                                                          {"angular", &ProbeMethods::angular},
                                                          {"gradient", &ProbeMethods::gradient},
                                                          {"lens", &ProbeMethods::lens}};
  const auto found = known.find(name);
  if (found == known.end()) {
    throw Error({.item = "method",
                 .found = printable(name),
                 .expected = "remove, expand, angular, gradient or lens"});
  }
  methods.*(found->second) = true;
}

Json run_probe(const CausalLM& model,
               const std::string& hash,
               const std::vector<ProbeSection>& sections,
               const ProbeOptions& options,
               const ProbeControl& control) {
  check_methods(options.methods,
                model.config.num_hidden_layers,
                std::ranges::any_of(
                    sections, [](const ProbeSection& section) { return !section.texts.empty(); }));
  Json json{{"format", 1},
            {"slayer", version()},
            {"model", hash},
            {"layers", model.config.num_hidden_layers}};
  if (options.sweep.race) {
    json["race"] = options.sweep.race->best;
  }
  // What can go is judged by the general text, which comes last; by the domain's where it is alone.
  const auto judge =
      std::find_if(sections.rbegin(), sections.rend(), [](const ProbeSection& section) {
        return !section.texts.empty();
      });
  ProbeRun run(model, options, control);
  for (const ProbeSection& section : sections) {
    const bool searches_prune =
        options.methods.prune > 0 && judge != sections.rend() && &section == &*judge;
    Json measured = run.section(section, searches_prune);
    if (section.name.empty()) {
      json.update(measured);
    } else {
      json[section.name] = std::move(measured);
    }
  }
  if (Json difference = run.difference(); !difference.is_null()) {
    json["domain_minus_general"] = std::move(difference);
  }
  return json;
}

}  // namespace slayer
