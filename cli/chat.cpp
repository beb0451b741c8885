#include <ATen/Parallel.h>

#include <array>
#include <cstdio>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <poll.h>
#include <unistd.h>

#include "slayer/core/error.h"
#include "slayer/core/json.h"
#include "slayer/model/device.h"
#include "slayer/model/generate.h"
#include "slayer/model/load.h"
#include "slayer/tokenizer/chat_template.h"
#include "slayer/tokenizer/tokenizer.h"

#include "cli/command.h"

namespace slayer::cli {
namespace {

struct ChatOptions {
  std::string checkpoint;
  std::string system;
  std::string device = "cpu";
  std::string dtype = "float32";
  int threads = 0;
  GenerationOptions generation{.max_new_tokens = 512,
                               .sampling = {.temperature = 0.7, .top_p = 0.95}};
};

/// Lines of standard input; a wait for one ends when the user presses Ctrl-C.
class Lines final {
 public:
  explicit Lines(std::stop_token stop) : stop_(std::move(stop)) {}

  /// Nothing at the end of the input. @throws Interrupted when asked to stop.
  std::optional<std::string> next() {
    while (true) {
      if (const size_t end = buffer_.find('\n'); end != std::string::npos) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return line;
      }
      if (!read_more()) {
        return buffer_.empty() ? std::nullopt : std::optional(std::exchange(buffer_, ""));
      }
    }
  }

 private:
  bool read_more() {
    constexpr int kPatienceMs = 100;
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    while (::poll(&input, 1, kPatienceMs) <= 0) {
      if (stop_.stop_requested()) {
        throw Interrupted("the conversation ends here");
      }
    }
    std::array<char, 4096> bytes{};
    const ssize_t count = ::read(STDIN_FILENO, bytes.data(), bytes.size());
    if (count > 0) {
      buffer_.append(bytes.data(), static_cast<size_t>(count));
    }
    return count > 0;
  }

  std::stop_token stop_;
  std::string buffer_;
};

/// A model and what has been said so far.
class Conversation final {
 public:
  Conversation(const ChatOptions& options, const Context& context)
      : context_(context),
        checkpoint_(Checkpoint::open(options.checkpoint)),
        template_(ChatTemplate::from_side_files(checkpoint_.side_files(), options.checkpoint)),
        tokenizer_(Tokenizer::from_side_files(checkpoint_.side_files(), options.checkpoint)),
        model_(load_causal_lm(
            checkpoint_, scalar_type_from_name(options.dtype), device_from_name(options.device))),
        generation_(options.generation) {
    generation_.stop_tokens = stop_tokens(checkpoint_);
    if (!options.system.empty()) {
      messages_.push_back({{"role", "system"}, {"content", options.system}});
    }
  }

  /// Gives the answer out as it comes, unless all is printed as JSON at the end.
  void answer(const std::string& question) {
    messages_.push_back({{"role", "user"}, {"content", question}});
    const std::string prompt = template_.render(messages_, /*add_generation_prompt=*/true);
    StreamDecoder decoder(tokenizer_, /*skip_special_tokens=*/true);
    std::string text;
    const auto show = [&](const std::string& part) {
      text += part;
      if (!context_.json) {
        fmt::print("{}", part);
        std::fflush(stdout);
      }
    };
    ++generation_.sampling.seed;  // the same words twice need not get the same answer
    generate(model_,
             {tokenizer_.encode(prompt, /*add_special_tokens=*/false)},
             generation_,
             [&](size_t, TokenId token) {
               show(decoder.push(token));
               return !context_.stop.stop_requested();
             });
    show(decoder.finish());
    if (!context_.json) {
      fmt::print("\n");
    }
    messages_.push_back({{"role", "assistant"}, {"content", text}});
  }

  const Json& messages() const { return messages_; }

 private:
  const Context& context_;
  Checkpoint checkpoint_;
  ChatTemplate template_;
  Tokenizer tokenizer_;
  CausalLM model_;
  GenerationOptions generation_;
  Json messages_ = Json::array();
};

void run_chat(const ChatOptions& options, const Context& context) {
  if (options.threads > 0) {
    at::set_num_threads(options.threads);
  }
  Conversation conversation(options, context);
  Lines lines(context.stop);
  const bool is_terminal = ::isatty(STDIN_FILENO) == 1 && !context.json;
  while (true) {
    if (is_terminal) {
      fmt::print("> ");
      std::fflush(stdout);
    }
    const std::optional<std::string> line = lines.next();
    if (!line || *line == "/exit") {
      break;
    }
    if (!line->empty()) {
      conversation.answer(*line);
    }
    if (context.stop.stop_requested()) {
      throw Interrupted("the conversation ends here");
    }
  }
  if (context.json) {
    fmt::print("{}", json_text(Json{{"messages", conversation.messages()}}));
  }
}

}  // namespace

void add_chat(CLI::App& app, Context& context) {
  CLI::App* const command = app.add_subcommand("chat", "Talk with an instruction-tuned model");
  const auto options = std::make_shared<ChatOptions>();
  command->add_option("checkpoint", options->checkpoint, "The model")
      ->required()
      ->type_name("CKPT");
  command->add_option("--system", options->system, "What the model is told first");
  GenerationOptions& generation = options->generation;
  command->add_option("--max-new-tokens", generation.max_new_tokens, "Longest answer")
      ->capture_default_str();
  SamplingOptions& sampling = generation.sampling;
  command->add_option("--temperature", sampling.temperature, "0: always the most likely token")
      ->capture_default_str();
  command->add_option("--top-k", sampling.top_k, "Draw among this many tokens; 0: all")
      ->capture_default_str();
  command->add_option("--top-p", sampling.top_p, "Draw among this share of the probability")
      ->capture_default_str();
  command->add_option("--seed", sampling.seed, "The same seed gives the same conversation")
      ->capture_default_str();
  command->add_option("--device", options->device, "cpu, cuda or cuda:<n>")->capture_default_str();
  command->add_option("--dtype", options->dtype, "What the model computes in")
      ->check(CLI::IsMember({"float32", "bfloat16", "float16"}))
      ->capture_default_str();
  command->add_option("--threads", options->threads, "CPU threads; 0: as many as libtorch chooses")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  add_output_options(*command, context);
  command->footer(
      "A line is a turn; /exit or the end of the input ends it. The checkpoint's own chat template "
      "writes\nthe prompt.\nExample: slayer chat trained/model --system \"You know licences.\"");
  command->callback([options, &context] { run_chat(*options, context); });
}

}  // namespace slayer::cli
