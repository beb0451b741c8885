#include "slayer/tokenizer/tokenizer_state.h"

#include <set>
#include <span>

#include "slayer/tokenizer/byte_level.h"

namespace slayer {
namespace {

/// Turns pieces into ids, by the cache where it holds them.
class PieceEncoder final : public PieceSink {
 public:
  PieceEncoder(const Bpe& bpe, Scratch& scratch, std::vector<TokenId>& ids)
      : bpe_(bpe), scratch_(scratch), ids_(ids), can_cut_(bpe.can_cut()) {}

  void take(std::string_view piece) override {
    if (!can_cut_) {
      encode(piece);
      return;
    }
    for (size_t begin = 0; begin < piece.size();) {
      const size_t end = bpe_.next_cut(piece, begin);
      encode(piece.substr(begin, end - begin));
      begin = end;
    }
  }

 private:
  void encode(std::string_view piece) {
    PieceCache::Slot& slot = scratch_.cache.slot_for(piece);
    if (slot.holds(piece)) {
      ids_.insert(ids_.end(), slot.ids().begin(), slot.ids().end());
      return;
    }
    const size_t before = ids_.size();
    bpe_.encode(piece, scratch_.workspace, ids_);
    slot.store(piece, std::span(ids_).subspan(before));
  }

  const Bpe& bpe_;
  Scratch& scratch_;
  std::vector<TokenId>& ids_;
  bool can_cut_;
};

/// Appends the ids of added tokens, and calls `plain` with the text between and its place.
template <class Plain>
void split_at(const AddedTokenMatcher& matcher,
              std::string_view text,
              std::vector<TokenId>& ids,
              const Plain& plain) {
  size_t done = 0;
  size_t search = 0;
  while (!matcher.is_empty()) {
    const auto found = matcher.next(text, search, done);
    if (!found) {
      break;
    }
    if (found->span.begin > done) {
      plain(text.substr(done, found->span.begin - done), done);
    }
    ids.push_back(found->id);
    done = found->span.end;
    search = found->match_end;
  }
  if (done < text.size()) {
    plain(text.substr(done), done);
  }
}

}  // namespace

Tokenizer::State::State(TokenizerParts all) : parts(std::move(all)) {
  const size_t count = parts.vocabulary->id_end();
  decoded.resize(count);
  are_special.resize(count);
  for (size_t index = 0; index < count; ++index) {
    if (const std::string* token = parts.vocabulary->token_of(static_cast<TokenId>(index))) {
      decoded[index] = *token;
    }
  }
  std::set<std::string_view> specials;
  for (const AddedToken& token : parts.added_tokens) {
    const auto index = static_cast<size_t>(token.id);
    if (token.is_special) {
      specials.insert(token.content);
    }
    if (!token.is_normalized) {
      raw_matcher.add(token.content, token);
      continue;
    }
    decoded[index] = parts.normalizer.normalize(token.content);
    if (!decoded[index].empty()) {
      normalized_matcher.add(decoded[index], token);
    }
  }
  for (size_t index = 0; index < count; ++index) {
    are_special[index] = specials.contains(decoded[index]);
  }
  if (parts.decoder.is_byte_level()) {
    for (std::string& token : decoded) {
      token = from_byte_level(token).value_or(token);
    }
  }
}

void Tokenizer::State::append_ids(std::string_view text, std::vector<TokenId>& ids) const {
  auto scratch = scratches.take();
  PieceEncoder encoder(parts.bpe, *scratch, ids);
  const auto encode_between = [&](std::string_view plain, bool is_text_start) {
    split_at(normalized_matcher, plain, ids, [&](std::string_view between, size_t begin) {
      parts.pre_tokenizer.split(between, is_text_start && begin == 0, encoder);
    });
  };
  split_at(raw_matcher, text, ids, [&](std::string_view between, size_t begin) {
    if (parts.normalizer.is_identity()) {
      encode_between(between, begin == 0);
    } else {
      encode_between(parts.normalizer.normalize(between), begin == 0);
    }
  });
  scratches.give_back(std::move(scratch));
}

}  // namespace slayer
