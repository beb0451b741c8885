#include <ATen/ATen.h>

#include <cstring>
#include <gtest/gtest.h>
#include <map>
#include <string>

#include "slayer/checkpoint/safetensors.h"
#include "slayer/core/file.h"
#include "slayer/core/json.h"
#include "slayer/model/load.h"
#include "slayer/train/adamw.h"
#include "slayer/train/gradients.h"
#include "slayer/train/schedule.h"
#include "slayer/train/trainable.h"

namespace slayer {
namespace {

constexpr double kTolerance = 1e-4;

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

class TrainingReference : public testing::TestWithParam<const char*> {};

TEST_P(TrainingReference, IsReached) {
  const Tensors reference = load_reference(GetParam());
  const Json settings = read_json_file(SLAYER_FIXTURES "/training/settings.json");
  const auto steps = settings["steps"].get<int64_t>();
  const Schedule schedule{
      .peak = settings["peak"], .warmup_steps = settings["warmup"], .steps = steps};
  CausalLM model = load_causal_lm(
      Checkpoint::open(std::string(SLAYER_FIXTURES "/models/") + GetParam()), at::kFloat, at::kCPU);
  std::vector<TrainableParameter> parameters =
      make_trainable(model, settings["trained_layers"].get<std::vector<int64_t>>());
  AdamW optimizer(parameters, {.weight_decay = settings["weight_decay"]});
  for (int64_t step = 0; step < steps; ++step) {
    SCOPED_TRACE(step);
    const Batch batch = batch_of(reference, step);
    const double scale = 1.0 / static_cast<double>(batch.target_count);
    const double loss = accumulate_gradients(model, batch, scale) * scale;
    collect_gradients(parameters);
    const double norm = gradient_norm(parameters);
    const auto expected_loss = reference.at("losses")[step].item<double>();
    EXPECT_NEAR(loss, expected_loss, kTolerance * expected_loss);
    EXPECT_NEAR(norm, reference.at("grad_norm")[step].item<double>(), kTolerance * norm);
    for (const TrainableParameter& parameter : parameters) {
      if (step == 0) {
        expect_near(parameter.name, parameter.gradient, reference.at("grad." + parameter.name));
      }
    }
    optimizer.step(
        parameters, schedule.at(step + 1), std::max(norm / settings["clip"].get<double>(), 1.0));
    for (TrainableParameter& parameter : parameters) {
      parameter.gradient.reset();
    }
  }
  for (const TrainableParameter& parameter : parameters) {
    expect_near(parameter.name, parameter.master, reference.at("final." + parameter.name));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models,
    TrainingReference,
    testing::Values("smollm", "llama_bias", "llama3", "mistral", "qwen2", "qwen3"),
    [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace slayer
