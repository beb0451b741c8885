#include "slayer/data/corpus.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <fmt/format.h>
#include <optional>
#include <system_error>
#include <thread>

#include "slayer/core/error.h"
#include "slayer/core/sha256.h"
#include "slayer/data/documents.h"
#include "slayer/data/file_hash.h"

namespace slayer {
namespace fs = std::filesystem;
namespace {

/// Text that is read before the threads are set to work on it.
constexpr size_t kBatchBytes = size_t{4} << 20U;

/// File names count, since their endings say how the bytes are read.
std::string key_of(const CorpusFiles& source, const DocumentEncoder& encoder) {
  Sha256 hash;
  hash.update(fmt::format("{}\nfield {}\n", encoder.key, source.rows.text_field));
  if (source.rows.format != DocumentFormat::kText) {
    hash.update(fmt::format("format {}\n", name_of(source.rows.format)));
  }
  if (source.part != CorpusPart::kAll) {
    const std::string_view part = source.part == CorpusPart::kTrained ? "all but" : "only";
    hash.update(fmt::format("{} held-out {}\n", part, source.holdout));
  }
  for (const fs::path& file : source.files) {
    hash_file(hash, file);
  }
  return hash.hex_digest();
}

struct ReadDocument {
  Document document;
  DocumentOrigin origin;
};

std::string name_of(const CorpusFiles& source, const DocumentOrigin& origin) {
  const std::string file = source.files[origin.file].string();
  return origin.line == 0 ? file : fmt::format("{}:{}", file, origin.line);
}

/// Encodes every document of the batch, each by whichever thread is free.
std::vector<EncodedDocument> encode_all(const CorpusFiles& source,
                                        const std::vector<ReadDocument>& batch,
                                        const DocumentEncoder& encoder,
                                        int threads) {
  std::vector<EncodedDocument> encoded(batch.size());
  std::atomic<size_t> next = 0;
  std::vector<std::exception_ptr> failures(batch.size());  // So that the first document's is told.
  const auto work = [&] {
    for (size_t i = next++; i < batch.size(); i = next++) {
      try {
        encoded[i] = encoder.encode(batch[i].document);
      } catch (const Error& error) {
        ErrorParts parts = error.parts();
        parts.hint = "in " + name_of(source, batch[i].origin);
        failures[i] = std::make_exception_ptr(Error(std::move(parts)));
      } catch (...) {
        failures[i] = std::current_exception();
      }
    }
  };
  {
    std::vector<std::jthread> helpers;
    for (int thread = 1; thread < threads; ++thread) {
      helpers.emplace_back(work);
    }
    work();
  }
  for (const std::exception_ptr& failure : failures) {
    if (failure) {
      std::rethrow_exception(failure);
    }
  }
  return encoded;
}

/// Bytes of a document's text.
size_t size_of(const Document& document) {
  size_t bytes = document.text.size();
  for (const Json& turn : document.conversation) {
    bytes += turn.value("content", "").size();
  }
  return bytes;
}

/// Whether a document is in the part of the corpus that is wanted.
bool is_wanted(const CorpusFiles& source, const Document& document) {
  if (source.part == CorpusPart::kAll) {
    return true;
  }
  const std::string digest =
      sha256(document.conversation.is_null() ? document.text : compact_text(document.conversation));
  const double place = static_cast<double>(std::stoull(digest.substr(0, 13), nullptr, 16)) /
                       static_cast<double>(uint64_t{1} << 52U);
  return (place < source.holdout) == (source.part == CorpusPart::kHeldOut);
}

/// Collects documents until there is enough work for all threads, then writes their tokens in
/// order.
class BatchedEncoding final {
 public:
  BatchedEncoding(const CorpusFiles& source,
                  const DocumentEncoder& encoder,
                  int threads,
                  TokenStoreWriter& writer)
      : source_(source), encoder_(encoder), threads_(threads), writer_(writer) {}

