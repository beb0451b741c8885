#include "slayer/recipe/summary.h"

#include <cmath>
#include <string>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/checkpoint/family.h"
#include "slayer/eval/perplexity.h"
#include "slayer/surgery/plan.h"
#include "slayer/surgery/summary.h"

namespace slayer {
namespace {

/// Layers and parameters of both models, and what trained.
Json sizes(const std::filesystem::path& base, const Plan& plan) {
  const Checkpoint checkpoint = Checkpoint::open(base);
  const ModelConfig& config = checkpoint.config();
  const PlanSummary planned = summarize(plan, config, config.dtype.value_or(Dtype::kF32));
  return {{"base", {{"layers", config.num_hidden_layers}, {"parameters", parameter_count(config)}}},
          {"new",
           {{"layers", planned.layers},
            {"parameters", planned.parameters},
            {"trained_layers", planned.trained_layers},
            {"trained_parameters", planned.trained_parameters}}}};
}

Json perplexity_of(const PerplexityResult& result) {
  Json json = {{"perplexity", result.perplexity}};
  if (result.loss_interval) {
    json["low"] = std::exp(result.loss_interval->low);
    json["high"] = std::exp(result.loss_interval->high);
  }
  return json;
}

/// Both models on one held-out set.
Json compare_on(const std::string& kind, const std::filesystem::path& run) {
  const auto read = [&](const std::string& name) {
    const std::filesystem::path file = run / "eval" / (name + ".json");
    return perplexity_from_json(read_json_file(file).at("results").at("text:" + kind),
                                file.string());
  };
  const PerplexityResult base = read("base");
  const PerplexityResult changed = read("new");
  const PerplexityChange change = compare_perplexity(base, changed, {});
  Json json = {{"documents", base.documents.size()},
               {"tokens", base.tokens},
               {"base", perplexity_of(base)},
               {"new", perplexity_of(changed)},
               {"change", change.perplexity_ratio - 1.0}};
  if (change.ratio_interval) {
    json["change_low"] = change.ratio_interval->low - 1.0;
    json["change_high"] = change.ratio_interval->high - 1.0;
  }
  return json;
}

Json samples(const Json& base, const Json& changed) {
  Json all = Json::array();
  for (size_t i = 0; i < base.at("samples").size(); ++i) {
    all.push_back({{"prompt", base["samples"][i].at("prompt")},
                   {"base", base["samples"][i].at("text")},
                   {"new", changed.at("samples").at(i).at("text")}});
  }
  return all;
}

Json times(const std::vector<Stage>& stages, const StageLog& log) {
  Json each = Json::object();
  StageTime total;
  for (const Stage& stage : stages) {
    const StageTime time = log.time_of(stage.name);
    each[stage.name] = {{"seconds", time.seconds}, {"cpu_seconds", time.cpu_seconds}};
    total.seconds += time.seconds;
    total.cpu_seconds += time.cpu_seconds;
  }
  return {{"seconds", total.seconds}, {"cpu_seconds", total.cpu_seconds}, {"stages", each}};
}

}  // namespace

Json summarize_run(const std::filesystem::path& run,
                   const std::filesystem::path& base,
                   const std::vector<Stage>& stages,
                   const StageLog& log) {
  const std::string plan_file = (run / "plan.json").string();
  const Plan plan = plan_from_json(read_json_file(plan_file), plan_file);
  return {
      {"format", 1},
      {"plan", {{"strategy", plan.strategy}, {"sketch", sketch_layers(plan)}}},
      {"models", sizes(base, plan)},
      {"verify", read_json_file(run / "verify.json")},
      {"text", {{"domain", compare_on("domain", run)}, {"general", compare_on("general", run)}}},
      {"samples",
       samples(read_json_file(run / "eval" / "base.json"),
               read_json_file(run / "eval" / "new.json"))},
      {"time", times(stages, log)}};
}

}  // namespace slayer
