#include "cli/usage.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <string_view>
#include <vector>

#include "slayer/core/error.h"
#include "slayer/core/json.h"

namespace slayer::cli {
namespace {

/// The subcommand that was given, or the app itself.
const CLI::App& given_command(const CLI::App& app) {
  const auto given = app.get_subcommands();
  return given.empty() ? app : *given.front();
}

/// The first argument that nothing took, options before other words: after a misspelt option its
/// value is left over too.
std::optional<std::string> unknown_argument(const CLI::App& app) {
  const std::vector<std::string> left = app.remaining(/*recurse=*/true);
  if (left.empty()) {
    return std::nullopt;
  }
  const auto option =
      std::ranges::find_if(left, [](const std::string& word) { return word.starts_with('-'); });
  return option == left.end() ? left.front() : option->substr(0, option->find('='));
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      names.push_back("--" + name);
    }
  }
  return names;
}

std::vector<std::string> subcommand_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

std::string unknown_message(const CLI::App& app, const std::string& unknown) {
  const CLI::App& command = given_command(app);
  const bool is_option = unknown.starts_with('-');
  const bool is_command = !is_option && &command == &app;
  const std::string kind = is_option ? "option" : is_command ? "command" : "argument";
  std::string message = fmt::format("unknown {} {}", kind, printable(unknown));
  if (is_option || is_command) {
    const std::vector<std::string> known =
        is_option ? option_names(command) : subcommand_names(app);
    if (const auto nearest = nearest_word(unknown, {known.begin(), known.end()})) {
      message += fmt::format("; did you mean {}?", *nearest);
    }
  }
  return message;
}

}  // namespace

std::string usage_message(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = given_command(app);
  const std::string name =
      &command == &app ? app.get_name() : app.get_name() + " " + command.get_name();
  const std::optional<std::string> unknown = unknown_argument(app);
  return fmt::format("{}: {} (see {} --help)",
                     name,
                     unknown ? unknown_message(app, *unknown) : std::string(error.what()),
                     name);
}

}  // namespace slayer::cli
