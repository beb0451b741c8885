#include "slayer/eval/template.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "slayer/core/error.h"
#include "slayer/eval/text_rule.h"

namespace slayer {
namespace {

constexpr std::array<std::string_view, 7> kFilters{
    "strip", "capitalize", "spaces", "before", "after", "but_last_word", "last_word"};

[[noreturn]] void fail_syntax(const std::string& file,
                              const std::string& item,
                              std::string_view found,
                              std::string expected) {
  throw Error(
      {.file = file, .item = item, .found = printable(found), .expected = std::move(expected)});
}

std::string type_of(const Json& value) {
  return value.is_null() ? "nothing"
                         : fmt::format("{} {}", value.type_name(), printable(compact_text(value)));
}

}  // namespace

void fail_in_row(const Row& row, std::string_view column, std::string found, std::string expected) {
  throw Error({.file = row.file,
               .item = fmt::format("row {}: column {}", row.number, printable(column)),
               .found = std::move(found),
               .expected = std::move(expected)});
}

Template::Template(const std::string& text, const std::string& file, const std::string& item) {
  std::string literal;
  const auto end_literal = [&] {
    if (!literal.empty()) {
      pieces_.push_back(
          {.literal = std::exchange(literal, ""), .placeholder = {}, .steps = {}, .filters = {}});
    }
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char character = text[i];
    if (character != '{' && character != '}') {
      literal += character;
    } else if (i + 1 < text.size() && text[i + 1] == character) {
      literal += character;
      ++i;
    } else {
      const size_t end = text.find('}', i);
      if (character == '}' || end == std::string::npos) {
        fail_syntax(file, item, text.substr(i), "braces in pairs ({{ and }} for braces as text)");
      }
      end_literal();
      pieces_.push_back(parse_placeholder(text.substr(i + 1, end - i - 1), file, item));
      i = end;
    }
  }
  end_literal();
}

Template::Piece Template::parse_placeholder(std::string_view text,
                                            const std::string& file,
                                            const std::string& item) {
  Piece piece{.literal = {}, .placeholder = std::string(text), .steps = {}, .filters = {}};
  const size_t path_end = std::min(text.find('|'), text.size());
  for (size_t i = 0; i < path_end;) {
    if (text[i] == '[') {
      const size_t end = text.find(']', i);
      const std::string_view digits =
          end < path_end ? text.substr(i + 1, end - i - 1) : std::string_view();
      if (digits.empty() || digits.size() > 6 ||
          digits.find_first_not_of("0123456789") != std::string_view::npos) {
        fail_syntax(file, item, text, "a list index like [0]");
      }
      piece.steps.push_back({.field = {}, .index = std::stoul(std::string(digits))});
      i = end + 1;
    } else {
      i += text[i] == '.' ? 1 : 0;
      const size_t end = std::min(text.find_first_of(".[", i), path_end);
      piece.steps.push_back({.field = std::string(text.substr(i, end - i))});
      if (piece.steps.back().field.empty()) {
        fail_syntax(file, item, text, "a column's name");
      }
      i = end;
    }
  }
  if (piece.steps.empty() || piece.steps.front().field.empty()) {
    fail_syntax(file, item, text, "a column's name");
  }
  for (size_t i = path_end; i < text.size();) {
    const size_t end = std::min(text.find('|', i + 1), text.size());
    const std::string_view filter = text.substr(i + 1, end - i - 1);
    const size_t open = std::min(filter.find('('), filter.size());
    const std::string_view name = filter.substr(0, open);
    const bool takes_argument = name == "before" || name == "after";
    const bool has_argument = open + 2 < filter.size() && filter.back() == ')';
    if (std::ranges::find(kFilters, name) == kFilters.end()) {
      fail_syntax(
          file, item, name, fmt::format("one of the filters {}", fmt::join(kFilters, ", ")));
    }
    if (takes_argument != has_argument || (!takes_argument && open < filter.size())) {
      fail_syntax(file, item, filter, "an argument in parentheses for before and after only");
    }
    piece.filters.push_back(
        {.name = std::string(name),
         .argument = has_argument ? std::string(filter.substr(open + 1, filter.size() - open - 2))
                                  : std::string()});
    i = end;
  }
  return piece;
}

const Json& Template::look_up(const Piece& piece, const Row& row) {
  const Json* value = row.fields;
  for (const Step& step : piece.steps) {
    if (!step.field.empty()) {
      if (!value->is_object() || !value->contains(step.field)) {
        fail_in_row(row, piece.placeholder, "nothing", fmt::format("a field {}", step.field));
      }
      value = &(*value)[step.field];
    } else {
      if (!value->is_array() || step.index >= value->size()) {
        fail_in_row(
            row, piece.placeholder, type_of(*value), fmt::format("a list with [{}]", step.index));
      }
      value = &(*value)[step.index];
    }
  }
  return *value;
}

std::string Template::apply(const Filter& filter,
                            const Piece& piece,
                            const Row& row,
                            std::string text) {
  if (filter.name == "strip") {
    return strip(text);
  }
  if (filter.name == "capitalize") {
    return capitalize(text);
  }
  if (filter.name == "spaces") {
    std::ranges::replace(text, '_', ' ');
    return text;
  }
  if (filter.name == "but_last_word" || filter.name == "last_word") {
    const size_t space = text.rfind(' ');
    const bool wants_last = filter.name == "last_word";
    if (space == std::string::npos) {
      return wants_last ? text : "";
    }
    return wants_last ? text.substr(space + 1) : text.substr(0, space);
  }
  const size_t at = text.find(filter.argument);
  if (at == std::string::npos) {
    fail_in_row(row, piece.placeholder, printable(text), fmt::format("a {}", filter.argument));
  }
  return filter.name == "before" ? text.substr(0, at) : text.substr(at + filter.argument.size());
}

std::string Template::render(const Row& row) const {
  std::string result;
  for (const Piece& piece : pieces_) {
    if (piece.steps.empty()) {
      result += piece.literal;
      continue;
    }
    const Json& value = look_up(piece, row);
    if (!value.is_string() && !value.is_number_integer()) {
      fail_in_row(row, piece.placeholder, type_of(value), "a string or an integer");
    }
    std::string text = value.is_string() ? value.get<std::string>() : compact_text(value);
    for (const Filter& filter : piece.filters) {
      text = apply(filter, piece, row, std::move(text));
    }
    result += text;
  }
  return result;
}

bool Template::is_one_value() const {
  return pieces_.size() == 1 && !pieces_.front().steps.empty() && pieces_.front().filters.empty();
}

const Json& Template::value(const Row& row) const { return look_up(pieces_.front(), row); }

std::vector<std::string> Template::columns() const {
  std::vector<std::string> columns;
  for (const Piece& piece : pieces_) {
    if (!piece.steps.empty()) {
      columns.push_back(piece.steps.front().field);
    }
  }
  return columns;
}

}  // namespace slayer
