#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace slayer {

/// The pre-tokenizer patterns that have a hand-written scanner, several times as fast as a regular
/// expression. Each covers any text without gaps.
enum class KnownPattern : uint8_t {
  kGpt2,    ///< The ByteLevel pre-tokenizer's own: GPT-2, SmolLM2.
  kLlama3,  ///< llama-bpe: numbers in groups of up to three digits.
  kQwen2,   ///< As kLlama3, each digit alone.
  kTekken,  ///< Mistral's: words end where a lower-case letter is followed by an upper-case one.
};

/// The regular expression as tokenizer.json files write it: what a scanner must agree with.
std::string_view regex_of(KnownPattern pattern);

/// The pattern with that regular expression, if it is a known one.
std::optional<KnownPattern> known_pattern(std::string_view regex);

/// Where the match that begins at `text[begin]` ends. `text` is valid UTF-8, `begin` before its
/// end.
size_t scan_piece(KnownPattern pattern, std::string_view text, size_t begin);

}  // namespace slayer