  void add(ReadDocument document) {
    bytes_ += size_of(document.document);
    batch_.push_back(std::move(document));
    if (bytes_ >= kBatchBytes * static_cast<size_t>(threads_)) {
      flush();
    }
  }

  void flush() {
    const std::vector<EncodedDocument> encoded = encode_all(source_, batch_, encoder_, threads_);
    for (size_t i = 0; i < batch_.size(); ++i) {
      if (!encoded[i].tokens.empty()) {
        writer_.add(encoded[i].tokens, batch_[i].origin, encoded[i].learnt);
      }
    }
    batch_.clear();
    bytes_ = 0;
  }

 private:
  const CorpusFiles& source_;
  const DocumentEncoder& encoder_;
  int threads_;
  TokenStoreWriter& writer_;
  std::vector<ReadDocument> batch_;
  size_t bytes_ = 0;
};

int64_t total_bytes(const std::vector<fs::path>& files) {
  uintmax_t total = 0;
  for (const fs::path& file : files) {
    std::error_code error;
    const uintmax_t size = fs::file_size(file, error);
    total += error ? 0 : size;
  }
  return static_cast<int64_t>(total);
}

void build_store(const CorpusFiles& source,
                 const DocumentEncoder& encoder,
                 const fs::path& path,
                 const std::string& key,
                 int threads,
                 ProgressStyle progress_style,
                 const std::stop_token& stop) {
  Progress progress("tokenizing", total_bytes(source.files), "bytes", progress_style);
  TokenStoreWriter writer(path, key, encoder.learns_all);
  BatchedEncoding encoding(source, encoder, threads, writer);
  for (size_t i = 0; i < source.files.size(); ++i) {
    read_documents(
        source.files[i],
        source.rows,
        [&](Document document) {
          if (stop.stop_requested()) {
            throw Interrupted("run the same command again to start over");
          }
          if (!is_wanted(source, document)) {
            return;
          }
          const DocumentOrigin origin{.file = static_cast<uint32_t>(i),
                                      .line = static_cast<uint32_t>(document.line)};
          encoding.add({.document = std::move(document), .origin = origin});
        },
        [&](int64_t bytes) { progress.advance(bytes); });
  }
  encoding.flush();
  writer.commit();
  progress.finish();
}

/// The cached tokens, unless there are none or the file is damaged.
std::optional<TokenStore> open_cached(const fs::path& path, const std::string& key) {
  if (!fs::exists(path)) {
    return std::nullopt;
  }
  try {
    return TokenStore(path, key);
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

std::string Corpus::document_name(int64_t document) const {
  return name_of(source, tokens.origin(document));
}

Corpus open_corpus(const CorpusFiles& source,
                   const DocumentEncoder& encoder,
                   const fs::path& cache_folder,
                   int threads,
                   ProgressStyle progress_style,
                   const std::stop_token& stop) {
  const std::string key = key_of(source, encoder);
  std::error_code error;
  fs::create_directories(cache_folder, error);
  if (error) {
    throw Error(
        {.file = cache_folder.string(), .item = "cannot create folder", .found = error.message()});
  }
  const fs::path path = cache_folder / fmt::format("tokens-{}.bin", key.substr(0, 16));
  std::optional<TokenStore> store = open_cached(path, key);
  const bool was_cached = store.has_value();
  if (!was_cached) {
    build_store(source, encoder, path, key, threads, progress_style, stop);
    store.emplace(path, key);
  }
  if (store->token_count() == 0) {
    throw Error(
        {.file = source.files.front().string(),
         .found = (source.files.size() == 1 ? "no text"
                                            : fmt::format("no text in this and {} more files",
                                                          source.files.size() - 1)) +
                  (source.part == CorpusPart::kHeldOut ? " that was held out" : ""),
         .expected = "at least one document",
         .hint = source.part == CorpusPart::kHeldOut ? "a larger --holdout?" : ""});
  }
  return {.source = source, .key = key, .was_cached = was_cached, .tokens = std::move(*store)};
}

}  // namespace slayer
