#include "slayer/tokenizer/tokenizer.h"

#include <algorithm>
#include <atomic>
#include <fmt/format.h>
#include <mutex>
#include <set>
#include <thread>

#include "slayer/core/error.h"
#include "slayer/core/json.h"
#include "slayer/tokenizer/byte_level.h"
#include "slayer/tokenizer/piece_cache.h"
#include "slayer/tokenizer/tokenizer_parts.h"
#include "slayer/tokenizer/utf8.h"

namespace slayer {
namespace {

constexpr size_t kTextLimit = size_t{1} << 31;  // Positions in a piece are 32 bits wide.

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

/// Turns pieces into ids, by the cache where it holds them.
class PieceEncoder final : public PieceSink {
 public:
  PieceEncoder(const Bpe& bpe, Scratch& scratch, std::vector<TokenId>& ids, bool cuts)
      : bpe_(bpe), scratch_(scratch), ids_(ids), cuts_(cuts) {}

  void take(std::string_view piece) override {
    if (!cuts_) {
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
  bool cuts_;
};

std::optional<TokenId> named_token(const JsonObject& config,
                                   std::string_view key,
                                   const Vocabulary& vocabulary) {
  if (!config.has(key)) {
    return std::nullopt;
  }
  const bool is_text = config.json().find(key)->is_string();
  return vocabulary.id_of(is_text ? config.string(key) : config.object(key).string("content"));
}

}  // namespace

struct Tokenizer::State {
  State(TokenizerParts all) : parts(std::move(all)) {}

  TokenizerParts parts;
  AddedTokenMatcher raw_matcher;         ///< Sought in the text as given.
  AddedTokenMatcher normalized_matcher;  ///< Sought in the normalized text.
  std::vector<bool> are_special;
  std::vector<std::string> decoded;  ///< What the decoder is given for each id.
  bool cuts_pieces = false;
  std::optional<TokenId> bos_id;
  std::optional<TokenId> eos_id;
  mutable ScratchPool scratches;

