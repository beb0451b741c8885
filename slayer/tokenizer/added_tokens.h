#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "slayer/tokenizer/regex.h"
#include "slayer/tokenizer/vocabulary.h"

namespace slayer {

/// A token that is recognised in a text as it stands, before the model sees it.
struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool is_special = false;      ///< Left out of a decoded text on demand.
  bool is_single_word = false;  ///< Not beside a word's character.
  bool strips_left = false;     ///< Takes the white space before it along.
  bool strips_right = false;
  bool is_normalized = true;  ///< Sought in the normalized text, else in the text as given.
};

/// Finds added tokens in a text: the leftmost, and of those that begin there the longest.
class AddedTokenMatcher final {
 public:
  struct Found {
    TextSpan span;     ///< With the white space it takes along.
    size_t match_end;  ///< Where the token itself ends, and the search for the next one begins.
    TokenId id;
  };

  /// @param pattern  what to look for, not empty; a pattern that was added before is replaced.
  void add(std::string_view pattern, const AddedToken& token);

  bool is_empty() const { return tokens_.empty(); }

  /// The first token at or after `begin`; white space is taken no further left than `free_from`.
  std::optional<Found> next(std::string_view text, size_t begin, size_t free_from) const;

 private:
  struct Node {
    std::map<unsigned char, uint32_t> children;
    std::optional<uint32_t> token;  ///< Index into tokens_.
  };
  struct Match {
    size_t end;
    uint32_t token;
  };

  std::optional<Match> longest_at(std::string_view text, size_t begin) const;

  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_ = {Node{}};
  std::array<bool, 256> can_begin_{};
};

}  // namespace slayer
