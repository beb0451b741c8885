#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/recipe/recipe.h"

namespace slayer {

/// Finds items, such as those of a benchmark, of which 13 words in a row stand in another text:
/// what was trained on cannot be tested on. Words are runs of letters, digits and bytes beyond
/// ASCII, without regard to case.
/// Source: Brown et al. 2020, arXiv 2005.14165, appendix C (13-grams).
class OverlapFinder final {
 public:
  static constexpr size_t kWords = 13;

  /// Takes an item in; items of fewer than 13 words have nothing to be found by. Returns its
  /// number.
  int64_t add_item(std::string_view text);

  /// Marks the items that share 13 words in a row with the text.
  void scan(std::string_view text);

  bool is_found(int64_t item) const { return is_found_[static_cast<size_t>(item)]; }

 private:
  std::unordered_map<uint64_t, std::vector<int64_t>> items_of_;  ///< By the hash of 13 words.
  std::vector<bool> is_found_;
};

/// Which held-out documents and benchmark items share 13 words in a row with the training text:
///
///   {"format": 1, "words": 13, "sets": {"text:domain": {"items": 58, "overlapping": [3]},
///    "arc_easy": {"items": 100, "overlapping": []}}}
///
/// Documents are numbered in their order, items by their doc_id.
Json find_overlap(const Recipe& recipe);

}  // namespace slayer
