#include "slayer/recipe/summary.h"

#include <cmath>
#include <string>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/checkpoint/family.h"
#include "slayer/eval/evaluation_file.h"
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
Json compare_on(const std::string& kind,
                const EvaluationFile& base_file,
                const EvaluationFile& new_file) {
  const PerplexityResult base = base_file.text(kind);
  const PerplexityResult changed = new_file.text(kind);
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

Json times(const Job& job) {
  Json each = Json::object();
  double seconds = 0.0;
  double cpu_seconds = 0.0;
  for (const Stage& stage : job.stages()) {
    const StageCost cost = cost_of(stage);
    each[stage.name] = {{"seconds", cost.seconds},
                        {"cpu_seconds", cost.cpu_seconds},
                        {"peak_bytes", cost.peak_bytes}};
    seconds += cost.seconds;
    cpu_seconds += cost.cpu_seconds;
  }
  return {{"seconds", seconds}, {"cpu_seconds", cpu_seconds}, {"stages", each}};
}

/// Where a variant's report finds what lies outside its own folder, relative to that.
Json files_elsewhere(const JobFolders& folders) {
  const auto relative = [&](const std::filesystem::path& folder, const char* file) {
    return std::filesystem::relative(folder / file, folders.own).generic_string();
  };
  return {{"plan", relative(folders.plan, "plan.json")},
          {"training", relative(folders.train, "train/metrics.jsonl")},
          {"overlap", relative(folders.train, "overlap.json")},
          {"probe", relative(folders.run, "probe.json")},
          {"base_samples", relative(folders.run, "eval/base")},
          {"machine", relative(folders.run, "run.json")},
          {"recipe", relative(folders.run, "recipe.toml")}};
}

}  // namespace

Json summarize_job(const Job& job) {
  const JobFolders& folders = job.folders();
  const Plan plan = read_plan_file(folders.plan / "plan.json");
  const EvaluationFile base = EvaluationFile::read(folders.run / "eval" / "base.json");
  const EvaluationFile changed = EvaluationFile::read(folders.own / "eval" / "new.json");
  Json summary = {{"format", 1},
                  {"base", job.recipe().base.filename().string()},
                  {"plan", {{"strategy", plan.strategy}, {"sketch", sketch_layers(plan)}}},
                  {"models", sizes(job.base_path(), plan)},
                  {"verify", read_json_file(folders.plan / "verify.json")},
                  {"text",
                   {{"domain", compare_on("domain", base, changed)},
                    {"general", compare_on("general", base, changed)}}},
                  {"samples", samples(base.json(), changed.json())},
                  {"time", times(job)}};
  if (!job.recipe().variant.empty()) {
    summary["files"] = files_elsewhere(folders);
  }
  return summary;
}

Json summarize_variants(const std::vector<std::unique_ptr<Job>>& jobs) {
  Json variants = Json::array();
  for (const std::unique_ptr<Job>& job : jobs) {
    variants.push_back(
        {{"name", job->recipe().variant},
         {"folder",
          std::filesystem::relative(job->folders().own, job->folders().run).generic_string()},
         {"summary", summarize_job(*job)}});
  }
  return {{"format", 1},
          {"base", jobs.front()->recipe().base.filename().string()},
          {"variants", variants}};
}

}  // namespace slayer
