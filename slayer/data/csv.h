#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace slayer {

/// Gives out the records of a comma-separated file, the header first. Fields in double quotes may
/// hold commas, line breaks and doubled quotes; lines end with \n or \r\n; empty lines are passed
/// over, as is a byte-order mark.
/// @throws Error for a quote that is never closed, or with text behind its end, and for text that
/// is not UTF-8.
/// Source: RFC 4180.
void read_csv(const std::filesystem::path& file,
              const std::function<void(std::vector<std::string>)>& on_record,
              const std::function<void(int64_t)>& on_bytes);

}  // namespace slayer
