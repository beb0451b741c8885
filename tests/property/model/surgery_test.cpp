#include <ATen/ATen.h>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "slayer/model/apply_plan.h"
#include "slayer/model/causal_lm.h"
#include "slayer/model/verify.h"
#include "slayer/surgery/apply.h"
#include "slayer/surgery/strategies.h"

#include "tests/parity/model/reference.h"
#include "tests/support/error_message.h"
#include "tests/support/scratch_folder.h"

namespace slayer {
namespace {

constexpr std::array kSurgeryModels{
    "llama2", "llama3", "llama3_tied", "llama_bias", "smollm", "mistral", "qwen2", "qwen3"};

at::Tensor ids_of(const std::string& model) { return test::reference_of(model).at("input_ids"); }

at::Tensor all_logits(const CausalLM& model, const at::Tensor& ids) {
  return logits(model, forward_hidden(model, ids));
}

/// Two new blocks, one averaged and one collapsed, then a prune into the layer before.
Plan plan_of_everything() {
  return {.strategy = "custom",
          .source_layers = 4,
          .layers = {{.from = {0}},
                     {.from = {0, 1}, .init = Init::kAverage, .zero_output = true, .train = true},
                     {.from = {1, 2, 3}, .init = Init::kAverage, .weights = {0.2, 0.3, 0.5}},
                     {.from = {2, 3}, .init = Init::kCollapse, .train = true}}};
}

std::vector<std::vector<int32_t>> sequences_of(const at::Tensor& ids) {
  std::vector<std::vector<int32_t>> sequences;
  for (const at::Tensor& row : ids.to(at::kInt).unbind()) {
    sequences.emplace_back(row.const_data_ptr<int32_t>(),
                           row.const_data_ptr<int32_t>() + row.numel());
  }
  return sequences;
}

TEST(ZeroOutput, LeavesLogitsAsTheyWereToTheBit) {
  const Plan plan = slayer_plan(4, /*every=*/1, /*shallow=*/1.0, {});
  ASSERT_TRUE(is_identity(plan));
  for (const std::string model : kSurgeryModels) {
    for (const auto dtype : {at::kFloat, at::kBFloat16}) {
      SCOPED_TRACE(fmt::format("{} {}", model, c10::toString(dtype)));
      const CausalLM base = test::load_tiny(model, dtype);
      const CausalLM expanded = apply_plan(base, plan);
      ASSERT_EQ(expanded.layers.size(), 8);
      EXPECT_TRUE(at::equal(all_logits(expanded, ids_of(model)), all_logits(base, ids_of(model))));
    }
  }
}

TEST(ApplyPlan, SharesWhatItCopies) {
  const CausalLM base = test::load_tiny("llama_bias");
  const CausalLM made = apply_plan(base, plan_of_everything());
  EXPECT_TRUE(made.layers[0].q_proj.is_same(base.layers[0].q_proj));
  EXPECT_FALSE(made.layers[1].q_proj.is_same(base.layers[0].q_proj));
  EXPECT_TRUE(at::equal(made.layers[1].o_bias, at::zeros_like(base.layers[0].o_bias)));
}

TEST(ApplyPlan, GivesTheBitsThatSurgeryWrites) {
  for (const std::string model : kSurgeryModels) {
    for (const auto dtype : {Dtype::kF32, Dtype::kBF16}) {
      SCOPED_TRACE(fmt::format("{} {}", model, torch_name(dtype)));
      const auto type = dtype == Dtype::kF32 ? at::kFloat : at::kBFloat16;
      const ScratchFolder scratch;
      const Plan copy = passthrough_plan(4, "0:4");
      apply(Checkpoint::open(test::model_folder(model)), copy, dtype, scratch / "base", {});
      const Checkpoint base = Checkpoint::open(scratch / "base");
      apply(base, plan_of_everything(), {}, scratch / "new", {});
      const CausalLM written = load_causal_lm(Checkpoint::open(scratch / "new"), type, at::kCPU);
      const CausalLM made = apply_plan(load_causal_lm(base, type, at::kCPU), plan_of_everything());
      for (const ExpectedTensor& expected : expected_tensors(made.config)) {
        SCOPED_TRACE(expected.name);
        EXPECT_TRUE(at::equal(tensor_of(made, expected), tensor_of(written, expected)));
      }
    }
  }
}

TEST(ApplyPlan, RefusesAPlanForAnotherDepth) {
  const CausalLM base = test::load_tiny("llama2");
  EXPECT_EQ(message_of([&] { apply_plan(base, passthrough_plan(5, "0:5")); }),
            "plan: source.layers: found 5, expected 4, the model's");
}

TEST(VerifySurgery, FindsTheIdentityAndItsLoss) {
  const ScratchFolder scratch;
  const Checkpoint base = Checkpoint::open(test::model_folder("smollm"));
  const Plan plan = slayer_plan(4, 2, 0.5, {});
  apply(base, plan, {}, scratch / "new", {});
  const auto reference = test::reference_of("smollm");
  const VerifyReport report = verify_surgery(base,
                                             Checkpoint::open(scratch / "new"),
                                             plan,
                                             sequences_of(reference.at("input_ids")),
                                             at::kFloat,
                                             at::kCPU);
  EXPECT_TRUE(report.must_be_identical);
  EXPECT_TRUE(report.is_identical);
  EXPECT_FALSE(report.is_broken());
  EXPECT_FALSE(report.is_costly());
  EXPECT_EQ(report.tokens, 2 * 23);
  EXPECT_NEAR(report.base_loss, reference.at("loss").item<double>(), 1e-5);
  EXPECT_EQ(report.new_loss, report.base_loss);
  EXPECT_TRUE(report.summary().starts_with("logits are bit-identical to the base's (loss 8.8232"))
      << report.summary();
}

TEST(VerifySurgery, SeesALayerThatIsNotTheIdentity) {
  const ScratchFolder scratch;
  const Checkpoint base = Checkpoint::open(test::model_folder("smollm"));
  Plan plan = slayer_plan(4, 2, 0.5, {});
  const Plan promised = plan;
  for (PlannedLayer& layer : plan.layers) {
    layer.zero_output = false;
  }
  apply(base, plan, {}, scratch / "new", {});
  const VerifyReport report = verify_surgery(base,
                                             Checkpoint::open(scratch / "new"),
                                             promised,
                                             sequences_of(ids_of("smollm")),
                                             at::kFloat,
                                             at::kCPU);
  EXPECT_TRUE(report.is_broken());
  EXPECT_GT(report.largest_difference, 0.1);
  EXPECT_TRUE(report.summary().starts_with("logits differ from the base's")) << report.summary();
}

TEST(VerifySurgery, MeasuresWhatAPruneCosts) {
  const ScratchFolder scratch;
  const Checkpoint base = Checkpoint::open(test::model_folder("smollm"));
  const Plan plan = prune_plan(4, {.layers = {3}});
  apply(base, plan, {}, scratch / "new", {});
  const Checkpoint pruned = Checkpoint::open(scratch / "new");
  const auto sequences = sequences_of(ids_of("smollm"));
  const VerifyReport report = verify_surgery(base, pruned, plan, sequences, at::kFloat, at::kCPU);
  EXPECT_FALSE(report.must_be_identical);
  EXPECT_FALSE(report.is_identical);
  EXPECT_NE(report.cost(), 0.0);
  EXPECT_EQ(report.is_costly(), report.cost() > kCostlyNatsPerToken);
  EXPECT_TRUE(report.summary().starts_with("surgery costs ")) << report.summary();

  EXPECT_EQ(message_of([&] { verify_surgery(base, pruned, plan, {{1}}, at::kFloat, at::kCPU); }),
            "--text: found nothing to predict, expected 2 tokens or more");
  EXPECT_EQ(
      message_of([&] { verify_surgery(base, base, plan, sequences, at::kFloat, at::kCPU); }),
      test::model_folder("smollm") + ": num_hidden_layers: found 4, expected 3, as in the plan");
}

}  // namespace
}  // namespace slayer
