#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <stdexcept>

#include "slayer/tokenizer/jinja_builtins.h"

namespace slayer::jinja {
namespace {

[[noreturn]] void fail_types(std::string_view op, const Json& left, const Json& right) {
  throw std::invalid_argument(fmt::format("{} {} {}", left.type_name(), op, right.type_name()));
}

bool contains(const Json& container, const Json& element) {
  if (container.is_string() && element.is_string()) {
    return container.get_ref<const std::string&>().find(element.get_ref<const std::string&>()) !=
           std::string::npos;
  }
  if (container.is_object()) {
    return element.is_string() && container.contains(element.get_ref<const std::string&>());
  }
  if (container.is_array()) {
    return std::ranges::any_of(container, [&](const Json& e) { return is_equal(e, element); });
  }
  if (container.is_discarded()) {
    return false;
  }
  fail_types("in", element, container);
}

bool is_less(std::string_view op, const Json& left, const Json& right) {
  if ((left.is_number() && right.is_number()) || (left.is_string() && right.is_string())) {
    return left < right;
  }
  fail_types(op, left, right);
}

int64_t floor_quotient(int64_t left, int64_t right) {
  const int64_t quotient = left / right;
  return left % right != 0 && (left < 0) != (right < 0) ? quotient - 1 : quotient;
}

Json integer_arithmetic(std::string_view op, int64_t left, int64_t right) {
  if ((op == "//" || op == "%" || op == "/") && right == 0) {
    throw std::invalid_argument("division by zero");
  }
  // In unsigned numbers, where running over is defined.
  const auto a = static_cast<uint64_t>(left);
  const auto b = static_cast<uint64_t>(right);
  if (op == "+") {
    return static_cast<int64_t>(a + b);
  }
  if (op == "-") {
    return static_cast<int64_t>(a - b);
  }
  if (op == "*") {
    return static_cast<int64_t>(a * b);
  }
  if (op == "/") {
    return static_cast<double>(left) / static_cast<double>(right);
  }
  if (right == -1) {  // INT64_MIN / -1 traps
    return op == "//" ? Json(static_cast<int64_t>(uint64_t{0} - a)) : Json(0);
  }
  const int64_t quotient = floor_quotient(left, right);
  return op == "//" ? quotient : left - quotient * right;
}

Json float_arithmetic(std::string_view op, double left, double right) {
  return op == "+"   ? left + right
         : op == "-" ? left - right
         : op == "*" ? left * right
         : op == "/" ? left / right
                     : throw std::invalid_argument(fmt::format("float {} float", op));
}

Json arithmetic(std::string_view op, const Json& left, const Json& right) {
  if (op == "+" && left.is_string() && right.is_string()) {
    return left.get<std::string>() + right.get_ref<const std::string&>();
  }
  if (op == "+" && left.is_array() && right.is_array()) {
    Json joined = left;
    joined.insert(joined.end(), right.begin(), right.end());
    return joined;
  }
  if (left.is_number_integer() && right.is_number_integer()) {
    return integer_arithmetic(op, left.get<int64_t>(), right.get<int64_t>());
  }
  if (left.is_number() && right.is_number()) {
    return float_arithmetic(op, left.get<double>(), right.get<double>());
  }
  fail_types(op, left, right);
}

/// The characters of UTF-8 text.
std::vector<std::string> characters_of(const std::string& text) {
  std::vector<std::string> characters;
  for (const char byte : text) {
    const bool is_continuation = (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
    if (is_continuation && !characters.empty()) {
      characters.back() += byte;
    } else {
      characters.emplace_back(1, byte);
    }
  }
  return characters;
}

/// Elements [begin:end:step] by Python's rules.
template <class Sequence>
std::vector<size_t> slice_indices(const Sequence& sequence,
                                  const Value& begin,
                                  const Value& end,
                                  const Value& step_value) {
  const auto size = static_cast<int64_t>(sequence.size());
  const int64_t given_step = step_value->is_number_integer() ? step_value->get<int64_t>() : 1;
  if (given_step == 0) {
    throw std::invalid_argument("a slice with step 0");
  }
  const int64_t step = std::clamp(given_step, -size - 1, size + 1);
  const auto bound = [size, step](const Value& value, int64_t fallback) {
    if (!value->is_number_integer()) {
      return fallback;
    }
    const auto given = value->get<int64_t>();
    const int64_t place = given < 0 ? given + size : given;
    return step > 0 ? std::clamp<int64_t>(place, 0, size)
                    : std::clamp<int64_t>(place, -1, size - 1);
  };
  std::vector<size_t> indices;
  const int64_t last = bound(end, step > 0 ? size : -1);
  for (int64_t i = bound(begin, step > 0 ? 0 : size - 1); step > 0 ? i < last : i > last;
       i += step) {
    indices.push_back(static_cast<size_t>(i));
  }
  return indices;
}

}  // namespace

Value apply_operator(std::string_view op, const Value& left, const Value& right) {
  if (op == "==" || op == "!=") {
    return make_value(is_equal(*left, *right) == (op == "=="));
  }
  if (op == "in" || op == "not in") {
    return make_value(contains(*right, *left) == (op == "in"));
  }
  if (op == "<") {
    return make_value(is_less(op, *left, *right));
  }
  if (op == ">") {
    return make_value(is_less(op, *right, *left));
  }
  if (op == "<=") {
    return make_value(!is_less(op, *right, *left));
  }
  if (op == ">=") {
    return make_value(!is_less(op, *left, *right));
  }
  if (op == "~") {
    return make_value(to_text(*left) + to_text(*right));
  }
  return make_value(arithmetic(op, *left, *right));
}

Value slice(const Value& value, const Value& begin, const Value& end, const Value& step) {
  if (value->is_string()) {
    const std::vector<std::string> characters = characters_of(value->get_ref<const std::string&>());
    std::string part;
    for (const size_t index : slice_indices(characters, begin, end, step)) {
      part += characters[index];
    }
    return make_value(part);
  }
  if (!value->is_array()) {
    throw std::invalid_argument(fmt::format("a slice of {}", value->type_name()));
  }
  Json part = Json::array();
  for (const size_t index : slice_indices(*value, begin, end, step)) {
    part.push_back((*value)[index]);
  }
  return make_value(std::move(part));
}

Value item(const Value& value, const Value& key) {
  if (value->is_discarded()) {
    throw std::invalid_argument("something of an undefined value");
  }
  if (value->is_object() && key->is_string()) {
    const auto found = value->find(key->get_ref<const std::string&>());
    return found == value->end() ? undefined() : Value(value, &*found);
  }
  if (!key->is_number_integer()) {
    return undefined();
  }
  if (value->is_string()) {
    const std::vector<std::string> characters = characters_of(value->get_ref<const std::string&>());
    const auto index = key->get<int64_t>();
    const int64_t place = index < 0 ? index + std::ssize(characters) : index;
    return place >= 0 && place < std::ssize(characters)
               ? make_value(characters[static_cast<size_t>(place)])
               : undefined();
  }
  if (value->is_array()) {
    const auto size = static_cast<int64_t>(value->size());
    const auto index = key->get<int64_t>();
    const int64_t place = index < 0 ? index + size : index;
    return place >= 0 && place < size ? Value(value, &(*value)[static_cast<size_t>(place)])
                                      : undefined();
  }
  return undefined();
}

}  // namespace slayer::jinja
