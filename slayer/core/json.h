#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slayer {

/// Keys keep the order of the file, so that what we rewrite stays readable to its owner.
using Json = nlohmann::ordered_json;

/// Parses JSON from a hostile source. @throws Error naming `file` and the byte where it fails,
/// when nested deeper than 128, or on a duplicate key (two readers could disagree about it).
Json parse_json(std::string_view text, const std::string& file);

/// A line of a journal: an object, or null where it is none, as when a kill cut the line.
Json parse_journal_line(std::string_view line);

/// Reads and parses a file. @throws Error as above.
Json read_json_file(const std::filesystem::path& path);

/// JSON on one line, invalid UTF-8 replaced. Here and not `dump()` at each place, which would
/// compile the writer anew in every source.
std::string compact_text(const Json& json);

/// A file's text: two spaces of indentation and a final newline.
std::string json_text(const Json& json);

/// Writes `json_text`, atomically.
void write_json_file(const std::filesystem::path& path, const Json& json);

/// Typed access to one object of a JSON file; every failure names the file and the dotted key.
class JsonObject final {
 public:
  /// @throws Error when `json` is not an object. `json` must outlive this view.
  JsonObject(const Json& json, std::string file, std::string prefix = "");

  bool has(std::string_view key) const;  ///< Present and not null.

  /// @throws Error when the key is missing, null, or of another type or outside the range.
  int64_t integer(std::string_view key, int64_t low, int64_t high) const;
  double number(std::string_view key) const;
  bool boolean(std::string_view key) const;
  std::string string(std::string_view key) const;
  JsonObject object(std::string_view key) const;
  /// The array under the key.
  const Json& array(std::string_view key) const;

  /// As above, or `fallback` when the key is missing or null.
  int64_t integer_or(std::string_view key, int64_t low, int64_t high, int64_t fallback) const;
  double number_or(std::string_view key, double fallback) const;
  bool boolean_or(std::string_view key, bool fallback) const;
  std::string string_or(std::string_view key, std::string_view fallback) const;

  /// @throws Error naming the first key that is not in `known`, and the nearest known one.
  void refuse_unknown_keys(const std::vector<std::string_view>& known) const;

  /// An error about one key of this object, for the caller to throw.
  [[noreturn]] void fail(std::string_view key, std::string found, std::string expected) const;

  const Json& json() const { return *json_; }
  const std::string& file() const { return file_; }

 private:
  const Json& member(std::string_view key) const;
  std::string dotted(std::string_view key) const;

  const Json* json_;
  std::string file_;
  std::string prefix_;
};

/// The word of `candidates` with the smallest edit distance to `word`, if it is near enough to be
/// what a typist meant.
std::optional<std::string> nearest_word(std::string_view word,
                                        const std::vector<std::string_view>& candidates);

}  // namespace slayer
