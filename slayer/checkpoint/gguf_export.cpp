#include "slayer/checkpoint/gguf_export.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <fmt/format.h>
#include <vector>

#include "slayer/checkpoint/dequantize.h"
#include "slayer/checkpoint/family.h"
#include "slayer/checkpoint/gguf_config.h"
#include "slayer/checkpoint/gguf_names.h"
#include "slayer/checkpoint/gguf_vocabulary.h"
#include "slayer/checkpoint/gguf_writer.h"
#include "slayer/core/error.h"

namespace slayer {
namespace {

/// Elements converted at a time, at least: rounded up to whole rows or heads.
constexpr int64_t kChunk = int64_t{1} << 20;

/// llama.cpp's number for what most tensors of a file are.
uint32_t file_type_of(GgmlType type) {
  switch (type) {
    case GgmlType::kF32:
      return 0;
    case GgmlType::kF16:
      return 1;
    case GgmlType::kQ8_0:
      return 7;
    case GgmlType::kBF16:
      return 32;
    default:
      assert(false && "export writes F32, F16, BF16 and Q8_0");
      return 0;
  }
}

/// Mistral is Llama to llama.cpp.
std::string gguf_architecture(const ModelConfig& config) {
  return config.model_type == "mistral" ? "llama" : config.model_type;
}

GgmlType stored_type(const ExpectedTensor& tensor, GgmlType type) {
  if (tensor.shape.size() == 1) {
    return GgmlType::kF32;
  }
  const bool fits = tensor.shape.back() % layout_of(type).block_elements == 0;
  return fits ? type : GgmlType::kF16;
}

/// The window that all layers share, or none. @throws Error where only some layers have one, or
/// the architecture's readers, llama.cpp first, give it none.
std::optional<int64_t> common_window(const Checkpoint& checkpoint) {
  const auto& windows = checkpoint.config().sliding_window;
  if (windows.empty()) {
    return std::nullopt;
  }
  if (std::ranges::adjacent_find(windows, std::ranges::not_equal_to()) != windows.end()) {
    throw Error({.file = checkpoint.path().string(),
                 .item = "sliding_window",
                 .found = "a window in some layers only",
                 .expected = "all layers alike",
                 .hint = "GGUF cannot say which"});
  }
  if (windows.front() && gguf_architecture(checkpoint.config()) != "llama") {
    throw Error({.file = checkpoint.path().string(),
                 .item = "sliding_window",
                 .found = "a window",
                 .expected = "none",
                 .hint = "a " + checkpoint.config().model_type + " GGUF is read without"});
  }
  return windows.front();
}

void add_architecture(GgufWriter& writer, const Checkpoint& checkpoint, GgmlType type) {
  const ModelConfig& config = checkpoint.config();
  const std::string architecture = gguf_architecture(config);
  const auto key = [&](std::string_view name) { return fmt::format("{}.{}", architecture, name); };
  const auto add_count = [&](std::string_view name, int64_t count) {
    writer.add(key(name), static_cast<uint32_t>(count));
  };
  writer.add("general.architecture", architecture);
  writer.add("general.type", "model");
  writer.add("general.name", checkpoint.path().stem().string());
  writer.add("general.file_type", file_type_of(type));
  if (type == GgmlType::kQ8_0) {
    writer.add("general.quantization_version", uint32_t{2});
  }
  add_count("block_count", config.num_hidden_layers);
  add_count("context_length", config.max_position_embeddings);
  add_count("embedding_length", config.hidden_size);
  add_count("feed_forward_length", config.intermediate_size);
  add_count("vocab_size", config.vocab_size);
  add_count("attention.head_count", config.num_attention_heads);
  add_count("attention.head_count_kv", config.num_key_value_heads);
  add_count("attention.key_length", config.head_dim);
  add_count("attention.value_length", config.head_dim);
  add_count("rope.dimension_count", config.head_dim);
  writer.add(key("attention.layer_norm_rms_epsilon"), static_cast<float>(config.rms_norm_eps));
  writer.add(key("rope.freq_base"), static_cast<float>(config.rope_theta));
  if (config.rope_scaling.type == RopeScaling::Type::kLinear) {
    writer.add(key("rope.scaling.type"), "linear");
    writer.add(key("rope.scaling.factor"), static_cast<float>(config.rope_scaling.factor));
  }
  if (const auto window = common_window(checkpoint)) {
    add_count("attention.sliding_window", *window);
  }
}

/// Whole rows, in the GGUF's order: whole heads where the rows of a head change places.
void write_rows(const Checkpoint& checkpoint,
                const ExpectedTensor& expected,
                GgmlType type,
                OutputFile& output) {
  const TensorInfo& source = *checkpoint.find(expected.name);
  const ModelConfig& config = checkpoint.config();
  const bool permuted = is_permuted(gguf_architecture(config), expected.role);
  const int64_t rows = expected.shape.front();
  const int64_t columns = expected.shape.size() == 1 ? 1 : expected.shape.back();
  const int64_t unit = permuted ? config.head_dim : 1;
  const int64_t rows_at_once = (kChunk / columns / unit + 1) * unit;
  const GgmlLayout& layout = layout_of(type);
  std::vector<float> values;
  std::vector<float> ordered;
  std::vector<std::byte> blocks;
  for (int64_t first = 0; first < rows; first += rows_at_once) {
    const int64_t count = std::min(rows_at_once, rows - first);
    values.resize(static_cast<size_t>(count * columns));
    checkpoint.read(source, first * columns, values);
    if (permuted) {
      ordered.resize(values.size());
      for (int64_t row = 0; row < count; ++row) {
        std::copy_n(values.begin() + row_from_gguf_row(row, config.head_dim) * columns,
                    columns,
                    ordered.begin() + row * columns);
      }
      std::swap(values, ordered);
    }
    blocks.resize(values.size() / static_cast<size_t>(layout.block_elements) *
                  static_cast<size_t>(layout.block_bytes));
    quantize(type, values, blocks);
    output.write(blocks);
  }
}

GgufTensorToWrite tensor_to_write(const Checkpoint& checkpoint,
                                  const ExpectedTensor& expected,
                                  GgmlType wanted) {
  const GgmlType type = stored_type(expected, wanted);
  return {.name = gguf_tensor_name(expected.role, expected.layer),
          .shape = expected.shape,
          .type = type,
          .write = [&checkpoint, expected, type](OutputFile& output) {
            write_rows(checkpoint, expected, type, output);
          }};
}

/// llama.cpp takes the factors of Llama 3's scaling as a tensor.
GgufTensorToWrite frequency_factors(const ModelConfig& config) {
  return {.name = std::string(kRopeFactorsName),
          .shape = {config.head_dim / 2},
          .type = GgmlType::kF32,
          .write = [&config](OutputFile& output) {
            const auto factors =
                llama3_frequency_factors(config.rope_scaling, config.rope_theta, config.head_dim);
            output.write(std::as_bytes(std::span(factors)));
          }};
}

std::vector<GgufTensorToWrite> tensors_to_write(const Checkpoint& checkpoint, GgmlType type) {
  std::vector<GgufTensorToWrite> tensors;
  if (checkpoint.config().rope_scaling.type == RopeScaling::Type::kLlama3) {
    tensors.push_back(frequency_factors(checkpoint.config()));
  }
  for (const ExpectedTensor& expected : expected_tensors(checkpoint.config())) {
    tensors.push_back(tensor_to_write(checkpoint, expected, type));
  }
  return tensors;
}

/// All but the tensors.
GgufWriter describe_in_gguf(const Checkpoint& checkpoint, GgmlType type) {
  checkpoint.require_complete();
  GgufWriter writer;
  add_architecture(writer, checkpoint, type);
  add_vocabulary(writer, checkpoint.side_files(), checkpoint.config(), checkpoint.path().string());
  return writer;
}

}  // namespace

void require_gguf_can_hold(const Checkpoint& checkpoint) {
  describe_in_gguf(checkpoint, GgmlType::kF32);
}

void export_gguf(const Checkpoint& checkpoint,
                 OutputFile& output,
                 GgmlType type,
                 const std::function<void(int64_t)>& on_bytes) {
  GgufWriter writer = describe_in_gguf(checkpoint, type);
  for (GgufTensorToWrite& tensor : tensors_to_write(checkpoint, type)) {
    writer.add_tensor(std::move(tensor));
  }
  writer.write(output, on_bytes);
}

int64_t exported_bytes(const Checkpoint& checkpoint, GgmlType type) {
  uint64_t bytes = 0;
  for (const GgufTensorToWrite& tensor : tensors_to_write(checkpoint, type)) {
    bytes += tensor.byte_count();
  }
  return static_cast<int64_t>(bytes);
}

}  // namespace slayer
