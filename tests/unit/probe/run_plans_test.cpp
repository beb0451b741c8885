#include "slayer/probe/run_plans.h"

#include <ATen/ATen.h>

#include <gtest/gtest.h>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/model/apply_plan.h"
#include "slayer/model/load.h"
#include "slayer/surgery/strategies.h"

namespace slayer {
namespace {

// The same sums in another order: rows of other shapes may differ by so much.
constexpr double kOrderTolerance = 1e-4;

CausalLM fixture(const std::string& name) {
  return load_causal_lm(
      Checkpoint::open(SLAYER_FIXTURES "/models/" + name), at::kFloat, at::Device(at::kCPU));
}

Plan copies_of(int64_t source_layers, const std::vector<int64_t>& layers) {
  Plan plan{.source_layers = source_layers};
  for (const int64_t layer : layers) {
    plan.layers.push_back({.from = {layer}});
  }
  return plan;
}

/// The base and each of its layers removed.
std::vector<Plan> removal_sweep(int64_t layers) {
  std::vector<Plan> plans;
  for (int64_t removed = -1; removed < layers; ++removed) {
    std::vector<int64_t> kept;
    for (int64_t layer = 0; layer < layers; ++layer) {
      if (layer != removed) {
        kept.push_back(layer);
      }
    }
    plans.push_back(copies_of(layers, kept));
  }
  return plans;
}

TEST(PlanTrie, EvaluatesEachSharedBeginningOnce) {
  EXPECT_EQ(make_plan_trie(removal_sweep(30)).layer_count(), 465);
  EXPECT_EQ(make_plan_trie(removal_sweep(1)).layer_count(), 1);
}

TEST(PlanTrie, TellsLayersApartByWhatTheyCompute) {
  Plan average = copies_of(2, {0, 1});
  average.layers[1] = {.from = {0, 1}, .init = Init::kAverage};
  Plan trained = copies_of(2, {0, 1});
  trained.layers[1].train = true;
  Plan zeroed = copies_of(2, {0, 1});
  zeroed.layers[1].zero_output = true;
  const std::vector<Plan> plans{copies_of(2, {0, 1}), average, trained, zeroed};
  const PlanTrie trie = make_plan_trie(plans);
  EXPECT_EQ(trie.layer_count(), 4);
  EXPECT_EQ(trie.nodes[2].plans, (std::vector<size_t>{0, 2}));
}

/// A few texts and a few contexts with continuations, all beginning with `prefix` tokens.
std::vector<SequenceGroup> make_groups(int64_t prefix) {
  std::vector<SequenceGroup> groups;
  for (int64_t group = 0; group < 7; ++group) {
    SequenceGroup sequences;
    for (int64_t choice = 0; choice <= group % 4; ++choice) {
      ScoredSequence sequence;
      const int64_t context = prefix + 2 + group;
      sequence.first_scored = group % 4 == 0 && prefix == 0 ? 1 : context;
      for (int64_t i = 0; i < context + 1 + (choice + group) % 5; ++i) {
        const int64_t differing = i < prefix ? 0 : 7 * group + (i < context ? 0 : 5 * choice);
        sequence.tokens.push_back(static_cast<TokenId>(3 + (11 * i + differing) % 60));
      }
      sequences.push_back(sequence);
    }
    groups.push_back(sequences);
  }
  return groups;
}

/// Every kind of layer: removed, repeated, averaged, collapsed, zeroed.
std::vector<Plan> some_plans(int64_t layers) {
  std::vector<Plan> plans = removal_sweep(layers);
  Plan expanded = copies_of(layers, {0, 0, 0, layers - 1});
  expanded.layers[1] = {.from = {0, layers - 1}, .init = Init::kAverage};
  plans.push_back(expanded);
  plans.push_back(prune_plan(layers, {.layers = {layers - 1}, .mode = PruneMode::kCollapse}));
  plans.push_back(slayer_plan(layers, 1, 1.0, {}));
  return plans;
}

void expect_each_as_alone(const std::string& model,
                          const std::vector<SequenceGroup>& groups,
                          const PackingOptions& packing) {
  SCOPED_TRACE(model);
  const CausalLM base = fixture(model);
  const std::vector<Plan> plans = some_plans(base.config.num_hidden_layers);
  const PlanTrie trie = make_plan_trie(plans);
  std::vector<std::vector<SequenceScore>> scores(plans.size());
  int64_t layers = 0;
  const auto chunks = pack_groups(groups, packing, base.device());
  for (const PackedChunk& chunk : chunks) {
    run_plans(base,
              trie,
              chunk,
              {.logit_rows = 5, .on_layer = [&] { ++layers; }},
              [&](size_t plan, const std::vector<SequenceScore>& fresh) {
                scores[plan].insert(scores[plan].end(), fresh.begin(), fresh.end());
              });
  }
  EXPECT_EQ(layers, std::ssize(chunks) * trie.layer_count());
  for (size_t plan = 0; plan < plans.size(); ++plan) {
    size_t slot = 0;
    const CausalLM alone = apply_plan(base, plans[plan]);
    score_groups(alone, groups, {.batch_size = 1}, [](size_t, const auto&) {});
    std::vector<std::vector<SequenceScore>> expected(groups.size());
    score_groups(alone, groups, {}, [&](size_t group, const std::vector<SequenceScore>& fresh) {
      expected[group] = fresh;
    });
    for (const auto& of_group : expected) {
      for (const SequenceScore& score : of_group) {
        EXPECT_NEAR(scores[plan].at(slot++).loglikelihood, score.loglikelihood, kOrderTolerance)
            << "plan " << plan;
      }
    }
    EXPECT_EQ(slot, scores[plan].size());
  }
}

TEST(RunPlans, ScoresEachPlanAsThoughItRanAlone) {
  for (const char* const model : {"smollm", "llama3", "mistral", "qwen2_window", "qwen3"}) {
    expect_each_as_alone(model, make_groups(0), {});
  }
}

TEST(RunPlans, ComputesAPrefixThatAllGroupsShareOnce) {
  for (const char* const model : {"smollm", "mistral"}) {
    expect_each_as_alone(model, make_groups(24), {});
    expect_each_as_alone(model, make_groups(24), {.chunk_tokens = 70, .row_tokens = 20});
  }
}

TEST(RunPlans, GivesTheBitsOfARunAloneForRowsOfTheSameShape) {
  const CausalLM base = fixture("smollm");
  const auto chunks = pack_groups(make_groups(0), {.row_tokens = 8}, base.device());
  const std::vector<Plan> plans = some_plans(base.config.num_hidden_layers);
  for (size_t plan = 0; plan < plans.size(); ++plan) {
    const CausalLM alone = apply_plan(base, plans[plan]);
    const std::vector<Plan> itself{passthrough_plan(
        alone.config.num_hidden_layers, "0:" + std::to_string(alone.config.num_hidden_layers))};
    std::vector<SequenceScore> together;
    std::vector<SequenceScore> expected;
    run_plans(base, make_plan_trie(plans), chunks[0], {}, [&](size_t scored, const auto& scores) {
      if (scored == plan) {
        together = scores;
      }
    });
    run_plans(alone, make_plan_trie(itself), chunks[0], {}, [&](size_t, const auto& scores) {
      expected = scores;
    });
    ASSERT_EQ(together.size(), expected.size());
    for (size_t slot = 0; slot < expected.size(); ++slot) {
      EXPECT_EQ(together[slot].loglikelihood, expected[slot].loglikelihood);
      EXPECT_EQ(together[slot].is_greedy, expected[slot].is_greedy);
    }
  }
}

TEST(PackGroups, PadsNothing) {
  std::vector<SequenceGroup> groups;
  for (const int64_t length : {9, 9, 9, 3, 4, 5, 2, 9}) {
    std::vector<TokenId> tokens(static_cast<size_t>(length), TokenId{7});
    groups.push_back({{.tokens = std::move(tokens)}});
  }
  const auto chunks =
      pack_groups(groups, {.chunk_tokens = 1000, .row_tokens = 8}, at::Device(at::kCPU));
  ASSERT_EQ(chunks.size(), 1U);
  int64_t tokens = 0;
  for (const PackedBatch& batch : chunks[0].batches) {
    tokens += batch.input_ids.numel();
    EXPECT_LE(batch.input_ids.size(1), 8);
  }
  EXPECT_EQ(tokens, 4 * 8 + 2 + 3 + 4 + 1);
  EXPECT_EQ(chunks[0].batches[0].input_ids.sizes(), at::IntArrayRef({4, 8}));
}

}  // namespace
}  // namespace slayer
