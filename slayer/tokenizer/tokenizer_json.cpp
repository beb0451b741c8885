#include "slayer/tokenizer/tokenizer_json.h"

#include <fmt/format.h>

#include "slayer/core/error.h"

namespace slayer {
namespace {

constexpr size_t kDeepestNesting = 64;
constexpr size_t kMostKeys = 10'000;  // Of one object outside the vocabulary.

/// Builds the result from the parser's events.
class TokenizerJsonReader final : public Json::json_sax_t {
 public:
  explicit TokenizerJsonReader(std::string file) : file_(std::move(file)) {}

  TokenizerJson take() { return std::move(result_); }

  bool null() override { return scalar(nullptr); }
  bool boolean(bool value) override { return scalar(value); }
  bool number_integer(number_integer_t value) override { return scalar(value); }
  bool number_unsigned(number_unsigned_t value) override { return scalar(value); }
  bool number_float(number_float_t value, const string_t& /*text*/) override {
    return scalar(value);
  }
  bool string(string_t& value) override { return scalar(std::move(value)); }
  bool binary(binary_t& /*value*/) override { return false; }  // JSON text has none.
  bool start_object(size_t /*size*/) override { return open(Json::object()); }
  bool start_array(size_t /*size*/) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    if (large_ == Large::kNone &&
        (open_.back()->contains(name) || open_.back()->size() >= kMostKeys)) {
      fail(name, "a duplicate key, or one of too many", "each key once");
    }
    path_.back() = std::move(name);
    return true;
  }

  bool parse_error(size_t position,
                   const std::string& /*last_token*/,
                   const nlohmann::detail::exception& error) override {
    throw Error({.file = file_,
                 .item = fmt::format("byte {}", position),
                 .found = "invalid JSON",
                 .expected = "JSON",
                 .hint = printable(error.what(), 200)});
  }

 private:
  enum class Large : uint8_t { kNone, kVocab, kMerges };

  [[noreturn]] void fail(const std::string& item, std::string found, std::string expected) const {
    throw Error({.file = file_,
                 .item = printable(item),
                 .found = std::move(found),
                 .expected = std::move(expected)});
  }

  /// Which large part the value that begins now is.
  Large large_part() const {
    if (path_.size() != 2 || path_[0] != "model") {
      return Large::kNone;
    }
    return path_[1] == "vocab"    ? Large::kVocab
           : path_[1] == "merges" ? Large::kMerges
                                  : Large::kNone;
  }

  bool open(Json container) {
    if (path_.size() == kDeepestNesting) {
      fail("JSON nesting", fmt::format("more than {} levels", kDeepestNesting), "fewer");
    }
    if (large_ == Large::kMerges && path_.size() == 3 && container.is_array()) {
      merge_parts_.clear();
    } else if (large_ != Large::kNone) {
      fail_in_large(container.type_name());
    } else {
      const Large part = large_part();
      const bool has_right_form =
          part == Large::kVocab ? container.is_object() : container.is_array();
      if (part != Large::kNone && has_right_form) {
        large_ = part;
      } else {
        Json& stored = store(std::move(container));
        open_.push_back(&stored);
      }
    }
    path_.emplace_back();
    return true;
  }

  bool close() {
    path_.pop_back();
    if (large_ == Large::kNone) {
      open_.pop_back();
    } else if (path_.size() == 2) {
      large_ = Large::kNone;
    } else {
      add_merge();
    }
    return true;
  }

  template <class Value>
  bool scalar(Value value) {
    if (large_ == Large::kNone) {
      store(Json(std::move(value)));
    } else {
      add_to_large(Json(std::move(value)));
    }
    return true;
  }

  Json& store(Json value) {
    if (open_.empty()) {
      return result_.rest = std::move(value);
    }
    if (open_.back()->is_array()) {
      open_.back()->push_back(std::move(value));
      return open_.back()->back();
    }
    return (*open_.back())[path_.back()] = std::move(value);
  }

  void add_to_large(Json value) {
    if (large_ == Large::kVocab) {
      if (!value.is_number_integer() || value < 0 || value >= Vocabulary::kIdLimit) {
        fail_in_large(compact_text(value));
      }
      result_.vocab.emplace_back(std::move(path_.back()), value.get<TokenId>());
      return;
    }
    if (!value.is_string()) {
      fail_in_large(compact_text(value));
    }
    auto text = std::move(value.get_ref<std::string&>());
    if (path_.size() == 4) {
      merge_parts_.push_back(std::move(text));
    } else if (!text.starts_with("#version")) {
      const size_t space = text.find(' ');
      if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) {
        fail_in_large(fmt::format("\"{}\"", printable(text)));
      }
      result_.merges.emplace_back(text.substr(0, space), text.substr(space + 1));
    }
  }

  void add_merge() {
    if (merge_parts_.size() != 2) {
      fail_in_large(fmt::format("an array of {}", merge_parts_.size()));
    }
    result_.merges.emplace_back(std::move(merge_parts_[0]), std::move(merge_parts_[1]));
  }

  [[noreturn]] void fail_in_large(std::string_view found) const {
    if (large_ == Large::kVocab) {
      fail("model.vocab." + path_.back(),
           printable(found),
           fmt::format("an integer from 0 to {}", Vocabulary::kIdLimit - 1));
    }
    fail(fmt::format("model.merges[{}]", result_.merges.size()),
         printable(found),
         "two tokens, as \"a b\" or [\"a\", \"b\"]");
  }

  std::string file_;
  TokenizerJson result_;
  std::vector<Json*> open_;        ///< The containers of `rest` that are open, outermost first.
  std::vector<std::string> path_;  ///< The latest key of each open object, "" for an array.
  Large large_ = Large::kNone;
  std::vector<std::string> merge_parts_;
};

}  // namespace

TokenizerJson parse_tokenizer_json(std::string_view text, const std::string& file) {
  TokenizerJsonReader reader(file);
  Json::sax_parse(text, &reader);
  return reader.take();
}

}  // namespace slayer
