#include <fmt/format.h>

#include "slayer/checkpoint/gguf_tokenizer.h"

namespace slayer {
namespace {

Json byte_level(bool add_prefix_space, bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", add_prefix_space},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

Json sequence(const Json& first) {
  return {{"type", "Sequence"},
          {"pretokenizers", {first, byte_level(/*add_prefix_space=*/false, /*use_regex=*/false)}}};
}

/// The pattern of Llama 3 and Qwen 2, which differ in how many digits make one piece.
Json split(std::string_view digits) {
  const std::string pattern = fmt::format(
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
      digits);
  return {{"type", "Split"},
          {"pattern", {{"Regex", pattern}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}

}  // namespace

const std::vector<PreTokenizer>& pre_tokenizers() {
  // As the models' own tokenizer.json files write them.
  static const std::vector<PreTokenizer> known = [] {
    const Json gpt2 = byte_level(/*add_prefix_space=*/false, /*use_regex=*/true);
    const Json digits = {{"type", "Digits"}, {"individual_digits", true}};
    return std::vector<PreTokenizer>{
        {.gguf_name = "smollm",
         .ignores_merges = false,
         .adds_bos = false,
         .normalizer = nullptr,
         .pre_tokenizer = {{"type", "Sequence"}, {"pretokenizers", {digits, gpt2}}}},
        {.gguf_name = "gpt-2",
         .ignores_merges = false,
         .adds_bos = false,
         .normalizer = nullptr,
         .pre_tokenizer = gpt2},
        {.gguf_name = "llama-bpe",
         .ignores_merges = true,
         .adds_bos = true,
         .normalizer = nullptr,
         .pre_tokenizer = sequence(split(R"(\p{N}{1,3})"))},
        {.gguf_name = "qwen2",
         .ignores_merges = false,
         .adds_bos = false,
         .normalizer = {{"type", "NFC"}},
         .pre_tokenizer = sequence(split(R"(\p{N})"))},
    };
  }();
  return known;
}

}  // namespace slayer
