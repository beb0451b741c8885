#include "slayer/model/generate.h"

#include <ATen/Parallel.h>

#include <chrono>
#include <cstdio>
#include <fmt/format.h>
#include <memory>

#include "slayer/core/error.h"
#include "slayer/core/json.h"
#include "slayer/model/device.h"
#include "slayer/model/load.h"
#include "slayer/tokenizer/tokenizer.h"

#include "cli/command.h"

namespace slayer::cli {
namespace {

struct GenerateOptions {
  std::string checkpoint;
  std::string prompt;
  std::string device = "cpu";
  std::string dtype = "float32";
  int threads = 0;
  GenerationOptions generation;
};

/// Writes text as it comes, the prompt first.
class Terminal final {
 public:
  Terminal(const Tokenizer& tokenizer, bool is_silent)
      : decoder_(tokenizer, /*skip_special_tokens=*/true), is_silent_(is_silent) {}

  void push(TokenId token) { show(decoder_.push(token)); }
  void finish() { show(decoder_.finish() + "\n"); }
  void show(const std::string& text) {
    if (!is_silent_) {
      fmt::print("{}", text);
      std::fflush(stdout);
    }
  }

 private:
  StreamDecoder decoder_;
  bool is_silent_;
};

void print_json(const GenerateOptions& options,
                const Tokenizer& tokenizer,
                size_t prompt_tokens,
                const std::vector<TokenId>& tokens,
                double seconds) {
  const Json result = {{"prompt", options.prompt},
                       {"text", tokenizer.decode(tokens, /*skip_special_tokens=*/true)},
                       {"tokens", tokens},
                       {"prompt_tokens", prompt_tokens},
                       {"seconds", seconds}};
  fmt::print("{}", json_text(result));
}

void run_generate(const GenerateOptions& options, const Context& context) {
  if (options.threads > 0) {
    at::set_num_threads(options.threads);
  }
  const Checkpoint checkpoint = Checkpoint::open(options.checkpoint);
  const Tokenizer tokenizer =
      Tokenizer::from_side_files(checkpoint.side_files(), options.checkpoint);
  const std::vector<TokenId> prompt = tokenizer.encode(options.prompt, /*add_special_tokens=*/true);
  const CausalLM model = load_causal_lm(
      checkpoint, scalar_type_from_name(options.dtype), device_from_name(options.device));
  GenerationOptions generation = options.generation;
  generation.stop_tokens = stop_tokens(checkpoint);

  Terminal terminal(tokenizer, context.json);
  terminal.show(options.prompt);
  const auto start = std::chrono::steady_clock::now();
  const auto generated = generate(model, {prompt}, generation, [&](size_t, TokenId token) {
    terminal.push(token);
    return !context.stop.stop_requested();
  });
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  terminal.finish();
  if (context.stop.stop_requested()) {
    throw Interrupted("the text ends here");
  }
  if (context.json) {
    print_json(options, tokenizer, prompt.size(), generated.front(), elapsed.count());
  }
}

}  // namespace

void add_generate(CLI::App& app, Context& context) {
  CLI::App* const command = app.add_subcommand("generate", "Let a model go on with a text");
  const auto options = std::make_shared<GenerateOptions>();
  command->add_option("checkpoint", options->checkpoint, "The model")
      ->required()
      ->type_name("CKPT");
  command->add_option("--prompt", options->prompt, "The text to go on with")
      ->required()
      ->type_name("TEXT");
  GenerationOptions& generation = options->generation;
  command->add_option("--max-new-tokens", generation.max_new_tokens, "Where to stop at the latest")
      ->capture_default_str();
  SamplingOptions& sampling = generation.sampling;
  command->add_option("--temperature", sampling.temperature, "0: always the most likely token")
      ->capture_default_str();
  command->add_option("--top-k", sampling.top_k, "Draw among this many tokens; 0: all")
      ->capture_default_str();
  command->add_option("--top-p", sampling.top_p, "Draw among this share of the probability")
      ->capture_default_str();
  command->add_option("--seed", sampling.seed, "The same seed draws the same text")
      ->capture_default_str();
  command->add_option("--device", options->device, "cpu, cuda or cuda:<n>")->capture_default_str();
  command->add_option("--dtype", options->dtype, "What the model computes in")
      ->check(CLI::IsMember({"float32", "bfloat16", "float16"}))
      ->capture_default_str();
  command->add_option("--threads", options->threads, "CPU threads; 0: as many as libtorch chooses")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  add_output_options(*command, context);
  command->footer("Example: slayer generate base --prompt \"The licensor grants\"");
  command->callback([options, &context] { run_generate(*options, context); });
}

}  // namespace slayer::cli
