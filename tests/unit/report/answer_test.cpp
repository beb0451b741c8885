#include "slayer/report/answer.h"

#include <gtest/gtest.h>

#include "tests/support/error_message.h"
#include "tests/support/run_summary.h"

namespace slayer {
namespace {

std::vector<std::string> answer_of(const Json& data) { return answer(data, "summary.json"); }

TEST(Answer, SaysGainForgettingAndCost) {
  const Json data = {{"summary", run_summary()}, {"training", {{"tokens", {2048, 81920}}}}};
  EXPECT_EQ(
      answer_of(data),
      (std::vector<std::string>{
          "Gained: perplexity on held-out domain text fell from 14.50 to 11.60, by 20.0 % "
          "(95 % interval -21.0 to -19.0 %).",
          "Nothing forgotten that shows: perplexity on general text rose from 14.50 to 14.60, "
          "by 0.7 % (95 % interval -0.2 to +1.5 %), which is within measurement error.",
          "Cost: 1 min 1 s (118 CPU-seconds); the model is 24.8 M parameters (18.4 %) larger; "
          "8 of its 37 layers were trained, 28.3 M parameters, on 81.9 k tokens."}));
}

TEST(Answer, CountsConversationsToo) {
  Json summary = run_summary();
  summary["sft"] = {{"layers", 37}, {"parameters", 159302016}};
  const Json data = {{"summary", summary},
                     {"training", {{"tokens", {81920}}}},
                     {"sft_training", {{"tokens", {1024}}}}};
  EXPECT_TRUE(
      answer_of(data)[2].ends_with("on 81.9 k tokens, then 37 layers, 159 M parameters, "
                                   "on 1.02 k of conversations."))
      << answer_of(data)[2];
}

TEST(Answer, TellsForgettingAndAGainThatIsNone) {
  Json summary = run_summary();
  std::swap(summary["text"]["domain"], summary["text"]["general"]);
  summary["text"]["general"]["change"] = 0.2;
  summary["text"]["general"]["change_low"] = 0.19;
  summary["text"]["general"]["change_high"] = 0.21;
  summary["models"]["new"]["parameters"] = 134000000;
  const auto sentences = answer_of({{"summary", summary}});
  EXPECT_TRUE(sentences[0].starts_with("Not gained: ")) << sentences[0];
  EXPECT_TRUE(sentences[1].starts_with("Forgotten: perplexity on general text rose"))
      << sentences[1];
  EXPECT_NE(sentences[2].find("(0.4 %) smaller"), std::string::npos) << sentences[2];
}

TEST(Answer, CountsTasksToo) {
  const Json gain = {{"task", "law"},
                     {"metric", "acc"},
                     {"base", 0.5},
                     {"new", 0.6},
                     {"low", 0.05},
                     {"high", 0.15}};
  Json norm = gain;
  norm["metric"] = "acc_norm";
  const Json data = {{"summary", run_summary()},
                     {"compare",
                      {{"domain", {norm, gain}},
                       {"general", Json::array()},
                       {"forgetting", {{"mean_drop", 0.03}, {"low", 0.01}, {"high", 0.05}}}}}};
  const auto sentences = answer_of(data);
  EXPECT_NE(sentences[0].find("; law acc went from 0.500 to 0.600 (difference +0.050 to +0.150)."),
            std::string::npos)
      << sentences[0];
  EXPECT_TRUE(sentences[1].starts_with("Forgotten: ")) << sentences[1];
  EXPECT_TRUE(sentences[1].ends_with(
      "; mean accuracy on general tasks fell by 0.030 (change -0.050 to -0.010)."))
      << sentences[1];
}

/// A run of two variants: `keeper` forgets less than `gainer`, which changes the domain as given.
Json two_variants(double domain_change) {
  Json gainer = run_summary();
  gainer["text"]["domain"]["change"] = domain_change;
  gainer["text"]["domain"]["change_low"] = domain_change - 0.01;
  gainer["text"]["domain"]["change_high"] = domain_change + 0.01;
  Json keeper = run_summary();
  keeper["text"]["domain"]["change"] = domain_change + 0.1;
  keeper["text"]["general"]["change"] = -0.01;
  return {{"variants",
           {{{"name", "gainer"}, {"summary", gainer}}, {{"name", "keeper"}, {"summary", keeper}}}},
          {"time", {{"seconds", 90.0}, {"cpu_seconds", 170.0}}}};
}

TEST(Answer, NamesTheBestVariants) {
  const auto sentences = answer_of({{"summary", two_variants(-0.2)}});
  EXPECT_TRUE(sentences[0].starts_with("Gained most: gainer, whose perplexity on held-out domain"))
      << sentences[0];
  EXPECT_TRUE(sentences[1].starts_with("Forgot least: keeper, whose")) << sentences[1];
  EXPECT_NE(sentences[1].find("; that of gainer rose"), std::string::npos) << sentences[1];
  EXPECT_EQ(sentences[2], "Cost: 1 min 30 s (170 CPU-seconds) for 2 variants.");
}

TEST(Answer, SaysOneVariantOnce) {
  Json summary = two_variants(-0.2);
  summary["variants"].erase(1);
  EXPECT_EQ(answer_of({{"summary", summary}})[1].find("; that of"), std::string::npos);
}

TEST(Answer, SaysWhereThereIsNoInterval) {
  Json summary = run_summary();
  summary["text"]["domain"].erase("change_low");
  EXPECT_NE(answer_of({{"summary", summary}})[0].find("by 20.0 % (one document: no interval)."),
            std::string::npos);
}

TEST(Answer, CallsNoVariantsLossAGain) {
  const auto sentences = answer_of({{"summary", two_variants(0.2)}});
  EXPECT_TRUE(sentences[0].starts_with("No variant gained; best: gainer, whose")) << sentences[0];
}

TEST(Answer, NamesWhatIsMissing) {
  Json broken = run_summary();
  broken["models"].erase("new");
  EXPECT_EQ(message_of([&] { answer_of({{"summary", broken}}); }),
            "summary.json: models.new: found nothing, expected this key");
}

}  // namespace
}  // namespace slayer
