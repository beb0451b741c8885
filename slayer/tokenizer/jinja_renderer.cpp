#include "slayer/tokenizer/jinja_renderer.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <stdexcept>

#include "slayer/core/error.h"
#include "slayer/tokenizer/jinja_builtins.h"

namespace slayer::jinja {
namespace {

constexpr size_t kMostText = size_t{64} << 20U;
constexpr int64_t kMostSteps = 1'000'000;
constexpr int64_t kLongestRange = 100'000;
constexpr int kDeepestCall = 50;

/// What ends a loop's body early.
enum class Flow : uint8_t { kOn, kBreak, kContinue };

class Renderer final {
 public:
  Renderer(const Json& variables, const std::string& name) : name_(name), scopes_(1) {
    for (const auto& [key, value] : variables.items()) {
      scopes_.front()[key] = make_value(value);
    }
  }

  std::string run(const std::vector<Statement>& statements) {
    run_body(statements);
    return std::move(output_);
  }

 private:
  using Scope = std::map<std::string, Value>;

  [[noreturn]] void fail(int64_t line, const std::string& found) const {
    throw Error({.file = name_,
                 .item = fmt::format("line {}", line),
                 .found = printable(found, 200),
                 .expected = "what slayer's part of Jinja can do"});
  }

  void write(std::string_view text) {
    output_ += text;
    require_size(output_);
  }

  void require_size(const std::string& text) const {
    if (text.size() > kMostText) {
      throw Error({.file = name_, .found = "more than 64 MiB of text", .expected = "a prompt"});
    }
  }

  // Statements.

  Flow run_body(const std::vector<Statement>& statements) {
    for (const Statement& statement : statements) {
      if (const Flow flow = run_one(statement); flow != Flow::kOn) {
        return flow;
      }
    }
    return Flow::kOn;
  }

  /// A hostile template must not run for ever.
  void count_step(int64_t line) {
    if (++steps_ > kMostSteps) {
      fail(line, "a million steps");
    }
  }

  Flow run_one(const Statement& statement) {
    count_step(statement.line);
    switch (statement.kind) {
      case StatementKind::kText:
        write(statement.text);
        break;
      case StatementKind::kOutput:
        write(to_text(*evaluate(*statement.expression)));
        break;
      case StatementKind::kIf:
        return run_body(is_true(*evaluate(*statement.expression)) ? statement.body
                                                                  : statement.otherwise);
      case StatementKind::kFor:
        return run_for(statement);
      case StatementKind::kSet:
        assign(statement.names, evaluate(*statement.expression), statement.line);
        break;
      case StatementKind::kSetBlock:
        assign(statement.names, make_value(output_of(statement.body)), statement.line);
        break;
      case StatementKind::kMacro:
        macros_[statement.text] = &statement;
        break;
      case StatementKind::kBody:
        return run_body(statement.body);
      case StatementKind::kBreak:
        return Flow::kBreak;
      case StatementKind::kContinue:
        return Flow::kContinue;
    }
    return Flow::kOn;
  }

  std::string output_of(const std::vector<Statement>& body) {
    std::string before = std::exchange(output_, "");
    run_body(body);
    return std::exchange(output_, std::move(before));
  }

  /// Names in a loop or macro are gone after it; a name with a dot is an attribute of a namespace.
  void assign(const std::vector<std::string>& names, const Value& value, int64_t line) {
    if (names.size() == 1) {
      assign_one(names.front(), value, line);
      return;
    }
    if (!value->is_array() || value->size() != names.size()) {
      fail(line, fmt::format("{} for {} names", value->type_name(), names.size()));
    }
    for (size_t i = 0; i < names.size(); ++i) {
      assign_one(names[i], Value(value, &(*value)[i]), line);
    }
  }

  void assign_one(const std::string& name, const Value& value, int64_t line) {
    const size_t dot = name.find('.');
    if (dot == std::string::npos) {
      scopes_.back()[name] = value;
      return;
    }
    Value* const holder = find(name.substr(0, dot));
    if (holder == nullptr || !(*holder)->is_object()) {
      fail(line, name + ", which is no attribute of a namespace");
    }
    Json changed = **holder;
    changed[name.substr(dot + 1)] = *value;
    *holder = make_value(std::move(changed));
  }

  Value* find(const std::string& name) {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      if (const auto found = scope->find(name); found != scope->end()) {
        return &found->second;
      }
    }
    return nullptr;
  }

