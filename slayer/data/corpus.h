#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "slayer/core/progress.h"
#include "slayer/data/documents.h"
#include "slayer/data/token_store.h"
#include "slayer/tokenizer/tokenizer.h"

namespace slayer {

/// Which special tokens stand around a document.
enum class BosPolicy : uint8_t {
  kTokenizer,  ///< What the tokenizer itself puts before a text: BOS, or nothing.
  kAlways,
  kNever
};

/// A document as tokens.
struct EncodedDocument {
  std::vector<TokenId> tokens = {};
  std::vector<TokenSpan> learnt = {};  ///< Spans to be predicted, where not all are.
};

/// Turns documents into their tokens.
struct DocumentEncoder {
  std::function<EncodedDocument(const Document&)> encode;
  std::string key;          ///< Changes with anything that changes the tokens.
  std::string description;  ///< "nothing before, <|im_end|> (2) after each document".
  bool learns_all = true;   ///< Every token is to be predicted; EncodedDocument::learnt is empty.
};

/// For texts.
/// @param tokenizer_key  a hash of the files that define the tokenizer.
/// @throws Error when the policy demands a BOS or EOS that the tokenizer does not have.
DocumentEncoder make_document_encoder(const Tokenizer& tokenizer,
                                      const std::string& tokenizer_key,
                                      BosPolicy bos,
                                      bool add_eos);

/// Which part of the documents: a held-out share is chosen by a hash of each text, so that copies
/// of it fall on the same side, wherever they stand.
enum class CorpusPart : uint8_t { kAll, kTrained, kHeldOut };

/// The text that is trained on.
struct CorpusFiles {
  std::vector<std::filesystem::path> files;
  DocumentSource rows = {};
  CorpusPart part = CorpusPart::kAll;
  double holdout = 0.0;  ///< Share of the documents that are held out, unless `part` is kAll.
};

/// A corpus as tokens.
struct Corpus {
  CorpusFiles source;
  std::string key;  ///< SHA-256 of content, tokenizer and policy: names the training data.
  bool was_cached = false;
  TokenStore tokens;

  std::string document_name(int64_t document) const;  ///< "laws.jsonl:17"
};

/// Opens the corpus's tokens in `cache_folder`, after making them with `threads` threads where no
/// cache has the same key. @throws Error for text that cannot be read or an empty corpus;
/// Interrupted when stopped.
Corpus open_corpus(const CorpusFiles& source,
                   const DocumentEncoder& encoder,
                   const std::filesystem::path& cache_folder,
                   int threads,
                   ProgressStyle progress_style,
                   const std::stop_token& stop);

}  // namespace slayer
