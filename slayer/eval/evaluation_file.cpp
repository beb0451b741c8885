#include "slayer/eval/evaluation_file.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "slayer/core/error.h"
#include "slayer/eval/evaluation.h"
#include "slayer/eval/metrics.h"

namespace slayer {
namespace {

constexpr int64_t kFormat = 1;

/// What people read of an item; the samples have it whole.
constexpr std::array<std::string_view, 3> kTexts{"question", "expected", "said"};
constexpr size_t kLongestText = 400;

/// At most kLongestText bytes of valid UTF-8; of a longer text the end, where the question stands.
std::string shortened(const std::string& text) {
  if (text.size() <= kLongestText) {
    return text;
  }
  size_t begin = text.size() - kLongestText;
  while (begin < text.size() && (static_cast<uint8_t>(text[begin]) & 0xC0U) == 0x80U) {
    ++begin;
  }
  return "..." + text.substr(begin);
}

/// The numbers and short texts of the samples, key by key; null where a sample has none.
Json columns_of(const std::vector<Json>& samples) {
  Json columns = {{"doc_id", Json::array()}};
  const auto is_column = [](const std::string& key, const Json& value) {
    return value.is_number() || std::ranges::find(kTexts, key) != kTexts.end();
  };
  for (const Json& sample : samples) {
    for (const auto& [key, value] : sample.items()) {
      if (is_column(key, value)) {
        columns[key];
      }
    }
  }
  for (auto& [key, column] : columns.items()) {
    for (const Json& sample : samples) {
      const Json value = sample.contains(key) ? sample[key] : Json(nullptr);
      column.push_back(value.is_string() ? Json(shortened(value.get<std::string>())) : value);
    }
  }
  return columns;
}

/// "version 1, 5-shot, seed 1234, no BOS, the first 100 items, float32": what makes numbers
/// comparable.
std::string setting(const Json& config) {
  std::vector<std::string> parts;
  const auto add = [&](const char* key, std::string_view format) {
    if (config.contains(key) && !config[key].is_null()) {
      const Json& value = config[key];
      parts.push_back(
          fmt::format(fmt::runtime(format),
                      value.is_string() ? value.get<std::string>() : compact_text(value)));
    }
  };
  add("version", "version {}");
  add("num_fewshot", "{}-shot");
  add("seed", "seed {}");
  parts.emplace_back(config.value("adds_bos", false) ? "BOS" : "no BOS");
  add("limit", "the first {} items");
  add("samples", "{} samples an item");
  add("seq_len", "windows of {} tokens");
  add("dtype", "{}");
  return fmt::format("{}", fmt::join(parts, ", "));
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
  results.reserve(group.tasks.size());
  for (const std::string& task : group.tasks) {
    results.push_back(json_["results"].at(task));
  }
  json_["results"][group.name] = aggregate_group(results);
  json_["groups"][group.name] = group.tasks;
}

void EvaluationFile::add_text(const std::string& name,
                              const PerplexityResult& result,
                              const Json& config) {
  const std::string key = "text:" + name;
  if (!std::isfinite(result.loss)) {  // As which JSON has no number.
    throw Error({.item = key,
                 .found = fmt::format("a loss of {}", result.loss),
                 .expected = "a number: the model has diverged, or is not for this arithmetic"});
  }
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
  std::string table = fmt::format("model {}\n", file.json()["model"].get<std::string>());
  table += fmt::format("{:<36} {:<30} {:>10}\n", "task", "metric", "value");
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
    if (file.json()["configs"].contains(task)) {
      table += fmt::format("{:<36} ({})\n", "", setting(file.json()["configs"][task]));
    }
  }
  return table;
}

}  // namespace slayer
