#include <gtest/gtest.h>

#include "tests/support/tiny_stages.h"

namespace slayer {
namespace {

/// What lies beside the weights: tokenizer, chat template, and whether a GGUF can hold them.
class SideFiles : public TinyStages {
 protected:
  std::filesystem::path model_ = folder_ / "model";

  std::string weights() { return read_text_file(folder_ / "run/train/model/model.safetensors"); }

  void replace_in_tokenizer_config(const std::string& text, const std::string& by) {
    const std::filesystem::path file = model_ / "tokenizer_config.json";
    std::string config = read_text_file(file);
    config.replace(config.find(text), text.size(), by);
    write_text_file(file, config);
  }

  void expect_refused_at_once(const std::string& message) {
    const Outcome outcome = run("run", {"--dry-run"});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_NE(outcome.err.find(message), std::string::npos) << outcome.err;
  }
};

TEST_F(SideFiles, MayComeWithoutAnotherTraining) {
  learn_conversations(/*steps=*/3);
  const std::string recipe = read_text_file(folder_ / "recipe.toml");
  const std::string chat = read_text_file(model_ / "chat_template.jinja");
  std::filesystem::remove(model_ / "chat_template.jinja");
  write_text_file(folder_ / "recipe.toml", recipe.substr(0, recipe.find("[sft]")));
  ASSERT_EQ(run("run").exit_code, 0);
  const std::string trained = weights();

  write_text_file(folder_ / "recipe.toml", recipe);
  write_text_file(model_ / "chat_template.jinja", chat);
  const Outcome outcome = run("run");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err.find("step 1/6"), std::string::npos) << "trained again: " << outcome.err;
  EXPECT_EQ(weights(), trained);
  EXPECT_EQ(read_text_file(folder_ / "run/sft/model/chat_template.jinja"), chat);
  EXPECT_NE(run("run").err.find("surgery: up to date"), std::string::npos);

  write_text_file(model_ / "chat_template.jinja", "changed " + chat);
  EXPECT_NE(run("run").err.find("sft: found a training that differs (chat_template)"),
            std::string::npos);
}

TEST_F(SideFiles, AreNotCarriedByTrainingAnewUnasked) {
  learn_conversations(/*steps=*/3);
  ASSERT_EQ(run("run").exit_code, 0);
  std::filesystem::remove_all(folder_ / "run/train/checkpoints");
  write_text_file(model_ / "generation_config.json", "{\"temperature\": 0.5}");
  EXPECT_NE(run("run").err.find("found a training that differs (the files beside its weights)"),
            std::string::npos);
}

TEST_F(SideFiles, OfAnotherTokenizerAreAnotherTraining) {
  learn_conversations(/*steps=*/3);
  ASSERT_EQ(run("run").exit_code, 0);
  replace_in_tokenizer_config("<|im_end|>", "<|endoftext|>");
  const Outcome outcome = run("run");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("train: found a training that differs (tokenizer)"), std::string::npos)
      << outcome.err;
}

TEST_F(SideFiles, WithoutAnEndOfTextAreRefusedAtOnce) {
  learn_conversations(/*steps=*/3);
  replace_in_tokenizer_config("  \"eos_token\": \"<|im_end|>\",\n", "");
  expect_refused_at_once("EOS");
}

TEST_F(SideFiles, ThatNoGgufHoldsAreRefusedAtOnce) {
  learn_conversations(/*steps=*/3);
  append_to_recipe("[export]\ngguf = [\"f32\"]\n");
  std::string tokenizer = read_text_file(model_ / "tokenizer.json");
  const std::string digits = "\"individual_digits\": true";
  tokenizer.replace(tokenizer.find(digits), digits.size(), "\"individual_digits\": false");
  write_text_file(model_ / "tokenizer.json", tokenizer);
  expect_refused_at_once("pre_tokenizer: found ");
}

TEST_F(SideFiles, MayBeOfAModelThatIsComputedInFloat16) {
  replace_in_recipe("threads = 1", "threads = 1\ndtype = \"float16\"");
  EXPECT_EQ(run("run", {"--dry-run"}).exit_code, 0);
}

TEST_F(SideFiles, MayBeComputedInWhatIsQuicker) {
  replace_in_recipe("threads = 1", "threads = 1\ndtype = \"bfloat16\"");
  replace_in_recipe("lr = 1e-3", "lr = 1e-3\ncompute = \"auto\"");
  ASSERT_EQ(run("run").exit_code, 0);
  EXPECT_EQ(read_json_file(folder_ / "run/train/training.json")["compute"], "float32")
      << "the base is stored in float32";
}

TEST_F(SideFiles, LeaveThePlanToSayWhatConversationsTrain) {
  learn_conversations(/*steps=*/3);
  replace_in_recipe("lr = 1e-3", "lr = 1e-3\nmethod = \"lora\"\nlora_rank = 2");
  ASSERT_EQ(run("run").exit_code, 0);
  const Json summary = result("run");
  const Json plan = read_json_file(folder_ / "run/plan.json");
  int64_t marked = 0;
  for (const Json& layer : plan["layers"]) {
    marked += layer["train"] == true ? 1 : 0;
  }
  EXPECT_EQ(summary["sft"]["layers"], marked);
  EXPECT_LT(marked, summary["train"]["layers"]);
  EXPECT_EQ(read_json_file(folder_ / "run/sft/training.json")["layers"].size(),
            static_cast<size_t>(marked));

  replace_in_recipe("shallow = 1.0", "strategy = \"passthrough\"\nranges = \"0:4\"");
  expect_refused_at_once("sft.method: found \"plan\", of a plan that marks no layer");
}

}  // namespace
}  // namespace slayer
