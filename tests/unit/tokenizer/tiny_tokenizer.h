#pragma once

#include <map>
#include <string>
#include <string_view>

#include "slayer/core/error.h"
#include "slayer/core/json.h"
#include "slayer/tokenizer/tokenizer.h"

namespace slayer {

/// A byte-level tokenizer that a person can work out by hand: a to d, space, "ab", "abc", "cd" and
/// the special token "<s>".
inline Json tiny_tokenizer_json() {
  return parse_json(R"({
    "version": "1.0",
    "added_tokens": [{"id": 8, "content": "<s>", "special": true, "normalized": false}],
    "normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
      "special_tokens": {"<s>": {"id": "<s>", "ids": [8], "tokens": ["<s>"]}}},
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE",
      "vocab": {"a": 0, "b": 1, "c": 2, "d": 3, "\u0120": 4, "ab": 5, "abc": 6, "cd": 7},
      "merges": ["c d", "a b", ["ab", "c"]]}})",  // Both forms of a merge are allowed, if not in
                                                  // one file elsewhere.
                    "tiny");
}

inline Tokenizer tokenizer_of(const std::string& json) {
  return Tokenizer::from_side_files({{"tokenizer.json", json}}, "model");
}

/// The message of the Error that `act` throws; "no error" where it throws none.
template <class Act>
std::string message_of(const Act& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace slayer
