#include <array>
#include <csignal>
#include <cstdio>
#include <exception>
#include <fmt/format.h>
#include <pthread.h>
#include <stop_token>
#include <thread>

#include "slayer/core/error.h"
#include "slayer/core/log.h"

#include "cli/command.h"

namespace slayer::cli {
namespace {

// sysexits.h: EX_SOFTWARE, an internal error.
constexpr int kExitUserError = 1;
constexpr int kExitUsage = 2;
constexpr int kExitOwnBug = 70;
constexpr int kExitInterrupted = 130;

constexpr std::array kCommands{
    add_inspect,
    add_import,
};

/// Turns the first Ctrl-C or SIGTERM into a stop request and lets the second one kill. A thread
/// waits for the signals, so no code runs in a handler. Must come before any other thread starts,
/// for all of them to inherit the mask.
std::stop_source stop_on_signal() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::stop_source source;
  std::thread([signals, source]() mutable {
    int signal = 0;
    sigwait(&signals, &signal);
    source.request_stop();
    std::fputs("\nslayer: stopping (once more to stop at once)\n", stderr);
    sigwait(&signals, &signal);
    std::_Exit(kExitInterrupted);
  }).detach();
  return source;
}

int run(int argc, char** argv) {
  const std::stop_source stop = stop_on_signal();
  Context context{.stop = stop.get_token()};
  CLI::App app{
      "slayer injects a domain's knowledge into a pretrained LLM without making it forget.\n"
      "Every stage is a subcommand; `slayer run recipe.toml --out RUN` does them all.",
      "slayer"};
  app.require_subcommand(1);
  app.set_version_flag("--version", SLAYER_VERSION);
  for (const auto add_command : kCommands) {
    add_command(app, context);
  }
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  } catch (const Error& error) {
    fmt::print(stderr, "slayer: {}\n", error.what());
    return kExitUserError;
  } catch (const Interrupted& interruption) {
    fmt::print(stderr, "slayer: interrupted; {}\n", interruption.what());
    return kExitInterrupted;
  }
}

}  // namespace

void add_output_options(CLI::App& command, Context& context) {
  command.add_flag("--json", context.json, "Print the result as JSON on standard output");
  command.add_flag("--quiet", context.quiet, "No progress, no notes; warnings and errors stay")
      ->each([](const std::string&) { set_quiet(true); });
}

void throw_usage(const std::string& message) { throw CLI::ValidationError(message); }

}  // namespace slayer::cli

int main(int argc, char** argv) {
  try {
    return slayer::cli::run(argc, argv);
  } catch (const std::bad_alloc&) {
    std::fputs("slayer: out of memory\n", stderr);
    return slayer::cli::kExitUserError;
  } catch (const std::exception& error) {
    fmt::print(stderr, "slayer: internal error, please report it: {}\n", error.what());
    return slayer::cli::kExitOwnBug;
  }
}
