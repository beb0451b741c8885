#include "slayer/data/csv.h"

#include <fmt/format.h>

#include "slayer/core/error.h"
#include "slayer/core/utf8.h"
#include "slayer/data/file_pieces.h"

namespace slayer {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// Takes a file's characters and makes records of them.
class CsvParser final {
 public:
  CsvParser(const std::filesystem::path& file,
            const std::function<void(std::vector<std::string>)>& on_record)
      : file_(file), on_record_(on_record) {}

  void take(char character) {
    switch (state_) {
      case State::kQuoted:
        if (character == '"') {
          state_ = State::kQuoteInQuoted;
        } else {
          append(character);
        }
        return;
      case State::kQuoteInQuoted:
        if (character == '"') {
          append('"');
          state_ = State::kQuoted;
          return;
        }
        state_ = State::kAfterQuoted;
        break;
      case State::kFieldStart:
        if (character == '"') {
          state_ = State::kQuoted;
          has_content_ = true;
          return;
        }
        state_ = State::kPlain;
        break;
      case State::kPlain:
      case State::kAfterQuoted:
        break;
    }
    take_unquoted(character);
  }

  void finish() {
    if (state_ == State::kQuoted) {
      fail("a quote that is never closed", "closing quotes");
    }
    end_record();
  }

 private:
  enum class State : uint8_t { kFieldStart, kPlain, kQuoted, kQuoteInQuoted, kAfterQuoted };

  void take_unquoted(char character) {
    if (character == ',') {
      end_field();
      has_content_ = true;
    } else if (character == '\n') {
      end_record();
    } else if (state_ == State::kAfterQuoted) {
      if (character != '\r') {
        fail("text behind a closing quote", "a comma or the line's end");
      }
    } else {
      append(character);
    }
  }

  void append(char character) {
    field_ += character;
    require_document_size(file_, field_.size());
  }

  void end_field() {
    if (const size_t valid = valid_utf8_prefix(field_); valid < field_.size()) {
      fail(fmt::format("0x{:02x}", static_cast<uint8_t>(field_[valid])), "UTF-8 text");
    }
    fields_.push_back(std::move(field_));
    field_.clear();
    state_ = State::kFieldStart;
  }

  void end_record() {
    if (state_ == State::kPlain && field_.ends_with('\r')) {
      field_.pop_back();
    }
    if (has_content_ || !field_.empty()) {
      end_field();
      ++records_;
      on_record_(std::move(fields_));
    }
    fields_.clear();
    has_content_ = false;
    state_ = State::kFieldStart;
  }

  [[noreturn]] void fail(std::string found, std::string expected) const {
    throw Error({.file = file_.string(),
                 .item = fmt::format("record {}", records_ + 1),
                 .found = std::move(found),
                 .expected = std::move(expected)});
  }

  const std::filesystem::path& file_;
  const std::function<void(std::vector<std::string>)>& on_record_;
  State state_ = State::kFieldStart;
  std::string field_;
  std::vector<std::string> fields_;
  bool has_content_ = false;  ///< A comma or a quote: not an empty line.
  int64_t records_ = 0;
};

}  // namespace

void read_csv(const std::filesystem::path& file,
              const std::function<void(std::vector<std::string>)>& on_record,
              const std::function<void(int64_t)>& on_bytes) {
  FilePieces pieces(file, on_bytes);
  CsvParser parser(file, on_record);
  bool is_first = true;
  for (std::string_view piece = pieces.next(); !piece.empty(); piece = pieces.next()) {
    if (is_first && piece.starts_with(kByteOrderMark)) {
      piece.remove_prefix(kByteOrderMark.size());
    }
    is_first = false;
    for (const char character : piece) {
      parser.take(character);
    }
  }
  parser.finish();
}

}  // namespace slayer
