#include "slayer/data/file_hash.h"

#include <algorithm>
#include <fmt/format.h>
#include <span>

#include "slayer/core/mapped_file.h"

namespace slayer {

void hash_file(Sha256& hash, const std::filesystem::path& path) {
  constexpr uint64_t kHashChunkBytes = uint64_t{8} << 20U;
  const MappedFile file(path);
  const std::span<const std::byte> bytes = file.bytes();
  hash.update(fmt::format("{} {} ", path.filename().string(), bytes.size()));
  for (uint64_t offset = 0; offset < bytes.size(); offset += kHashChunkBytes) {
    const uint64_t size = std::min<uint64_t>(kHashChunkBytes, bytes.size() - offset);
    hash.update(bytes.subspan(offset, size));
    file.forget(offset, size);
  }
}

}  // namespace slayer
