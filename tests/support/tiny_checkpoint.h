#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "slayer/checkpoint/config.h"
#include "slayer/checkpoint/family.h"
#include "slayer/checkpoint/writer.h"
#include "slayer/core/dtype.h"
#include "slayer/core/json.h"
#include "slayer/core/output_file.h"

namespace slayer {

/// config.json of a Llama of two layers and a few hundred parameters, as transformers 4 writes it.
inline Json tiny_llama_config() {
  return {{"architectures", {"LlamaForCausalLM"}},
          {"model_type", "llama"},
          {"vocab_size", 10},
          {"hidden_size", 8},
          {"intermediate_size", 12},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 2},
          {"num_key_value_heads", 1},
          {"max_position_embeddings", 64},
          {"rms_norm_eps", 1e-5},
          {"rope_theta", 10000.0},
          {"hidden_act", "silu"},
          {"tie_word_embeddings", false},
          {"torch_dtype", "float32"},
          {"bos_token_id", 1},
          {"eos_token_id", 2}};
}

/// Element `index` of tensor number `tensor`: different everywhere, exact in bfloat16.
inline float tiny_value(size_t tensor, int64_t index) {
  return static_cast<float>((static_cast<int64_t>(tensor) * 37 + index * 11) % 251 - 125) / 128.0F;
}

/// What write_safetensors takes for a tensor of these values.
inline TensorToWrite tensor_of(std::string name,
                               Dtype dtype,
                               std::vector<int64_t> shape,
                               std::vector<float> values) {
  TensorInfo info{.name = std::move(name), .dtype = dtype, .shape = std::move(shape)};
  std::vector<std::byte> stored(static_cast<size_t>(info.byte_count()));
  narrow_from_float(dtype, values, stored);
  return {.info = std::move(info),
          .write = [stored = std::move(stored)](OutputFile& file) { file.write(stored); }};
}

/// Every tensor that `config` demands, filled with tiny_value.
inline std::vector<TensorToWrite> tiny_tensors(const ModelConfig& config, Dtype dtype) {
  std::vector<TensorToWrite> tensors;
  for (const ExpectedTensor& expected : expected_tensors(config)) {
    int64_t count = 1;
    for (const int64_t dimension : expected.shape) {
      count *= dimension;
    }
    std::vector<float> values;
    for (int64_t index = 0; index < count; ++index) {
      values.push_back(tiny_value(tensors.size(), index));
    }
    tensors.push_back(tensor_of(expected.name, dtype, expected.shape, std::move(values)));
  }
  return tensors;
}

/// A whole checkpoint folder. @returns its config.
inline ModelConfig write_tiny_checkpoint(const std::filesystem::path& folder,
                                         const Json& json = tiny_llama_config(),
                                         Dtype dtype = Dtype::kF32,
                                         uint64_t shard_bytes = kDefaultShardBytes) {
  ModelConfig config = parse_model_config(json, "config.json");
  std::filesystem::create_directories(folder);
  write_json_file(folder / "config.json", json);
  write_safetensors(folder, tiny_tensors(config, dtype), shard_bytes, [](int64_t) {});
  return config;
}

}  // namespace slayer
