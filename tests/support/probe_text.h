#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/model/load.h"
#include "slayer/probe/probe_set.h"

namespace slayer {

/// A checked-in model of four layers, in float32 on the CPU.
inline CausalLM fixture_model(const std::string& name) {
  return load_causal_lm(
      Checkpoint::open(SLAYER_FIXTURES "/models/" + name), at::kFloat, at::Device(at::kCPU));
}

/// `count` documents of different lengths, of tokens below 60.
inline std::vector<std::vector<TokenId>> made_documents(int64_t count) {
  std::vector<std::vector<TokenId>> documents;
  for (int64_t document = 0; document < count; ++document) {
    std::vector<TokenId>& tokens = documents.emplace_back();
    for (int64_t i = 0; i < 11 + 4 * document; ++i) {
      tokens.push_back(static_cast<TokenId>(3 + (7 * i * i + 13 * document + i) % 57));
    }
  }
  return documents;
}

/// Windows of 8 tokens of such documents.
inline ProbeSet made_text(int64_t documents, const std::string& name = "text") {
  return text_set(name,
                  {"made.txt"},
                  made_documents(documents),
                  {.seq_len = 8, .windows = 0},
                  /*max_position_embeddings=*/64);
}

}  // namespace slayer
