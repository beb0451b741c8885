#include "slayer/eval/scoring.h"

#include <ATen/ATen.h>

#include <cmath>
#include <gtest/gtest.h>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/core/progress.h"
#include "slayer/eval/perplexity.h"
#include "slayer/model/load.h"

#include "tests/support/error_message.h"

namespace slayer {
namespace {

// The same sums in another order: batches of other shapes may differ by so much.
constexpr double kTolerance = 1e-4;

CausalLM tiny_model() {
  return load_causal_lm(
      Checkpoint::open(SLAYER_FIXTURES "/models/smollm"), at::kFloat, at::Device(at::kCPU));
}

/// The slow way: one sequence, all logits.
SequenceScore score_alone(const CausalLM& model, const ScoredSequence& sequence) {
  const c10::InferenceMode inference;
  const std::vector<int64_t> ids(sequence.tokens.begin(), sequence.tokens.end());
  const at::Tensor input = at::tensor(ids, at::kLong).unsqueeze(0);
  const at::Tensor all = logits(model, forward_hidden(model, input))[0].log_softmax(-1);
  SequenceScore score{.is_greedy = true};
  for (int64_t i = sequence.first_scored; i < std::ssize(ids); ++i) {
    const int64_t token = ids[static_cast<size_t>(i)];
    score.loglikelihood += all[i - 1][token].item<double>();
    score.is_greedy = score.is_greedy && all[i - 1].argmax().item<int64_t>() == token;
  }
  return score;
}

std::vector<std::vector<SequenceScore>> score_all(const CausalLM& model,
                                                  const std::vector<SequenceGroup>& groups,
                                                  const ScoringOptions& options) {
  std::vector<std::vector<SequenceScore>> all(groups.size());
  score_groups(model, groups, options, [&](size_t group, const auto& scores) {
    EXPECT_TRUE(all[group].empty());
    all[group] = scores;
  });
  return all;
}

/// Groups of 1 to 4 continuations after a context, all contexts beginning with `prefix` tokens.
std::vector<SequenceGroup> make_groups(int64_t prefix) {
  std::vector<SequenceGroup> groups;
  for (int64_t group = 0; group < 9; ++group) {
    SequenceGroup sequences;
    for (int64_t choice = 0; choice <= group % 4; ++choice) {
      ScoredSequence sequence;
      const int64_t context = prefix + 3 + group;
      sequence.first_scored = context;
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

void expect_as_alone(const std::vector<SequenceGroup>& groups, const ScoringOptions& options) {
  const CausalLM model = tiny_model();
  const auto scores = score_all(model, groups, options);
  for (size_t group = 0; group < groups.size(); ++group) {
    ASSERT_EQ(scores[group].size(), groups[group].size());
    for (size_t i = 0; i < groups[group].size(); ++i) {
      const SequenceScore expected = score_alone(model, groups[group][i]);
      EXPECT_NEAR(scores[group][i].loglikelihood, expected.loglikelihood, kTolerance);
      EXPECT_EQ(scores[group][i].is_greedy, expected.is_greedy);
    }
  }
}

TEST(ScoreGroups, GivesWhatEachSequenceScoresAlone) { expect_as_alone(make_groups(0), {}); }

TEST(ScoreGroups, ComputesACommonPrefixOnce) { expect_as_alone(make_groups(24), {}); }

TEST(ScoreGroups, DoesNotDependOnBatches) {
  expect_as_alone(make_groups(24), {.batch_size = 1});
  expect_as_alone(make_groups(0), {.batch_size = 2, .batch_tokens = 16, .logit_rows = 3});
}

TEST(ScoreGroups, KeepsLongBranchesInRowsOfTheirOwn) {
  std::vector<SequenceGroup> groups(1);
  for (TokenId choice = 0; choice < 3; ++choice) {
    ScoredSequence sequence;
    for (TokenId i = 0; i < 250; ++i) {
      sequence.tokens.push_back(3 + (i * (choice + 2) + choice) % 60);
    }
    groups[0].push_back(sequence);
  }
  expect_as_alone(groups, {});
}

TEST(Perplexity, SumsOverDisjointWindows) {
  const CausalLM model = tiny_model();
  const std::vector<std::vector<TokenId>> documents{{3, 4, 5, 6, 7, 8, 9}, {5}, {10, 11}};
  Progress progress("test", count_scored_tokens(documents, 4), "tokens", ProgressStyle::kSilent);
  const PerplexityResult result = measure_perplexity(
      model, documents, {.seq_len = 4, .scoring = {}, .bootstrap = {.draws = 100}}, progress);
  EXPECT_EQ(result.tokens, 6);  // 3 + 2, none, 1.
  ASSERT_EQ(result.documents.size(), 3U);
  EXPECT_NEAR(result.documents[0].loss,
              -score_alone(model, {.tokens = {3, 4, 5, 6}}).loglikelihood -
                  score_alone(model, {.tokens = {7, 8, 9}}).loglikelihood,
              kTolerance);
  EXPECT_EQ(result.documents[1].tokens, 0);
  EXPECT_NEAR(result.perplexity, std::exp(result.loss), 1e-12);
  ASSERT_TRUE(result.loss_interval);
  EXPECT_LE(result.loss_interval->low, result.loss);
  EXPECT_GE(result.loss_interval->high, result.loss);
  EXPECT_EQ(perplexity_to_json(perplexity_from_json(perplexity_to_json(result), "f")),
            perplexity_to_json(result));

  const PerplexityChange same = compare_perplexity(result, result, {.draws = 100});
  EXPECT_EQ(same.loss_difference, 0.0);
  EXPECT_EQ(same.ratio_interval.value().high, 1.0);
}

TEST(Perplexity, RefusesWhatItCannotMeasure) {
  const CausalLM model = tiny_model();
  Progress progress("test", 1, "tokens", ProgressStyle::kSilent);
  EXPECT_EQ(message_of([&] {
              measure_perplexity(
                  model, {{1}}, {.seq_len = 4, .scoring = {}, .bootstrap = {}}, progress);
            }),
            "text for perplexity: found no document of two tokens among 1, expected text to score");
  EXPECT_EQ(message_of([&] {
              measure_perplexity(
                  model, {{1, 2}}, {.seq_len = 1, .scoring = {}, .bootstrap = {}}, progress);
            }).substr(0, 36),
            "seq-len: found 1, expected from 2 to");
  PerplexityResult one;
  one.documents = {{.loss = 1.0, .tokens = 1}};
  PerplexityResult other;
  other.documents = {{.loss = 1.0, .tokens = 2}};
  EXPECT_EQ(message_of([&] { compare_perplexity(one, PerplexityResult{}, {}); }),
            "documents of two perplexities: found 1 and 0, expected the same documents");
  EXPECT_EQ(message_of([&] { compare_perplexity(one, other, {}); }),
            "document 0 of two perplexities: found 1 and 2 tokens, expected the same tokens "
            "(another tokenizer, or another --seq-len?)");
}

}  // namespace
}  // namespace slayer
