#include <fmt/format.h>

#include "slayer/core/error.h"
#include "slayer/data/corpus.h"

namespace slayer {
namespace {

TokenId require_token(std::optional<TokenId> id, const std::string& name) {
  if (!id) {
    throw Error({.item = fmt::format("{} around documents", name),
                 .found = fmt::format("a tokenizer without {}", name),
                 .expected = "a tokenizer that has one, or a policy without it"});
  }
  return *id;
}

std::vector<TokenId> prefix_of(const Tokenizer& tokenizer, BosPolicy bos) {
  switch (bos) {
    case BosPolicy::kTokenizer:
      return tokenizer.prefix_ids();
    case BosPolicy::kAlways:
      return {require_token(tokenizer.bos_id(), "BOS")};
    case BosPolicy::kNever:
      break;
  }
  return {};
}

std::string describe(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  std::string text;
  for (const TokenId id : ids) {
    text += fmt::format("{}{} ({})", text.empty() ? "" : " ", tokenizer.token_of(id), id);
  }
  return text.empty() ? "nothing" : text;
}

}  // namespace

DocumentEncoder make_document_encoder(const Tokenizer& tokenizer,
                                      const std::string& tokenizer_key,
                                      BosPolicy bos,
                                      bool add_eos) {
  const std::vector<TokenId> prefix = prefix_of(tokenizer, bos);
  std::vector<TokenId> suffix;
  if (add_eos) {
    suffix.push_back(require_token(tokenizer.eos_id(), "EOS"));
  }
  DocumentEncoder encoder;
  encoder.description = fmt::format("{} before, {} after each document",
                                    describe(tokenizer, prefix),
                                    describe(tokenizer, suffix));
  encoder.key = fmt::format(
      "{} prefix {} suffix {}", tokenizer_key, fmt::join(prefix, ","), fmt::join(suffix, ","));
  encoder.encode = [tokenizer, prefix, suffix](const Document& document) {
    std::vector<TokenId> ids = prefix;
    const std::vector<TokenId> body = tokenizer.encode(document.text, /*add_special_tokens=*/false);
    ids.insert(ids.end(), body.begin(), body.end());
    ids.insert(ids.end(), suffix.begin(), suffix.end());
    return EncodedDocument{.tokens = std::move(ids)};
  };
  return encoder;
}

}  // namespace slayer
