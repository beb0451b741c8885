#include <fmt/format.h>
#include <memory>

#include "slayer/core/json.h"
#include "slayer/report/write.h"

#include "cli/command.h"

namespace slayer::cli {

void add_report(CLI::App& app, Context& context) {
  CLI::App* const command = app.add_subcommand("report", "A run's page for people: report.html");
  const auto run = std::make_shared<std::string>();
  command->add_option("run", *run, "A run's folder, or a probe's .json file")
      ->required()
      ->type_name("RUN");
  add_output_options(*command, context);
  command->footer(
      "Writes RUN/report.html, one file that needs no network, and RUN/report.md, from the JSON "
      "in\n"
      "the folder; of a probe, the page beside it. Example:\n"
      "  slayer report runs/demo");
  command->callback([run, &context] {
    const std::string page = write_report(*run).string();
    fmt::print("{}", context.json ? json_text({{"report", page}}) : page + "\n");
  });
}

}  // namespace slayer::cli
