#include "slayer/report/answer.h"

#include <cmath>
#include <fmt/format.h>

#include "slayer/core/progress.h"

namespace slayer {
namespace {

std::string percent(double share) { return fmt::format("{:.1f} %", 100.0 * std::abs(share)); }

/// "fell from 14.50 to 11.60, by 20.0 % (95 % interval -21.0 to -19.0 %)".
std::string perplexity_change(const JsonObject& text) {
  const double change = text.number("change");
  std::string sentence = fmt::format("{} from {:.2f} to {:.2f}, by {}",
                                     change <= 0.0 ? "fell" : "rose",
                                     text.object("base").number("perplexity"),
                                     text.object("new").number("perplexity"),
                                     percent(change));
  if (!text.has("change_low")) {
    sentence += " (one document: no interval)";
  } else {
    sentence += fmt::format(" (95 % interval {:+.1f} to {:+.1f} %)",
                            100.0 * text.number("change_low"),
                            100.0 * text.number("change_high"));
  }
  return sentence;
}

/// True where the interval does not tell the change from none.
bool is_within_noise(const JsonObject& change, std::string_view low, std::string_view high) {
  return change.has(low) && change.number(low) <= 0.0 && change.number(high) >= 0.0;
}

bool is_gain(const JsonObject& text) {
  return text.number("change") < 0.0 && !is_within_noise(text, "change_low", "change_high");
}

std::string noise_note(bool is_noise) {
  return is_noise ? ", which is within measurement error" : "";
}

bool is_accuracy(const std::string& metric) {
  return metric == "acc" || metric.starts_with("exact_match") || metric.starts_with("pass@");
}

/// "; arc_easy acc went from 0.515 to 0.540 (difference +0.001 to +0.049)": the domain's tasks, the
/// first accuracy of each.
std::string task_gains(const JsonObject& compare) {
  std::string sentence;
  std::string last_task;
  for (const Json& entry : compare.array("domain")) {
    const JsonObject change(entry, compare.file(), "domain");
    const std::string task = change.string("task");
    if (task == last_task || !is_accuracy(change.string("metric"))) {
      continue;
    }
    last_task = task;
    sentence += fmt::format("; {} {} went from {:.3f} to {:.3f} (difference {:+.3f} to {:+.3f}{})",
                            task,
                            change.string("metric"),
                            change.number("base"),
                            change.number("new"),
                            change.number("low"),
                            change.number("high"),
                            noise_note(is_within_noise(change, "low", "high")));
  }
  return sentence;
}

std::string mean_drop(const JsonObject& compare) {
  if (!compare.has("forgetting")) {
    return "";
  }
  const JsonObject forgetting = compare.object("forgetting");
  const double drop = forgetting.number("mean_drop");
  const std::string size = fmt::format("{:.3f}", std::abs(drop));
  return fmt::format(
      "; mean accuracy on general tasks {} (change {:+.3f} to {:+.3f}{})",
      size == "0.000" ? "stayed as it was" : (drop > 0.0 ? "fell by " : "rose by ") + size,
      0.0 - forgetting.number("high"),
      0.0 - forgetting.number("low"),
      noise_note(is_within_noise(forgetting, "low", "high")));
}

std::string gained(const JsonObject& summary, const JsonObject* compare) {
  const JsonObject domain = summary.object("text").object("domain");
  return fmt::format("{}: perplexity on held-out domain text {}{}{}.",
                     is_gain(domain) ? "Gained" : "Not gained",
                     perplexity_change(domain),
                     noise_note(is_within_noise(domain, "change_low", "change_high")),
                     compare == nullptr ? "" : task_gains(*compare));
}

std::string forgotten(const JsonObject& summary, const JsonObject* compare) {
  const JsonObject general = summary.object("text").object("general");
  const bool is_noise = is_within_noise(general, "change_low", "change_high");
  const bool is_text_lost = !is_noise && general.number("change") > 0.0;
  const bool is_task_lost = compare != nullptr && compare->has("forgetting") &&
                            compare->object("forgetting").number("low") > 0.0;
  return fmt::format("{}: perplexity on general text {}{}{}.",
                     is_text_lost || is_task_lost ? "Forgotten" : "Nothing forgotten that shows",
                     perplexity_change(general),
                     noise_note(is_noise),
                     compare == nullptr ? "" : mean_drop(*compare));
}

/// Tokens that a training has seen; empty where there was none.
std::string tokens_of(const Json& data, const char* training) {
  const Json tokens = data.value(training, Json::object()).value("tokens", Json::array());
  return tokens.empty() || !tokens.back().is_number() ? ""
                                                      : format_count(tokens.back().get<double>());
}

std::string cost(const JsonObject& summary, const Json& data) {
  const JsonObject base = summary.object("models").object("base");
  const JsonObject changed = summary.object("models").object("new");
  const double added = changed.number("parameters") - base.number("parameters");
  const JsonObject time = summary.object("time");
  std::string sentence = fmt::format(
      "Cost: {} ({:.0f} CPU-seconds); the model is {} parameters ({}) {}; {} of its {} layers "
      "were trained, {} parameters",
      format_duration(time.number("seconds")),
      time.number("cpu_seconds"),
      format_count(std::abs(added)),
      percent(added / base.number("parameters")),
      added < 0.0 ? "smaller" : "larger",
      changed.number("trained_layers"),
      changed.number("layers"),
      format_count(changed.number("trained_parameters")));
  if (const std::string tokens = tokens_of(data, "training"); !tokens.empty()) {
    sentence += fmt::format(", on {} tokens", tokens);
  }
  if (const std::string tokens = tokens_of(data, "sft_training"); !tokens.empty()) {
    const JsonObject sft = summary.object("sft");
    sentence += fmt::format(", then {} layers, {} parameters, on {} of conversations",
                            sft.number("layers"),
                            format_count(sft.number("parameters")),
                            tokens);
  }
  return sentence + ".";
}

/// The variant whose text of one kind changed to the lowest perplexity.
JsonObject best_variant(const JsonObject& summary, const char* kind) {
  const Json* best = nullptr;
  double lowest = 0.0;
  for (const Json& entry : summary.array("variants")) {
    const JsonObject variant(entry, summary.file(), "variants[]");
    const double change = variant.object("summary").object("text").object(kind).number("change");
    if (best == nullptr || change < lowest) {
      best = &entry;
      lowest = change;
    }
  }
  if (best == nullptr) {
    summary.fail("variants", "an empty list", "at least one");
  }
  return {*best, summary.file(), "variants[]"};
}

/// "Gained most: NAME, whose ..."; a variant can be the best and still have gained nothing.
std::string best_gain(const JsonObject& variant) {
  const JsonObject text = variant.object("summary").object("text").object("domain");
  return fmt::format("{}: {}, whose perplexity on held-out domain text {}.",
                     is_gain(text) ? "Gained most" : "No variant gained; best",
                     variant.string("name"),
                     perplexity_change(text));
}

std::string least_forgotten(const JsonObject& keeper, const JsonObject& gainer) {
  const auto change = [](const JsonObject& variant) {
    return perplexity_change(variant.object("summary").object("text").object("general"));
  };
  std::string sentence = fmt::format("Forgot least: {}, whose perplexity on general text {}",
                                     keeper.string("name"),
                                     change(keeper));
  if (keeper.string("name") != gainer.string("name")) {
    sentence += fmt::format("; that of {} {}", gainer.string("name"), change(gainer));
  }
  return sentence + ".";
}

std::vector<std::string> answer_of_variants(const JsonObject& summary) {
  const JsonObject gainer = best_variant(summary, "domain");
  const JsonObject time = summary.object("time");
  return {best_gain(gainer),
          least_forgotten(best_variant(summary, "general"), gainer),
          fmt::format("Cost: {} ({:.0f} CPU-seconds) for {} variants.",
                      format_duration(time.number("seconds")),
                      time.number("cpu_seconds"),
                      summary.array("variants").size())};
}

}  // namespace

std::vector<std::string> answer(const Json& data, const std::string& file) {
  const JsonObject summary(data.at("summary"), file);
  if (summary.has("variants")) {
    return answer_of_variants(summary);
  }
  if (!data.contains("compare")) {
    return {gained(summary, nullptr), forgotten(summary, nullptr), cost(summary, data)};
  }
  const JsonObject compare(data["compare"], file, "compare");
  return {gained(summary, &compare), forgotten(summary, &compare), cost(summary, data)};
}

}  // namespace slayer
