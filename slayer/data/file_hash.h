#pragma once

#include <filesystem>

#include "slayer/core/sha256.h"

namespace slayer {

/// Adds a file's name, whose ending says how it is read, its size and its content, of which no more
/// than a piece stays in memory. @throws Error when it cannot be read.
void hash_file(Sha256& hash, const std::filesystem::path& path);

}  // namespace slayer
