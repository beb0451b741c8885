#include "slayer/checkpoint/completeness.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "slayer/checkpoint/family.h"
#include "slayer/core/error.h"

namespace slayer {
namespace {

constexpr std::string_view kLayerPrefix = "model.layers.";
constexpr std::string_view kRotaryBuffer = "rotary_emb.inv_freq";

/// N of "model.layers.N.", written as this project writes it.
std::optional<int64_t> layer_of(std::string_view name) {
  if (!name.starts_with(kLayerPrefix)) {
    return std::nullopt;
  }
  name.remove_prefix(kLayerPrefix.size());
  int64_t layer = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), layer);
  const auto digits = static_cast<size_t>(end - name.data());
  const bool is_canonical = digits == 1 || (digits > 1 && name[0] != '0');
  if (error != std::errc() || layer < 0 || !is_canonical || digits == name.size() ||
      name[digits] != '.') {
    return std::nullopt;
  }
  return layer;
}

std::string shape_text(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

size_t find_index(const TensorStore& store, std::string_view name) {
  const auto& tensors = store.tensors();
  const auto found = std::ranges::lower_bound(tensors, name, {}, &TensorInfo::name);
  return found != tensors.end() && found->name == name
             ? static_cast<size_t>(found - tensors.begin())
             : tensors.size();
}

void check_form(const TensorInfo& tensor,
                const ExpectedTensor& expected,
                std::vector<std::string>& problems) {
  if (tensor.shape != expected.shape) {
    problems.push_back(fmt::format("{}: found shape {}, expected {}",
                                   tensor.name,
                                   shape_text(tensor.shape),
                                   shape_text(expected.shape)));
  }
  if (!is_float(tensor.dtype)) {
    problems.push_back(fmt::format("{}: found dtype {}, expected F64, F32, F16 or BF16",
                                   tensor.name,
                                   safetensors_name(tensor.dtype)));
  }
}

/// Missing and ill-formed tensors; a layer that is missing whole is one line.
void check_expected(const TensorStore& store,
                    const std::vector<ExpectedTensor>& expected,
                    std::vector<std::string>& problems) {
  std::set<int64_t> layers_there;
  for (const TensorInfo& tensor : store.tensors()) {
    if (const auto layer = layer_of(tensor.name)) {
      layers_there.insert(*layer);
    }
  }
  int64_t hole = -1;
  for (const ExpectedTensor& tensor : expected) {
    const size_t index = find_index(store, tensor.name);
    if (index < store.tensors().size()) {
      check_form(store.tensors()[index], tensor, problems);
    } else if (tensor.layer < 0 || layers_there.contains(tensor.layer)) {
      problems.push_back(tensor.name + ": missing");
    } else if (tensor.layer != hole) {
      hole = tensor.layer;
      problems.push_back(fmt::format("layer {}: missing, a hole in the numbering", hole));
    }
  }
}

/// Tensors that the config knows nothing of; those of a layer beyond the last are one line.
void check_unexpected(const TensorStore& store,
                      const std::vector<ExpectedTensor>& expected,
                      std::vector<std::string>& problems) {
  std::set<std::string_view> known;
  for (const ExpectedTensor& tensor : expected) {
    known.insert(tensor.name);
  }
  const ModelConfig& config = store.config();
  std::set<int64_t> layers_beyond;
  for (const TensorInfo& tensor : store.tensors()) {
    if (known.contains(tensor.name) || is_ignored(config, tensor.name)) {
      continue;
    }
    const auto layer = layer_of(tensor.name);
    if (layer && *layer >= config.num_hidden_layers) {
      layers_beyond.insert(*layer);
    } else {
      problems.push_back(printable(tensor.name) + ": unexpected");
    }
  }
  for (const int64_t layer : layers_beyond) {
    problems.push_back(fmt::format(
        "layer {}: unexpected, config.json has {} layers", layer, config.num_hidden_layers));
  }
}

/// A head stored beside tied embeddings must be their copy: transformers unties those that differ,
/// and so would compute another model than config.json says.
void check_tied_head(const TensorStore& store, std::vector<std::string>& problems) {
  const size_t head = find_index(store, tensor_name(TensorRole::kHead));
  const size_t embedding = find_index(store, tensor_name(TensorRole::kEmbedding));
  const size_t count = store.tensors().size();
  if (!store.config().tie_word_embeddings || head == count || embedding == count) {
    return;
  }
  const auto& tensors = store.tensors();
  if (tensors[head].dtype != tensors[embedding].dtype ||
      !std::ranges::equal(store.file_bytes(head).bytes(), store.file_bytes(embedding).bytes())) {
    problems.push_back(fmt::format("{}: differs from {}, but config.json has tie_word_embeddings",
                                   tensors[head].name,
                                   tensors[embedding].name));
  }
}

}  // namespace

bool is_ignored(const ModelConfig& config, std::string_view name) {
  return name.ends_with(kRotaryBuffer) ||
         (config.tie_word_embeddings && name == tensor_name(TensorRole::kHead));
}

std::vector<std::string> find_problems(const TensorStore& store) {
  const std::vector<ExpectedTensor> expected = expected_tensors(store.config());
  std::vector<std::string> problems;
  check_expected(store, expected, problems);
  check_unexpected(store, expected, problems);
  check_tied_head(store, problems);
  return problems;
}

}  // namespace slayer
