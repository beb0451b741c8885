#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "slayer/tokenizer/jinja_value.h"

namespace slayer::jinja {

/// Arguments of a call, in order and by name.
struct Arguments {
  std::vector<Value> positional = {};
  std::map<std::string, Value> named = {};

  /// The one at `index`, or that named so; undefined where neither was given.
  Value get(size_t index, const std::string& name = "") const;
};

/// These throw std::invalid_argument, for the renderer to say where, when the name is unknown or a
/// value has the wrong type.

/// value | name(arguments): default, trim, length, tojson, join, ...
Value apply_filter(std::string_view name, const Value& value, const Arguments& arguments);
/// value is name(arguments): defined, none, string, mapping, ...
bool apply_test(std::string_view name, const Value& value, const Arguments& arguments);
/// value.name(arguments): Python's methods of strings and dicts.
Value call_method(std::string_view name, const Value& value, const Arguments& arguments);

/// left op right, for all but "and" and "or".
Value apply_operator(std::string_view op, const Value& left, const Value& right);
/// value[begin:end:step]; undefined where left out.
Value slice(const Value& value, const Value& begin, const Value& end, const Value& step);
/// value[key]; undefined where there is nothing.
Value item(const Value& value, const Value& key);

}  // namespace slayer::jinja
