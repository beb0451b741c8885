#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "slayer/core/json.h"

namespace slayer::jinja {

enum class ExpressionKind : uint8_t {
  kLiteral,      ///< value
  kName,         ///< text
  kList,         ///< children
  kDict,         ///< children: key, value, key, value, ...
  kAttribute,    ///< children[0] . text
  kItem,         ///< children[0] [children[1]]
  kSlice,        ///< children[0] [children[1] : children[2] : children[3]]; null: left out
  kCall,         ///< children[0] (arguments)
  kFilter,       ///< children[0] | text (arguments)
  kTest,         ///< children[0] is text (arguments)
  kUnary,        ///< text: "not", "-", "+"
  kBinary,       ///< text: operator, "and", "or", "in", "not in"
  kConditional,  ///< children[0] if children[1] else children[2]; null: no else
};

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct Argument {
  std::string name = {};  ///< Empty: by position.
  ExpressionPtr value;
};

struct Expression {
  ExpressionKind kind = ExpressionKind::kLiteral;
  int64_t line = 0;
  std::string text = {};
  Json value = {};
  std::vector<ExpressionPtr> children = {};
  std::vector<Argument> arguments = {};
};

enum class StatementKind : uint8_t {
  kText,      ///< text
  kOutput,    ///< expression
  kIf,        ///< expression, body, otherwise (elif: an kIf alone in it)
  kFor,       ///< names in expression if condition: body, else otherwise
  kSet,       ///< names = expression; names with a dot: an attribute of a namespace
  kSetBlock,  ///< names[0] = what body gives out
  kMacro,     ///< text (parameters): body
  kBody,      ///< body: {% generation %}
  kBreak,
  kContinue
};

struct Statement {
  StatementKind kind = StatementKind::kText;
  int64_t line = 0;
  std::string text = {};
  ExpressionPtr expression = {};
  ExpressionPtr condition = {};
  std::vector<std::string> names = {};
  std::vector<Argument> parameters = {};  ///< Of a macro; `value`: the default or null.
  std::vector<Statement> body = {};
  std::vector<Statement> otherwise = {};
};

/// @param name  of the template, for errors.
/// @throws Error naming the line of what is not in the subset: {% include %}, {% block %}, calls
/// with stars, and the like.
std::vector<Statement> parse(std::string_view source, const std::string& name);

}  // namespace slayer::jinja
