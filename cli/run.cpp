#include "slayer/recipe/run.h"

#include <fmt/format.h>
#include <memory>

#include "slayer/report/run_report.h"

#include "cli/command.h"

namespace slayer::cli {
namespace {

struct RunOptions {
  std::string recipe;
  std::string out;
  bool is_dry_run = false;
  StageChoice choice;
};

void run(const RunOptions& options, const Context& context) {
  const Recipe recipe = read_recipe(options.recipe);
  if (options.is_dry_run) {
    const std::vector<StageForecast> stages = forecast_run(recipe, options.out, options.choice);
    fmt::print("{}", context.json ? json_text(to_json(stages)) : describe(stages));
    return;
  }
  const RunControl control{.progress = context.progress_style(), .stop = context.stop};
  const Json summary = run_recipe(recipe, options.out, options.choice, control);
  if (context.json) {
    fmt::print("{}", json_text(summary));
    return;
  }
  const std::string page = (std::filesystem::path(options.out) / "report.html").string();
  if (summary.contains("variants")) {
    fmt::print("\n{}", report_variants(summary, "summary.json", TableStyle::kTerminal));
  } else if (summary.contains("models")) {
    fmt::print("\n{}", report_run(summary, "summary.json", TableStyle::kTerminal));
  } else {
    fmt::print("not finished: {} is to do\n", summary.at("next").get<std::string>());
    return;
  }
  fmt::print("\nreport: {}\n", page);
}

}  // namespace

void add_run(CLI::App& app, Context& context) {
  CLI::App* const command = app.add_subcommand("run", "Do a whole recipe, from base to table");
  const auto options = std::make_shared<RunOptions>();
  command->add_option("recipe", options->recipe, "The recipe")
      ->required()
      ->type_name("RECIPE.toml");
  command->add_option("--out", options->out, "The run's folder, new or to go on with")
      ->required()
      ->type_name("RUN");
  command->add_flag(
      "--dry-run", options->is_dry_run, "Check everything and say what would be done");
  CLI::Option* const only = command->add_option(
      "--only", options->choice.only, "Do this stage alone, if it is out of date");
  command
      ->add_option(
          "--from", options->choice.from, "Do this stage and those after it, even if up to date")
      ->excludes(only);
  command->add_flag("--force",
                    options->choice.force,
                    "Replace trainings that other settings, texts or plans made");
  add_output_options(*command, context);
  command->footer(
      "Stages whose inputs and settings did not change are skipped; a run that was killed goes on\n"
      "where it was. A training is not replaced by one of other settings without --force. "
      "Example:\n"
      "  slayer run recipes/demo.toml --out runs/demo");
  command->callback([options, &context] { run(*options, context); });
}

}  // namespace slayer::cli
