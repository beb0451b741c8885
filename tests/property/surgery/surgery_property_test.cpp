#include <fmt/format.h>
#include <gtest/gtest.h>
#include <random>

#include "slayer/core/error.h"
#include "slayer/surgery/apply.h"
#include "slayer/surgery/init.h"
#include "slayer/surgery/strategies.h"

#include "tests/support/checkpoint_bytes.h"
#include "tests/support/scratch_folder.h"

namespace slayer {
namespace {

namespace fs = std::filesystem;

int64_t random_below(std::mt19937& random, int64_t limit) {
  return std::uniform_int_distribution<int64_t>(0, limit - 1)(random);
}

PlannedLayer random_layer(std::mt19937& random, int64_t source_layers) {
  PlannedLayer layer{.from = {random_below(random, source_layers)}};
  if (random_below(random, 2) == 0 && source_layers > 1) {
    layer.init = random_below(random, 2) == 0 ? Init::kAverage : Init::kCollapse;
    layer.from.push_back((layer.from.front() + 1) % source_layers);
    if (layer.init == Init::kAverage && random_below(random, 2) == 0) {
      layer.weights = {0.25, 0.75};
    }
  }
  layer.zero_output = random_below(random, 2) == 0;
  layer.train = random_below(random, 2) == 0;
  return layer;
}

Plan random_plan(std::mt19937& random, int64_t source_layers) {
  Plan plan{.source_layers = source_layers};
  const int64_t count = 1 + random_below(random, 2 * source_layers);
  while (static_cast<int64_t>(plan.layers.size()) < count) {
    plan.layers.push_back(random_layer(random, source_layers));
  }
  return plan;
}

/// A plan that keeps every layer and puts blocks between them.
Plan random_expansion(std::mt19937& random, int64_t source_layers) {
  Plan plan{.source_layers = source_layers};
  for (int64_t source_layer = 0; source_layer < source_layers; ++source_layer) {
    while (random_below(random, 2) == 0) {
      PlannedLayer block = random_layer(random, source_layers);
      block.zero_output = true;
      plan.layers.push_back(block);
    }
    plan.layers.push_back({.from = {source_layer}});
  }
  return plan;
}

TEST(PlanProperty, JsonRoundTripIsExact) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    std::mt19937 random(seed);
    const Plan plan = random_plan(random, 1 + random_below(random, 40));
    validate(plan, "plan.json");
    EXPECT_EQ(plan_from_json(parse_json(plan_file_text(plan), "plan.json"), "plan.json"), plan);
  }
}

TEST(PlanProperty, MutatedPlansAreReadOrRefused) {
  for (uint32_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    std::mt19937 random(seed);
    std::string text = plan_file_text(random_plan(random, 5));
    for (int64_t flips = 1 + random_below(random, 3); flips > 0; --flips) {
      text[static_cast<size_t>(random_below(random, static_cast<int64_t>(text.size())))] =
          "0123456789-.,:[]{}\"atz \xff"[random_below(random, 24)];
    }
    try {
      const Plan plan = plan_from_json(parse_json(text, "plan.json"), "plan.json");
      validate(plan, "plan.json");
    } catch (const Error& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with("plan.json: ")) << error.what();
    }
  }
}

TEST(PlanProperty, StrategiesMakeValidPlansOrSayWhyNot) {
  for (uint32_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    std::mt19937 random(seed);
    const int64_t layers = 1 + random_below(random, 40);
    const int64_t count = random_below(random, 42) - 1;
    const Prune prune{
        .layers = {random_below(random, 41)},
        .mode = random_below(random, 2) == 0 ? PruneMode::kDrop : PruneMode::kCollapse};
    const double shallow = static_cast<double>(random_below(random, 12)) / 10.0;
    try {
      Plan plan;
      switch (random_below(random, 4)) {
        case 0:
          plan = slayer_plan(layers, count, shallow, prune);
          break;
        case 1:
          plan = llama_pro_plan(layers, count);
          EXPECT_EQ(static_cast<int64_t>(plan.layers.size()), layers + count);
          EXPECT_TRUE(is_identity(plan));
          break;
        case 2:
          plan = solar_plan(layers, count);
          EXPECT_EQ(static_cast<int64_t>(plan.layers.size()), layers + count);
          break;
        default:
          plan = prune_plan(layers, prune);
          EXPECT_EQ(static_cast<int64_t>(plan.layers.size()), layers - 1);
      }
      validate(plan, "--strategy");
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()), "");
    }
  }
}

// All bfloat16 values: their mean with themselves is themselves.
TEST(InitProperty, AverageOfALayerWithItselfIsTheLayer) {
  std::vector<float> layer(0x10000);
  for (size_t bits = 0; bits < layer.size(); ++bits) {
    layer[bits] = float_from_bfloat16(static_cast<uint16_t>(bits));
  }
  const auto read = [&](int64_t, std::span<float> values) {
    std::ranges::copy(layer, values.begin());
  };
  for (const size_t copies : {1U, 2U, 3U, 4U, 7U}) {
    std::vector<float> mean(layer.size());
    initialize({.from = std::vector<int64_t>(copies, 0), .init = Init::kAverage},
               TensorRole::kQueryWeight,
               read,
               mean);
    for (size_t bits = 0; bits < layer.size(); ++bits) {
      // The sum of the very largest overflows.
      if (std::abs(layer[bits]) < 1e37F) {
        EXPECT_EQ(bfloat16_from_float(mean[bits]), bits) << copies << " copies";
      }
    }
  }
}

TEST(ApplyProperty, CopiesAreBitwiseAndExpansionCanBeTakenBack) {
  const Checkpoint base = Checkpoint::open(fs::path(SLAYER_FIXTURES) / "models" / "qwen2_window");
  for (uint32_t seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    std::mt19937 random(seed);
    const ScratchFolder scratch;
    const Plan plan = random_expansion(random, base.config().num_hidden_layers);
    ASSERT_TRUE(is_identity(plan));
    apply(base, plan, std::nullopt, scratch / "expanded", {});
    const Checkpoint expanded = Checkpoint::open(scratch / "expanded");

    Plan back{.source_layers = static_cast<int64_t>(plan.layers.size())};
    for (size_t target_layer = 0; target_layer < plan.layers.size(); ++target_layer) {
      if (!plan.layers[target_layer].zero_output) {
        back.layers.push_back({.from = {static_cast<int64_t>(target_layer)}});
      }
    }
    apply(expanded, back, std::nullopt, scratch / "back", {});
    const Checkpoint again = Checkpoint::open(scratch / "back");
    ASSERT_EQ(again.tensors().size(), base.tensors().size());
    for (const TensorInfo& tensor : base.tensors()) {
      EXPECT_EQ(bytes_of(again, tensor.name), bytes_of(base, tensor.name)) << tensor.name;
    }
    EXPECT_EQ(again.config().json["layer_types"], base.config().json["layer_types"]);
  }
}

}  // namespace
}  // namespace slayer
