#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/data/conversation.h"

namespace slayer {

/// One text or conversation of a corpus: valid UTF-8 and not empty.
struct Document {
  std::string text = {};
  Json conversation = {};  ///< See conversation_of; null for a text.
  int64_t line = 0;        ///< The row, see OnRow; 0 where the whole file is the document.
};

/// How rows become documents.
struct DocumentSource {
  DocumentFormat format = DocumentFormat::kText;
  std::string text_field = "text";  ///< Of kText: the column.
};

/// The files that `patterns` name: files as they are, folders with all that lies below, globs
/// (`*`, `?`, `[...]`). Sorted within each pattern; a folder's files of other kinds, its .json
/// and hidden ones are passed over.
/// @throws Error for a pattern that names nothing, and for a file of an unknown kind.
std::vector<std::filesystem::path> find_document_files(const std::vector<std::string>& patterns);

/// Reads one file's documents in order: a .txt is one text, each row of the other kinds (see
/// FileKind) is one text or conversation. Empty texts are passed over.
/// `on_bytes` is called with the bytes of the file consumed since the last call.
/// @throws Error naming the file and the row, or the byte offset of text that is not UTF-8.
void read_documents(const std::filesystem::path& file,
                    const DocumentSource& source,
                    const std::function<void(Document)>& on_document,
                    const std::function<void(int64_t)>& on_bytes = {});

/// All documents of `find_document_files(patterns)`, in order; for text that fits in memory.
std::vector<Document> read_texts(const std::vector<std::string>& patterns,
                                 const std::string& text_field);

}  // namespace slayer