  Flow run_for(const Statement& loop) {
    const std::vector<Value> elements = wanted_elements(loop);
    if (elements.empty()) {
      return run_body(loop.otherwise);
    }
    for (size_t i = 0; i < elements.size(); ++i) {
      count_step(loop.line);
      scopes_.emplace_back();
      assign(loop.names, elements[i], loop.line);
      scopes_.back()["loop"] = loop_state(elements, i);
      const Flow flow = run_body(loop.body);
      scopes_.pop_back();
      if (flow == Flow::kBreak) {
        break;
      }
    }
    return Flow::kOn;
  }

  std::vector<Value> wanted_elements(const Statement& loop) {
    const Value all = evaluate(*loop.expression);
    std::vector<Value> elements;
    if (all->is_object()) {
      for (const auto& [key, element] : all->items()) {
        elements.push_back(make_value(key));
      }
    } else if (all->is_array()) {
      for (const Json& element : *all) {
        elements.emplace_back(all, &element);
      }
    } else if (all->is_string()) {
      const Value letters = apply_filter("list", all, {});
      for (const Json& letter : *letters) {
        elements.emplace_back(letters, &letter);
      }
    } else if (!is_undefined(all)) {
      fail(loop.line, fmt::format("a loop over {}", all->type_name()));
    }
    if (loop.condition) {
      std::erase_if(elements, [&](const Value& element) {
        scopes_.emplace_back();
        assign(loop.names, element, loop.line);
        const bool is_wanted = is_true(*evaluate(*loop.condition));
        scopes_.pop_back();
        return !is_wanted;
      });
    }
    return elements;
  }

  static Value loop_state(const std::vector<Value>& elements, size_t i) {
    Json state = {{"index", i + 1},
                  {"index0", i},
                  {"revindex", elements.size() - i},
                  {"revindex0", elements.size() - i - 1},
                  {"first", i == 0},
                  {"last", i + 1 == elements.size()},
                  {"length", elements.size()}};
    if (i > 0) {
      state["previtem"] = *elements[i - 1];
    }
    if (i + 1 < elements.size()) {
      state["nextitem"] = *elements[i + 1];
    }
    return make_value(std::move(state));
  }

  // Expressions.

  Value evaluate(const Expression& expression) {
    try {
      Value value = evaluate_kind(expression);
      if (value->is_string()) {
        require_size(value->get_ref<const std::string&>());
      }
      return value;
    } catch (const std::invalid_argument& error) {
      fail(expression.line, error.what());
    }
  }

  Value child(const Expression& expression, size_t index) {
    const ExpressionPtr& part = expression.children[index];
    return part ? evaluate(*part) : undefined();
  }

  Value evaluate_kind(const Expression& expression) {
    switch (expression.kind) {
      case ExpressionKind::kLiteral:
        return {std::shared_ptr<const Json>(), &expression.value};
      case ExpressionKind::kName: {
        const Value* const found = find(expression.text);
        return found == nullptr ? undefined() : *found;
      }
      case ExpressionKind::kList:
      case ExpressionKind::kDict:
        return collection(expression);
      case ExpressionKind::kAttribute:
        return item(child(expression, 0), make_value(expression.text));
      case ExpressionKind::kItem:
        return item(child(expression, 0), child(expression, 1));
      case ExpressionKind::kSlice:
        return slice(
            child(expression, 0), child(expression, 1), child(expression, 2), child(expression, 3));
      case ExpressionKind::kCall:
        return call(expression);
      case ExpressionKind::kFilter:
        return apply_filter(expression.text, child(expression, 0), arguments_of(expression));
      case ExpressionKind::kTest:
        return make_value(
            apply_test(expression.text, child(expression, 0), arguments_of(expression)));
      case ExpressionKind::kUnary:
        return unary(expression);
      case ExpressionKind::kBinary:
        return binary(expression);
      case ExpressionKind::kConditional:
        break;
    }
    return child(expression, is_true(*child(expression, 1)) ? 0 : 2);
  }

  Value collection(const Expression& expression) {
    const bool is_dict = expression.kind == ExpressionKind::kDict;
    Json made = is_dict ? Json::object() : Json::array();
    for (size_t i = 0; i < expression.children.size(); i += is_dict ? 2 : 1) {
      if (is_dict) {
        made[to_text(*child(expression, i))] = *child(expression, i + 1);
      } else {
        made.push_back(*child(expression, i));
      }
    }
    return make_value(std::move(made));
  }

  Value unary(const Expression& expression) {
    const Value value = child(expression, 0);
    if (expression.text == "not") {
      return make_value(!is_true(*value));
    }
    return expression.text == "-" ? apply_operator("-", make_value(0), value) : value;
  }

