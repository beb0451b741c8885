#include "slayer/checkpoint/gguf_export.h"

#include <gtest/gtest.h>

#include "slayer/checkpoint/gguf_reader.h"
#include "slayer/checkpoint/gguf_vocabulary.h"
#include "slayer/core/file.h"

#include "tests/support/error_message.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/tiny_checkpoint.h"

namespace slayer {
namespace {

Json tiny_tokenizer() {
  return parse_json(
      R"({"added_tokens": [{"id": 0, "content": "<s>", "special": true},
                           {"id": 5, "content": "<tool>", "special": false}],
          "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false,
                            "trim_offsets": false, "use_regex": true},
          "post_processor": null,
          "model": {"type": "BPE", "vocab": {"a": 1, "b": 2, "ab": 3}, "merges": ["a b"]}})",
      "tokenizer.json");
}

class GgufExport : public testing::Test {
 protected:
  /// The metadata of a file that holds only this vocabulary.
  GgufFile write(const Json& tokenizer, const Json& options) const {
    return write_files({{"tokenizer.json", compact_text(tokenizer)},
                        {"tokenizer_config.json", compact_text(options)}});
  }

  GgufFile write_files(const std::map<std::string, std::string>& files) const {
    ModelConfig config;
    config.vocab_size = 7;
    config.eos_token_ids = {2, 3};
    GgufWriter writer;
    add_vocabulary(writer, files, config, "base");
    OutputFile output(folder / "v.gguf");
    writer.write(output, [](int64_t) {});
    output.close();
    return GgufFile::open(folder / "v.gguf");
  }

  std::string error_of(const Json& tokenizer, const Json& options = Json::object()) const {
    return message_of([&] { write(tokenizer, options); });
  }

  ScratchFolder folder;
};

TEST_F(GgufExport, WritesTheVocabularyOfAByteLevelTokenizer) {
  Json options = {{"bos_token", "<s>"}, {"eos_token", {{"content", "b"}}}, {"unk_token", nullptr}};
  options["chat_template"] = "{{ x }}\n";
  options["add_bos_token"] = true;
  const GgufFile file = write(tiny_tokenizer(), options);
  EXPECT_EQ(file.string("tokenizer.ggml.model"), "gpt2");
  EXPECT_EQ(file.string("tokenizer.ggml.pre"), "gpt-2") << "offsets do not matter";
  EXPECT_EQ(file.strings("tokenizer.ggml.tokens"),
            (std::vector<std::string_view>{"<s>", "a", "b", "ab", "[PAD4]", "<tool>", "[PAD6]"}));
  EXPECT_EQ(file.integers("tokenizer.ggml.token_type", 0, 9),
            (std::vector<int64_t>{3, 1, 1, 1, 5, 4, 5}));
  EXPECT_EQ(file.strings("tokenizer.ggml.merges"), std::vector<std::string_view>{"a b"});
  EXPECT_EQ(file.integer("tokenizer.ggml.bos_token_id", 0, 9), 0);
  EXPECT_EQ(file.integer("tokenizer.ggml.eos_token_id", 0, 9), 2);
  EXPECT_EQ(file.integer("tokenizer.ggml.eot_token_id", 0, 9), 3);
  EXPECT_FALSE(file.has("tokenizer.ggml.unknown_token_id"));
  EXPECT_TRUE(file.boolean("tokenizer.ggml.add_bos_token"));
  EXPECT_FALSE(file.boolean("tokenizer.ggml.add_eos_token"));
  EXPECT_EQ(file.string("tokenizer.chat_template"), "{{ x }}\n");
}

TEST_F(GgufExport, TakesTheTemplateFromItsOwnFile) {
  const GgufFile file = write_files(
      {{"tokenizer.json", compact_text(tiny_tokenizer())}, {"chat_template.jinja", "{{ y }}"}});
  EXPECT_EQ(file.string("tokenizer.chat_template"), "{{ y }}");
}

TEST_F(GgufExport, TakesNamedTemplatesByTheirNames) {
  const Json options = {{"chat_template",
                         {{{"name", "default"}, {"template", "{{ x }}"}},
                          {{"name", "tool_use"}, {"template", "{{ y }}"}}}}};
  const GgufFile file = write(tiny_tokenizer(), options);
  EXPECT_EQ(file.string("tokenizer.chat_template"), "{{ x }}");
  EXPECT_EQ(file.string("tokenizer.chat_template.tool_use"), "{{ y }}");
  EXPECT_EQ(file.strings("tokenizer.chat_templates"), std::vector<std::string_view>{"tool_use"});
}

TEST_F(GgufExport, ScoresTokensByTheirMerges) {
  Json tokenizer = tiny_tokenizer();
  tokenizer["model"]["byte_fallback"] = true;
  tokenizer["model"]["unk_token"] = "<s>";
  tokenizer["model"]["vocab"]["aab"] = 4;
  tokenizer["model"]["vocab"]["<0x0A>"] = 6;
  tokenizer["model"]["merges"] = {"a ab", "a b"};
  const GgufFile file = write(tokenizer, Json::object());
  EXPECT_EQ(file.string("tokenizer.ggml.model"), "llama");
  EXPECT_EQ(file.numbers("tokenizer.ggml.scores"),
            (std::vector<double>{0, -1e6, -1e6, -2, -1, 0, 0}));
  EXPECT_EQ(file.integers("tokenizer.ggml.token_type", 0, 9),
            (std::vector<int64_t>{2, 1, 1, 1, 1, 4, 6}));
  EXPECT_FALSE(file.boolean("tokenizer.ggml.add_space_prefix"));
}

