#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "slayer/core/mapped_file.h"
#include "slayer/core/output_file.h"
#include "slayer/tokenizer/tokenizer.h"

namespace slayer {

/// Where a document came from.
struct DocumentOrigin {
  uint32_t file = 0;  ///< Index into the corpus's list of files.
  uint32_t line = 0;  ///< From 1 in a .jsonl; 0 where the whole file is the document.
};

/// Tokens [begin, end) of a store, or of a document.
struct TokenSpan {
  int64_t begin = 0;
  int64_t end = 0;

  bool operator==(const TokenSpan&) const = default;
};

/// A tokenised corpus on disk, mapped: the documents' tokens one after the other, so corpora may be
/// larger than memory. Written once under a key; native byte order, since it is a cache.
class TokenStore final {
 public:
  /// @throws Error when the file is not a whole store with this key.
  TokenStore(const std::filesystem::path& path, const std::string& key);

  int64_t document_count() const { return static_cast<int64_t>(ends_.size()); }
  int64_t token_count() const { return static_cast<int64_t>(tokens_.size()); }
  std::span<const TokenId> tokens() const { return tokens_; }

  /// Documents are [0, ends[0]), [ends[0], ends[1]), ... of the tokens; none is empty.
  std::span<const int64_t> document_ends() const { return ends_; }

  /// The tokens that are to be predicted, ascending and apart; nothing where all are.
  std::optional<std::span<const TokenSpan>> learnt() const { return learnt_; }

  /// The document that holds a token.
  int64_t document_at(int64_t token) const;
  DocumentOrigin origin(int64_t document) const;

 private:
  MappedFile file_;
  std::span<const TokenId> tokens_;
  std::span<const int64_t> ends_;
  std::span<const DocumentOrigin> origins_;
  std::optional<std::span<const TokenSpan>> learnt_;
};

/// Writes a store front to back; it appears under its name with `commit`.
class TokenStoreWriter final {
 public:
  /// `key`: 64 characters. `learns_all`: every token is to be predicted, spans are left out.
  /// @throws Error when the folder cannot be written.
  TokenStoreWriter(const std::filesystem::path& path,
                   const std::string& key,
                   bool learns_all = true);

  /// `tokens` must not be empty. `learnt`: spans of the document, ascending and apart.
  void add(std::span<const TokenId> tokens,
           DocumentOrigin origin,
           std::span<const TokenSpan> learnt = {});
  int64_t token_count() const { return token_count_; }
  void commit();

 private:
  std::filesystem::path path_;
  OutputFile file_;
  bool learns_all_;
  int64_t token_count_ = 0;
  std::vector<int64_t> ends_;
  std::vector<DocumentOrigin> origins_;
  std::vector<TokenSpan> learnt_;
};

}  // namespace slayer
