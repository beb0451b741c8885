#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "slayer/tokenizer/jinja_syntax.h"
#include "slayer/tokenizer/jinja_token_cursor.h"

namespace slayer::jinja {

/// Recursive descent over an expression's tokens, by Jinja's precedences.
/// Source: Jinja 3.1, parser.py.
class ExpressionParser : public TokenCursor {
 public:
  using TokenCursor::TokenCursor;

 protected:
  // From the loosest to the tightest.

  ExpressionPtr make(ExpressionKind kind, std::string text = "") const {
    auto made = std::make_unique<Expression>();
    made->kind = kind;
    made->line = peek().line;
    made->text = std::move(text);
    return made;
  }
  ExpressionPtr combine(ExpressionKind kind,
                        std::string text,
                        ExpressionPtr first,
                        ExpressionPtr second = nullptr) const {
    ExpressionPtr made = make(kind, std::move(text));
    made->children.push_back(std::move(first));
    if (second) {
      made->children.push_back(std::move(second));
    }
    return made;
  }

  /// One expression, or several with commas between: a list.
  ExpressionPtr tuple() {
    ExpressionPtr first = expression();
    if (!is_operator(",")) {
      return first;
    }
    ExpressionPtr list = combine(ExpressionKind::kList, "", std::move(first));
    while (accept(",")) {
      if (peek().kind == TokenKind::kTagEnd || is_operator(")")) {
        break;
      }
      list->children.push_back(expression());
    }
    return list;
  }

  ExpressionPtr expression() {
    const Nesting nesting(*this);
    ExpressionPtr value = disjunction();
    while (accept("if")) {
      ExpressionPtr conditional = make(ExpressionKind::kConditional);
      conditional->children.push_back(std::move(value));
      conditional->children.push_back(disjunction());
      conditional->children.push_back(accept("else") ? expression() : nullptr);
      value = std::move(conditional);
    }
    return value;
  }

  ExpressionPtr disjunction() {
    ExpressionPtr left = conjunction();
    while (accept("or")) {
      left = combine(ExpressionKind::kBinary, "or", std::move(left), conjunction());
    }
    return left;
  }

  ExpressionPtr conjunction() {
    ExpressionPtr left = negation();
    while (accept("and")) {
      left = combine(ExpressionKind::kBinary, "and", std::move(left), negation());
    }
    return left;
  }

  ExpressionPtr negation() {
    const Nesting nesting(*this);
    if (accept("not")) {
      return combine(ExpressionKind::kUnary, "not", negation());
    }
    return comparison();
  }

  ExpressionPtr comparison() {
    constexpr std::array<std::string_view, 7> kOperators{"==", "!=", "<=", ">=", "<", ">", "in"};
    ExpressionPtr left = sum();
    while (true) {
      const auto* const found = std::ranges::find_if(
          kOperators, [this](std::string_view text) { return is_operator(text) || is_name(text); });
      if (found != kOperators.end()) {
        take();
        left = combine(ExpressionKind::kBinary, std::string(*found), std::move(left), sum());
      } else if (is_name("not") && is_name("in", 1)) {
        take();
        take();
        left = combine(ExpressionKind::kBinary, "not in", std::move(left), sum());
      } else {
        return left;
      }
    }
  }

  /// Operators of one precedence, from the left.
  ExpressionPtr chain(const std::vector<std::string_view>& operators,
                      ExpressionPtr (ExpressionParser::*operand)()) {
    ExpressionPtr left = (this->*operand)();
    while (true) {
      const auto found = std::ranges::find_if(
          operators, [this](std::string_view text) { return is_operator(text); });
      if (found == operators.end()) {
        return left;
      }
      take();
      left = combine(
          ExpressionKind::kBinary, std::string(*found), std::move(left), (this->*operand)());
    }
  }

  ExpressionPtr sum() { return chain({"+", "-"}, &ExpressionParser::concatenation); }
  ExpressionPtr concatenation() { return chain({"~"}, &ExpressionParser::product); }
  ExpressionPtr product() { return chain({"*", "/", "//", "%"}, &ExpressionParser::unary); }

  ExpressionPtr unary() { return unary_of(/*with_filters=*/true); }

  ExpressionPtr unary_of(bool with_filters) {
    const Nesting nesting(*this);
    ExpressionPtr value;
    if (is_operator("-") || is_operator("+")) {
      const std::string sign = take().text;
      value = combine(ExpressionKind::kUnary, sign, unary_of(/*with_filters=*/false));
    } else {
      value = postfix(primary());
    }
    while (with_filters) {
      if (accept("|")) {
        ExpressionPtr filter = combine(ExpressionKind::kFilter, expect_name(), std::move(value));
        if (accept("(")) {
          filter->arguments = arguments();
        }
        value = std::move(filter);
      } else if (accept("is")) {
        value = test(std::move(value));
      } else {
        break;
      }
    }
    return value;
  }

