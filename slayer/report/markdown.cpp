#include "slayer/report/markdown.h"

#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <sstream>
#include <vector>

#include "slayer/report/run_report.h"

namespace slayer {
namespace {

constexpr int64_t kMostFlips = 3;  // Of a task, each way.

std::string interval(const JsonObject& change) {
  return fmt::format("{:+.4f} to {:+.4f}", change.number("low"), change.number("high"));
}

std::string flips(const JsonObject& change) {
  return change.has("gained")
             ? fmt::format("+{} -{}", change.array("gained").size(), change.array("lost").size())
             : "";
}

std::string benchmarks(const Json& compare, const std::string& file) {
  std::vector<std::vector<std::string>> rows{
      {"task", "kind", "metric", "base", "new", "difference", "95 % interval", "flips"}};
  for (const char* const kind : {"domain", "general"}) {
    for (const Json& entry : JsonObject(compare, file).array(kind)) {
      const JsonObject change(entry, file, kind);
      if (change.string("task").starts_with("text:")) {
        continue;  // Texts have a table of their own.
      }
      rows.push_back({markdown_text(change.string("task")),
                      kind,
                      markdown_text(change.string("metric")),
                      fmt::format("{:.4f}", change.number("base")),
                      fmt::format("{:.4f}", change.number("new")),
                      fmt::format("{:+.4f}", change.number("difference")),
                      interval(change),
                      flips(change)});
    }
  }
  return rows.size() == 1 ? ""
                          : "\n## Benchmarks\n\n" + format_table(rows, TableStyle::kMarkdown) +
                                "\nOn the same items; intervals by paired bootstrap over them.\n";
}

std::string quote(const std::string& text) {
  std::istringstream lines(text);
  std::string quoted;
  for (std::string line; std::getline(lines, line);) {
    quoted += "> " + markdown_text(line) + "  \n";
  }
  return quoted.empty() ? "> (nothing)\n" : quoted;
}

/// Of each task the first few items that became right, and those that became wrong.
std::string changed_sides(const Json& compare, const std::string& file) {
  const JsonObject object(compare, file);
  std::map<std::string, int64_t> shown;
  std::string text;
  for (const Json& element : object.has("flips") ? object.array("flips") : Json::array()) {
    const JsonObject flip(element, file, "flips");
    const std::string what =
        fmt::format("{} became {}", markdown_text(flip.string("task")), flip.string("became"));
    if (++shown[what] > kMostFlips) {
      continue;
    }
    text += fmt::format("\n{}, item {}: {}\n\nright:\n\n{}\nbase:\n\n{}\nnew:\n\n{}",
                        what,
                        flip.number("doc_id"),
                        markdown_text(flip.string("question")),
                        quote(flip.string("expected")),
                        quote(flip.string("base")),
                        quote(flip.string("new")));
  }
  return text.empty() ? "" : "\n## Items that changed sides\n" + text;
}

std::string samples(const JsonObject& summary) {
  std::string text;
  for (const Json& element : summary.array("samples")) {
    const JsonObject sample(element, summary.file(), "samples");
    text += fmt::format("\nAsked to go on with: {}\n\nbase:\n\n{}\nnew:\n\n{}",
                        markdown_text(sample.string("prompt")),
                        quote(sample.string("base")),
                        quote(sample.string("new")));
  }
  return text.empty() ? "" : "\n## Samples\n" + text;
}

}  // namespace

std::string markdown_text(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '<') {
      escaped += "&lt;";
    } else if (c == '&') {
      escaped += "&amp;";
    } else if (std::string_view("\\`*_{}[]()#+-!|>~").find(c) != std::string_view::npos) {
      escaped += '\\';
      escaped += c;
    } else {
      escaped += c == '\n' ? ' ' : c;
    }
  }
  return escaped;
}

std::string report_markdown(const Json& data, const std::string& file) {
  const JsonObject object(data, file);
  const JsonObject summary = JsonObject(data.at("summary"), file);
  std::string text = fmt::format("# {}\n\n", markdown_text(object.string("title")));
  for (const Json& sentence : object.array("answer")) {
    text += fmt::format("- {}\n", sentence.get<std::string>());
  }
  if (summary.has("variants")) {
    return text + "\n## Variants\n\n" +
           report_variants(summary.json(), file, TableStyle::kMarkdown);
  }
  text += "\n## Models\n\n" + describe_models(summary);
  text += "\n## Held-out text\n\n" + tabulate_perplexities(summary, TableStyle::kMarkdown);
  if (data.contains("compare")) {
    text += benchmarks(data["compare"], file);
  }
  text += fmt::format("\n## Layers\n\n    {}\n\n= kept, + new, * kept and trained, x gone\n",
                      summary.object("plan").string("sketch"));
  text += "\n## Time\n\n" + describe_time(summary);
  if (data.contains("compare")) {
    text += changed_sides(data["compare"], file);
  }
  return text + samples(summary);
}

}  // namespace slayer
