#include "slayer/eval/metrics.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <numbers>

#include "slayer/core/error.h"
#include "slayer/eval/statistics.h"

namespace slayer {
namespace {

constexpr std::string_view kInvalidAnswer = "[invalid]";

/// Index of the first largest value.
int64_t argmax(const std::vector<double>& values) {
  return std::ranges::max_element(values) - values.begin();
}

/// The share of probability that falls on right choices.
double probability_of_right(const std::vector<double>& loglikelihoods,
                            const std::vector<bool>& right) {
  const double largest = std::ranges::max(loglikelihoods);
  double all = 0.0;
  double of_right = 0.0;
  for (size_t i = 0; i < right.size(); ++i) {
    const double probability = std::exp(loglikelihoods[i] - largest);
    all += probability;
    of_right += right[i] ? probability : 0.0;
  }
  return of_right / all;
}

double choice_metric(const std::string& metric,
                     const Item& item,
                     std::vector<double> loglikelihoods) {
  if (!item.gold) {
    return probability_of_right(loglikelihoods, item.right);
  }
  if (metric == "acc_norm") {
    for (size_t i = 0; i < loglikelihoods.size(); ++i) {
      loglikelihoods[i] /= static_cast<double>(code_points(item.choices[i]));
    }
  }
  return argmax(loglikelihoods) == *item.gold ? 1.0 : 0.0;
}

/// The answer that a filter takes from a generated text.
std::string extract(const AnswerFilter& filter, const std::string& generated) {
  if (!filter.pattern) {
    return generated;
  }
  const auto matches = filter.pattern->find_all(generated);
  const int64_t count = std::ssize(matches);
  const int64_t index = filter.match < 0 ? count - 1 : filter.match;
  if (count == 0 || index >= count) {
    return std::string(kInvalidAnswer);
  }
  const std::vector<std::string>& groups = matches[static_cast<size_t>(index)];
  const auto taken = std::ranges::find_if(groups.begin() + (groups.size() > 1 ? 1 : 0),
                                          groups.end(),
                                          [](const std::string& group) { return !group.empty(); });
  return taken == groups.end() ? std::string(kInvalidAnswer) : strip(*taken);
}

std::optional<double> number_in(const std::string& text) {
  const std::string stripped = strip(text);
  double value = 0.0;
  const char* const end = stripped.data() + stripped.size();
  const auto [read_to, failure] = std::from_chars(stripped.data(), end, value);
  return failure == std::errc() && read_to == end ? std::optional(value) : std::nullopt;
}

std::string comparable(const Task& task, std::string answer) {
  for (const TextPattern& pattern : task.ignored) {
    answer = pattern.replace_all(answer, "");
  }
  if (task.ignores_case) {
    static const TextPattern all("(?s).+", "", "lower case");
    answer = all.replace_all(answer, "\\L$0");
  }
  return answer;
}

/// Whether the answer that a filter takes from `text` is the target.
bool is_right(const Task& task, const std::string& answer, const std::string& target) {
  const std::string left = comparable(task, answer);
  const std::string right = comparable(task, target);
  if (!task.tolerance) {
    return left == right;
  }
  const auto left_number = number_in(left);
  const auto right_number = number_in(right);
  return left_number && right_number && std::abs(*left_number - *right_number) <= *task.tolerance;
}

/// Values of one key over the samples that have it.
std::vector<double> values_of(const std::vector<Json>& samples, const std::string& key) {
  std::vector<double> values;
  for (const Json& sample : samples) {
    if (sample.contains(key)) {
      values.push_back(sample[key].get<double>());
    }
  }
  return values;
}

double sum_of(const std::vector<Json>& samples, const std::string& key) {
  double sum = 0.0;
  for (const double value : values_of(samples, key)) {
    sum += value;
  }
  return sum;
}

/// Perplexities come from sums over all items, not from a mean of the items' own.
double perplexity_metric(const std::string& metric, const std::vector<Json>& samples) {
  const double loglikelihood = sum_of(samples, "loglikelihood");
  if (metric == "perplexity") {
    return std::exp(-loglikelihood /
                    static_cast<double>(values_of(samples, "loglikelihood").size()));
  }
  if (metric == "word_perplexity") {
    return std::exp(-loglikelihood / sum_of(samples, "words"));
  }
  const double nats_per_byte = -loglikelihood / sum_of(samples, "bytes");
  return metric == "byte_perplexity" ? std::exp(nats_per_byte) : nats_per_byte / std::numbers::ln2;
}

/// Mean over the classes of the share of each one's items that are right.
double balanced_accuracy(const std::vector<Json>& samples) {
  std::map<int64_t, std::vector<double>> right_of_class;
  for (const Json& sample : samples) {
    if (sample.contains("gold")) {
      right_of_class[sample["gold"].get<int64_t>()].push_back(sample["balanced_acc"].get<double>());
    }
  }
  double sum = 0.0;
  for (const auto& [unused, right] : right_of_class) {
    sum += mean(right);
  }
  return sum / static_cast<double>(right_of_class.size());
}

Json sample_of(const Item& item) { return {{"doc_id", item.doc_id}, {"question", item.question}}; }

void add_mean(Json& result, const std::string& name, const std::vector<double>& values) {
  result[name] = mean(values);
  result[name + "_stderr"] = standard_error(values);
}

}  // namespace

Json score_sample(const Task& task, const Item& item, const std::vector<SequenceScore>& scores) {
  Json sample = sample_of(item);
  std::vector<double> loglikelihoods;
  double total = 0.0;
  for (const SequenceScore& score : scores) {
    loglikelihoods.push_back(score.loglikelihood);
    total += score.loglikelihood;
  }
  if (task.kind == TaskKind::kRolling) {
    loglikelihoods = {total};
  }
  sample["loglikelihoods"] = loglikelihoods;
  if (task.kind == TaskKind::kRolling) {
    sample["loglikelihood"] = total;
    sample["words"] = item.words;
    sample["bytes"] = item.bytes;
    return sample;
  }
  if (task.kind == TaskKind::kLoglikelihood) {
    sample["loglikelihood"] = total;
    sample["expected"] = item.target;
    sample["acc"] = scores.front().is_greedy ? 1.0 : 0.0;
    return sample;
  }
  if (item.gold) {
    sample["gold"] = *item.gold;
    sample["expected"] = item.choices[static_cast<size_t>(*item.gold)];
  }
  sample["choices"] = item.choices;
  sample["said"] = item.choices[static_cast<size_t>(argmax(loglikelihoods))];
  for (const std::string& metric : task.metrics) {
    sample[metric] = choice_metric(metric, item, loglikelihoods);
  }
  return sample;
}

Json score_generation(const Task& task, const Item& item, const std::string& generated) {
  Json sample = sample_of(item);
  sample["generated"] = generated;
  sample["expected"] = item.target;
  for (const AnswerFilter& filter : task.filters) {
    const std::string answer = extract(filter, generated);
    sample["answer," + filter.name] = answer;
    sample["exact_match," + filter.name] = is_right(task, answer, item.target) ? 1.0 : 0.0;
    sample["said"] = answer;
  }
  return sample;
}

double pass_at_k(int64_t samples, int64_t passed, int64_t k) {
  double all_fail = 1.0;
  for (int64_t i = samples - passed + 1; i <= samples; ++i) {
    all_fail *= std::max(0.0, 1.0 - static_cast<double>(k) / static_cast<double>(i));
  }
  return 1.0 - all_fail;
}

Json score_programs(const Task& task,
                    const Item& item,
                    const std::vector<std::string>& generated,
                    const std::vector<ProgramResult>& results) {
  Json sample = sample_of(item);
  sample["generated"] = generated.size() == 1 ? Json(generated.front()) : Json(generated);
  Json outcomes = Json::array();
  for (const ProgramResult& result : results) {
    outcomes.push_back(result.outcome);
  }
  sample["outcomes"] = outcomes;
  const auto count = std::ssize(results);
  if (task.metrics.front() == "pass@k") {
    const auto passed = std::ranges::count(results, true, &ProgramResult::has_passed);
    for (const int64_t k : task.program->k) {
      if (k <= count) {
        sample[fmt::format("pass@{}", k)] = pass_at_k(count, passed, k);
      }
    }
    sample["said"] = outcomes.front();
    return sample;
  }
  sample["expected"] = item.target;
  for (const AnswerFilter& filter : task.filters) {
    double right = 0.0;
    for (const ProgramResult& result : results) {
      const std::string answer =
          result.has_passed ? extract(filter, result.output) : std::string(kInvalidAnswer);
      right += is_right(task, answer, item.target) ? 1.0 : 0.0;
      sample["said"] = answer;
    }
    sample["exact_match," + filter.name] = right / static_cast<double>(count);
  }
  return sample;
}

Json problem_sample(const Item& item) {
  return {{"doc_id", item.doc_id}, {"problem", item.problem}};
}

void note_cut(Json& sample, const Item& item, int64_t cut_from, int64_t room) {
  if (cut_from > 0) {
    sample["cut"] =
        fmt::format("{}: found {} tokens, expected at most the model's {} (its front was left out)",
                    item.place,
                    cut_from,
                    room);
  }
}

Json aggregate_samples(const Task& task, const std::vector<Json>& samples) {
  Json result = Json::object();
  const auto problems =
      std::ranges::count_if(samples, [](const Json& sample) { return sample.contains("problem"); });
  if (problems == std::ssize(samples)) {
    throw Error({.item = fmt::format("task {}", task.name),
                 .found = fmt::format("none of {} items scored", samples.size()),
                 .expected = "at least one",
                 .hint = samples.empty() ? "" : samples.front()["problem"].get<std::string>()});
  }
  for (const std::string& metric : task.metrics) {
    if (metric == "exact_match") {
      for (const AnswerFilter& filter : task.filters) {
        const std::string name = metric + "," + filter.name;
        add_mean(result, name, values_of(samples, name));
      }
    } else if (metric == "pass@k") {
      for (const int64_t k : task.program->k) {
        const std::string name = fmt::format("pass@{}", k);
        if (const auto values = values_of(samples, name); !values.empty()) {
          add_mean(result, name, values);
        }
      }
    } else if (metric == "balanced_acc") {
      result[metric] = balanced_accuracy(samples);
    } else if (metric == "acc" || metric == "acc_norm") {
      add_mean(result, metric, values_of(samples, metric));
    } else {
      result[metric] = perplexity_metric(metric, samples);
    }
  }
  result["items"] = std::ssize(samples) - problems;
  result["problems"] = problems;
  if (const auto cut =
          std::ranges::count_if(samples, [](const Json& sample) { return sample.contains("cut"); });
      cut > 0) {
    result["cut"] = cut;
  }
  return result;
}

Json aggregate_group(const std::vector<Json>& results) {
  Json group = Json::object();
  for (const auto& [name, unused] : results.front().items()) {
    if (!results.front().contains(name + "_stderr")) {
      continue;
    }
    // Source: lm_eval/api/metrics.py, pooled_sample_stderr.
    double sum = 0.0;
    double squares = 0.0;
    double items = 0.0;
    for (const Json& result : results) {
      const auto count = result["items"].get<double>();
      const auto error = result[name + "_stderr"].get<double>();
      sum += count * result[name].get<double>();
      squares += (count - 1.0) * error * error * count;
      items += count;
    }
    group[name] = sum / items;
    const double freedom = items - static_cast<double>(results.size());
    group[name + "_stderr"] = freedom > 0.0 ? std::sqrt(squares / freedom / items) : 0.0;
    group["items"] = static_cast<int64_t>(items);
  }
  return group;
}

}  // namespace slayer
