#include "slayer/eval/evaluation_file.h"

#include <fmt/format.h>

#include "slayer/core/error.h"
#include "slayer/eval/evaluation.h"
#include "slayer/eval/metrics.h"

namespace slayer {
namespace {

constexpr int64_t kFormat = 1;

/// The numbers of the samples, key by key; null where a sample has none.
Json columns_of(const std::vector<Json>& samples) {
  Json columns = {{"doc_id", Json::array()}};
  for (const Json& sample : samples) {
    for (const auto& [key, value] : sample.items()) {
      if (value.is_number()) {
        columns[key];
      }
    }
  }
  for (auto& [key, column] : columns.items()) {
    for (const Json& sample : samples) {
      column.push_back(sample.contains(key) ? sample[key] : Json(nullptr));
    }
  }
  return columns;
}

}  // namespace

EvaluationFile::EvaluationFile(const std::string& model_hash)
    : json_({{"format", kFormat},
             {"model", model_hash},
             {"results", Json::object()},
             {"configs", Json::object()},
             {"items", Json::object()}}) {}

EvaluationFile EvaluationFile::read(const std::filesystem::path& path) {
  Json json = read_json_file(path);
  const JsonObject object(json, path.string());
  object.integer("format", kFormat, kFormat);
  object.string("model");
  object.object("results");
  object.object("configs");
  object.object("items");
  EvaluationFile file;
  file.json_ = std::move(json);
  file.path_ = path.string();
  return file;
}

void EvaluationFile::add_task(const std::string& name, const TaskResult& result) {
  json_["results"][name] = result.metrics;
  json_["configs"][name] = result.config;
  json_["items"][name] = columns_of(result.samples);
}

void EvaluationFile::add_group(const TaskGroup& group) {
  std::vector<Json> results;
  for (const std::string& task : group.tasks) {
    results.push_back(json_["results"].at(task));
  }
  json_["results"][group.name] = aggregate_group(results);
}

void EvaluationFile::add_text(const std::string& name,
                              const PerplexityResult& result,
                              const Json& config) {
  const std::string key = "text:" + name;
  Json metrics = perplexity_to_json(result);
  Json items = {{"loss", Json::array()}, {"tokens", Json::array()}};
  for (const DocumentLoss& document : result.documents) {
    items["loss"].push_back(document.loss);
    items["tokens"].push_back(document.tokens);
  }
  metrics.erase("documents");
  json_["results"][key] = metrics;
  json_["configs"][key] = config;
  json_["items"][key] = items;
}

PerplexityResult EvaluationFile::text(const std::string& name) const {
  const std::string key = "text:" + name;
  const JsonObject file(json_, path_);
  const JsonObject items = file.object("items").object(key);
  Json result = file.object("results").object(key).json();
  const Json& losses = items.array("loss");
  const Json& tokens = items.array("tokens");
  if (losses.size() != tokens.size()) {
    items.fail("tokens", fmt::format("{} numbers", tokens.size()), "one for each loss");
  }
  result["documents"] = Json::array();
  for (size_t i = 0; i < losses.size(); ++i) {
    result["documents"].push_back({{"loss", losses[i]}, {"tokens", tokens[i]}});
  }
  return perplexity_from_json(result, path_);
}

std::string format_results(const EvaluationFile& file) {
  std::string table = fmt::format("{:<36} {:<30} {:>10}\n", "task", "metric", "value");
  for (const auto& [task, metrics] : file.json()["results"].items()) {
    for (const auto& [metric, value] : metrics.items()) {
      const bool is_detail = metric.ends_with("_stderr") || metric == "loss_low" ||
                             metric == "loss_high" || (metric == "problems" && value == 0);
      if (is_detail || !value.is_number()) {
        continue;
      }
      table += value.is_number_integer()
                   ? fmt::format("{:<36} {:<30} {:>10}", task, metric, value.get<int64_t>())
                   : fmt::format("{:<36} {:<30} {:>10.4f}", task, metric, value.get<double>());
      if (metrics.contains(metric + "_stderr")) {
        table += fmt::format(" +/- {:.4f}", metrics[metric + "_stderr"].get<double>());
      } else if (metric == "loss" && metrics.contains("loss_low")) {
        table += fmt::format(" ({:.4f} to {:.4f})",
                             metrics["loss_low"].get<double>(),
                             metrics["loss_high"].get<double>());
      }
      table += "\n";
    }
  }
  return table;
}

}  // namespace slayer
