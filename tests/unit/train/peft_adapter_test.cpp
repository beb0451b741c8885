#include "slayer/train/peft_adapter.h"

#include <ATen/ATen.h>

#include <gtest/gtest.h>

#include "slayer/core/file.h"
#include "slayer/core/json.h"
#include "slayer/model/load.h"

#include "tests/support/error_message.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/text_file.h"

namespace slayer {
namespace {

namespace fs = std::filesystem;

/// A copy of an adapter of smollm that peft wrote, to be spoilt.
class PeftAdapter : public testing::Test {
 protected:
  PeftAdapter() { fs::copy(SLAYER_FIXTURES "/training/adapter", adapter); }

  void change(const std::string& key, const Json& value) const {
    Json config = read_json_file(config_file);
    config[key] = value;
    write_json_file(config_file, config);
  }
  std::string config_refusal() const {
    return message_of([this] { read_adapter_config(adapter); });
  }
  std::vector<TrainableParameter> parameters(const LoraOptions& options) {
    return make_trainable(model, {.layers = {0, 1, 2, 3}, .lora = options}, /*seed=*/7);
  }

  ScratchFolder folder;
  fs::path adapter = folder / "adapter";
  std::string config_file = (adapter / "adapter_config.json").string();
  std::string weights_file = (adapter / "adapter_model.safetensors").string();
  CausalLM model =
      load_causal_lm(Checkpoint::open(SLAYER_FIXTURES "/models/smollm"), at::kFloat, at::kCPU);
};

TEST_F(PeftAdapter, IsRefusedWhereItIsNotPlainLora) {
  change("use_dora", true);
  EXPECT_EQ(config_refusal(),
            config_file + ": use_dora: found true, expected a plain LoRA adapter, without it");
  change("use_dora", false);
  change("rank_pattern", {{"q_proj", 4}});
  EXPECT_EQ(config_refusal(),
            config_file +
                ": rank_pattern: found {\"q_proj\":4}, expected a plain LoRA adapter, "
                "without it");
  change("rank_pattern", Json::object());
  change("bias", "all");
  EXPECT_EQ(config_refusal(), config_file + ": bias: found all, expected none");
  change("bias", "none");
  change("init_lora_weights", "pissa");
  EXPECT_EQ(
      config_refusal(),
      config_file + ": init_lora_weights: found \"pissa\", expected true, false or \"gaussian\"");
  change("init_lora_weights", true);
  change("target_modules", {"lm_head"});
  EXPECT_EQ(config_refusal(),
            config_file +
                ": target_modules: found lm_head, expected some of q_proj, k_proj, "
                "v_proj, o_proj, gate_proj, up_proj, down_proj");
  change("target_modules", Json::array());
  EXPECT_EQ(config_refusal(),
            config_file + ": target_modules: found nothing, expected at least one linear layer");
  change("peft_type", "LOHA");
  EXPECT_EQ(config_refusal(), config_file + ": peft_type: found LOHA, expected LORA");
}

TEST_F(PeftAdapter, IsRefusedWhereItFitsAnotherModel) {
  LoraOptions options = read_adapter_config(adapter);
  options.rank = 3;
  EXPECT_EQ(message_of([&] {
              auto other = parameters(options);
              load_adapter(adapter, other);
            }),
            weights_file +
                ": base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight: found "
                "float32 [2, 24], expected floats [3, 24] (an adapter for another "
                "model?)");
  options.rank = 2;
  options.targets = {"q_proj"};
  EXPECT_EQ(message_of([&] {
              auto fewer = parameters(options);
              load_adapter(adapter, fewer);
            }),
            weights_file +
                ": base_model.model.model.layers.0.mlp.down_proj.lora_A.weight: found a "
                "tensor that the model has no place for, expected LoRA matrices of its "
                "target modules (an adapter for another model?)");
}

TEST_F(PeftAdapter, ComesBackAsItWasWritten) {
  const LoraOptions options = read_adapter_config(adapter);
  auto written = parameters(options);
  load_adapter(adapter, written);
  const std::string hash = adapter_hash(adapter);
  write_adapter(folder / "again", "base", options, written);
  const LoraOptions again = read_adapter_config(folder / "again");
  EXPECT_EQ(again.rank, options.rank);
  EXPECT_EQ(again.alpha, options.alpha);
  EXPECT_EQ(again.targets, options.targets);
  EXPECT_NE(adapter_hash(folder / "again"), hash);
  auto read = parameters(again);
  load_adapter(folder / "again", read);
  for (size_t i = 0; i < read.size(); ++i) {
    EXPECT_TRUE(read[i].master.equal(written[i].master)) << read[i].name;
  }
}

TEST_F(PeftAdapter, BeginsAsPeftBegins) {
  const LoraOptions options = read_adapter_config(adapter);
  const auto fresh = parameters(options);
  for (size_t i = 0; i < fresh.size(); i += 2) {
    const at::Tensor& a = fresh[i].master;
    const double bound = 1.0 / std::sqrt(static_cast<double>(a.size(1)));
    EXPECT_LT(a.detach().abs().max().item<double>(), bound) << fresh[i].name;
    EXPECT_GT(a.detach().std().item<double>(), 0.4 * bound) << fresh[i].name;  // 0.577 if uniform
    EXPECT_TRUE(fresh[i + 1].master.eq(0).all().item<bool>()) << fresh[i + 1].name;
  }
  EXPECT_TRUE(fresh[0].master.equal(parameters(options)[0].master)) << "the same seed";
}

}  // namespace
}  // namespace slayer
