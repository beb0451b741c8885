#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace slayer {

/// One text of a corpus, valid UTF-8 and not empty.
struct Document {
  std::string text;
  int64_t line = 0;  ///< From 1 in a .jsonl; 0 where the whole file is the document.
};

/// The files that `patterns` name: files as they are, folders with all that lies below, globs
/// (`*`, `?`, `[...]`). Sorted within each pattern; a folder's files of other kinds, and hidden
/// ones, are passed over.
/// @throws Error for a pattern that names nothing, and for a file of an unknown kind.
std::vector<std::filesystem::path> find_document_files(const std::vector<std::string>& patterns);

/// Reads one file's documents in order: a .txt is one document, a .jsonl has one a line under the
/// key `text_field`; either may be compressed (.gz, .zst). Empty texts are passed over.
/// `on_bytes` is called with the bytes of the file consumed since the last call.
/// @throws Error naming the file and the line, or the byte offset of text that is not UTF-8.
void read_documents(const std::filesystem::path& file,
                    const std::string& text_field,
                    const std::function<void(Document)>& on_document,
                    const std::function<void(int64_t)>& on_bytes = {});

}  // namespace slayer
