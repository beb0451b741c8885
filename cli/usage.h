#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace slayer::cli {

/// What is wrong with the arguments, in one line that names the subcommand, the nearest known word
/// where an unknown one was given, and where to read on.
std::string usage_message(const CLI::App& app, const CLI::ParseError& error);

}  // namespace slayer::cli
