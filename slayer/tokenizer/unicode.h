#pragma once

#include <array>
#include <cstdint>

namespace slayer {

/// What the pre-tokenizers' patterns ask of every character. Made once, by `char_classes`.
class CharClasses final {
 public:
  /// One bit each, so that a mask is a set of classes.
  enum Class : uint8_t {
    kOther = 1,
    kMark = 2,       ///< \p{M}
    kUpper = 4,      ///< \p{Lu} and \p{Lt}
    kLower = 8,      ///< \p{Ll}
    kCaseless = 16,  ///< \p{Lm} and \p{Lo}
    kNumber = 32,    ///< \p{N}
    kSpace = 64,     ///< \s, Unicode's White_Space
  };

  CharClasses();

  Class operator()(char32_t code_point) const {
    return code_point < kTableSize ? table_[code_point] : search(code_point);
  }

 private:
  static constexpr char32_t kTableSize = 0x10000;  // The basic plane; the rest is rare.

  static Class search(char32_t code_point);

  std::array<Class, kTableSize> table_;
};

const CharClasses& char_classes();

/// What the Digits pre-tokenizer splits at.
bool is_numeric(char32_t code_point);

/// Whether canonical composition may move the character or join it to one before it. Characters
/// that joined Unicode late do not, since `tokenizers` composes by an early version.
bool is_joining(char32_t code_point);

/// Unicode's White_Space.
bool is_white_space(char32_t code_point);

/// `\w`: letters, marks, decimal numbers, connectors and joiners (Unicode TS 18, annex C).
bool is_word_char(char32_t code_point);

}  // namespace slayer
