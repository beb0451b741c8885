#pragma once

#include <memory>
#include <string>

#include "slayer/core/json.h"

namespace slayer::jinja {

/// A value while a template runs: JSON, shared so that looking at a part of it copies nothing.
/// Undefined is a discarded JSON.
using Value = std::shared_ptr<const Json>;

Value make_value(Json json);
Value undefined();
bool is_undefined(const Value& value);

/// Python's truth: false for undefined, None, False, 0, and what is empty.
bool is_true(const Json& value);

/// Python's str(): "True", "None", "1.5", a list as ['a', 1]; undefined is "".
std::string to_text(const Json& value);

/// json.dumps with ensure_ascii=False and, where it is at least 0, `indent`: what the filter tojson
/// gives in transformers.
std::string to_json_text(const Json& value, int indent = -1);

/// Python's ==: numbers by value, whatever their type.
bool is_equal(const Json& left, const Json& right);

}  // namespace slayer::jinja
