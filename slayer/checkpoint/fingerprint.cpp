#include "slayer/checkpoint/fingerprint.h"

#include <array>
#include <cassert>
#include <cerrno>
#include <fmt/format.h>
#include <span>
#include <system_error>
#include <unistd.h>

#include "slayer/checkpoint/completeness.h"
#include "slayer/core/error.h"
#include "slayer/core/sha256.h"

namespace slayer {
namespace {

constexpr uint64_t kSampleBytes = 4096;

std::string_view rope_type_name(RopeScaling::Type type) {
  switch (type) {
    case RopeScaling::Type::kDefault:
      return "default";
    case RopeScaling::Type::kLinear:
      return "linear";
    case RopeScaling::Type::kLlama3:
      return "llama3";
  }
  return "";
}

std::string canonical_architecture(const ModelConfig& config) {
  std::string text = "slayer checkpoint 1\n";
  const auto append = [&text](std::string_view field, const auto& value) {
    text += fmt::format("{}={}\n", field, value);
  };
  append("architecture", config.architecture);
  append("vocab_size", config.vocab_size);
  append("hidden_size", config.hidden_size);
  append("intermediate_size", config.intermediate_size);
  append("num_hidden_layers", config.num_hidden_layers);
  append("num_attention_heads", config.num_attention_heads);
  append("num_key_value_heads", config.num_key_value_heads);
  append("head_dim", config.head_dim);
  append("rms_norm_eps", config.rms_norm_eps);
  append("rope_theta", config.rope_theta);
  append("rope_type", rope_type_name(config.rope_scaling.type));
  if (config.rope_scaling.type != RopeScaling::Type::kDefault) {
    append("factor", config.rope_scaling.factor);
  }
  if (config.rope_scaling.type == RopeScaling::Type::kLlama3) {
    append("low_freq_factor", config.rope_scaling.low_freq_factor);
    append("high_freq_factor", config.rope_scaling.high_freq_factor);
    append("original_max_position_embeddings",
           config.rope_scaling.original_max_position_embeddings);
  }
  append("tie_word_embeddings", int{config.tie_word_embeddings});
  append("has_qkv_bias", int{config.has_qkv_bias});
  append("has_o_bias", int{config.has_o_bias});
  append("has_mlp_bias", int{config.has_mlp_bias});
  append("has_qk_norm", int{config.has_qk_norm});
  std::vector<std::string> windows;
  for (const std::optional<int64_t>& window : config.sliding_window) {
    windows.push_back(window ? std::to_string(*window) : "-");
  }
  append("sliding_window", fmt::format("{}", fmt::join(windows, ",")));
  return text;
}

/// Reads past the mapping: a page fault would read ahead, by megabytes on some disks, what nobody
/// looks at.
void update_with_range(Sha256& hash, const MappedFile& file, uint64_t offset, uint64_t size) {
  std::array<std::byte, 3 * kSampleBytes> buffer{};
  assert(size <= buffer.size());
  uint64_t filled = 0;
  while (filled < size) {
    const ssize_t count = ::pread(file.descriptor(),
                                  buffer.data() + filled,
                                  size - filled,
                                  static_cast<off_t>(offset + filled));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count <= 0) {
      throw Error({.file = file.path().string(),
                   .item = "cannot read",
                   .found = count < 0 ? std::generic_category().message(errno)
                                      : "an end of file that was not there before"});
    }
    filled += static_cast<uint64_t>(count);
  }
  hash.update(std::span(buffer).first(size));
}

void update_with_samples(Sha256& hash, const StoredBytes& stored) {
  const auto update = [&](uint64_t begin, uint64_t size) {
    update_with_range(hash, *stored.file, stored.offset + begin, size);
  };
  if (stored.size <= 3 * kSampleBytes) {
    update(0, stored.size);
    return;
  }
  update(0, kSampleBytes);
  update(stored.size / 2 - kSampleBytes / 2, kSampleBytes);
  update(stored.size - kSampleBytes, kSampleBytes);
}

}  // namespace

std::string fingerprint(const TensorStore& store) {
  Sha256 hash;
  hash.update(canonical_architecture(store.config()));
  const auto& tensors = store.tensors();
  for (size_t index = 0; index < tensors.size(); ++index) {
    const TensorInfo& tensor = tensors[index];
    if (is_ignored(store.config(), tensor.name)) {
      continue;
    }
    hash.update(fmt::format(
        "{} {} [{}]\n", tensor.name, safetensors_name(tensor.dtype), fmt::join(tensor.shape, ",")));
    update_with_samples(hash, store.file_bytes(index));
  }
  return hash.hex_digest();
}

}  // namespace slayer
