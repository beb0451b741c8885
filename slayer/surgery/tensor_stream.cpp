#include "slayer/surgery/tensor_stream.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "slayer/core/dtype.h"
#include "slayer/core/error.h"

namespace slayer {
namespace {

constexpr uint64_t kChunkBytes = uint64_t{8} << 20U;
constexpr int64_t kChunkElements = int64_t{1} << 20U;
/// The disk reads the next chunk while this one is written.
constexpr uint64_t kChunksAhead = 2;

/// Calls `use` with each chunk of a stored tensor.
void for_each_chunk(const StoredBytes& stored,
                    const std::stop_token& stop,
                    const std::function<void(uint64_t offset, uint64_t size)>& use) {
  for (uint64_t done = 0; done < stored.size; done += kChunkBytes) {
    throw_if_stopped(stop);
    use(stored.offset + done, std::min(kChunkBytes, stored.size - done));
  }
}

/// Shows `see` a chunk through its mapping.
void show(const StoredBytes& stored, uint64_t offset, uint64_t size, const SeeBytes& see) {
  stored.file->prefetch(offset, kChunksAhead * kChunkBytes);
  see(stored.file->bytes().subspan(offset, size));
  stored.file->forget(offset, size);
}

}  // namespace

void throw_if_stopped(const std::stop_token& stop) {
  if (stop.stop_requested()) {
    throw Interrupted("nothing was left behind; run the same command again");
  }
}

void scan_stored(const StoredBytes& stored, const std::stop_token& stop, const SeeBytes& see) {
  for_each_chunk(
      stored, stop, [&](uint64_t offset, uint64_t size) { show(stored, offset, size, see); });
}

void stream_stored(const StoredBytes& stored,
                   OutputFile& file,
                   const std::stop_token& stop,
                   const SeeBytes& see) {
  for_each_chunk(stored, stop, [&](uint64_t offset, uint64_t size) {
    if (see) {
      show(stored, offset, size, see);  // First, so that the copy finds it in the cache.
    }
    file.copy_from(*stored.file, offset, size);
  });
}

void stream_tensor(const Checkpoint& checkpoint,
                   const TensorInfo& tensor,
                   Dtype dtype,
                   OutputFile& file,
                   const std::stop_token& stop,
                   const SeeBytes& see) {
  const std::optional<StoredBytes> stored = checkpoint.stored(tensor);
  if (!stored || tensor.dtype != dtype) {
    const auto fill = [&](int64_t begin, std::span<float> values) {
      read_stretch(checkpoint, tensor, begin, values);
    };
    stream_computed(
        {.name = tensor.name, .dtype = dtype, .shape = tensor.shape}, fill, file, stop, see);
    return;
  }
  stream_stored(*stored, file, stop, see);
}

void stream_zeros(const TensorInfo& info, OutputFile& file, const std::stop_token& stop) {
  const auto size = static_cast<uint64_t>(info.byte_count());
  const std::vector<std::byte> zeros(std::min(size, kChunkBytes));
  for (uint64_t done = 0; done < size; done += kChunkBytes) {
    throw_if_stopped(stop);
    file.write(std::span(zeros).first(std::min(kChunkBytes, size - done)));
  }
}

void stream_computed(const TensorInfo& info,
                     const FillValues& fill,
                     OutputFile& file,
                     const std::stop_token& stop,
                     const SeeBytes& see) {
  const int64_t count = info.element_count();
  const auto element = static_cast<size_t>(size_in_bytes(info.dtype));
  std::vector<float> values(static_cast<size_t>(std::min(count, kChunkElements)));
  std::vector<std::byte> stored(values.size() * element);
  for (int64_t begin = 0; begin < count; begin += kChunkElements) {
    throw_if_stopped(stop);
    const auto size = static_cast<size_t>(std::min(kChunkElements, count - begin));
    const auto chunk = std::span(values).first(size);
    const auto bytes = std::span(stored).first(size * element);
    fill(begin, chunk);
    narrow_from_float(info.dtype, chunk, bytes);
    file.write(bytes);
    if (see) {
      see(bytes);
    }
  }
}

void read_stretch(const Checkpoint& checkpoint,
                  const TensorInfo& tensor,
                  int64_t begin,
                  std::span<float> values) {
  const std::optional<StoredBytes> stored = checkpoint.stored(tensor);
  if (!stored) {
    checkpoint.read(tensor, begin, values);
    return;
  }
  const auto element = static_cast<uint64_t>(size_in_bytes(tensor.dtype));
  const uint64_t offset = stored->offset + static_cast<uint64_t>(begin) * element;
  const uint64_t size = values.size() * element;
  stored->file->prefetch(offset, kChunksAhead * size);
  checkpoint.read(tensor, begin, values);
  stored->file->forget(offset, size);
}

}  // namespace slayer
