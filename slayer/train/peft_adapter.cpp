#include "slayer/train/peft_adapter.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>

#include "slayer/checkpoint/safetensors.h"
#include "slayer/checkpoint/writer.h"
#include "slayer/core/error.h"
#include "slayer/core/file.h"
#include "slayer/core/json.h"
#include "slayer/core/mapped_file.h"
#include "slayer/core/output_file.h"
#include "slayer/core/sha256.h"

namespace slayer {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kConfigFile = "adapter_config.json";
constexpr std::string_view kWeightsFile = "adapter_model.safetensors";
constexpr std::string_view kPrefix = "base_model.model.";
constexpr int64_t kLargestRank = 1 << 16;

/// Refuses a key that says anything but what is plain LoRA: null, false, or nothing in it.
void require_absent(const JsonObject& config, std::string_view key) {
  if (!config.has(key)) {
    return;
  }
  const Json& value = config.json().at(std::string(key));
  const bool is_nothing = value.is_boolean() ? !value.get<bool>() : value.empty();
  if (!is_nothing) {
    config.fail(key, printable(compact_text(value)), "a plain LoRA adapter, without it");
  }
}

std::vector<std::string> read_targets(const JsonObject& config) {
  std::vector<std::string> given;
  for (const Json& target : config.array("target_modules")) {
    given.push_back(target.is_string() ? target.get<std::string>() : compact_text(target));
    if (!find_linear_role(given.back())) {
      config.fail("target_modules",
                  printable(given.back()),
                  fmt::format("some of {}", fmt::join(linear_names(), ", ")));
    }
  }
  if (given.empty()) {
    config.fail("target_modules", "nothing", "at least one linear layer");
  }
  std::vector<std::string> targets;
  for (const std::string_view name : linear_names()) {
    if (std::ranges::count(given, name) > 0) {
      targets.emplace_back(name);
    }
  }
  return targets;
}

/// A whole number as PEFT writes it, where it is one.
Json number(double value) {
  const auto whole = static_cast<int64_t>(value);
  return static_cast<double>(whole) == value ? Json(whole) : Json(value);
}

Json config_of(const std::string& base, const LoraOptions& options) {
  return {{"alpha_pattern", Json::object()},
          {"base_model_name_or_path", base},
          {"bias", "none"},
          {"fan_in_fan_out", false},
          {"inference_mode", true},
          {"init_lora_weights", true},
          {"layers_pattern", nullptr},
          {"layers_to_transform", nullptr},
          {"lora_alpha", number(options.alpha)},
          {"lora_dropout", 0.0},
          {"modules_to_save", nullptr},
          {"peft_type", "LORA"},
          {"r", options.rank},
          {"rank_pattern", Json::object()},
          {"target_modules", options.targets},
          {"task_type", "CAUSAL_LM"},
          {"use_dora", false},
          {"use_rslora", false}};
}

std::string peft_name(const TrainableParameter& parameter) {
  return fmt::format("{}{}", kPrefix, parameter.name);
}

TensorToWrite to_write(const TrainableParameter& parameter) {
  return {.info = {.name = peft_name(parameter),
                   .dtype = Dtype::kF32,
                   .shape = parameter.master.sizes().vec()},
          .write = [values = parameter.master.detach()](OutputFile& file) {
            const at::Tensor on_cpu = values.cpu().contiguous();
            file.write({static_cast<const std::byte*>(on_cpu.const_data_ptr()), on_cpu.nbytes()});
          }};
}

}  // namespace

LoraOptions read_adapter_config(const fs::path& folder) {
  const std::string file = (folder / kConfigFile).string();
  const Json json = read_json_file(file);
  const JsonObject config(json, file);
  if (config.string("peft_type") != "LORA") {
    config.fail("peft_type", printable(config.string("peft_type")), "LORA");
  }
  if (const std::string bias = config.string_or("bias", "none"); bias != "none") {
    config.fail("bias", printable(bias), "none");
  }
  for (const char* key : {"use_dora",
                          "use_rslora",
                          "use_qalora",
                          "use_bdlora",
                          "lora_bias",
                          "layer_replication",
                          "trainable_token_indices",
                          "alora_invocation_tokens",
                          "fan_in_fan_out",
                          "modules_to_save",
                          "layers_to_transform",
                          "exclude_modules",
                          "target_parameters",
                          "rank_pattern",
                          "alpha_pattern"}) {
    require_absent(config, key);
  }
  const Json init = json.value("init_lora_weights", Json(true));
  if (init.is_string() && init != "gaussian") {  // the base has been changed with it
    config.fail("init_lora_weights", printable(compact_text(init)), "true, false or \"gaussian\"");
  }
  return {.rank = config.integer("r", 1, kLargestRank),
          .alpha = config.number("lora_alpha"),
          .targets = read_targets(config)};
}

std::string adapter_hash(const fs::path& folder) {
  Sha256 hash;
  for (const std::string_view name : {kConfigFile, kWeightsFile}) {
    hash.update(MappedFile(folder / name).bytes());
  }
  return hash.hex_digest();
}

void load_adapter(const fs::path& folder, std::vector<TrainableParameter>& parameters) {
  const MappedFile file(folder / kWeightsFile);
  const std::string name = file.path().string();
  std::map<std::string, SafetensorsEntry> entries;
  for (SafetensorsEntry& entry : parse_safetensors_header(file.bytes(), name).entries) {
    entries.emplace(entry.info.name, std::move(entry));
  }
  const at::NoGradGuard no_grad;
  for (const TrainableParameter& parameter : parameters) {
    const auto node = entries.extract(peft_name(parameter));
    const auto shape = parameter.master.sizes();
    if (node.empty() || node.mapped().info.shape != shape.vec() ||
        !is_float(node.mapped().info.dtype)) {
      throw Error({.file = name,
                   .item = peft_name(parameter),
                   .found = node.empty() ? "nothing"
                                         : fmt::format("{} [{}]",
                                                       torch_name(node.mapped().info.dtype),
                                                       fmt::join(node.mapped().info.shape, ", ")),
                   .expected = fmt::format("floats [{}]", fmt::join(shape, ", ")),
                   .hint = "an adapter for another model?"});
    }
    const TensorInfo& info = node.mapped().info;
    at::Tensor values = at::empty(shape, at::kFloat);
    widen_to_float(
        info.dtype,
        file.bytes().subspan(node.mapped().offset, static_cast<size_t>(info.byte_count())),
        {values.mutable_data_ptr<float>(), static_cast<size_t>(values.numel())});
    at::Tensor(parameter.master).copy_(values);
  }
  if (!entries.empty()) {
    throw Error({.file = name,
                 .item = printable(entries.begin()->first),
                 .found = "a tensor that the model has no place for",
                 .expected = "LoRA matrices of its target modules",
                 .hint = "an adapter for another model?"});
  }
}

void write_adapter(const fs::path& folder,
                   const std::string& base,
                   const LoraOptions& options,
                   const std::vector<TrainableParameter>& parameters) {
  StagedFolder staged(folder, /*force=*/true);
  std::vector<TensorToWrite> tensors;
  std::ranges::transform(parameters, std::back_inserter(tensors), to_write);
  std::ranges::sort(tensors, {}, [](const TensorToWrite& tensor) { return tensor.info.name; });
  write_safetensors_file(staged.path() / kWeightsFile, tensors, {{"format", "pt"}}, [](int64_t) {});
  write_json_file(staged.path() / kConfigFile, config_of(base, options));
  staged.commit();
}

}  // namespace slayer
