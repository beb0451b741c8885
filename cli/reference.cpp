#include "cli/reference.h"

#include <fmt/format.h>

namespace slayer::cli {
namespace {

/// CLI11 puts what a value may be behind its type, "TEXT:{f16,f32}": choices say it alone, and
/// other conditions are told by the description.
std::string type_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t colon = type.find(':');
  return colon == std::string::npos         ? type
         : type.substr(colon + 1, 1) == "{" ? type.substr(colon + 1)
                                            : type.substr(0, colon);
}

OptionReference describe(const CLI::Option& option) {
  const bool is_flag = option.get_items_expected_max() == 0;
  return {.name = option.get_positional() ? option.get_name(/*positional=*/true)
                                          : "--" + option.get_lnames().front(),
          .type = is_flag ? "" : type_of(option),
          .description = option.get_description(),
          .fallback = is_flag ? "" : option.get_default_str(),
          .is_required = option.get_required(),
          .is_list = option.get_items_expected_max() > 1};
}

std::string with_type(const OptionReference& option) {
  return option.type.empty() ? option.name
                             : option.name + " " + option.type + (option.is_list ? "..." : "");
}

}  // namespace

std::string CommandReference::synopsis() const {
  std::string line = "slayer " + name;
  for (const OptionReference& positional : positionals) {
    line += " " + positional.type + (positional.is_list ? "..." : "");
  }
  bool has_more = false;
  for (const OptionReference& option : options) {
    if (option.is_required) {
      line += " " + with_type(option);
    } else {
      has_more = true;
    }
  }
  return has_more ? line + " [options]" : line;
}

std::vector<CommandReference> reference_of(const CLI::App& app) {
  std::vector<CommandReference> commands;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    CommandReference reference{.name = command->get_name(),
                               .description = command->get_description(),
                               .footer = command->get_footer(),
                               .positionals = {},
                               .options = {}};
    for (const CLI::Option* option : command->get_options()) {
      (option->get_positional() ? reference.positionals : reference.options)
          .push_back(describe(*option));
    }
    commands.push_back(std::move(reference));
  }
  return commands;
}

}  // namespace slayer::cli
