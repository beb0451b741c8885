#include <cmath>
#include <gtest/gtest.h>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/checkpoint/gguf_config.h"
#include "slayer/checkpoint/gguf_export.h"
#include "slayer/checkpoint/gguf_import.h"
#include "slayer/checkpoint/gguf_names.h"
#include "slayer/core/file.h"

#include "tests/support/error_message.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/tiny_checkpoint.h"
#include "tests/support/tiny_gguf.h"

namespace slayer {
namespace {

std::vector<float> values_of(const Checkpoint& checkpoint, std::string_view name) {
  const TensorInfo& tensor = *checkpoint.find(name);
  std::vector<float> values(static_cast<size_t>(tensor.element_count()));
  checkpoint.read(tensor, 0, values);
  return values;
}

class GgufCheckpoint : public testing::Test {
 protected:
  Checkpoint open(const GgufBuilder& gguf) const {
    write_text_file(path(), gguf.build());
    return Checkpoint::open(path());
  }

  /// What is wrong with a tiny model with this architecture or tokenizer, without its path.
  std::string error_of(const GgufBuilder& gguf) const {
    const std::string message = message_of([&] {
      const Checkpoint checkpoint = open(gguf);
      checkpoint.require_complete();
      checkpoint.side_files();
    });
    const std::string prefix = path().string() + ": ";
    return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
  }

  /// A tiny model whose value under `key` is replaced by what `add` adds.
  std::string error_with(const std::function<void(GgufBuilder&)>& add) const {
    GgufBuilder gguf = tiny_gguf_architecture();
    add_tiny_tokenizer(gguf);
    add(gguf);
    add_tiny_tensors(gguf);
    return error_of(gguf);
  }

  std::filesystem::path path() const { return folder / "m.gguf"; }

