#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "slayer/tokenizer/vocabulary.h"

namespace slayer {

/// Text to tokens and back, token for token as Hugging Face's `tokenizers` does it for the
/// checkpoint's tokenizer.json. Immutable; one object serves all threads, and copies are cheap.
class Tokenizer final {
 public:
  /// Reads tokenizer.json (or tokenizer.model) and tokenizer_config.json among a checkpoint's side
  /// files; `source` names the checkpoint in errors.
  /// @throws Error for missing files, merges that name unknown tokens, unsupported components.
  static Tokenizer from_side_files(const std::map<std::string, std::string>& files,
                                   const std::string& source);

  /// `add_special_tokens`: BOS and EOS as the tokenizer's post-processor adds them.
  /// Special tokens written in the text are recognised. Bytes that are not UTF-8 are read as
  /// U+FFFD. @throws Error for a text of 2 GiB and more.
  std::vector<TokenId> encode(std::string_view text, bool add_special_tokens) const;

  /// `encode` of each text, in order, on up to `threads` threads.
  std::vector<std::vector<TokenId>> encode_batch(std::span<const std::string_view> texts,
                                                 bool add_special_tokens,
                                                 int threads) const;

  /// The text of the tokens; bytes that are not UTF-8 become U+FFFD, as in `tokenizers`. Ids that
  /// no token has are passed over.
  std::string decode(const std::vector<TokenId>& ids, bool skip_special_tokens) const;

  int64_t vocab_size() const;  ///< With added tokens; one above the largest id.
  std::optional<TokenId> id_of(std::string_view token) const;
  std::string token_of(TokenId id) const;  ///< "" where no token has that id.
  bool is_special(TokenId id) const;       ///< Left out by decode's `skip_special_tokens`.

  std::optional<TokenId> bos_id() const;
  std::optional<TokenId> eos_id() const;
  /// What `add_special_tokens` puts before a text, usually BOS or nothing.
  std::vector<TokenId> prefix_ids() const;

 private:
  friend class StreamDecoder;
  struct State;
  explicit Tokenizer(std::shared_ptr<const State> state);
  std::shared_ptr<const State> state_;
};

/// A hash of those side files of a checkpoint that a text's tokens depend on. The chat template is
/// none of them, wherever it stands.
std::string tokenizer_key(const std::map<std::string, std::string>& side_files);

/// Decodes token by token for a terminal: gives out text only when no later token can change it,
/// so a UTF-8 character is never split, and all that was given out is what `decode` gives for all
/// tokens.
class StreamDecoder final {
 public:
  explicit StreamDecoder(Tokenizer tokenizer, bool skip_special_tokens);
  std::string push(TokenId id);  ///< What can be shown now, possibly nothing.
  std::string finish();          ///< What is left, incomplete characters as U+FFFD.

 private:
  std::string show_pending();

  Tokenizer tokenizer_;
  bool skip_special_tokens_;
  std::string bytes_;            ///< Of byte-level tokens, not shown yet.
  std::vector<TokenId> window_;  ///< Of other tokens: the latest ones,
  size_t shown_ = 0;             ///< the first of which are shown.
};

}  // namespace slayer
