#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/checkpoint/completeness.h"
#include "slayer/checkpoint/family.h"
#include "slayer/core/error.h"
#include "slayer/core/progress.h"
#include "slayer/surgery/plan.h"
#include "slayer/surgery/record.h"
#include "slayer/tokenizer/tokenizer.h"

#include "cli/command.h"

namespace slayer::cli {
namespace {

struct DtypeUse {
  int64_t tensors = 0;
  int64_t bytes = 0;
};

/// All that is printed, as text or as JSON.
struct Inspection {
  Checkpoint checkpoint;
  std::map<std::string_view, DtypeUse> dtypes = {};  ///< By safetensors' name.
  int64_t ignored_tensors = 0;
  std::string tokenizer = {};          ///< Empty: there is none.
  std::string tokenizer_problem = {};  ///< Why texts cannot be read with it, or not all.
  bool has_chat_template = false;
  std::optional<Plan> plan = {};  ///< Of slayer.json.
  std::vector<std::string> problems = {};
};

/// The model's type in tokenizer.json. Stops reading at the vocabulary, which is nearly all of it.
std::string tokenizer_model(const std::string& tokenizer_json) {
  struct Stop {};
  std::string section;
  std::string key;
  std::string type = "unknown";
  const auto visit = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::key) {
      (depth == 1 ? section : key) = parsed.get<std::string>();
      if (depth == 2 && section == "model" && key == "vocab") {
        throw Stop();
      }
    } else if (event == Json::parse_event_t::value && depth == 2 && section == "model" &&
               key == "type" && parsed.is_string()) {
      type = parsed.get<std::string>();
    }
    return true;
  };
  try {
    return Json::parse(tokenizer_json, visit).is_object() ? type : "unreadable";
  } catch (const Stop&) {
    return type;
  } catch (const Json::exception&) {
    return "unreadable";
  }
}

void inspect_side_files(const std::map<std::string, std::string>& files, Inspection& inspection) {
  if (const auto file = files.find("tokenizer.json"); file != files.end()) {
    const bool is_byte_level = file->second.find("\"ByteLevel\"") != std::string::npos;
    inspection.tokenizer = fmt::format("{}{}, tokenizer.json",
                                       is_byte_level ? "byte-level " : "",
                                       printable(tokenizer_model(file->second)));
  } else if (files.contains("tokenizer.model")) {
    inspection.tokenizer = "SentencePiece, tokenizer.model";
  }
  inspection.has_chat_template = files.contains("chat_template.jinja");
  if (const auto file = files.find("tokenizer_config.json"); file != files.end()) {
    const Json config = parse_json(file->second, "tokenizer_config.json");
    inspection.has_chat_template |=
        JsonObject(config, "tokenizer_config.json").has("chat_template");
  }
}

std::string tokenizer_problem(const Checkpoint& checkpoint,
                              const std::map<std::string, std::string>& files) {
  try {
    const Tokenizer tokenizer = Tokenizer::from_side_files(files, checkpoint.path().string());
    const int64_t rows = checkpoint.config().vocab_size;
    return tokenizer.vocab_size() <= rows
               ? ""
               : fmt::format("its ids reach to {}, the embedding has {} rows",
                             tokenizer.vocab_size() - 1,
                             rows);
  } catch (const Error& error) {
    return fmt::format("slayer cannot use it: {}", error.what());
  }
}

Inspection inspect(const std::filesystem::path& path) {
  Inspection inspection{.checkpoint = Checkpoint::open(path)};
  const Checkpoint& checkpoint = inspection.checkpoint;
  for (const TensorInfo& tensor : checkpoint.tensors()) {
    DtypeUse& use = inspection.dtypes[safetensors_name(tensor.dtype)];
    use.tensors += 1;
    use.bytes += tensor.byte_count();
    inspection.ignored_tensors += is_ignored(checkpoint.config(), tensor.name) ? 1 : 0;
  }
  const std::map<std::string, std::string> files = checkpoint.side_files();
  inspect_side_files(files, inspection);
  if (!inspection.tokenizer.empty()) {
    inspection.tokenizer_problem = tokenizer_problem(checkpoint, files);
  }
  if (const auto record = find_surgery_record(path)) {
    inspection.plan = record->plan;
  }
  inspection.problems = checkpoint.problems();
  return inspection;
}

/// One character a layer, in tens: o as in the base, + new, ~ changed, w with an attention window.
std::string sketch_layers(const Inspection& inspection) {
  const ModelConfig& config = inspection.checkpoint.config();
  const auto layers = static_cast<size_t>(config.num_hidden_layers);
  std::vector<bool> is_new(layers, false);
  const bool is_planned = inspection.plan && inspection.plan->layers.size() == layers;
  if (is_planned) {
    is_new = new_layers(*inspection.plan);
  }
  std::string sketch;
  for (size_t layer = 0; layer < layers; ++layer) {
    sketch += layer > 0 && layer % 10 == 0 ? " " : "";
    if (is_new[layer]) {
      sketch += '+';
    } else if (is_planned && !inspection.plan->layers[layer].is_plain_copy()) {
      sketch += '~';
    } else {
      sketch += config.sliding_window[layer] ? 'w' : 'o';
    }
  }
  const auto explain = [&sketch](char mark, std::string_view meaning) {
    return sketch.find(mark) == std::string::npos ? "" : fmt::format("   {} {}", mark, meaning);
  };
  const std::string legend =
      explain('+', "new") + explain('~', "changed") + explain('w', "attention window");
  return sketch + legend;
}

