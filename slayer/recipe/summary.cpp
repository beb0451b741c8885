#include "slayer/recipe/summary.h"

#include <set>
#include <string>

#include "slayer/checkpoint/config.h"
#include "slayer/checkpoint/family.h"
#include "slayer/eval/evaluation_file.h"
#include "slayer/eval/perplexity.h"
#include "slayer/recipe/record.h"
#include "slayer/recipe/trained.h"
#include "slayer/surgery/plan.h"
#include "slayer/surgery/summary.h"

namespace slayer {
namespace {

/// Layers and parameters of both models, and what [train] trained.
Json sizes(const ModelConfig& config, const ModelConfig& changed, const TrainableSet& trained) {
  return {{"base", {{"layers", config.num_hidden_layers}, {"parameters", parameter_count(config)}}},
          {"new",
           {{"layers", changed.num_hidden_layers},
            {"parameters", parameter_count(changed)},
            {"trained_layers", trained.layers.size()},
            {"trained_parameters", trained_parameters(trained, changed)}}}};
}

Json perplexity_json(const PerplexityResult& result) {
  Json json = {{"perplexity", result.perplexity}};
  if (result.loss_interval) {
    json["low"] = perplexity_of(result.loss_interval->low);
    json["high"] = perplexity_of(result.loss_interval->high);
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
               {"base", perplexity_json(base)},
               {"new", perplexity_json(changed)},
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

/// What was planned, and what of it trained.
Json describe_plan(const Job& job, const Plan& plan, const PlannedTrainings& trainings) {
  Json json = {{"strategy", plan.strategy},
               {"sketch", sketch_layers(trainings.plan)},
               {"trained", Json::array()}};
  for (const PlannedLayer& layer : trainings.plan.layers) {
    json["trained"].push_back(layer.train);
  }
  if (plan.strategy == "auto" && job.recipe().plan.strategy == "auto") {
    if (const AutoPlan made = job.make_auto_plan(); made.plan == plan) {  // Not edited by hand.
      json["reasons"] = made.reasons;
    }
  }
  return json;
}

Json describe_training(const TrainOptions& options,
                       const TrainableSet& trained,
                       const ModelConfig& model) {
  return {{"method", name_of(options.method.method)},
          {"trains", describe(trained)},
          {"layers", trained.layers.size()},
          {"parameters", trained_parameters(trained, model)}};
}

/// Where a variant's report finds what lies outside its own folder, relative to that.
Json files_elsewhere(const JobFolders& folders, const Recipe& recipe) {
  const auto relative = [&](const std::filesystem::path& folder,
                            const std::filesystem::path& file) {
    return std::filesystem::relative(folder / file, folders.own).generic_string();
  };
  return {{"plan", relative(folders.plan, "plan.json")},
          {"training", relative(folders.train, "train/metrics.jsonl")},
          {"sft_training", relative(folders.sft, "sft/metrics.jsonl")},
          {"overlap", relative(folders.sft, "overlap.json")},
          {"probe", relative(folders.run, "probe.json")},
          {"base_samples", relative(folders.run, "eval/base")},
          {"recipe", relative(folders.run, kept_recipe(recipe))}};
}

}  // namespace

Json summarize_job(const Job& job) {
  const JobFolders& folders = job.folders();
  const Plan plan = job.read_plan();
  const PlannedTrainings trainings = planned_trainings(job.recipe(), plan);
  const ModelConfig model = with_layers(job.base().config(), layer_origins(plan));
  const EvaluationFile base = EvaluationFile::read(folders.run / "eval" / "base.json");
  const EvaluationFile changed = EvaluationFile::read(folders.own / "eval" / "new.json");
  Json summary = {{"format", 1},
                  {"base", job.recipe().base.filename().string()},
                  {"has_probe", job.recipe().probe.has_value()},
                  {"plan", describe_plan(job, plan, trainings)},
                  {"models", sizes(job.base().config(), model, trainings.train)},
                  {"train", describe_training(job.recipe().train, trainings.train, model)},
                  {"verify", read_json_file(folders.plan / "verify.json")},
                  {"text",
                   {{"domain", compare_on("domain", base, changed)},
                    {"general", compare_on("general", base, changed)}}},
                  {"samples", samples(base.json(), changed.json())},
                  {"time", times(job)}};
  if (trainings.sft) {
    summary["sft"] = describe_training(*job.recipe().sft, *trainings.sft, model);
  }
  if (!job.recipe().variant.empty()) {
    summary["files"] = files_elsewhere(folders, job.recipe());
  }
  return summary;
}

Json summarize_variants(const std::vector<std::unique_ptr<Job>>& jobs) {
  Json variants = Json::array();
  double seconds = 0.0;
  double cpu_seconds = 0.0;
  std::set<std::filesystem::path> counted;  // Outputs of stages: what jobs share was paid once.
  for (const std::unique_ptr<Job>& job : jobs) {
    for (const Stage& stage : job->stages()) {
      if (counted.insert(stage.output_path()).second) {
        const StageCost cost = cost_of(stage);
        seconds += cost.seconds;
        cpu_seconds += cost.cpu_seconds;
      }
    }
    variants.push_back(
        {{"name", job->recipe().variant},
         {"folder",
          std::filesystem::relative(job->folders().own, job->folders().run).generic_string()},
         {"summary", summarize_job(*job)}});
  }
  return {{"format", 1},
          {"base", jobs.front()->recipe().base.filename().string()},
          {"has_probe", jobs.front()->recipe().probe.has_value()},
          {"variants", variants},
          {"time", {{"seconds", seconds}, {"cpu_seconds", cpu_seconds}}}};
}

}  // namespace slayer
