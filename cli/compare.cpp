#include "slayer/eval/compare.h"

#include <fmt/format.h>
#include <memory>

#include "slayer/core/file.h"

#include "cli/command.h"

namespace slayer::cli {
namespace {

struct CompareArguments {
  std::string base;
  std::vector<std::string> changed;
  CompareOptions options;
  std::string markdown;
  int64_t flips = 3;
};

void run_compare(const CompareArguments& arguments, const Context& context) {
  const EvaluationFile base = EvaluationFile::read(arguments.base);
  Json json = Json::array();
  std::string markdown;
  for (const std::string& path : arguments.changed) {
    const Comparison comparison =
        compare_evaluations(base, EvaluationFile::read(path), path, arguments.options);
    json.push_back(comparison_to_json(comparison));
    markdown += comparison_to_markdown(comparison, arguments.flips) + "\n";
    if (!context.json) {
      fmt::print("{}", comparison_to_text(comparison, arguments.flips));
    }
  }
  if (context.json) {
    fmt::print("{}", json_text(json));
  }
  if (!arguments.markdown.empty()) {
    write_text_file(arguments.markdown, markdown);
  }
}

}  // namespace

void add_compare(CLI::App& app, Context& context) {
  CLI::App* const command =
      app.add_subcommand("compare", "Gains and forgetting between evaluations, item by item");
  const auto arguments = std::make_shared<CompareArguments>();
  command->add_option("base", arguments->base, "Evaluation of the base model")
      ->required()
      ->type_name("BASE.json");
  command->add_option("new", arguments->changed, "Evaluations to compare with it")
      ->required()
      ->type_name("NEW.json");
  command->add_option("--domain-tasks", arguments->options.domain_tasks, "What was to be gained")
      ->delimiter(',')
      ->type_name("NAME,...");
  command
      ->add_option("--general-tasks",
                   arguments->options.general_tasks,
                   "What was not to be lost; all other tasks unless given")
      ->delimiter(',')
      ->type_name("NAME,...");
  command->add_option("--seed", arguments->options.bootstrap.seed, "Of the bootstrap")
      ->capture_default_str();
  command
      ->add_option("--flips",
                   arguments->flips,
                   "Items of each task shown that became right, and wrong; --json has all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--markdown", arguments->markdown, "Also write Markdown tables here")
      ->type_name("FILE");
  add_output_options(*command, context);
  command->footer(
      "Example:\n  slayer compare base.json new.json --domain-tasks mmlu_jurisprudence");
  command->callback([arguments, &context] { run_compare(*arguments, context); });
}

}  // namespace slayer::cli
