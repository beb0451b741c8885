#include <fmt/format.h>
#include <memory>
#include <string>

#include "slayer/core/version.h"

#include "cli/command.h"
#include "cli/reference.h"

namespace slayer::cli {
namespace {

/// Text of a man page: no dot or quote begins a line, hyphens stay hyphens.
std::string roff(const std::string& text) {
  std::string escaped;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool begins_line = i == 0 || text[i - 1] == '\n';
    if (begins_line && (text[i] == '.' || text[i] == '\'')) {
      escaped += "\\&";
    }
    escaped += text[i] == '\\' ? "\\e" : text[i] == '-' ? "\\-" : std::string(1, text[i]);
  }
  return escaped;
}

std::string note_of(const OptionReference& option) {
  return option.is_required         ? " (required)"
         : !option.fallback.empty() ? fmt::format(" (default: {})", option.fallback)
                                    : "";
}

std::string man_page(const CLI::App& app) {
  std::string page = fmt::format(
      ".TH SLAYER 1 \"\" \"slayer {}\"\n.SH NAME\nslayer \\- inject a domain's knowledge into a "
      "language model\n.SH SYNOPSIS\n.B slayer\n.I COMMAND\n[options]\n.SH DESCRIPTION\n{}\n"
      ".SH COMMANDS\n",
      version(),
      roff(app.get_description()));
  for (const CommandReference& command : reference_of(app)) {
    page += fmt::format(".SS {}\n{}.\n", roff(command.synopsis()), roff(command.description));
    for (const auto* const options : {&command.positionals, &command.options}) {
      for (const OptionReference& option : *options) {
        page += fmt::format(".TP\n.B {} {}\n{}{}\n",
                            roff(option.name),
                            roff(option.type),
                            roff(option.description),
                            roff(note_of(option)));
      }
    }
    page += fmt::format(".PP\n.nf\n{}\n.fi\n", roff(command.footer));
  }
  return page +
         ".SH EXIT STATUS\n0 done; 1 bad input or a full disk; 2 wrong usage; 70 a bug of ours; "
         "130 "
         "interrupted.\n";
}

/// What GitHub shows as it is, inside a table cell.
std::string cell(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    escaped += c == '|' ? "\\|" : c == '<' ? "&lt;" : c == '\n' ? " " : std::string(1, c);
  }
  return escaped;
}

std::string markdown(const CLI::App& app) {
  std::string page =
      "# Commands\n\nMade by `slayer manual --markdown`. CKPT is a Hugging Face folder or a .gguf "
      "file. `--json`\nprints the result for a program; exit codes are 0 (done), 1 (bad input, a "
      "full disk), 2 (wrong\nusage), 70 (a bug of ours) and 130 (interrupted).\n";
  for (const CommandReference& command : reference_of(app)) {
    page +=
        fmt::format("\n## slayer {}\n\n{}.\n\n```\n{}\n```\n\n| option | meaning |\n|---|---|\n",
                    command.name,
                    command.description,
                    command.synopsis());
    for (const auto* const options : {&command.positionals, &command.options}) {
      for (const OptionReference& option : *options) {
        page += fmt::format("| `{}` | {}{} |\n",
                            option.name + (option.type.empty() ? "" : " " + option.type),
                            cell(option.description),
                            cell(note_of(option)));
      }
    }
    page += fmt::format("\n```\n{}\n```\n", command.footer);
  }
  return page;
}

}  // namespace

void add_manual(CLI::App& app, Context& /*context*/) {
  CLI::App* const command = app.add_subcommand("manual", "This command line as a man page");
  const auto is_markdown = std::make_shared<bool>(false);
  command->add_flag("--markdown", *is_markdown, "As docs/commands.md instead");
  command->footer("Example: slayer manual | man -l -");
  command->callback(
      [is_markdown, &app] { fmt::print("{}", *is_markdown ? markdown(app) : man_page(app)); });
}

}  // namespace slayer::cli
