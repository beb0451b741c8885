#include "slayer/model/kv_cache.h"

#include <ATen/ATen.h>

namespace slayer {

KvCache::KvCache(const ModelConfig& config,
                 int64_t batch,
                 int64_t capacity,
                 at::ScalarType dtype,
                 at::Device device)
    : position_ids_(at::empty({batch, capacity}, at::TensorOptions(at::kLong).device(device))) {
  const auto options = at::TensorOptions(dtype).device(device);
  const std::vector<int64_t> shape{batch, config.num_key_value_heads, capacity, config.head_dim};
  for (int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    keys_.push_back(at::empty(shape, options));
    values_.push_back(at::empty(shape, options));
  }
}

template <class Visit>
void KvCache::for_each_tensor(Visit visit) {
  visit(position_ids_, 1);
  for (size_t layer = 0; layer < keys_.size(); ++layer) {
    visit(keys_[layer], 2);
    visit(values_[layer], 2);
  }
}

void KvCache::truncate(int64_t length) {
  TORCH_CHECK(
      length >= 0 && length <= length_, "KvCache: cannot truncate ", length_, " to ", length);
  length_ = length;
}

KvCache KvCache::rows(const std::vector<int64_t>& rows, int64_t capacity) const {
  TORCH_CHECK(capacity >= length_, "KvCache: ", length_, " tokens do not fit ", capacity);
  const at::Tensor index = at::tensor(rows, at::kLong).to(position_ids_.device());
  KvCache result = *this;
  result.for_each_tensor([&](at::Tensor& all, int64_t tokens) {
    std::vector<int64_t> shape = all.sizes().vec();
    shape[0] = index.size(0);
    shape[static_cast<size_t>(tokens)] = capacity;
    const at::Tensor to = at::empty(shape, all.options());
    to.narrow(tokens, 0, length_).copy_(all.narrow(tokens, 0, length_).index_select(0, index));
    all = to;
  });
  return result;
}

KvCache KvCache::view(int64_t first, int64_t count) const {
  KvCache result = *this;
  result.for_each_tensor([&](at::Tensor& all, int64_t) { all = all.narrow(0, first, count); });
  return result;
}

void KvCache::pad(int64_t length) {
  for_each_tensor([&](const at::Tensor& all, int64_t tokens) {
    all.narrow(tokens, length_, length - length_).zero_();
  });
  length_ = length;
}

void KvCache::advance(int64_t length) {
  TORCH_CHECK(length >= length_ && length <= capacity(), "KvCache: cannot advance to ", length);
  length_ = length;
}

void KvCache::keep(const std::vector<int64_t>& rows) {
  for_each_tensor([&](at::Tensor& all, int64_t tokens) {
    for (int64_t row = 0; row < std::ssize(rows); ++row) {
      if (const int64_t from = rows[static_cast<size_t>(row)]; from != row) {
        all[row].narrow(tokens - 1, 0, length_).copy_(all[from].narrow(tokens - 1, 0, length_));
      }
    }
    all = all.narrow(0, 0, std::ssize(rows));
  });
}

at::Tensor KvCache::extend(const at::Tensor& position_ids) {
  const int64_t seq = position_ids.size(1);
  TORCH_CHECK(length_ + seq <= capacity(), "KvCache: full at ", capacity(), " tokens");
  position_ids_.narrow(1, length_, seq).copy_(position_ids);
  length_ += seq;
  return position_ids_.narrow(1, 0, length_);
}

std::pair<at::Tensor, at::Tensor> KvCache::store(int64_t layer,
                                                 int64_t past,
                                                 const at::Tensor& keys,
                                                 const at::Tensor& values) {
  const auto append = [past](const at::Tensor& all, const at::Tensor& fresh) {
    all.narrow(2, past, fresh.size(2)).copy_(fresh);
    return all.narrow(2, 0, past + fresh.size(2));
  };
  const auto slot = static_cast<size_t>(layer);
  return {append(keys_[slot], keys), append(values_[slot], values)};
}

}  // namespace slayer
