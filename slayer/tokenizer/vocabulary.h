#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace slayer {

using TokenId = int32_t;

/// Tokens by id and ids by token. Ids may have holes.
class Vocabulary final {
 public:
  /// One above the largest id that a file may use; the largest vocabulary known has 262,144.
  static constexpr TokenId kIdLimit = TokenId{1} << 22;

  Vocabulary() = default;
  Vocabulary(Vocabulary&&) noexcept = default;
  Vocabulary& operator=(Vocabulary&&) noexcept = default;
  Vocabulary(const Vocabulary&) = delete;  // The map's keys point into the strings.
  Vocabulary& operator=(const Vocabulary&) = delete;
  ~Vocabulary() = default;

  /// False, and nothing is added, when the token or the id is there already.
  bool add(std::string token, TokenId id);

  std::optional<TokenId> id_of(std::string_view token) const;
  const std::string* token_of(TokenId id) const;  ///< nullptr where no token has that id.

  size_t size() const { return ids_.size(); }      ///< Tokens.
  size_t id_end() const { return by_id_.size(); }  ///< One above the largest id.

 private:
  std::deque<std::string> tokens_;
  std::vector<const std::string*> by_id_;
  std::unordered_map<std::string_view, TokenId> ids_;
};

}  // namespace slayer
