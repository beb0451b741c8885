#include "slayer/tokenizer/vocabulary.h"

#include <cassert>

namespace slayer {

bool Vocabulary::add(std::string token, TokenId id) {
  assert(id >= 0 && id < kIdLimit);
  const auto index = static_cast<size_t>(id);
  if (ids_.contains(token) || token_of(id) != nullptr) {
    return false;
  }
  if (index >= by_id_.size()) {
    by_id_.resize(index + 1, nullptr);
  }
  tokens_.push_back(std::move(token));
  by_id_[index] = &tokens_.back();
  ids_.emplace(tokens_.back(), id);
  return true;
}

std::optional<TokenId> Vocabulary::id_of(std::string_view token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

const std::string* Vocabulary::token_of(TokenId id) const {
  return id >= 0 && static_cast<size_t>(id) < by_id_.size() ? by_id_[static_cast<size_t>(id)]
                                                            : nullptr;
}

}  // namespace slayer