  void prepare_added_tokens();
  void encode_plain(std::string_view text,
                    bool is_text_start,
                    PieceEncoder& encoder,
                    std::vector<TokenId>& ids) const;
  template <class Plain>
  static void split_at(const AddedTokenMatcher& matcher,
                       std::string_view text,
                       std::vector<TokenId>& ids,
                       const Plain& plain);
};

void Tokenizer::State::prepare_added_tokens() {
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

/// Appends the ids of added tokens, and calls `plain` with the text between and its place.
template <class Plain>
void Tokenizer::State::split_at(const AddedTokenMatcher& matcher,
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

void Tokenizer::State::encode_plain(std::string_view text,
                                    bool is_text_start,
                                    PieceEncoder& encoder,
                                    std::vector<TokenId>& ids) const {
  const std::string normalized =
      parts.normalizer.is_identity() ? std::string() : parts.normalizer.normalize(text);
  const std::string_view subject = parts.normalizer.is_identity() ? text : normalized;
  split_at(normalized_matcher, subject, ids, [&](std::string_view between, size_t begin) {
    parts.pre_tokenizer.split(between, is_text_start && begin == 0, encoder);
  });
}

Tokenizer::Tokenizer(std::shared_ptr<const State> state) : state_(std::move(state)) {}

Tokenizer Tokenizer::from_side_files(const std::map<std::string, std::string>& files,
                                     const std::string& source) {
  const auto json = files.find("tokenizer.json");
  if (json == files.end()) {
    throw Error({.file = source,
                 .item = "tokenizer.json",
                 .found = "no such file",
                 .expected = "a tokenizer"});
  }
  const auto state =
      std::make_shared<State>(parts_from_tokenizer_json(json->second, source + "/tokenizer.json"));
  state->prepare_added_tokens();
  state->cuts_pieces = !state->parts.pre_tokenizer.has_steps() && state->parts.bpe.can_cut();
  for (const char* const name : {"special_tokens_map.json", "tokenizer_config.json"}) {
    const auto file = files.find(name);
    if (file == files.end()) {
      continue;
    }
    const std::string path = fmt::format("{}/{}", source, name);
    const Json content = parse_json(file->second, path);
    const JsonObject config(content, path);
    if (const auto bos = named_token(config, "bos_token", *state->parts.vocabulary)) {
      state->bos_id = bos;
    }
    if (const auto eos = named_token(config, "eos_token", *state->parts.vocabulary)) {
      state->eos_id = eos;
    }
  }
  return Tokenizer(state);
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, bool add_special_tokens) const {
  if (text.size() >= kTextLimit) {
    throw Error({.item = "a text to tokenize",
                 .found = fmt::format("{} bytes", text.size()),
                 .expected = "fewer than 2 GiB"});
  }
  const bool is_valid = valid_utf8_prefix(text) == text.size();
  const std::string replaced = is_valid ? std::string() : replace_invalid_utf8(text);
  const SpecialFrame& frame = state_->parts.frame;
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 3 + 8);
  if (add_special_tokens) {
    ids.insert(ids.end(), frame.prefix.begin(), frame.prefix.end());
  }
  auto scratch = state_->scratches.take();
  PieceEncoder encoder(state_->parts.bpe, *scratch, ids, state_->cuts_pieces);
  State::split_at(state_->raw_matcher,
                  is_valid ? text : replaced,
                  ids,
                  [&](std::string_view between, size_t begin) {
                    state_->encode_plain(between, begin == 0, encoder, ids);
                  });
  state_->scratches.give_back(std::move(scratch));
  if (add_special_tokens) {
    ids.insert(ids.end(), frame.suffix.begin(), frame.suffix.end());
  }
  return ids;
}

std::vector<std::vector<TokenId>> Tokenizer::encode_batch(std::span<const std::string_view> texts,
                                                          bool add_special_tokens,
                                                          int threads) const {
  std::vector<std::vector<TokenId>> encoded(texts.size());
  std::atomic<size_t> next_text = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    try {
      for (size_t i = next_text++; i < texts.size(); i = next_text++) {
        encoded[i] = encode(texts[i], add_special_tokens);
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
      next_text = texts.size();
    }
  };
  {
    std::vector<std::jthread> helpers;
    const auto wanted = std::min(texts.size(), static_cast<size_t>(std::max(threads, 1)));
    for (size_t i = 1; i < wanted; ++i) {
      helpers.emplace_back(work);
    }
    work();
  }
  if (failure) {
    std::rethrow_exception(failure);
  }
  return encoded;
}

std::string Tokenizer::decode(const std::vector<TokenId>& ids, bool skip_special_tokens) const {
  std::vector<std::string> tokens;
  std::string bytes;
  for (const TokenId id : ids) {
    if (state_->parts.vocabulary->token_of(id) == nullptr ||
        (skip_special_tokens && is_special(id))) {
      continue;
    }
    const std::string& token = state_->decoded[static_cast<size_t>(id)];
    if (state_->parts.decoder.is_byte_level()) {
      bytes += token;
    } else {
      tokens.push_back(token);
    }
  }
  return state_->parts.decoder.is_byte_level() ? replace_invalid_utf8(bytes)
                                               : state_->parts.decoder.decode(std::move(tokens));
}

int64_t Tokenizer::vocab_size() const {
  return static_cast<int64_t>(state_->parts.vocabulary->id_end());
}

std::optional<TokenId> Tokenizer::id_of(std::string_view token) const {
  return state_->parts.vocabulary->id_of(token);
}

std::string Tokenizer::token_of(TokenId id) const {
  const std::string* token = state_->parts.vocabulary->token_of(id);
  return token == nullptr ? std::string() : *token;
}

bool Tokenizer::is_special(TokenId id) const {
  return id >= 0 && static_cast<size_t>(id) < state_->are_special.size() &&
         state_->are_special[static_cast<size_t>(id)];
}

std::optional<TokenId> Tokenizer::bos_id() const { return state_->bos_id; }

std::optional<TokenId> Tokenizer::eos_id() const { return state_->eos_id; }

std::vector<TokenId> Tokenizer::prefix_ids() const { return state_->parts.frame.prefix; }

// --- StreamDecoder ---------------------------------------------------------------------------

StreamDecoder::StreamDecoder(Tokenizer tokenizer, bool skip_special_tokens)
    : tokenizer_(std::move(tokenizer)), skip_special_tokens_(skip_special_tokens) {}

std::string StreamDecoder::push(TokenId id) {
  const auto& state = *tokenizer_.state_;
  if (state.parts.vocabulary->token_of(id) == nullptr ||
      (skip_special_tokens_ && tokenizer_.is_special(id))) {
    return {};
  }
  if (state.parts.decoder.is_byte_level()) {
    bytes_ += state.decoded[static_cast<size_t>(id)];
    const size_t kept = incomplete_utf8_suffix(bytes_);
    std::string shown =
        replace_invalid_utf8(std::string_view(bytes_).substr(0, bytes_.size() - kept));
    bytes_.erase(0, bytes_.size() - kept);
    return shown;
  }
  window_.push_back(id);
  // The bytes of a character come as tokens of their own, and a run of them is decoded as a whole.
  const bool is_byte = is_fallback_byte(state.decoded[static_cast<size_t>(id)]);
  return is_byte ? std::string() : show_pending();
}

std::string StreamDecoder::finish() {
  std::string rest = show_pending() + replace_invalid_utf8(bytes_);
  bytes_.clear();
  window_.clear();
  shown_ = 0;
  return rest;
}

/// What the window's tokens add to those shown. Tokens are kept until what follows them makes text
/// of its own, since the first of a text may be decoded otherwise than the same one later.
std::string StreamDecoder::show_pending() {
  const auto shown_end = window_.begin() + static_cast<std::ptrdiff_t>(shown_);
  const std::string before = tokenizer_.decode({window_.begin(), shown_end}, skip_special_tokens_);
  const std::string all = tokenizer_.decode(window_, skip_special_tokens_);
  std::string added = all.substr(std::min(before.size(), all.size()));
  if (!added.empty()) {
    window_.erase(window_.begin(), shown_end);
  }
  shown_ = window_.size();
  return added;
}

}  // namespace slayer
