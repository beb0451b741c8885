#include "slayer/tokenizer/tokenizer.h"

#include <algorithm>
#include <atomic>
#include <fmt/format.h>
#include <mutex>
#include <thread>

#include "slayer/core/error.h"
#include "slayer/core/json.h"
#include "slayer/core/utf8.h"
#include "slayer/tokenizer/sentencepiece.h"
#include "slayer/tokenizer/tokenizer_json.h"
#include "slayer/tokenizer/tokenizer_parts.h"
#include "slayer/tokenizer/tokenizer_state.h"

namespace slayer {
namespace {

constexpr size_t kTextLimit = size_t{1} << 31;  // Positions in a piece are 32 bits wide.

/// The side file as JSON, {} where there is none.
Json side_file(const std::map<std::string, std::string>& files,
               const std::string& name,
               const std::string& path) {
  const auto file = files.find(name);
  return file == files.end() ? Json::object() : parse_json(file->second, path);
}

TokenizerParts parts_of(const std::map<std::string, std::string>& files,
                        const std::string& source) {
  if (const auto json = files.find("tokenizer.json"); json != files.end()) {
    const std::string path = source + "/tokenizer.json";
    return tokenizer_parts(parse_tokenizer_json(json->second, path), path);
  }
  if (const auto model = files.find("tokenizer.model"); model != files.end()) {
    const std::string path = source + "/tokenizer.model";
    const std::string config_path = source + "/tokenizer_config.json";
    const Json config = side_file(files, "tokenizer_config.json", config_path);
    return tokenizer_parts(
        tokenizer_json_from_sentencepiece(model->second, path, config, config_path), path);
  }
  throw Error({.file = source,
               .item = "tokenizer",
               .found = "neither tokenizer.json nor tokenizer.model",
               .expected = "one of them"});
}

/// The id of a token that a configuration names, as text or as {"content": text}.
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

Tokenizer::Tokenizer(std::shared_ptr<const State> state) : state_(std::move(state)) {}

Tokenizer Tokenizer::from_side_files(const std::map<std::string, std::string>& files,
                                     const std::string& source) {
  const auto state = std::make_shared<State>(parts_of(files, source));
  const Vocabulary& vocabulary = *state->parts.vocabulary;
  for (const std::string name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    const std::string path = fmt::format("{}/{}", source, name);
    const Json content = side_file(files, name, path);
    const JsonObject config(content, path);
    if (!state->bos_id) {
      state->bos_id = named_token(config, "bos_token", vocabulary);
    }
    if (!state->eos_id) {
      state->eos_id = named_token(config, "eos_token", vocabulary);
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
  state_->append_ids(is_valid ? text : replaced, ids);
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

}  // namespace slayer