  ScratchFolder folder;
};

TEST_F(GgufCheckpoint, IsSeenUnderHuggingFacesNames) {
  const Checkpoint checkpoint = open(tiny_gguf());
  EXPECT_TRUE(checkpoint.is_gguf());
  EXPECT_NO_THROW(checkpoint.require_complete());
  const ModelConfig& config = checkpoint.config();
  EXPECT_EQ(config.architecture, "LlamaForCausalLM");
  EXPECT_EQ(config.vocab_size, 6);
  EXPECT_EQ(config.head_dim, 4);
  EXPECT_EQ(config.num_key_value_heads, 1);
  EXPECT_EQ(config.rms_norm_eps, 1e-5);
  EXPECT_TRUE(config.tie_word_embeddings);
  EXPECT_EQ(config.bos_token_id, 0);
  EXPECT_EQ(config.eos_token_ids, std::vector<int64_t>{1});
  EXPECT_EQ(values_of(checkpoint, "model.layers.0.self_attn.v_proj.weight"), counting(32, 300));
  EXPECT_EQ(values_of(checkpoint, "model.embed_tokens.weight"), counting(48, 0));
  EXPECT_TRUE(checkpoint.stored(*checkpoint.find("model.norm.weight")).has_value());
}

TEST_F(GgufCheckpoint, PutsTheRowsOfQueriesAndKeysBack) {
  const Checkpoint checkpoint = open(tiny_gguf());
  // Rows 0, 1, 2, 3 of a head stand in the file as 0, 2, 1, 3.
  const std::vector<size_t> rows{0, 2, 1, 3, 4, 6, 5, 7};
  const auto queries = values_of(checkpoint, "model.layers.0.self_attn.q_proj.weight");
  for (size_t row = 0; row < 8; ++row) {
    EXPECT_EQ(queries[8 * row], 100.0F + 8.0F * static_cast<float>(rows[row])) << row;
    EXPECT_EQ(queries[8 * row + 7], queries[8 * row] + 7.0F);
  }
  const TensorInfo& tensor = *checkpoint.find("model.layers.0.self_attn.q_proj.weight");
  EXPECT_FALSE(checkpoint.stored(tensor).has_value());
  std::vector<float> part(21);
  checkpoint.read(tensor, 6, part);
  EXPECT_TRUE(std::equal(part.begin(), part.end(), queries.begin() + 6)) << "from inside a row on";
}

TEST(GgufNames, GoBothWays) {
  for (int64_t row = 0; row < 24; ++row) {
    EXPECT_EQ(row_from_gguf_row(gguf_row_from_row(row, 8), 8), row);
  }
  EXPECT_EQ(gguf_tensor_name(TensorRole::kQueryNorm, 12), "blk.12.attn_q_norm.weight");
  const TensorPlace nowhere{.role = TensorRole::kEmbedding};
  EXPECT_EQ(place_from_gguf_name("blk.12.attn_q_norm.weight").value_or(nowhere).layer, 12);
  EXPECT_EQ(place_from_gguf_name("output.weight").value_or(nowhere).role, TensorRole::kHead);
  for (const std::string_view stranger : {"blk.012.attn_q.weight",
                                          "blk.-1.attn_q.weight",
                                          "blk.x.attn_q.weight",
                                          "blk.1attn_q.weight",
                                          "blk.99999999999999999999.attn_q.weight",
                                          "attn_q.weight",
                                          "blk.1.output.weight",
                                          "",
                                          "blk."}) {
    EXPECT_FALSE(place_from_gguf_name(stranger).has_value()) << stranger;
  }
}

TEST_F(GgufCheckpoint, MakesTheTokenizersFiles) {
  const auto files = open(tiny_gguf()).side_files();
  const Json tokenizer = parse_json(files.at("tokenizer.json"), "tokenizer.json");
  EXPECT_EQ(compact_text(tokenizer["model"]["vocab"]),
            R"({"<s>":0,"</s>":1,"a":2,"b":3,"ab":4,"<tool>":5})");
  EXPECT_EQ(compact_text(tokenizer["model"]["merges"]), R"([["a","b"]])");
  EXPECT_EQ(compact_text(tokenizer["pre_tokenizer"]["pretokenizers"][0]),
            R"({"type":"Digits","individual_digits":true})");
  EXPECT_EQ(compact_text(tokenizer["post_processor"]["single"]),
            R"([{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}])");
  ASSERT_EQ(tokenizer["added_tokens"].size(), 3U);
  EXPECT_EQ(tokenizer["added_tokens"][2]["content"], "<tool>");
  EXPECT_EQ(tokenizer["added_tokens"][2]["special"], false);
  EXPECT_EQ(tokenizer["added_tokens"][0]["special"], true);
  const Json config = parse_json(files.at("tokenizer_config.json"), "tokenizer_config.json");
  EXPECT_EQ(config["chat_template"], "{{ 'a' }}\n\t\"b\" \xe2\x96\x81") << "byte for byte";
  EXPECT_EQ(config["bos_token"], "<s>");
  EXPECT_EQ(config["model_max_length"], 64);
  const Json generation = parse_json(files.at("generation_config.json"), "generation_config.json");
  EXPECT_EQ(generation["eos_token_id"], 1);
}

TEST_F(GgufCheckpoint, DerivesMergesFromSentencePieceScores) {
  GgufBuilder gguf = tiny_gguf_architecture();
  gguf.string("tokenizer.ggml.model", "llama")
      .strings("tokenizer.ggml.tokens", {"<unk>", "a", "b", "ab", "aab", "<0x0A>"})
      .i32s("tokenizer.ggml.token_type", {2, 1, 1, 1, 1, 6})
      .f32s("tokenizer.ggml.scores", {0, -9, -9, -2, -1, 0})
      .u32("tokenizer.ggml.unknown_token_id", 0)
      .boolean("tokenizer.ggml.add_bos_token", false);
  add_tiny_tensors(gguf);
  const Json tokenizer = parse_json(open(gguf).side_files().at("tokenizer.json"), "tokenizer.json");
  EXPECT_EQ(compact_text(tokenizer["model"]["merges"]), R"([["a","ab"],["a","b"]])");
  EXPECT_EQ(tokenizer["model"]["byte_fallback"], true);
  EXPECT_EQ(tokenizer["model"]["unk_token"], "<unk>");
  EXPECT_EQ(compact_text(tokenizer["normalizer"]["normalizers"][0]),
            "{\"type\":\"Prepend\",\"prepend\":\"\xe2\x96\x81\"}");
  EXPECT_TRUE(tokenizer["post_processor"].is_null());
}

TEST_F(GgufCheckpoint, RefusesAnArchitectureItCannotSay) {
  GgufBuilder gguf;
  gguf.string("general.architecture", "mamba");
  EXPECT_EQ(error_of(gguf), "general.architecture: found mamba, expected llama, qwen2 or qwen3");
  EXPECT_EQ(error_of(GgufBuilder()),
            "general.architecture: found nothing, expected this metadata key");
  EXPECT_EQ(error_with([](auto& g) { g.u32("llama.expert_count", 8); }),
            "llama.expert_count: found a mixture of experts, expected a dense model");
  EXPECT_EQ(error_with([](auto& g) { g.u32("llama.rope.dimension_count", 2); }),
            "llama.rope.dimension_count: found 2, expected the head size, 4");
  EXPECT_EQ(error_with([](auto& g) { g.u32("llama.attention.value_length", 8); }),
            "llama.attention.value_length: found 8, expected the head size, 4");
  EXPECT_EQ(error_with([](auto& g) { g.string("llama.rope.scaling.type", "yarn"); }),
            "llama.rope.scaling.type: found yarn, expected none or linear");
  EXPECT_EQ(error_with([](auto& g) { g.tensor("rope_freqs.weight", {2}, {3, 2}); }),
            "rope_freqs.weight: found factors of an unknown kind of rope scaling, expected the 2 "
            "factors of Llama 3's");
  EXPECT_EQ(error_with([](auto& g) { g.tensor("rope_freqs.weight", {3}, {1, 1, 1}); }),
            "rope_freqs.weight: found factors of an unknown kind of rope scaling, expected the 2 "
            "factors of Llama 3's");
}

/// A tiny architecture without one key of it, and another in its place.
GgufBuilder architecture_with_heads(const std::function<void(GgufBuilder&)>& add_heads) {
  GgufBuilder gguf;
  gguf.string("general.architecture", "llama")
      .u32("llama.block_count", 1)
      .u32("llama.context_length", 64)
      .u32("llama.embedding_length", 8)
      .u32("llama.feed_forward_length", 12)
      .f32("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  add_heads(gguf);
  return gguf;
}

TEST_F(GgufCheckpoint, RefusesHeadsThatDoNotFit) {
  EXPECT_EQ(
      error_of(architecture_with_heads([](auto& g) { g.u32("llama.attention.head_count", 3); })),
      "llama.attention.head_count: found 3, expected a divisor of embedding_length, 8");
  GgufBuilder differing = architecture_with_heads([](auto& g) {
    g.u32("llama.attention.head_count", 2).i32s("llama.attention.head_count_kv", {1, 2});
  });
  EXPECT_EQ(error_of(differing),
            "token_embd.weight: found nothing, expected a tensor [vocabulary, embedding_length]");
  add_tiny_tensors(differing);
  EXPECT_EQ(error_of(differing),
            "llama.attention.head_count_kv: found counts that differ, expected the same count for "
            "every layer");
  GgufBuilder same = architecture_with_heads([](auto& g) {
    g.u32("llama.attention.head_count", 2).i32s("llama.attention.head_count_kv", {1});
  });
  add_tiny_tensors(same);
  EXPECT_EQ(open(same).config().num_key_value_heads, 1);
}

TEST_F(GgufCheckpoint, SeesMistralByItsWindowAndLinearScaling) {
  GgufBuilder gguf = tiny_gguf_architecture();
  gguf.u32("llama.attention.sliding_window", 16);
  add_tiny_tensors(gguf);
  EXPECT_EQ(open(gguf).config().architecture, "MistralForCausalLM");
  EXPECT_EQ(open(gguf).config().sliding_window.front(), 16);
  GgufBuilder linear = tiny_gguf_architecture();
  linear.string("llama.rope.scaling.type", "linear").f32("llama.rope.scaling.factor", 2.5F);
  add_tiny_tensors(linear);
  EXPECT_EQ(open(linear).config().rope_scaling.type, RopeScaling::Type::kLinear);
  EXPECT_EQ(open(linear).config().rope_scaling.factor, 2.5);
}

TEST_F(GgufCheckpoint, RefusesATokenizerItCannotSay) {
  const auto with = [this](const std::function<void(GgufBuilder&)>& add) {
    GgufBuilder gguf = tiny_gguf_architecture();
    add(gguf);
    add_tiny_tensors(gguf);
    return error_of(gguf);
  };
  const std::vector<std::string> tokens{"a", "b"};
  const auto gpt2 = [&](auto& g) -> GgufBuilder& {
    return g.strings("tokenizer.ggml.tokens", tokens)
        .string("tokenizer.ggml.model", "gpt2")
        .string("tokenizer.ggml.pre", "gpt-2");
  };
  const auto spm = [&](auto& g) -> GgufBuilder& {
    return g.strings("tokenizer.ggml.tokens", tokens).string("tokenizer.ggml.model", "llama");
  };
  EXPECT_EQ(with([](auto&) {}), "tokenizer.ggml.tokens: found nothing, expected this metadata key");
  EXPECT_EQ(with([&](auto& g) {
              g.strings("tokenizer.ggml.tokens", tokens).string("tokenizer.ggml.model", "t5");
            }),
            "tokenizer.ggml.model: found t5, expected gpt2 or llama");
  EXPECT_EQ(with([&](auto& g) {
              g.strings("tokenizer.ggml.tokens", tokens)
                  .string("tokenizer.ggml.model", "gpt2")
                  .string("tokenizer.ggml.pre", "tekken");
            }),
            "tokenizer.ggml.pre: found tekken, expected smollm, gpt-2, llama-bpe or qwen2");
  EXPECT_EQ(with([&](auto& g) {
              g.strings("tokenizer.ggml.tokens", {"1", "2", "3", "4", "5", "6", "7"})
                  .string("tokenizer.ggml.model", "llama");
            }),
            "tokenizer.ggml.tokens: found 7 tokens, expected at most the 6 rows of the embedding");
  EXPECT_EQ(with([&](auto& g) { gpt2(g).i32s("tokenizer.ggml.token_type", {1}); }),
            "tokenizer.ggml.token_type: found 1 types, expected one for each of the 2 tokens");
  EXPECT_EQ(with([&](auto& g) { gpt2(g).i32s("tokenizer.ggml.token_type", {1, 7}); }),
            "tokenizer.ggml.token_type[1]: found 7, expected an integer from 1 to 6");
  EXPECT_EQ(
      with([&](auto& g) {
        g.strings("tokenizer.ggml.tokens", {"a", "a"}).string("tokenizer.ggml.model", "llama");
      }),
      "tokenizer.ggml.tokens[1]: found \"a\" once more, expected each token once");
  EXPECT_EQ(with([&](auto& g) { gpt2(g).boolean("tokenizer.ggml.add_bos_token", true); }),
            "tokenizer.ggml.add_bos_token: found true, expected tokenizer.ggml.bos_token_id with "
            "it");
  EXPECT_EQ(with([&](auto& g) { gpt2(g).u32("tokenizer.ggml.eos_token_id", 2); }),
            "tokenizer.ggml.eos_token_id: found 2, expected an integer from 0 to 1");
  EXPECT_EQ(with([&](auto& g) { gpt2(g).strings("tokenizer.ggml.merges", {"ab"}); }),
            "tokenizer.ggml.merges[0]: found \"ab\", expected two tokens with a space between");
  EXPECT_EQ(with([&](auto& g) { gpt2(g).strings("tokenizer.ggml.merges", {"a b c"}); }),
            "tokenizer.ggml.merges[0]: found \"a b c\", expected two tokens with a space between");
  EXPECT_EQ(with([&](auto& g) { spm(g).f32s("tokenizer.ggml.scores", {1}); }),
            "tokenizer.ggml.scores: found 1 scores, expected one for each of the 2 tokens");
  EXPECT_EQ(with([&](auto& g) { spm(g).f32s("tokenizer.ggml.scores", {1, NAN}); }),
            "tokenizer.ggml.scores: found a score that is not finite, expected finite scores");
}

TEST_F(GgufCheckpoint, RefusesPermutedRowsThatAreNoHeads) {
  GgufBuilder gguf = tiny_gguf_architecture();
  gguf.tensor("token_embd.weight", {8, 6}, counting(48, 0))
      .tensor("blk.0.attn_q.weight", {8, 6}, counting(48, 0));
  EXPECT_EQ(error_of(gguf),
            "blk.0.attn_q.weight: found 6 rows, expected a multiple of the head size, 4");
}

TEST(RopeFactors, GiveTheirScalingBack) {
  const RopeScaling llama{.type = RopeScaling::Type::kLlama3,
                          .factor = 32.0,
                          .low_freq_factor = 1.0,
                          .high_freq_factor = 4.0,
                          .original_max_position_embeddings = 8192};
  for (const int64_t head_dim : {64, 128}) {
    const auto factors = llama3_frequency_factors(llama, 500000.0, head_dim);
    const RopeScaling found =
        scaling_from_frequency_factors(factors, 500000.0).value_or(RopeScaling{});
    EXPECT_EQ(found.factor, 32.0);
    EXPECT_EQ(found.low_freq_factor, 1.0);
    EXPECT_EQ(found.high_freq_factor, 4.0);
    EXPECT_EQ(found.original_max_position_embeddings, 8192);
  }
  auto factors = llama3_frequency_factors(llama, 500000.0, 128);
  EXPECT_FALSE(scaling_from_frequency_factors(factors, 10000.0).has_value()) << "another theta";
  factors[30] *= 1.01F;
  EXPECT_FALSE(scaling_from_frequency_factors(factors, 500000.0).has_value());
  const std::vector<float> ones(32, 1.0F);
  EXPECT_EQ(scaling_from_frequency_factors(ones, 500000.0).value_or(llama).type,
            RopeScaling::Type::kDefault);
  const std::vector<float> infinite(32, INFINITY);
  EXPECT_FALSE(scaling_from_frequency_factors(infinite, 500000.0).has_value());
}

/// Exports and imports again: every file of the folder must come back with its bytes.
TEST_F(GgufCheckpoint, SurvivesExportAndImport) {
  for (const Dtype dtype : {Dtype::kF32, Dtype::kBF16, Dtype::kF16}) {
    const Checkpoint original = open(tiny_gguf());
    const auto first = folder / "first";
    import_gguf(original, first, dtype, [](int64_t) {});
    const Checkpoint imported = Checkpoint::open(first);
    EXPECT_NO_THROW(imported.require_complete());
    const GgmlType type = dtype == Dtype::kF32    ? GgmlType::kF32
                          : dtype == Dtype::kBF16 ? GgmlType::kBF16
                                                  : GgmlType::kF16;
    const auto exported = folder / "exported.gguf";
    OutputFile output(exported);
    int64_t reported = 0;
    export_gguf(imported, output, type, [&](int64_t bytes) { reported += bytes; });
    output.close();
    EXPECT_EQ(reported, exported_bytes(imported, type));
    const auto second = folder / "second";
    import_gguf(Checkpoint::open(exported), second, dtype, [](int64_t) {});
    for (const auto& entry : std::filesystem::directory_iterator(first)) {
      const std::string name = entry.path().filename().string();
      EXPECT_EQ(read_text_file(first / name), read_text_file(second / name)) << name;
    }
    std::filesystem::remove_all(first);
    std::filesystem::remove_all(second);
  }
}

TEST_F(GgufCheckpoint, ExportsEveryFamilyWithItsWeights) {
  for (const auto& [architecture, type] :
       std::vector<std::pair<std::string, std::string>>{{"LlamaForCausalLM", "llama"},
                                                        {"MistralForCausalLM", "mistral"},
                                                        {"Qwen2ForCausalLM", "qwen2"},
                                                        {"Qwen3ForCausalLM", "qwen3"}}) {
    SCOPED_TRACE(type);
    Json json = tiny_llama_config();
    json["architectures"] = Json::array({architecture});
    json["model_type"] = type;
    json["head_dim"] = 4;
    if (type == "mistral") {
      json["sliding_window"] = 16;
    }
    const auto written = folder / type;
    write_tiny_checkpoint(written, json);
    const auto files = open(tiny_gguf()).side_files();
    for (const auto& [name, content] : files) {
      write_text_file(written / name, content);
    }
    const Checkpoint original = Checkpoint::open(written);
    const auto exported = folder / (type + ".gguf");
    OutputFile output(exported);
    export_gguf(original, output, GgmlType::kF32, [](int64_t) {});
    output.close();
    const Checkpoint back = Checkpoint::open(exported);
    EXPECT_NO_THROW(back.require_complete());
    EXPECT_EQ(back.config().architecture, architecture);
    for (const TensorInfo& tensor : original.tensors()) {
      EXPECT_EQ(values_of(back, tensor.name), values_of(original, tensor.name)) << tensor.name;
    }
  }
}

}  // namespace
}  // namespace slayer