std::string describe_plan(const Plan& plan) {
  const auto is_new = new_layers(plan);
  return fmt::format("{}: {} of {} layers new, {} of the base's {} dropped, {} trained",
                     plan.strategy,
                     std::ranges::count(is_new, true),
                     plan.layers.size(),
                     dropped_layers(plan).size(),
                     plan.source_layers,
                     std::ranges::count(plan.layers, true, &PlannedLayer::train));
}

std::string describe_rope(const ModelConfig& config) {
  const std::string scaling =
      config.rope_scaling.type == RopeScaling::Type::kDefault
          ? ""
          : fmt::format(
                ", {} scaling by {}",
                config.rope_scaling.type == RopeScaling::Type::kLinear ? "linear" : "llama3",
                config.rope_scaling.factor);
  return fmt::format(
      "{} tokens, rotary base {}{}", config.max_position_embeddings, config.rope_theta, scaling);
}

std::string describe_dtypes(const Inspection& inspection) {
  std::vector<std::string> uses;
  for (const auto& [dtype, use] : inspection.dtypes) {
    uses.push_back(fmt::format(
        "{} {} in {} tensors", dtype, format_bytes(static_cast<double>(use.bytes)), use.tensors));
  }
  if (inspection.ignored_tensors > 0) {
    uses.push_back(fmt::format("{} of them ignored", inspection.ignored_tensors));
  }
  return fmt::format("{}", fmt::join(uses, ", "));
}

void print_text(const Inspection& inspection) {
  const Checkpoint& checkpoint = inspection.checkpoint;
  const ModelConfig& config = checkpoint.config();
  const auto line = [](std::string_view name, std::string_view text) {
    fmt::print("{:<14} {}\n", name, text);
  };
  line("checkpoint",
       fmt::format("{} ({})",
                   checkpoint.path().string(),
                   checkpoint.is_gguf() ? "GGUF" : "Hugging Face folder"));
  line("architecture", config.architecture);
  line("layers", fmt::format("{}   {}", config.num_hidden_layers, sketch_layers(inspection)));
  line("widths",
       fmt::format("hidden {}, {} heads on {} key-value heads of {}, MLP {}, vocabulary {}",
                   config.hidden_size,
                   config.num_attention_heads,
                   config.num_key_value_heads,
                   config.head_dim,
                   config.intermediate_size,
                   config.vocab_size));
  line("parameters",
       fmt::format("{}, {} a layer, {}",
                   format_count(static_cast<double>(parameter_count(config))),
                   format_count(static_cast<double>(parameters_per_layer(config))),
                   config.tie_word_embeddings ? "head tied to the embeddings" : "separate head"));
  line("weights", describe_dtypes(inspection));
  line("context", describe_rope(config));
  line("tokenizer", inspection.tokenizer.empty() ? "none" : inspection.tokenizer);
  if (!inspection.tokenizer_problem.empty()) {
    line("", inspection.tokenizer_problem);
  }
  line("chat template", inspection.has_chat_template ? "yes" : "none");
  if (inspection.plan) {
    line("surgery", describe_plan(*inspection.plan));
  }
  line("hash", checkpoint.hash());
  if (inspection.problems.empty()) {
    line("problems", "none");
    return;
  }
  line("problems", fmt::format("{}: it cannot be used as it is", inspection.problems.size()));
  for (const std::string& problem : inspection.problems) {
    fmt::print("  {}\n", problem);
  }
}

Json to_json(const Inspection& inspection) {
  const Checkpoint& checkpoint = inspection.checkpoint;
  const ModelConfig& config = checkpoint.config();
  Json json{{"path", checkpoint.path().string()},
            {"format", checkpoint.is_gguf() ? "gguf" : "folder"},
            {"hash", checkpoint.hash()},
            {"architecture", config.architecture},
            {"layers", config.num_hidden_layers},
            {"hidden_size", config.hidden_size},
            {"intermediate_size", config.intermediate_size},
            {"num_attention_heads", config.num_attention_heads},
            {"num_key_value_heads", config.num_key_value_heads},
            {"head_dim", config.head_dim},
            {"vocab_size", config.vocab_size},
            {"max_position_embeddings", config.max_position_embeddings},
            {"tie_word_embeddings", config.tie_word_embeddings},
            {"parameters", parameter_count(config)},
            {"parameters_per_layer", parameters_per_layer(config)},
            {"dtypes", Json::object()},
            {"ignored_tensors", inspection.ignored_tensors},
            {"tokenizer", inspection.tokenizer},
            {"tokenizer_problem", inspection.tokenizer_problem},
            {"chat_template", inspection.has_chat_template},
            {"plan", inspection.plan ? plan_to_json(*inspection.plan) : Json()},
            {"problems", inspection.problems}};
  for (const auto& [dtype, use] : inspection.dtypes) {
    json["dtypes"][std::string(dtype)] = {{"tensors", use.tensors}, {"bytes", use.bytes}};
  }
  return json;
}

}  // namespace

void add_inspect(CLI::App& app, Context& context) {
  CLI::App* command =
      app.add_subcommand("inspect", "What a checkpoint is, without reading its weights");
  command->footer("Example: slayer inspect models/SmolLM2-135M-Instruct");
  const auto path = std::make_shared<std::string>();
  command->add_option("checkpoint", *path, "A checkpoint folder or a .gguf file")->required();
  add_output_options(*command, context);
  command->callback([path, &context] {
    const Inspection inspection = inspect(*path);
    if (context.json) {
      fmt::print("{}", json_text(to_json(inspection)));
    } else {
      print_text(inspection);
    }
  });
}

}  // namespace slayer::cli
