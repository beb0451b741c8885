#include <c10/util/Exception.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <fmt/format.h>
#include <pthread.h>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

#include "slayer/core/error.h"
#include "slayer/core/log.h"
#include "slayer/core/version.h"

#include "cli/command.h"
#include "cli/usage.h"

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
    add_export,
    add_probe,
    add_plan,
    add_apply,
    add_pack,
    add_unpack,
    add_train,
    add_eval,
    add_compare,
    add_generate,
    add_report,
    add_chat,
    add_run,
    add_completion,
    add_manual,
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

/// What was printed must have arrived: a full disk behind `slayer plan > file` is an error.
void flush_output() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    throw std::system_error(errno, std::generic_category(), "standard output");
  }
}

int run(int argc, char** argv) {
  const std::stop_source stop = stop_on_signal();
  Context context{.stop = stop.get_token()};
  CLI::App app{
      "slayer injects a domain's knowledge into a pretrained LLM and keeps what it knew: it "
      "inserts\n"
      "identity blocks among the shallow layers, trains only those, and shows gain and forgetting.",
      "slayer"};
  app.footer(
      "CKPT is a Hugging Face folder or a .gguf file. Step by step:\n"
      "  slayer probe model.gguf --domain domain.jsonl --general general.jsonl --out probe.json\n"
      "  slayer plan model.gguf --strategy slayer --out plan.json\n"
      "  slayer apply model.gguf --plan plan.json --out expanded --verify\n"
      "  slayer train expanded --data domain.jsonl --steps 100 --out trained\n"
      "  slayer eval trained/model --text heldout.jsonl\n"
      "  slayer generate trained/model --prompt \"This licence\"\n"
      "or all of it, going on where it stopped:\n"
      "  slayer run recipes/demo.toml --out runs/demo");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string(version()));
  for (const auto add_command : kCommands) {
    add_command(app, context);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help or --version
    app.exit(request);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "{}\n", usage_message(app, error));
    return kExitUsage;
  }
  flush_output();
  return 0;
}

/// An error of libtorch's allocators, which do not throw bad_alloc.
bool is_out_of_memory(const c10::Error& error) {
  return std::string_view(error.what_without_backtrace()).find("memory") != std::string_view::npos;
}

}  // namespace

void add_output_options(CLI::App& command, Context& context) {
  command.add_flag("--json", context.json, "Print the result as JSON on standard output");
  command.add_flag("--quiet", context.quiet, "No progress, no notes; warnings and errors stay")
      ->each([](const std::string&) { set_quiet(true); });
}

void add_shard_size_option(CLI::App& command, uint64_t& shard_bytes) {
  command.add_option("--shard-size", shard_bytes, "Largest weight file, as 5GB")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/true))
      ->check(CLI::PositiveNumber)
      ->default_str("5GB");
}

void throw_usage(const std::string& message) { throw CLI::ValidationError(message); }

}  // namespace slayer::cli

int main(int argc, char** argv) {
  using namespace slayer;
  // A reader that went away (`slayer plan ... | head`) ends us quietly, also where the parent
  // process ignores the signal.
  std::signal(SIGPIPE, SIG_DFL);
  try {
    return cli::run(argc, argv);
  } catch (const Error& error) {
    fmt::print(stderr, "slayer: {}\n", error.what());
    return cli::kExitUserError;
  } catch (const Interrupted& interruption) {
    fmt::print(stderr, "slayer: interrupted; {}\n", interruption.what());
    return cli::kExitInterrupted;
  } catch (const std::bad_alloc&) {
    std::fputs("slayer: out of memory\n", stderr);
    return cli::kExitUserError;
  } catch (const std::system_error& error) {
    fmt::print(stderr, "slayer: {}\n", error.what());
    return cli::kExitUserError;
  } catch (const c10::Error& error) {
    const bool is_memory = cli::is_out_of_memory(error);
    fmt::print(stderr,
               "slayer: {}: {}\n",
               is_memory ? "out of memory" : "internal error, please report it",
               printable(error.what_without_backtrace(), 300));
    return is_memory ? cli::kExitUserError : cli::kExitOwnBug;
  } catch (const std::exception& error) {
    fmt::print(stderr, "slayer: internal error, please report it: {}\n", error.what());
    return cli::kExitOwnBug;
  }
}
