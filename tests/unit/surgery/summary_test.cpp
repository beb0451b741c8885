#include "slayer/surgery/summary.h"

#include <gtest/gtest.h>

#include "slayer/surgery/strategies.h"
#include "slayer/surgery/training_memory.h"

namespace slayer {
namespace {

ModelConfig llama_2_7b() {
  return parse_model_config({{"architectures", {"LlamaForCausalLM"}},
                             {"model_type", "llama"},
                             {"vocab_size", 32000},
                             {"hidden_size", 4096},
                             {"intermediate_size", 11008},
                             {"num_hidden_layers", 32},
                             {"num_attention_heads", 32},
                             {"num_key_value_heads", 32},
                             {"max_position_embeddings", 4096},
                             {"rms_norm_eps", 1e-5},
                             {"hidden_act", "silu"},
                             {"tie_word_embeddings", false},
                             {"torch_dtype", "float16"},
                             {"bos_token_id", 1},
                             {"eos_token_id", 2}},
                            "config.json");
}

Plan llama_slayer_8b() { return slayer_plan(32, 2, 0.5, {.layers = last_layers(32, 2)}); }

TEST(Summarize, GivesThePapersNumbers) {
  const PlanSummary summary = summarize(llama_slayer_8b(), llama_2_7b(), Dtype::kF16);
  EXPECT_EQ(summary.layers, 38);
  EXPECT_EQ(summary.new_layers, 8);
  EXPECT_EQ(summary.trained_layers, 9);
  // 7.95 B; 202.4 M a layer.
  EXPECT_EQ(summary.parameters, 6738415616 + 6 * int64_t{202383360});
  EXPECT_NEAR(static_cast<double>(summary.parameters), 7.95e9, 0.005e9);
  EXPECT_EQ(summary.trained_parameters, 9 * int64_t{202383360});
  EXPECT_EQ(summary.bytes_on_disk, 2 * summary.parameters);
}

TEST(TrainingMemory, CountsTrainedLayersInFloat32Too) {
  const Plan plan = llama_slayer_8b();
  const TrainingMemory memory =
      training_memory(plan, llama_2_7b(), Dtype::kBF16, /*batch_size=*/1, 1024);
  const int64_t trained = 9 * int64_t{202383360};
  EXPECT_EQ(memory.weights, 2 * (6738415616 + 6 * int64_t{202383360}) + 4 * trained);
  EXPECT_EQ(memory.gradients, 4 * trained);
  EXPECT_EQ(memory.optimizer, 8 * trained);
  // 36 layers from the first new one on, the inputs of the 9 that train, a layer's buffers.
  EXPECT_EQ(memory.activations,
            int64_t{1024} * 2 *
                (36 * (6 * 4096 + 2 * 11008) + 9 * (3 * 4096 + 11008) + 8 * 4096 + 4 * 11008));
  EXPECT_EQ(memory.total(), memory.state() + memory.activations + memory.program);
  const TrainingMemory in_float32 = training_memory(plan, llama_2_7b(), Dtype::kF32, 1, 1024);
  EXPECT_EQ(in_float32.weights, 4 * (6738415616 + 6 * int64_t{202383360}));
}

TEST(TrainingMemory, NeedsNoActivationsWhereNothingTrains) {
  Plan plan = llama_slayer_8b();
  for (PlannedLayer& layer : plan.layers) {
    layer.train = false;
  }
  EXPECT_EQ(training_memory(plan, llama_2_7b(), Dtype::kBF16, 1, 1024).activations, 0);
}

TEST(SketchLayers, ShowsOneCharacterALayer) {
  EXPECT_EQ(sketch_layers(llama_slayer_8b()), "==+==+==+==+==+==+==+==+=============*xx");
  EXPECT_EQ(sketch_layers(prune_plan(5, {.layers = {0, 2}})), "x=x=*");
  EXPECT_EQ(sketch_layers(passthrough_plan(4, "0:3,1:3")), "===++x");
}

TEST(TabulateLayers, PutsUntouchedNeighboursTogether) {
  EXPECT_EQ(tabulate_layers(slayer_plan(6, 2, 0.5, {.layers = {4, 5}})),
            "      0-1    copied 0-1\n"
            "        2 +  new after 1: average of 1 and 2, zero output, trained\n"
            "        3    copied 2\n"
            "        4    copied 3, trained\n"
            "          x  gone: 4, 5\n");
  EXPECT_EQ(tabulate_layers(passthrough_plan(3, "0:3,1:3")),
            "      0-2    copied 0-2\n"
            "      3-4 +  copied 1-2 again, trained\n");
}

}  // namespace
}  // namespace slayer