  Value binary(const Expression& expression) {
    const Value left = child(expression, 0);
    if (expression.text == "and" || expression.text == "or") {
      return is_true(*left) == (expression.text == "and") ? child(expression, 1) : left;
    }
    return apply_operator(expression.text, left, child(expression, 1));
  }

  Arguments arguments_of(const Expression& expression) {
    Arguments arguments;
    for (const Argument& argument : expression.arguments) {
      if (argument.name.empty()) {
        arguments.positional.push_back(evaluate(*argument.value));
      } else {
        arguments.named[argument.name] = evaluate(*argument.value);
      }
    }
    return arguments;
  }

  Value call(const Expression& expression) {
    const Expression& callee = *expression.children.front();
    const Arguments arguments = arguments_of(expression);
    if (callee.kind == ExpressionKind::kAttribute) {
      return call_method(callee.text, child(callee, 0), arguments);
    }
    if (callee.kind != ExpressionKind::kName) {
      throw std::invalid_argument("a call of a value");
    }
    if (const auto macro = macros_.find(callee.text); macro != macros_.end()) {
      return call_macro(*macro->second, arguments);
    }
    return call_function(callee.text, arguments);
  }

  Value call_macro(const Statement& macro, const Arguments& arguments) {
    if (++call_depth_ > kDeepestCall) {
      fail(macro.line, "a macro that calls itself too often");
    }
    Scope scope;
    for (size_t i = 0; i < macro.parameters.size(); ++i) {
      const Argument& parameter = macro.parameters[i];
      const Value given = arguments.get(i, parameter.name);
      scope[parameter.name] =
          is_undefined(given) && parameter.value ? evaluate(*parameter.value) : given;
    }
    // A macro sees the template's own names, not those of where it is called.
    std::vector<Scope> outer(std::make_move_iterator(scopes_.begin() + 1),
                             std::make_move_iterator(scopes_.end()));
    scopes_.resize(1);
    scopes_.push_back(std::move(scope));
    const Value result = make_value(output_of(macro.body));
    scopes_.resize(1);
    std::ranges::move(outer, std::back_inserter(scopes_));
    --call_depth_;
    return result;
  }

  Value call_function(const std::string& name, const Arguments& arguments) {
    if (name == "raise_exception") {
      throw Error({.file = name_,
                   .found = printable(to_text(*arguments.get(0)), 200),
                   .expected = "a conversation that the chat template takes"});
    }
    if (name == "namespace" || name == "dict") {
      Json made = Json::object();
      for (const auto& [key, value] : arguments.named) {
        made[key] = *value;
      }
      return make_value(std::move(made));
    }
    if (name == "range") {
      return range(arguments);
    }
    if (name == "strftime_now") {
      return make_value(now(to_text(*arguments.get(0))));
    }
    throw std::invalid_argument("the function " + name);
  }

  static Value range(const Arguments& arguments) {
    std::array<int64_t, 3> bounds{0, 0, 1};
    for (size_t i = 0; i < std::min<size_t>(arguments.positional.size(), 3); ++i) {
      if (!arguments.positional[i]->is_number_integer()) {
        throw std::invalid_argument("range of " +
                                    std::string(arguments.positional[i]->type_name()));
      }
      bounds[i] = arguments.positional[i]->get<int64_t>();
    }
    if (arguments.positional.size() == 1) {
      std::swap(bounds[0], bounds[1]);
    }
    const auto [begin, end, step] = bounds;
    Json numbers = Json::array();
    for (int64_t i = begin; step > 0 ? i < end : i > end; i += step) {
      numbers.push_back(i);
      if (step == 0 || std::ssize(numbers) > kLongestRange || std::abs(step) > kLongestRange) {
        throw std::invalid_argument("a range that long");
      }
    }
    return make_value(std::move(numbers));
  }

  static std::string now(const std::string& format) {
    const std::time_t seconds = std::time(nullptr);
    std::tm local{};
    localtime_r(&seconds, &local);
    std::array<char, 256> text{};
    return {text.data(), std::strftime(text.data(), text.size(), format.c_str(), &local)};
  }

  const std::string& name_;
  std::vector<Scope> scopes_;  ///< The template's own, then those of loops and macros.
  std::map<std::string, const Statement*> macros_;
  std::string output_;
  int call_depth_ = 0;
  int64_t steps_ = 0;
};

}  // namespace

std::string render(const std::vector<Statement>& statements,
                   const Json& variables,
                   const std::string& name) {
  return Renderer(variables, name).run(statements);
}

}  // namespace slayer::jinja