  ExpressionPtr test(ExpressionPtr value) {
    const bool is_negated = accept("not");
    ExpressionPtr test = combine(ExpressionKind::kTest, expect_name(), std::move(value));
    constexpr std::array<std::string_view, 6> kNoArgument{"else", "or", "and", "is", "if", "not"};
    const bool is_word = peek().kind == TokenKind::kName &&
                         std::ranges::find(kNoArgument, peek().text) == kNoArgument.end();
    const bool has_argument = is_word || peek().kind == TokenKind::kString ||
                              peek().kind == TokenKind::kInteger || is_operator("[");
    if (accept("(")) {
      test->arguments = arguments();
    } else if (has_argument) {
      test->arguments.push_back({.value = postfix(primary())});
    }
    return is_negated ? combine(ExpressionKind::kUnary, "not", std::move(test)) : std::move(test);
  }

  ExpressionPtr postfix(ExpressionPtr value) {
    while (true) {
      if (accept(".")) {
        if (peek().kind == TokenKind::kInteger) {
          ExpressionPtr index = literal(integer(take().text));
          value = combine(ExpressionKind::kItem, "", std::move(value), std::move(index));
        } else {
          value = combine(ExpressionKind::kAttribute, expect_name(), std::move(value));
        }
      } else if (accept("[")) {
        value = subscript(std::move(value));
      } else if (accept("(")) {
        ExpressionPtr call = combine(ExpressionKind::kCall, "", std::move(value));
        call->arguments = arguments();
        value = std::move(call);
      } else {
        return value;
      }
    }
  }

  /// Behind [.
  ExpressionPtr subscript(ExpressionPtr value) {
    std::array<ExpressionPtr, 3> parts;
    size_t part = 0;
    while (!accept("]")) {
      if (accept(":")) {
        if (++part == parts.size()) {
          fail_here("at most two colons");
        }
      } else {
        parts[part] = expression();
      }
    }
    if (part == 0) {
      if (!parts[0]) {
        step_back();
        fail_here("an index");
      }
      return combine(ExpressionKind::kItem, "", std::move(value), std::move(parts[0]));
    }
    ExpressionPtr slice = combine(ExpressionKind::kSlice, "", std::move(value));
    for (ExpressionPtr& bound : parts) {
      slice->children.push_back(std::move(bound));
    }
    return slice;
  }

  /// Behind (.
  std::vector<Argument> arguments() {
    std::vector<Argument> given;
    while (!accept(")")) {
      Argument argument;
      if (peek().kind == TokenKind::kName && is_operator("=", 1)) {
        argument.name = take().text;
        take();
      }
      argument.value = expression();
      given.push_back(std::move(argument));
      if (!is_operator(")")) {
        expect(",");
      }
    }
    return given;
  }

  ExpressionPtr literal(Json value) const {
    ExpressionPtr made = make(ExpressionKind::kLiteral);
    made->value = std::move(value);
    return made;
  }

  int64_t integer(const std::string& digits) const {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size()) {
      fail_here("a number of 64 bits");
    }
    return value;
  }

  ExpressionPtr primary() {
    switch (peek().kind) {
      case TokenKind::kString: {
        std::string text = take().text;
        while (peek().kind == TokenKind::kString) {
          text += take().text;
        }
        return literal(std::move(text));
      }
      case TokenKind::kInteger:
        return literal(integer(take().text));
      case TokenKind::kFloat:
        return literal(std::stod(take().text));
      case TokenKind::kName:
        return name();
      default:
        break;
    }
    if (accept("(")) {
      ExpressionPtr value = is_operator(")") ? make(ExpressionKind::kList) : tuple();
      expect(")");
      return value;
    }
    if (accept("[")) {
      return list();
    }
    if (accept("{")) {
      return dict();
    }
    fail_here("an expression");
  }

  ExpressionPtr name() {
    const std::string text = take().text;
    if (text == "true" || text == "True") {
      return literal(true);
    }
    if (text == "false" || text == "False") {
      return literal(false);
    }
    if (text == "none" || text == "None") {
      return literal(nullptr);
    }
    return make(ExpressionKind::kName, text);
  }

  ExpressionPtr list() {
    ExpressionPtr made = make(ExpressionKind::kList);
    while (!accept("]")) {
      made->children.push_back(expression());
      if (!is_operator("]")) {
        expect(",");
      }
    }
    return made;
  }

  ExpressionPtr dict() {
    ExpressionPtr made = make(ExpressionKind::kDict);
    while (!accept("}")) {
      made->children.push_back(expression());
      expect(":");
      made->children.push_back(expression());
      if (!is_operator("}")) {
        expect(",");
      }
    }
    return made;
  }
};

}  // namespace slayer::jinja
