#include <algorithm>
#include <fmt/format.h>

#include "slayer/checkpoint/dequantize.h"
#include "slayer/checkpoint/gguf_config.h"
#include "slayer/checkpoint/gguf_names.h"
#include "slayer/checkpoint/gguf_reader.h"
#include "slayer/checkpoint/gguf_tokenizer.h"
#include "slayer/checkpoint/tensor_store.h"

namespace slayer {
namespace {

/// The dtype in which Hugging Face's names show a GGUF tensor.
Dtype dtype_of(GgmlType type) {
  switch (type) {
    case GgmlType::kF16:
      return Dtype::kF16;
    case GgmlType::kBF16:
      return Dtype::kBF16;
    default:
      return Dtype::kF32;
  }
}

bool is_quantised(GgmlType type) { return layout_of(type).block_elements > 1; }

/// A GGUF file under Hugging Face's names, rows in Hugging Face's order.
class GgufStore final : public TensorStore {
 public:
  explicit GgufStore(const std::filesystem::path& path)
      : file_(GgufFile::open(path)),
        config_(parse_model_config(config_from_gguf(file_), path.string())) {
    const std::string architecture = file_.string("general.architecture");
    for (const GgufTensor& tensor : file_.tensors()) {
      if (tensor.name == kRopeFactorsName) {
        continue;
      }
      // A stranger keeps its name, for Checkpoint::problems to list.
      const auto place = place_from_gguf_name(tensor.name);
      const bool permuted = place && is_permuted(architecture, place->role);
      if (permuted && (tensor.shape.empty() || tensor.shape.front() % config_.head_dim != 0)) {
        file_.fail(tensor.name,
                   fmt::format("{} rows", tensor.shape.empty() ? 1 : tensor.shape.front()),
                   fmt::format("a multiple of the head size, {}", config_.head_dim));
      }
      entries_.push_back(
          {.info = {.name = place ? tensor_name(place->role, place->layer) : tensor.name,
                    .dtype = dtype_of(tensor.type),
                    .shape = tensor.shape},
           .tensor = &tensor,
           .is_permuted = permuted});
    }
    std::ranges::sort(entries_, {}, [](const Entry& entry) { return entry.info.name; });
    std::ranges::transform(entries_, std::back_inserter(infos_), &Entry::info);
  }

  const ModelConfig& config() const override { return config_; }
  const std::vector<TensorInfo>& tensors() const override { return infos_; }

  StoredBytes file_bytes(size_t index) const override {
    const GgufTensor& tensor = *entries_[index].tensor;
    return {.file = &file_.mapped(), .offset = tensor.offset, .size = tensor.size};
  }

  bool is_plain(size_t index) const override {
    return !entries_[index].is_permuted && !is_quantised(entries_[index].tensor->type);
  }

  void read_encoded(size_t index, int64_t begin, std::span<float> values) const override {
    const Entry& entry = entries_[index];
    const auto stored = file_.bytes(*entry.tensor);
    if (!entry.is_permuted) {
      dequantize(entry.tensor->type, stored, begin, values);
      return;
    }
    const int64_t columns = entry.info.shape.size() == 1 ? 1 : entry.info.shape.back();
    while (!values.empty()) {
      const int64_t column = begin % columns;
      const auto count = std::min(static_cast<size_t>(columns - column), values.size());
      const int64_t row = gguf_row_from_row(begin / columns, config_.head_dim);
      dequantize(entry.tensor->type, stored, row * columns + column, values.first(count));
      begin += static_cast<int64_t>(count);
      values = values.subspan(count);
    }
  }

  std::map<std::string, std::string> side_files() const override {
    return side_files_from_gguf(file_);
  }

 private:
  struct Entry {
    TensorInfo info;
    const GgufTensor* tensor;
    bool is_permuted;
  };

  GgufFile file_;
  ModelConfig config_;
  std::vector<Entry> entries_;     ///< In the order of Hugging Face's names.
  std::vector<TensorInfo> infos_;  ///< Of the entries.
};

}  // namespace

std::unique_ptr<TensorStore> open_gguf(const std::filesystem::path& file) {
  return std::make_unique<GgufStore>(file);
}

}  // namespace slayer
