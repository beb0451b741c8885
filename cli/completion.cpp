#include <fmt/format.h>
#include <memory>
#include <string>
#include <string_view>

#include "cli/command.h"
#include "cli/reference.h"

namespace slayer::cli {
namespace {

std::string words(const std::vector<std::string>& all) {
  std::string joined;
  for (const std::string& word : all) {
    joined += (joined.empty() ? "" : " ") + word;
  }
  return joined;
}

std::vector<std::string> option_names(const CommandReference& command) {
  std::vector<std::string> names;
  names.reserve(command.options.size());
  for (const OptionReference& option : command.options) {
    names.push_back(option.name);
  }
  return names;
}

std::string bash(const std::vector<CommandReference>& commands) {
  std::string names;
  std::string cases;
  for (const CommandReference& command : commands) {
    names += (names.empty() ? "" : " ") + command.name;
    cases += fmt::format("    {}) words='{}' ;;\n", command.name, words(option_names(command)));
  }
  return fmt::format(R"(# slayer completion bash > /etc/bash_completion.d/slayer
_slayer() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} words=
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W '{}' -- "$current")
    return
  fi
  case ${{COMP_WORDS[1]}} in
{}  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  else
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  fi
}}
complete -F _slayer slayer
)",
                     names,
                     cases);
}

/// A backslash before each of these characters.
std::string escaped(const std::string& text, std::string_view characters) {
  std::string safe;
  for (const char c : text) {
    if (characters.find(c) != std::string_view::npos) {
      safe += '\\';
    }
    safe += c;
  }
  return safe;
}

/// Text within single quotes of a shell.
std::string quoted(const std::string& text) {
  std::string inside;
  for (const char c : text) {
    inside += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return "'" + inside + "'";
}

std::string zsh(const std::vector<CommandReference>& commands) {
  std::string names;
  std::string cases;
  for (const CommandReference& command : commands) {
    names += "    " + quoted(command.name + ":" + escaped(command.description, "\\:")) + "\n";
    cases += fmt::format("    {}) _arguments", command.name);
    for (const OptionReference& option : command.options) {
      cases += fmt::format(" \\\n      {}",
                           quoted(fmt::format("{}[{}]{}",
                                              option.name,
                                              escaped(option.description, "\\[]"),
                                              option.type.empty() ? "" : ":value:_files")));
    }
    cases += " \\\n      '*:file:_files' ;;\n";
  }
  return fmt::format(R"(#compdef slayer
# slayer completion zsh > "${{fpath[1]}}/_slayer"
_slayer() {{
  local -a commands=(
{}  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
{}  esac
}}
_slayer "$@"
)",
                     names,
                     cases);
}

std::string fish(const std::vector<CommandReference>& commands) {
  std::string text = "# slayer completion fish > ~/.config/fish/completions/slayer.fish\n";
  for (const CommandReference& command : commands) {
    text += fmt::format("complete -c slayer -f -n __fish_use_subcommand -a {} -d {}\n",
                        command.name,
                        quoted(escaped(command.description, "\\")));
    for (const OptionReference& option : command.options) {
      text += fmt::format("complete -c slayer -n '__fish_seen_subcommand_from {}' -l {}{} -d {}\n",
                          command.name,
                          option.name.substr(2),
                          option.type.empty() ? "" : " -r",
                          quoted(escaped(option.description, "\\")));
    }
  }
  return text;
}

}  // namespace

void add_completion(CLI::App& app, Context& /*context*/) {
  CLI::App* const command =
      app.add_subcommand("completion", "Completions of this command line for a shell");
  const auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->type_name("SHELL")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->footer(
      "Example: slayer completion bash > ~/.local/share/bash-completion/completions/slayer");
  command->callback([shell, &app] {
    const std::vector<CommandReference> commands = reference_of(app);
    fmt::print("{}",
               *shell == "bash"  ? bash(commands)
               : *shell == "zsh" ? zsh(commands)
                                 : fish(commands));
  });
}

}  // namespace slayer::cli
