#include "slayer/report/run_report.h"

#include <fmt/format.h>
#include <sstream>
#include <vector>

#include "slayer/core/error.h"
#include "slayer/core/progress.h"

namespace slayer {
namespace {

constexpr size_t kSampleLength = 600;  // Characters shown.

std::string count_text(const JsonObject& object, std::string_view key) {
  return format_count(object.number(key));
}

std::string sizes(const JsonObject& summary) {
  const JsonObject base = summary.object("models").object("base");
  const JsonObject changed = summary.object("models").object("new");
  std::string text =
      fmt::format("{} layers, {} parameters -> {} layers, {}; {} layers trained, {} ({:.1f} %)",
                  base.number("layers"),
                  count_text(base, "parameters"),
                  changed.number("layers"),
                  count_text(changed, "parameters"),
                  changed.number("trained_layers"),
                  count_text(changed, "trained_parameters"),
                  100.0 * changed.number("trained_parameters") / changed.number("parameters"));
  if (summary.has("sft")) {
    const JsonObject sft = summary.object("sft");
    text += fmt::format(
        "; in conversations {} layers, {}", sft.number("layers"), count_text(sft, "parameters"));
  }
  return text + "\n";
}

std::string surgery_check(const JsonObject& summary) {
  const JsonObject verify = summary.object("verify");
  if (verify.boolean("must_be_identical")) {
    return fmt::format("before training: logits {} to the base's on {} tokens\n",
                       verify.boolean("is_identical") ? "bit-identical" : "NOT identical",
                       verify.number("tokens"));
  }
  return fmt::format("before training: surgery cost {:+.3f} nats per token on {} tokens\n",
                     verify.number("new_loss") - verify.number("base_loss"),
                     verify.number("tokens"));
}

std::string perplexity_text(const JsonObject& result) {
  std::string text = fmt::format("{:.2f}", result.number("perplexity"));
  if (result.has("low")) {
    text += fmt::format(" ({:.2f} to {:.2f})", result.number("low"), result.number("high"));
  }
  return text;
}

std::string change_text(const JsonObject& result) {
  std::string text = fmt::format("{:+.1f} %", 100.0 * result.number("change"));
  if (result.has("change_low")) {
    text += fmt::format(" ({:+.1f} to {:+.1f})",
                        100.0 * result.number("change_low"),
                        100.0 * result.number("change_high"));
  }
  return text;
}

/// The text with each run of white space as one space.
std::string one_line(const std::string& text) {
  std::istringstream words(text);
  std::string line;
  for (std::string word; words >> word;) {
    line += (line.empty() ? "" : " ") + word;
  }
  return printable(line, kSampleLength);
}

std::string samples(const JsonObject& summary) {
  std::string text;
  for (const Json& element : summary.array("samples")) {
    const JsonObject sample(element, summary.file(), "samples");
    text += fmt::format("\nAsked to go on with: {}\n  base: {}\n  new:  {}\n",
                        sample.string("prompt"),
                        one_line(sample.string("base")),
                        one_line(sample.string("new")));
  }
  return text;
}

}  // namespace

std::string describe_models(const JsonObject& summary) {
  return sizes(summary) + surgery_check(summary);
}

std::string tabulate_perplexities(const JsonObject& summary, TableStyle style) {
  std::vector<std::vector<std::string>> rows{
      {"held-out text", "documents", "tokens", "base", "new", "change"}};
  for (const char* kind : {"domain", "general"}) {
    const JsonObject result = summary.object("text").object(kind);
    rows.push_back({kind,
                    fmt::format("{}", result.number("documents")),
                    fmt::format("{}", result.number("tokens")),
                    perplexity_text(result.object("base")),
                    perplexity_text(result.object("new")),
                    change_text(result)});
  }
  return format_table(rows, style) +
         "\nPerplexity with 95 % bootstrap intervals over documents; the change is paired.\n";
}

std::string describe_time(const JsonObject& summary) {
  const JsonObject time = summary.object("time");
  std::string text = fmt::format("{} ({:.0f} CPU-seconds):",
                                 format_duration(time.number("seconds")),
                                 time.number("cpu_seconds"));
  const char* separator = " ";
  for (const auto& [stage, took] : time.object("stages").json().items()) {
    text += separator + stage + " " + format_duration(took.value("seconds", 0.0));
    separator = ", ";
  }
  return text + "\n";
}

std::string report_variants(const Json& summary, const std::string& file, TableStyle style) {
  std::vector<std::vector<std::string>> rows{
      {"variant", "domain", "change", "general", "change", "trained", "time"}};
  for (const Json& entry : JsonObject(summary, file).array("variants")) {
    const JsonObject variant(entry, file, "variants[]");
    const JsonObject one = variant.object("summary");
    const JsonObject domain = one.object("text").object("domain");
    const JsonObject general = one.object("text").object("general");
    rows.push_back({variant.string("name"),
                    fmt::format("{:.2f}", domain.object("new").number("perplexity")),
                    change_text(domain),
                    fmt::format("{:.2f}", general.object("new").number("perplexity")),
                    change_text(general),
                    count_text(one.object("models").object("new"), "trained_parameters"),
                    format_duration(one.object("time").number("seconds"))});
  }
  return format_table(rows, style) +
         "\nPerplexity on held-out text, and its paired change from the base's with 95 % "
         "intervals.\n";
}

std::string report_run(const Json& summary, const std::string& file, TableStyle style) {
  const JsonObject object(summary, file);
  return describe_models(object) + "\n" + tabulate_perplexities(object, style) + "\n" +
         describe_time(object) + samples(object);
}

}  // namespace slayer
