#include "slayer/data/token_store.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <fmt/format.h>
#include <system_error>

#include "slayer/core/error.h"
#include "slayer/core/file.h"

namespace slayer {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kMagic = "slayer tokens 2\n";
constexpr size_t kKeyBytes = 64;
constexpr size_t kHeaderBytes = kMagic.size() + kKeyBytes;

/// Closes the file: everything before it is found from here.
struct Trailer {
  int64_t token_count;
  int64_t document_count;
  int64_t learnt_count;  ///< kLearnsAll: no spans.
};
constexpr int64_t kLearnsAll = -1;

// header | tokens, padded to 8 bytes | document ends | origins | learnt spans | trailer
size_t padded_token_bytes(int64_t token_count) {
  return (static_cast<size_t>(token_count) * sizeof(TokenId) + 7) / 8 * 8;
}

fs::path partial_of(fs::path path) { return path += ".partial"; }

template <typename T>
std::span<const T> view_as(std::span<const std::byte> bytes, size_t offset, int64_t count) {
  return {reinterpret_cast<const T*>(bytes.data() + offset), static_cast<size_t>(count)};
}

bool are_rising(std::span<const TokenSpan> spans, int64_t last) {
  int64_t previous = 0;
  for (const TokenSpan& span : spans) {
    if (span.begin < previous || span.end <= span.begin) {
      return false;
    }
    previous = span.end;
  }
  return previous <= last;
}

bool are_rising(std::span<const int64_t> ends, int64_t last) {
  int64_t previous = 0;
  for (const int64_t end : ends) {
    if (end <= previous) {
      return false;
    }
    previous = end;
  }
  return previous == last;
}

}  // namespace

TokenStore::TokenStore(const fs::path& path, const std::string& key) : file_(path) {
  const std::span<const std::byte> bytes = file_.bytes();
  const auto fail = [&path](std::string found) {
    throw Error({.file = path.string(),
                 .found = std::move(found),
                 .expected = "tokens written by slayer",
                 .hint = "remove the file: it is only a cache"});
  };
  if (bytes.size() < kHeaderBytes + sizeof(Trailer)) {
    fail(fmt::format("{} bytes", bytes.size()));
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(std::string(kMagic) + key)) {
    fail("another header");
  }
  Trailer trailer{};
  std::memcpy(&trailer, bytes.data() + bytes.size() - sizeof trailer, sizeof trailer);
  const auto limit = static_cast<int64_t>(bytes.size());
  if (trailer.token_count < 0 || trailer.token_count > limit || trailer.document_count < 0 ||
      trailer.document_count > limit || trailer.learnt_count < kLearnsAll ||
      trailer.learnt_count > limit) {
    fail("counts beyond the file");
  }
  const size_t ends_offset = kHeaderBytes + padded_token_bytes(trailer.token_count);
  const auto documents = static_cast<size_t>(trailer.document_count);
  const size_t origins_offset = ends_offset + documents * sizeof(int64_t);
  const size_t learnt_offset = origins_offset + documents * sizeof(DocumentOrigin);
  const int64_t learnt = std::max<int64_t>(trailer.learnt_count, 0);
  if (learnt_offset + static_cast<size_t>(learnt) * sizeof(TokenSpan) + sizeof trailer !=
      bytes.size()) {
    fail("counts that do not fit its size");
  }
  tokens_ = view_as<TokenId>(bytes, kHeaderBytes, trailer.token_count);
  ends_ = view_as<int64_t>(bytes, ends_offset, trailer.document_count);
  origins_ = view_as<DocumentOrigin>(bytes, origins_offset, trailer.document_count);
  if (trailer.learnt_count != kLearnsAll) {
    learnt_ = view_as<TokenSpan>(bytes, learnt_offset, learnt);
  }
  if (!are_rising(ends_, trailer.token_count) ||
      (learnt_ && !are_rising(*learnt_, trailer.token_count))) {
    fail("documents out of order");
  }
}

int64_t TokenStore::document_at(int64_t token) const {
  assert(token >= 0 && token < token_count());
  return std::ranges::upper_bound(ends_, token) - ends_.begin();
}

DocumentOrigin TokenStore::origin(int64_t document) const {
  return origins_[static_cast<size_t>(document)];
}

TokenStoreWriter::TokenStoreWriter(const fs::path& path, const std::string& key, bool learns_all)
    : path_(path), file_(partial_of(path)), learns_all_(learns_all) {
  assert(key.size() == kKeyBytes);
  file_.write(kMagic);
  file_.write(key);
}

void TokenStoreWriter::add(std::span<const TokenId> tokens,
                           DocumentOrigin origin,
                           std::span<const TokenSpan> learnt) {
  assert(!tokens.empty());
  for (const TokenSpan& span : learnt) {
    learnt_.push_back({.begin = token_count_ + span.begin, .end = token_count_ + span.end});
  }
  file_.write(std::as_bytes(tokens));
  token_count_ += static_cast<int64_t>(tokens.size());
  ends_.push_back(token_count_);
  origins_.push_back(origin);
}

void TokenStoreWriter::commit() {
  const size_t token_bytes = static_cast<size_t>(token_count_) * sizeof(TokenId);
  file_.write(std::string(padded_token_bytes(token_count_) - token_bytes, '\0'));
  file_.write(std::as_bytes(std::span(ends_)));
  file_.write(std::as_bytes(std::span(origins_)));
  file_.write(std::as_bytes(std::span(learnt_)));
  const Trailer trailer{
      .token_count = token_count_,
      .document_count = static_cast<int64_t>(ends_.size()),
      .learnt_count = learns_all_ ? kLearnsAll : static_cast<int64_t>(learnt_.size())};
  file_.write(std::as_bytes(std::span(&trailer, 1)));
  file_.close();
  std::error_code error;
  fs::rename(file_.path(), path_, error);
  if (error) {
    throw Error({.file = path_.string(), .item = "cannot rename", .found = error.message()});
  }
  sync_folder(path_.parent_path());
}

}  // namespace slayer
