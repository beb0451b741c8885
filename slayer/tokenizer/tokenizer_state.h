#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "slayer/tokenizer/added_tokens.h"
#include "slayer/tokenizer/piece_cache.h"
#include "slayer/tokenizer/tokenizer.h"
#include "slayer/tokenizer/tokenizer_parts.h"

namespace slayer {

/// Memory that one thread encodes with.
struct Scratch {
  Bpe::Workspace workspace;
  PieceCache cache;
};

/// Scratches not in use: a thread takes one for each call, warm with the words seen before.
class ScratchPool final {
 public:
  std::unique_ptr<Scratch> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) {
      return std::make_unique<Scratch>();
    }
    auto scratch = std::move(free_.back());
    free_.pop_back();
    return scratch;
  }
  void give_back(std::unique_ptr<Scratch> scratch) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(scratch));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Scratch>> free_;
};

/// What a Tokenizer's copies share.
struct Tokenizer::State {
  explicit State(TokenizerParts all);

  /// Appends the ids of `text`, valid UTF-8, without special tokens around it.
  void append_ids(std::string_view text, std::vector<TokenId>& ids) const;

  TokenizerParts parts;
  AddedTokenMatcher raw_matcher;         ///< Sought in the text as given.
  AddedTokenMatcher normalized_matcher;  ///< Sought in the normalized text.
  std::vector<bool> are_special;
  std::vector<std::string> decoded;  ///< What the decoder makes text of, for each id.
  std::optional<TokenId> bos_id;
  std::optional<TokenId> eos_id;
  mutable ScratchPool scratches;
};

}  // namespace slayer
