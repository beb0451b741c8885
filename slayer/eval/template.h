#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "slayer/core/json.h"

namespace slayer {

/// A row of a data set with the words that name it in errors.
struct Row {
  const Json* fields;
  std::string file;
  int64_t number;  ///< From 0, as in doc_id.
};

/// Text with placeholders for a row's columns and no logic:
///
///   "Question: {question|strip}\nA. {choices[0]}"
///
/// A placeholder is a column, then `.field` of a struct or `[index]` of a list, then filters:
///   strip               without white space at both ends
///   capitalize          first character upper case, all others lower (Python's str.capitalize)
///   spaces              each underscore a space
///   before(X) after(X)  what stands before or after the first X; an error where there is none
///   but_last_word       without the last of the words that single spaces separate
///   last_word           that word
/// `{{` and `}}` are braces.
class Template final {
 public:
  Template() = default;

  /// @throws Error naming `file` and `item` where the syntax is wrong or a filter unknown.
  Template(const std::string& text, const std::string& file, const std::string& item);

  /// @throws Error naming file, row and column where a column is missing or no text or integer.
  std::string render(const Row& row) const;

  /// The value of the only placeholder, unfiltered: for columns that are lists.
  /// @throws Error as above.
  const Json& value(const Row& row) const;

  /// Whether the template is one placeholder without filters and nothing else.
  bool is_one_value() const;

  /// Columns that it reads.
  std::vector<std::string> columns() const;

 private:
  struct Filter {
    std::string name = {};
    std::string argument = {};
  };
  struct Step {
    std::string field = {};  ///< Of a struct; empty: an index.
    size_t index = 0;
  };
  struct Piece {
    std::string literal = {};      ///< Where there are no steps.
    std::string placeholder = {};  ///< As written, for errors.
    std::vector<Step> steps = {};
    std::vector<Filter> filters = {};
  };

  static Piece parse_placeholder(std::string_view text,
                                 const std::string& file,
                                 const std::string& item);
  static const Json& look_up(const Piece& piece, const Row& row);
  static std::string apply(const Filter& filter,
                           const Piece& piece,
                           const Row& row,
                           std::string text);

  std::vector<Piece> pieces_;
};

/// An error about one column of one row, for the caller to throw.
[[noreturn]] void fail_in_row(const Row& row,
                              std::string_view column,
                              std::string found,
                              std::string expected);

}  // namespace slayer
