#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/tokenizer/regex.h"
#include "slayer/tokenizer/scanner.h"

namespace slayer {

/// Takes the pieces of a text one by one.
class PieceSink {
 public:
  PieceSink() = default;
  PieceSink(const PieceSink&) = delete;
  PieceSink& operator=(const PieceSink&) = delete;
  virtual ~PieceSink() = default;
  /// `piece` is not empty and lives until the call returns.
  virtual void take(std::string_view piece) = 0;
};

/// What becomes of the matches of a pattern that a text is split at.
enum class SplitBehavior : uint8_t {
  kIsolated,            ///< A piece of their own.
  kRemoved,             ///< They vanish.
  kMergedWithPrevious,  ///< Part of the piece before.
  kMergedWithNext,      ///< Part of the piece after.
  kContiguous,          ///< As isolated, neighbouring matches joined.
};

/// Cuts a text into the pieces that BPE never merges across. Immutable.
/// Source of the meaning of each part: huggingface/tokenizers, src/pre_tokenizers.
class PreTokenizer final {
 public:
  /// Each step cuts the pieces of the one before.
  struct ScanStep {
    KnownPattern pattern;
  };
  struct SplitStep {
    Regex regex;
    SplitBehavior behavior;
    bool inverts;  ///< What lies between the matches is what counts as matched.
  };
  struct DigitsStep {
    bool are_individual;
  };
  struct MetaspaceStep {
    enum class Prepend : uint8_t { kFirst, kNever, kAlways };
    std::string replacement;  ///< What a space becomes, one character.
    Prepend prepend;
    bool splits;
  };
  struct PrefixSpaceStep {};  ///< A space before each piece that does not begin with one.
  using Step = std::variant<ScanStep, SplitStep, DigitsStep, MetaspaceStep, PrefixSpaceStep>;

  /// No steps: a text is one piece.
  PreTokenizer() = default;

  /// From tokenizer.json's "pre_tokenizer", null included. @throws Error naming what it cannot do.
  PreTokenizer(const Json& json, const std::string& file);

  /// `is_text_start`: whether `text` is the beginning of what the user gave.
  void split(std::string_view text, bool is_text_start, PieceSink& sink) const;

  /// Pieces are to be read as bytes in GPT-2's alphabet.
  bool is_byte_level() const { return is_byte_level_; }

 private:
  void add(const JsonObject& json);
  void add_split(const JsonObject& json);
  void add_metaspace(const JsonObject& json);
  void run(size_t step, std::string_view text, bool is_text_start, PieceSink& sink) const;
  template <class Each>
  void cut(const Step& step, std::string_view text, bool is_text_start, const Each& each) const;

  std::vector<Step> steps_;
  bool is_byte_level_ = false;
};

}  // namespace slayer
