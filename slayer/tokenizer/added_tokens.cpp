#include "slayer/tokenizer/added_tokens.h"

#include <algorithm>

#include "slayer/core/utf8.h"
#include "slayer/tokenizer/unicode.h"

namespace slayer {
namespace {

size_t before_white_space(std::string_view text, size_t end, size_t limit) {
  while (end > limit) {
    const size_t previous = previous_char(text, end);
    if (!is_white_space(char_at(text, previous).code_point)) {
      break;
    }
    end = previous;
  }
  return end;
}

size_t after_white_space(std::string_view text, size_t begin) {
  while (begin < text.size()) {
    const DecodedChar decoded = char_at(text, begin);
    if (!is_white_space(decoded.code_point)) {
      break;
    }
    begin += decoded.size;
  }
  return begin;
}

bool stands_alone(std::string_view text, size_t begin, size_t end) {
  const bool follows_word =
      begin > 0 && is_word_char(char_at(text, previous_char(text, begin)).code_point);
  const bool precedes_word = end < text.size() && is_word_char(char_at(text, end).code_point);
  return !follows_word && !precedes_word;
}

}  // namespace

void AddedTokenMatcher::add(std::string_view pattern, const AddedToken& token) {
  uint32_t node = 0;
  for (const char c : pattern) {
    const auto byte = static_cast<unsigned char>(c);
    const auto [child, is_new] =
        nodes_[node].children.emplace(byte, static_cast<uint32_t>(nodes_.size()));
    node = child->second;
    if (is_new) {
      nodes_.emplace_back();
    }
  }
  nodes_[node].token = static_cast<uint32_t>(tokens_.size());
  tokens_.push_back(token);
  can_begin_[static_cast<unsigned char>(pattern.front())] = true;
}

std::optional<AddedTokenMatcher::Match> AddedTokenMatcher::longest_at(std::string_view text,
                                                                      size_t begin) const {
  std::optional<Match> longest;
  uint32_t node = 0;
  for (size_t position = begin; position < text.size(); ++position) {
    const auto& children = nodes_[node].children;
    const auto child = children.find(static_cast<unsigned char>(text[position]));
    if (child == children.end()) {
      break;
    }
    node = child->second;
    if (nodes_[node].token) {
      longest = Match{position + 1, *nodes_[node].token};
    }
  }
  return longest;
}

std::optional<AddedTokenMatcher::Found> AddedTokenMatcher::next(std::string_view text,
                                                                size_t begin,
                                                                size_t free_from) const {
  for (size_t position = begin; position < text.size(); ++position) {
    if (!can_begin_[static_cast<unsigned char>(text[position])]) {
      continue;
    }
    if (const auto match = longest_at(text, position)) {
      const AddedToken& token = tokens_[match->token];
      if (token.is_single_word && !stands_alone(text, position, match->end)) {
        position = match->end - 1;  // Nothing inside it is tried either.
        continue;
      }
      return Found{{token.strips_left ? before_white_space(text, position, free_from) : position,
                    token.strips_right ? after_white_space(text, match->end) : match->end},
                   match->end,
                   token.id};
    }
  }
  return std::nullopt;
}

}  // namespace slayer
