#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "slayer/eval/item.h"
#include "slayer/eval/scoring.h"
#include "slayer/tokenizer/tokenizer.h"

namespace slayer {

/// Tokens of an item's contexts and continuations.
struct EncodedGroup {
  SequenceGroup sequences = {};
  int64_t cut_from = 0;  ///< Tokens of a context too long for the model, front cut; 0: none was.
};

/// Tokens of a prompt.
struct EncodedPrompt {
  std::vector<TokenId> tokens = {};
  int64_t cut_from = 0;  ///< As above.
};

/// Text requests to tokens as lm-evaluation-harness does it, with its rules for BOS and for what is
/// longer than the model's context.
/// Source: lm_eval/api/model.py (TemplateLM) and models/huggingface.py, version 0.4.13.
class RequestEncoder final {
 public:
  /// `max_length`: most tokens that the model takes.
  RequestEncoder(const Tokenizer& tokenizer, int64_t max_length);

  /// Each context and its continuation, encoded as one text and cut at the context's own length;
  /// the context loses tokens at its front where both are too long.
  /// @throws Error when a continuation has no tokens or does not fit alone.
  EncodedGroup pairs(const std::vector<TextRequest>& requests) const;

  /// A whole text in windows: each token is scored once, the first after the prefix token.
  SequenceGroup rolling(const std::string& text) const;

  /// A prompt, cut at its front to leave room for `max_new_tokens`.
  EncodedPrompt prompt(const std::string& text, int64_t max_new_tokens) const;

  int64_t max_length() const { return max_length_; }

 private:
  /// `context_tokens`: of the request's context without white space at its end. The whole, however
  /// long.
  ScoredSequence pair(const std::string& context,
                      const std::vector<TokenId>& context_tokens,
                      const std::string& continuation) const;

  /// With special tokens as the tokenizer adds them, but no second BOS.
  std::vector<TokenId> encode(const std::string& text) const;
  TokenId prefix_token() const;

  const Tokenizer& tokenizer_;
  int64_t max_length_;
  std::string bos_text_;
};

}  // namespace slayer
