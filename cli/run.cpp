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
};

void run(const RunOptions& options, const Context& context) {
  const Recipe recipe = read_recipe(options.recipe);
  if (options.is_dry_run) {
    fmt::print("{}", describe_run(recipe, options.out));
    return;
  }
  const RunControl control{.progress = context.progress_style(), .stop = context.stop};
  const Json summary = run_recipe(recipe, options.out, control);
  if (context.json) {
    fmt::print("{}\n", summary.dump(2));
  } else {
    fmt::print("\n{}", report_run(summary, "summary.json", TableStyle::kTerminal));
  }
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
  add_output_options(*command, context);
  command->footer(
      "Stages whose inputs and settings did not change are skipped; a run that was killed goes on\n"
      "where it was. Example:\n"
      "  slayer run recipes/demo.toml --out runs/demo");
  command->callback([options, &context] { run(*options, context); });
}

}  // namespace slayer::cli
