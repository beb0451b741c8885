#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <gtest/gtest.h>
#include <map>
#include <string>
#include <tuple>

#include "slayer/checkpoint/safetensors.h"
#include "slayer/core/json.h"
#include "slayer/core/mapped_file.h"
#include "slayer/model/load.h"
#include "slayer/train/adamw.h"
#include "slayer/train/gradients.h"
#include "slayer/train/peft_adapter.h"
#include "slayer/train/schedule.h"
#include "slayer/train/trainable.h"

namespace slayer {
namespace {

constexpr double kTolerance = 1e-4;
/// Of the gradient's norm after steps.
constexpr double kDrift = 1e-3;
/// LoRA's B begins at zero, so that AdamW's first steps are little more than the signs of its
/// gradients, and rounding decides some of them: below 1e-3 with AVX-512's order of sums, up to
/// 1.3e-3 with AVX2's.
constexpr double kLoraDrift = 3e-3;

using Tensors = std::map<std::string, at::Tensor>;

Tensors load_reference(const std::string& name) {
  const MappedFile file(SLAYER_FIXTURES "/training/" + name + ".safetensors");
  Tensors tensors;
  for (const auto& entry : parse_safetensors_header(file.bytes(), name).entries) {
    const at::ScalarType type = entry.info.dtype == Dtype::kI64 ? at::kLong : at::kFloat;
    at::Tensor tensor = at::empty(entry.info.shape, type);
    std::memcpy(tensor.mutable_data_ptr(), file.bytes().data() + entry.offset, tensor.nbytes());
    tensors.emplace(entry.info.name, tensor);
  }
  return tensors;
}

std::vector<int64_t> to_vector(const at::Tensor& row) {
  const auto* begin = row.const_data_ptr<int64_t>();
  return {begin, begin + row.numel()};
}

Batch batch_of(const Tensors& reference, int64_t step) {
  std::vector<Sequence> rows;
  for (int64_t row = 0; row < reference.at("input_ids").size(1); ++row) {
    Sequence sequence{
        .input_ids = to_vector(reference.at("input_ids")[step][row]),
        .target_ids = to_vector(reference.at("target_ids")[step][row]),
        .pieces = to_vector(reference.at("pieces")[step][row]),
    };
    std::erase(sequence.pieces, 0);
    sequence.target_count =
        std::ssize(sequence.target_ids) - std::ranges::count(sequence.target_ids, kNoTarget);
    rows.push_back(std::move(sequence));
  }
  return make_batch(rows, at::kCPU);
}

void expect_near(const std::string& name, const at::Tensor& value, const at::Tensor& expected) {
  const double difference =
      (value.detach() - expected).norm().item<double>() / expected.norm().item<double>();
  EXPECT_LE(difference, kTolerance) << name;
}

/// A family's tiny model and a method.
using Case = std::tuple<const char*, const char*>;

class TrainingReference : public testing::TestWithParam<Case> {
 protected:
  const std::string model_name = std::get<0>(GetParam());
  const std::string method = std::get<1>(GetParam());
  const Tensors reference = load_reference(model_name);
  const Json settings = read_json_file(SLAYER_FIXTURES "/training/settings.json");
  const std::string gradient_prefix = method == "lora" ? "lora.grad." : "grad.";

  TrainableSet trainable() const {
    if (method != "lora") {
      return {.layers = settings["layers"][method].get<std::vector<int64_t>>(),
              .has_all = method == "full"};
    }
    const Json& lora = settings["lora"];
    return {.layers = {0, 1, 2, 3},
            .lora = LoraOptions{.rank = lora["rank"],
                                .alpha = lora["alpha"],
                                .targets = lora["targets"].get<std::vector<std::string>>()}};
  }

  /// Adapters begin where peft's do.
  void set_adapters(const std::vector<TrainableParameter>& parameters) const {
    for (const TrainableParameter& parameter : parameters) {
      if (const auto init = reference.find("lora.init." + parameter.name);
          init != reference.end()) {
        parameter.master.detach().copy_(init->second);
      }
    }
  }
};

TEST_P(TrainingReference, IsReached) {
  const auto steps = settings["steps"].get<int64_t>();
  const Schedule schedule{
      .peak = settings["peaks"][method], .warmup_steps = settings["warmup"], .steps = steps};
  CausalLM model = load_causal_lm(
      Checkpoint::open(SLAYER_FIXTURES "/models/" + model_name), at::kFloat, at::kCPU);
  std::vector<TrainableParameter> parameters = make_trainable(model, trainable(), /*seed=*/0);
  ASSERT_FALSE(parameters.empty());
  set_adapters(parameters);
  AdamW optimizer(parameters, {.weight_decay = settings["weight_decay"]});
  for (int64_t step = 0; step < steps; ++step) {
    SCOPED_TRACE(step);
    const Batch batch = batch_of(reference, step);
    const double scale = 1.0 / static_cast<double>(batch.target_count);
    const double loss = accumulate_gradients(model, batch, scale) * scale;
    collect_gradients(parameters);
    const double norm = gradient_norm(parameters);
    const auto expected_loss = reference.at(method + ".losses")[step].item<double>();
    const auto expected_norm = reference.at(method + ".grad_norm")[step].item<double>();
    EXPECT_NEAR(loss, expected_loss, kTolerance * expected_loss);
    const double drift = method == "lora" ? kLoraDrift : kDrift;
    EXPECT_NEAR(norm, expected_norm, (step == 0 ? kTolerance : drift) * norm);
    for (const TrainableParameter& parameter : parameters) {
      if (step == 0) {
        expect_near(
            parameter.name, parameter.gradient, reference.at(gradient_prefix + parameter.name));
      }
    }
    optimizer.step(
        parameters, schedule.at(step + 1), std::max(norm / settings["clip"].get<double>(), 1.0));
    clear_gradients(parameters);
  }
  for (const TrainableParameter& parameter : parameters) {
    if (method == "plan") {
      expect_near(parameter.name, parameter.master, reference.at("final." + parameter.name));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models,
    TrainingReference,
    testing::Combine(testing::Values("smollm", "llama_bias", "llama3", "mistral", "qwen2", "qwen3"),
                     testing::Values("plan", "last-k", "layers", "full", "lora")),
    [](const auto& instance) {
      std::string name =
          std::string(std::get<0>(instance.param)) + "_" + std::get<1>(instance.param);
      std::ranges::replace(name, '-', '_');
      return name;
    });

TEST(PeftAdapter, IsReadAsPeftWroteIt) {
  const std::filesystem::path folder = SLAYER_FIXTURES "/training/adapter";
  const LoraOptions options = read_adapter_config(folder);
  EXPECT_EQ(options.rank, 2);
  EXPECT_EQ(options.alpha, 6.0);
  EXPECT_EQ(options.targets.size(), 7U);
  CausalLM model =
      load_causal_lm(Checkpoint::open(SLAYER_FIXTURES "/models/smollm"), at::kFloat, at::kCPU);
  std::vector<TrainableParameter> parameters =
      make_trainable(model, {.layers = {0, 1, 2, 3}, .lora = options}, /*seed=*/0);
  load_adapter(folder, parameters);
  const Tensors reference = load_reference("smollm");
  ASSERT_EQ(parameters.size(), 56U);  // 7 linear layers x 4 x (A, B)
  for (const TrainableParameter& parameter : parameters) {
    EXPECT_TRUE(parameter.master.equal(reference.at("lora.init." + parameter.name)))
        << parameter.name;
  }
}

}  // namespace
}  // namespace slayer
