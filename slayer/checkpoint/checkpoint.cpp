#include "slayer/checkpoint/checkpoint.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <fmt/format.h>
#include <functional>
#include <numeric>
#include <utility>

#include "slayer/checkpoint/completeness.h"
#include "slayer/checkpoint/fingerprint.h"
#include "slayer/checkpoint/tensor_store.h"
#include "slayer/core/error.h"

namespace slayer {
namespace fs = std::filesystem;

struct Checkpoint::State {
  fs::path path;
  bool is_gguf;
  std::unique_ptr<TensorStore> store;

  size_t index_of(const TensorInfo& tensor) const {
    const auto& tensors = store->tensors();
    const auto found = std::ranges::lower_bound(tensors, tensor.name, {}, &TensorInfo::name);
    assert(found != tensors.end() && found->name == tensor.name);
    return static_cast<size_t>(found - tensors.begin());
  }
};

int64_t TensorInfo::element_count() const {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

int64_t TensorInfo::byte_count() const { return element_count() * size_in_bytes(dtype); }

Checkpoint::Checkpoint(std::shared_ptr<const State> state) : state_(std::move(state)) {}

Checkpoint Checkpoint::open(const fs::path& path) {
  std::error_code ignored;
  const bool is_folder = fs::is_directory(path, ignored);
  if (!is_folder && !fs::exists(path, ignored)) {
    throw Error({.file = path.string(),
                 .found = "nothing",
                 .expected = "a Hugging Face checkpoint folder or a GGUF file"});
  }
  return Checkpoint(std::make_shared<const State>(
      State{.path = path,
            .is_gguf = !is_folder,
            .store = is_folder ? open_folder(path) : open_gguf(path)}));
}

const fs::path& Checkpoint::path() const { return state_->path; }

bool Checkpoint::is_gguf() const { return state_->is_gguf; }

const ModelConfig& Checkpoint::config() const { return state_->store->config(); }

const std::vector<TensorInfo>& Checkpoint::tensors() const { return state_->store->tensors(); }

const TensorInfo* Checkpoint::find(std::string_view name) const {
  const auto found = std::ranges::lower_bound(tensors(), name, {}, &TensorInfo::name);
  return found != tensors().end() && found->name == name ? &*found : nullptr;
}

std::vector<std::string> Checkpoint::problems() const { return find_problems(*state_->store); }

void Checkpoint::require_complete() const {
  constexpr size_t kShown = 10;
  const std::vector<std::string> all = problems();
  if (all.empty()) {
    return;
  }
  const auto shown = std::span(all).first(std::min(all.size(), kShown));
  throw Error({.file = path().string(),
               .found = fmt::format("{}", fmt::join(shown, "; ")),
               .hint = all.size() > kShown ? fmt::format("and {} more; slayer inspect lists all",
                                                         all.size() - kShown)
                                           : ""});
}

std::optional<StoredBytes> Checkpoint::stored(const TensorInfo& tensor) const {
  const size_t index = state_->index_of(tensor);
  if (!state_->store->is_plain(index)) {
    return std::nullopt;
  }
  return state_->store->file_bytes(index);
}

void Checkpoint::read(const TensorInfo& tensor, int64_t begin, std::span<float> values) const {
  assert(begin >= 0 && begin + static_cast<int64_t>(values.size()) <= tensor.element_count());
  if (!is_float(tensor.dtype)) {
    throw Error({.file = path().string(),
                 .item = printable(tensor.name),
                 .found = std::string(safetensors_name(tensor.dtype)),
                 .expected = "F64, F32, F16 or BF16"});
  }
  const size_t index = state_->index_of(tensor);
  if (!state_->store->is_plain(index)) {
    state_->store->read_encoded(index, begin, values);
    return;
  }
  const auto element = static_cast<size_t>(size_in_bytes(tensor.dtype));
  widen_to_float(tensor.dtype,
                 state_->store->file_bytes(index).bytes().subspan(
                     static_cast<size_t>(begin) * element, values.size() * element),
                 values);
}

std::map<std::string, std::string> Checkpoint::side_files() const {
  return state_->store->side_files();
}

std::string Checkpoint::hash() const { return fingerprint(*state_->store); }

}  // namespace slayer