TEST_F(GgufExport, RefusesWhatGgufCannotHold) {
  const auto with = [this](const std::function<void(Json&)>& change) {
    Json tokenizer = tiny_tokenizer();
    change(tokenizer);
    return error_of(tokenizer);
  };
  EXPECT_EQ(message_of([&] { write_files({}); }),
            "base: tokenizer.json: found nothing, expected this file "
            "(AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR) makes it)");
  EXPECT_EQ(message_of([&] { write_files({{"tokenizer.json", "{"}}); }),
            "base/tokenizer.json: found invalid JSON, expected a JSON object");
  EXPECT_EQ(error_of(Json::array()),
            "base/tokenizer.json: found another value, expected a JSON object");
  EXPECT_EQ(message_of([&] { write_files({{"tokenizer.json", std::string(200, '[')}}); }),
            "base/tokenizer.json: found deeply nested JSON, expected fewer levels");
  EXPECT_EQ(error_of(Json::object()),
            "base/tokenizer.json: model: found nothing, expected this key");
  EXPECT_EQ(with([](Json& t) { t["model"]["type"] = "Unigram"; }),
            "base/tokenizer.json: model.type: found \"Unigram\", expected BPE");
  EXPECT_EQ(with([](Json& t) { t["model"]["vocab"] = 3; }),
            "base/tokenizer.json: model.vocab: found another value, expected an object");
  EXPECT_EQ(with([](Json& t) { t["model"]["vocab"]["x"] = 7; }),
            "base/tokenizer.json: model.vocab.x: found 7, expected an id below the vocabulary's "
            "size, 7");
  EXPECT_EQ(with([](Json& t) { t["model"]["vocab"]["x"] = 3; }),
            "base/tokenizer.json: id 3: found ab and x, expected one token");
  EXPECT_EQ(with([](Json& t) { t["added_tokens"][0]["content"] = 1; }),
            "base/tokenizer.json: added_tokens.content: found 1, expected a string");
  EXPECT_EQ(with([](Json& t) { t["model"]["merges"][0] = "a b c"; }),
            "base/tokenizer.json: model.merges[0]: found \"a b c\", expected two tokens");
  EXPECT_EQ(with([](Json& t) { t["model"]["merges"][0] = Json::array({"b", "a"}); }),
            "base/tokenizer.json: model.merges[0]: found ba, expected a token of the vocabulary");
  EXPECT_EQ(with([](Json& t) { t["pre_tokenizer"] = nullptr; }),
            "base/tokenizer.json: pre_tokenizer: found null, expected that of SmolLM, GPT-2, "
            "Llama 3 or Qwen 2");
  EXPECT_EQ(error_of(tiny_tokenizer(), {{"bos_token", "<x>"}}),
            "base/tokenizer_config.json: bos_token: found \"<x>\", expected a token of the "
            "vocabulary");
}

TEST_F(GgufExport, RefusesWindowsThatReadersWouldNotSee) {
  Json json = tiny_llama_config();
  json["architectures"] = Json::array({"Qwen2ForCausalLM"});
  json["model_type"] = "qwen2";
  json["use_sliding_window"] = true;
  json["sliding_window"] = 16;
  const auto refusal = [&](const std::string& name, int first_window) {
    json["max_window_layers"] = first_window;
    write_tiny_checkpoint(folder / name, json);
    return message_of([&] { require_gguf_can_hold(Checkpoint::open(folder / name)); });
  };
  EXPECT_EQ(refusal("some", 1),
            (folder / "some").string() +
                ": sliding_window: found a window in some layers only, expected all layers alike "
                "(GGUF cannot say which)");
  EXPECT_EQ(refusal("all", 0),
            (folder / "all").string() +
                ": sliding_window: found a window, expected none (a qwen2 GGUF is read without)");
}

TEST_F(GgufExport, FallsBackToHalfPrecisionWhereQ8BlocksDoNotFit) {
  write_tiny_checkpoint(folder / "t");
  write_text_file((folder / "t") / "tokenizer.json", compact_text(tiny_tokenizer()));
  const Checkpoint checkpoint = Checkpoint::open(folder / "t");
  OutputFile output(folder / "t.gguf");
  export_gguf(checkpoint, output, GgmlType::kQ8_0, [](int64_t) {});
  output.close();
  const GgufFile file = GgufFile::open(folder / "t.gguf");
  EXPECT_EQ(file.find("blk.0.attn_q.weight")->type, GgmlType::kF16) << "rows of 8";
  EXPECT_EQ(file.find("blk.0.attn_norm.weight")->type, GgmlType::kF32);
}

}  // namespace
}  // namespace slayer
