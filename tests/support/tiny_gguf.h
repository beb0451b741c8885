#pragma once

#include <numeric>

#include "tests/support/gguf_builder.h"

namespace slayer {

/// Elements 0, 1, 2, ... plus `first`.
inline std::vector<float> counting(size_t count, float first) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), first);
  return values;
}

/// Metadata of a Llama of one layer: hidden 8, 2 heads of 4 on one of keys, ffn 12, 6 tokens.
inline GgufBuilder tiny_gguf_architecture() {
  GgufBuilder gguf;
  return gguf.string("general.architecture", "llama")
      .u32("llama.block_count", 1)
      .u32("llama.context_length", 64)
      .u32("llama.embedding_length", 8)
      .u32("llama.feed_forward_length", 12)
      .u32("llama.attention.head_count", 2)
      .u32("llama.attention.head_count_kv", 1)
      .f32("llama.attention.layer_norm_rms_epsilon", 1e-5F)
      .f32("llama.rope.freq_base", 10000.0F);
}

/// A byte-level tokenizer of six tokens and one merge.
inline void add_tiny_tokenizer(GgufBuilder& gguf) {
  gguf.string("tokenizer.ggml.model", "gpt2")
      .string("tokenizer.ggml.pre", "smollm")
      .strings("tokenizer.ggml.tokens", {"<s>", "</s>", "a", "b", "ab", "<tool>"})
      .i32s("tokenizer.ggml.token_type", {3, 3, 1, 1, 1, 4})
      .strings("tokenizer.ggml.merges", {"a b"})
      .u32("tokenizer.ggml.bos_token_id", 0)
      .u32("tokenizer.ggml.eos_token_id", 1)
      .boolean("tokenizer.ggml.add_bos_token", true)
      .string("tokenizer.chat_template", "{{ 'a' }}\n\t\"b\" \xe2\x96\x81");
}

/// The tensors that the architecture demands; the head is the embedding.
inline void add_tiny_tensors(GgufBuilder& gguf) {
  gguf.tensor("token_embd.weight", {8, 6}, counting(48, 0))
      .tensor("output_norm.weight", {8}, counting(8, 1))
      .tensor("blk.0.attn_norm.weight", {8}, counting(8, 2))
      .tensor("blk.0.attn_q.weight", {8, 8}, counting(64, 100))
      .tensor("blk.0.attn_k.weight", {8, 4}, counting(32, 200))
      .tensor("blk.0.attn_v.weight", {8, 4}, counting(32, 300))
      .tensor("blk.0.attn_output.weight", {8, 8}, counting(64, 400))
      .tensor("blk.0.ffn_norm.weight", {8}, counting(8, 3))
      .tensor("blk.0.ffn_gate.weight", {8, 12}, counting(96, 500))
      .tensor("blk.0.ffn_up.weight", {8, 12}, counting(96, 600))
      .tensor("blk.0.ffn_down.weight", {12, 8}, counting(96, 700));
}

inline GgufBuilder tiny_gguf() {
  GgufBuilder gguf = tiny_gguf_architecture();
  add_tiny_tokenizer(gguf);
  add_tiny_tensors(gguf);
  return gguf;
}

}  // namespace slayer
