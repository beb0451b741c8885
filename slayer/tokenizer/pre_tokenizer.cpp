#include "slayer/tokenizer/pre_tokenizer.h"

#include <algorithm>
#include <fmt/format.h>

#include "slayer/core/error.h"
#include "slayer/core/utf8.h"
#include "slayer/tokenizer/unicode.h"

namespace slayer {
namespace {

/// A stretch of a text, and whether the pattern matched it.
struct Stretch {
  TextSpan span;
  bool is_match;
};

/// All of `text` in order, matches and what lies between. Empty matches cut the text.
std::vector<Stretch> stretches(const Regex& regex, std::string_view text, bool inverts) {
  std::vector<Stretch> all;
  size_t end = 0;
  Regex::Matches matches(regex, text);
  while (const auto match = matches.next()) {
    if (match->begin > end) {
      all.push_back({{end, match->begin}, inverts});
    }
    all.push_back({*match, !inverts});
    end = match->end;
  }
  if (end < text.size()) {
    all.push_back({{end, text.size()}, inverts});
  }
  return all;
}

std::vector<Stretch> digit_stretches(std::string_view text) {
  std::vector<Stretch> all;
  size_t end = 0;
  for (size_t position = 0; position < text.size();) {
    const auto [code_point, size] = char_at(text, position);
    if (is_numeric(code_point)) {
      if (position > end) {
        all.push_back({{end, position}, false});
      }
      end = position + size;
      all.push_back({{position, end}, true});
    }
    position += size;
  }
  if (end < text.size()) {
    all.push_back({{end, text.size()}, false});
  }
  return all;
}

/// Joins matches to the stretch before them, but a match that follows a match stands alone.
std::vector<TextSpan> merged_with_previous(const std::vector<Stretch>& all) {
  std::vector<TextSpan> pieces;
  bool was_match = false;
  for (const auto& [span, is_match] : all) {
    if (is_match && !was_match && !pieces.empty()) {
      pieces.back().end = span.end;
    } else {
      pieces.push_back(span);
    }
    was_match = is_match;
  }
  return pieces;
}

std::vector<TextSpan> merged_with_next(const std::vector<Stretch>& all) {
  std::vector<TextSpan> pieces;  // From right to left.
  bool was_match = false;
  for (auto stretch = all.rbegin(); stretch != all.rend(); ++stretch) {
    if (stretch->is_match && !was_match && !pieces.empty()) {
      pieces.back().begin = stretch->span.begin;
    } else {
      pieces.push_back(stretch->span);
    }
    was_match = stretch->is_match;
  }
  std::ranges::reverse(pieces);
  return pieces;
}

std::vector<TextSpan> contiguous(const std::vector<Stretch>& all) {
  std::vector<TextSpan> pieces;
  bool was_match = false;
  for (const auto& [span, is_match] : all) {
    if (is_match == was_match && !pieces.empty()) {
      pieces.back().end = span.end;
    } else {
      pieces.push_back(span);
    }
    was_match = is_match;
  }
  return pieces;
}

std::vector<TextSpan> pieces_of(SplitBehavior behavior, const std::vector<Stretch>& all) {
  switch (behavior) {
    case SplitBehavior::kMergedWithPrevious:
      return merged_with_previous(all);
    case SplitBehavior::kMergedWithNext:
      return merged_with_next(all);
    case SplitBehavior::kContiguous:
      return contiguous(all);
    case SplitBehavior::kIsolated:
    case SplitBehavior::kRemoved:
      break;
  }
  std::vector<TextSpan> pieces;
  for (const auto& [span, is_match] : all) {
    if (behavior == SplitBehavior::kIsolated || !is_match) {
      pieces.push_back(span);
    }
  }
  return pieces;
}

/// Where a run of `mark` ends that begins at `position`, or `position`.
size_t after_one(std::string_view text, size_t position, std::string_view mark) {
  return text.substr(position, mark.size()) == mark ? position + mark.size() : position;
}

std::string with_metaspaces(const PreTokenizer::MetaspaceStep& step,
                            std::string_view text,
                            bool is_text_start) {
  using Prepend = PreTokenizer::MetaspaceStep::Prepend;
  std::string replaced;
  replaced.reserve(text.size() + text.size() / 2);
  const bool begins_with_space = text.front() == ' ' || text.starts_with(step.replacement);
  if (!begins_with_space &&
      (step.prepend == Prepend::kAlways || (step.prepend == Prepend::kFirst && is_text_start))) {
    replaced += step.replacement;
  }
  for (const char c : text) {
    if (c == ' ') {
      replaced += step.replacement;
    } else {
      replaced.push_back(c);
    }
  }
  return replaced;
}

SplitBehavior behavior_from(const JsonObject& json) {
  constexpr std::array<std::pair<std::string_view, SplitBehavior>, 5> kBehaviors = {
      {{"Isolated", SplitBehavior::kIsolated},
       {"Removed", SplitBehavior::kRemoved},
       {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
       {"MergedWithNext", SplitBehavior::kMergedWithNext},
       {"Contiguous", SplitBehavior::kContiguous}}};
  const std::string name = json.string("behavior");
  for (const auto& [known, behavior] : kBehaviors) {
    if (name == known) {
      return behavior;
    }
  }
  json.fail("behavior",
            printable(name),
            "Isolated, Removed, MergedWithPrevious, MergedWithNext or Contiguous");
}

}  // namespace

PreTokenizer::PreTokenizer(const Json& json, const std::string& file) {
  if (!json.is_null()) {
    add(JsonObject(json, file, "pre_tokenizer"));
  }
}

void PreTokenizer::add(const JsonObject& json) {
  const std::string type = json.string("type");
  if (is_byte_level_) {
    json.fail("type", printable(type) + " after ByteLevel", "ByteLevel last");
  }
  if (type == "Sequence") {
    for (const Json& part : json.array("pretokenizers")) {
      add(JsonObject(part, json.file(), "pre_tokenizer.pretokenizers[]"));
    }
  } else if (type == "ByteLevel") {
    if (json.boolean_or("add_prefix_space", true)) {
      steps_.emplace_back(PrefixSpaceStep{});
    }
    if (json.boolean_or("use_regex", true)) {
      steps_.emplace_back(ScanStep{KnownPattern::kGpt2});
    }
    is_byte_level_ = true;
  } else if (type == "Digits") {
    steps_.emplace_back(DigitsStep{json.boolean("individual_digits")});
  } else if (type == "Split") {
    add_split(json);
  } else if (type == "Metaspace") {
    add_metaspace(json);
  } else {
    json.fail("type", printable(type), "Sequence, ByteLevel, Digits, Split or Metaspace");
  }
}

void PreTokenizer::add_split(const JsonObject& json) {
  const SplitBehavior behavior = behavior_from(json);
  const bool inverts = json.boolean_or("invert", false);
  const JsonObject pattern = json.object("pattern");
  if (pattern.has("String")) {
    Regex regex = Regex::literal(pattern.string("String"), json.file(), "pre_tokenizer.pattern");
    steps_.emplace_back(SplitStep{std::move(regex), behavior, inverts});
    return;
  }
  const std::string regex = pattern.string("Regex");
  // A known pattern matches everything: isolated, or what is left when nothing between is removed.
  const bool keeps_matches =
      inverts ? behavior == SplitBehavior::kRemoved : behavior == SplitBehavior::kIsolated;
  if (const auto known = known_pattern(regex); known && keeps_matches) {
    steps_.emplace_back(ScanStep{*known});
  } else {
    steps_.emplace_back(
        SplitStep{Regex(regex, json.file(), "pre_tokenizer.pattern"), behavior, inverts});
  }
}

void PreTokenizer::add_metaspace(const JsonObject& json) {
  using Prepend = MetaspaceStep::Prepend;
  const std::string replacement = json.string("replacement");
  if (replacement.empty() || char_at(replacement, 0).size != replacement.size()) {
    json.fail("replacement", printable(replacement), "one character");
  }
  const std::string scheme = json.string_or("prepend_scheme", "always");
  const bool adds_prefix = json.boolean_or("add_prefix_space", true);
  Prepend prepend = Prepend::kNever;
  if (scheme == "first") {
    prepend = Prepend::kFirst;
  } else if (scheme == "always") {
    prepend = Prepend::kAlways;
  } else if (scheme != "never") {
    json.fail("prepend_scheme", printable(scheme), "first, never or always");
  }
  if (!adds_prefix && prepend != Prepend::kNever) {
    json.fail("add_prefix_space", "false", "true, or \"prepend_scheme\": \"never\"");
  }
  steps_.emplace_back(MetaspaceStep{replacement, prepend, json.boolean_or("split", true)});
}

void PreTokenizer::split(std::string_view text, bool is_text_start, PieceSink& sink) const {
  if (!text.empty()) {
    run(0, text, is_text_start, sink);
  }
}

void PreTokenizer::run(size_t step,
                       std::string_view text,
                       bool is_text_start,
                       PieceSink& sink) const {
  if (step == steps_.size()) {
    sink.take(text);
    return;
  }
  cut(steps_[step], text, is_text_start, [&](std::string_view piece, bool is_start) {
    if (!piece.empty()) {
      run(step + 1, piece, is_start, sink);
    }
  });
}

/// Calls `each` with the pieces that one step makes of `text`.
template <class Each>
void PreTokenizer::cut(const Step& step,
                       std::string_view text,
                       bool is_text_start,
                       const Each& each) const {
  const auto each_span = [&](std::string_view whole, const std::vector<TextSpan>& spans) {
    for (const TextSpan& span : spans) {
      each(whole.substr(span.begin, span.end - span.begin), is_text_start && span.begin == 0);
    }
  };
  if (const auto* scan = std::get_if<ScanStep>(&step)) {
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = scan_piece(scan->pattern, text, begin);
      each(text.substr(begin, end - begin), is_text_start && begin == 0);
      begin = end;
    }
  } else if (const auto* digits = std::get_if<DigitsStep>(&step)) {
    const auto behavior =
        digits->are_individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous;
    each_span(text, pieces_of(behavior, digit_stretches(text)));
  } else if (const auto* split = std::get_if<SplitStep>(&step)) {
    each_span(text, pieces_of(split->behavior, stretches(split->regex, text, split->inverts)));
  } else if (const auto* metaspace = std::get_if<MetaspaceStep>(&step)) {
    const std::string marked = with_metaspaces(*metaspace, text, is_text_start);
    if (metaspace->splits) {
      std::vector<Stretch> all;
      for (size_t begin = 0; begin < marked.size();) {
        size_t end = after_one(marked, begin, metaspace->replacement);
        const bool is_mark = end > begin;
        if (!is_mark) {
          end = std::min(marked.find(metaspace->replacement, begin), marked.size());
        }
        all.push_back({{begin, end}, is_mark});
        begin = end;
      }
      each_span(marked, merged_with_next(all));
    } else {
      each(marked, is_text_start);
    }
  } else if (text.front() == ' ') {
    each(text, is_text_start);
  } else {
    each(fmt::format(" {}", text), is_text_start);
  }
}

}  // namespace slayer
