#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <stop_token>
#include <string>

#include "slayer/core/progress.h"

namespace slayer::cli {

/// What every subcommand is handed.
struct Context {
  std::stop_token stop;  ///< Requested by Ctrl-C or SIGTERM.
  bool quiet = false;
  bool json = false;

  ProgressStyle progress_style() const { return progress_style_for_stderr(quiet); }
};

/// Each subcommand adds itself to the app: its options, its help with an example, and a callback
/// that turns options into one library call. Library failures fly through as slayer::Error.
void add_inspect(CLI::App& app, Context& context);
void add_import(CLI::App& app, Context& context);
void add_export(CLI::App& app, Context& context);
void add_plan(CLI::App& app, Context& context);
void add_probe(CLI::App& app, Context& context);
void add_apply(CLI::App& app, Context& context);
void add_pack(CLI::App& app, Context& context);
void add_unpack(CLI::App& app, Context& context);
void add_train(CLI::App& app, Context& context);
void add_eval(CLI::App& app, Context& context);
void add_compare(CLI::App& app, Context& context);
void add_generate(CLI::App& app, Context& context);
void add_report(CLI::App& app, Context& context);
void add_chat(CLI::App& app, Context& context);
void add_run(CLI::App& app, Context& context);
void add_completion(CLI::App& app, Context& context);
void add_manual(CLI::App& app, Context& context);

/// Adds --json and --quiet to a subcommand.
void add_output_options(CLI::App& command, Context& context);

/// Adds --shard-size, "5GB" and the like.
void add_shard_size_option(CLI::App& command, uint64_t& shard_bytes);

/// A wrong combination of options that CLI11 cannot see; exits with 2 like its own errors.
[[noreturn]] void throw_usage(const std::string& message);

}  // namespace slayer::cli
