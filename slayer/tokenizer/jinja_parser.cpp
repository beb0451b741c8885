#include "slayer/tokenizer/jinja_expression_parser.h"
#include "slayer/tokenizer/jinja_lexer.h"
#include "slayer/tokenizer/jinja_syntax.h"

namespace slayer::jinja {
namespace {

/// Statements: what stands in {% %}, and between tags.
class Parser final : private ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  std::vector<Statement> run() {
    std::vector<Statement> statements = body({});
    if (peek().kind != TokenKind::kEnd) {
      fail_here("the end of the template");
    }
    return statements;
  }

 private:
  /// Takes {% WORD %}.
  void expect_block(std::string_view word) {
    if (peek().kind != TokenKind::kBlockBegin || !is_name(word, 1)) {
      fail_here(fmt::format("{{% {} %}}", word));
    }
    take();
    take();
    expect_tag_end();
  }

  /// Until a block that begins with one of `ends`, or the template's end.
  std::vector<Statement> body(const std::vector<std::string_view>& ends) {
    const Nesting nesting(*this);
    std::vector<Statement> statements;
    while (peek().kind != TokenKind::kEnd) {
      if (peek().kind == TokenKind::kText) {
        const Token token = take();
        statements.push_back(
            {.kind = StatementKind::kText, .line = token.line, .text = token.text});
      } else if (peek().kind == TokenKind::kOutputBegin) {
        const int64_t line = take().line;
        statements.push_back({.kind = StatementKind::kOutput, .line = line, .expression = tuple()});
        expect_tag_end();
      } else {
        const bool is_end =
            std::ranges::any_of(ends, [this](std::string_view end) { return is_name(end, 1); });
        if (is_end) {
          return statements;
        }
        take();
        statements.push_back(block());
      }
    }
    return statements;
  }

  /// Behind {%.
  Statement block() {
    Statement statement{.line = peek().line};
    const std::string word = expect_name();
    if (word == "if") {
      parse_if(statement);
    } else if (word == "for") {
      parse_for(statement);
    } else if (word == "set") {
      parse_set(statement);
    } else if (word == "macro") {
      parse_macro(statement);
    } else if (word == "generation") {
      statement.kind = StatementKind::kBody;
      expect_tag_end();
      statement.body = body({"endgeneration"});
      expect_block("endgeneration");
    } else if (word == "break" || word == "continue") {
      statement.kind = word == "break" ? StatementKind::kBreak : StatementKind::kContinue;
      expect_tag_end();
    } else {
      step_back();
      fail_here("if, for, set, macro, generation, break or continue");
    }
    return statement;
  }

  void parse_if(Statement& statement) {
    statement.kind = StatementKind::kIf;
    statement.expression = tuple();
    expect_tag_end();
    statement.body = body({"elif", "else", "endif"});
    if (is_name("elif", 1)) {
      take();
      Statement inner{.line = take().line};
      parse_if(inner);  // takes {% endif %}
      statement.otherwise.push_back(std::move(inner));
      return;
    }
    if (is_name("else", 1)) {
      expect_block("else");
      statement.otherwise = body({"endif"});
    }
    expect_block("endif");
  }

  void parse_for(Statement& statement) {
    statement.kind = StatementKind::kFor;
    do {
      statement.names.push_back(expect_name());
    } while (accept(","));
    expect("in");
    statement.expression = disjunction();
    if (accept("if")) {
      statement.condition = expression();
    }
    expect_tag_end();
    statement.body = body({"else", "endfor"});
    if (is_name("else", 1)) {
      expect_block("else");
      statement.otherwise = body({"endfor"});
    }
    expect_block("endfor");
  }

  void parse_set(Statement& statement) {
    statement.kind = StatementKind::kSet;
    do {
      statement.names.push_back(expect_name());
      if (accept(".")) {
        statement.names.back().append(".").append(expect_name());
      }
    } while (accept(","));
    if (accept("=")) {
      statement.expression = tuple();
      expect_tag_end();
      return;
    }
    statement.kind = StatementKind::kSetBlock;
    expect_tag_end();
    statement.body = body({"endset"});
    expect_block("endset");
  }

  void parse_macro(Statement& statement) {
    statement.kind = StatementKind::kMacro;
    statement.text = expect_name();
    expect("(");
    while (!accept(")")) {
      Argument parameter{.name = expect_name(), .value = nullptr};
      if (accept("=")) {
        parameter.value = expression();
      }
      statement.parameters.push_back(std::move(parameter));
      if (!is_operator(")")) {
        expect(",");
      }
    }
    expect_tag_end();
    statement.body = body({"endmacro"});
    expect_block("endmacro");
  }
};

}  // namespace

std::vector<Statement> parse(std::string_view source, const std::string& name) {
  return Parser(tokenize(source, name), name).run();
}

}  // namespace slayer::jinja
