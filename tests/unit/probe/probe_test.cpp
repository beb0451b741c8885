#include "slayer/probe/probe.h"

#include <ATen/ATen.h>

#include <gtest/gtest.h>
#include <set>

#include "slayer/core/file.h"
#include "slayer/eval/perplexity.h"
#include "slayer/model/apply_plan.h"
#include "slayer/probe/bar_chart.h"
#include "slayer/probe/prune_search.h"
#include "slayer/surgery/strategies.h"

#include "tests/support/error_message.h"
#include "tests/support/probe_text.h"
#include "tests/support/scratch_folder.h"

namespace slayer {
namespace {

// The same sums in another order.
constexpr double kLossTolerance = 1e-5;

double loss_alone(const CausalLM& base, const Plan& plan, int64_t documents) {
  Progress progress("", 1, "tokens", ProgressStyle::kSilent);
  return measure_perplexity(apply_plan(base, plan),
                            made_documents(documents),
                            {.seq_len = 8, .scoring = {}, .bootstrap = {.draws = 2}},
                            progress)
      .loss;
}

Json probe_text(const CausalLM& model, const ProbeOptions& options, ProbeJournal& journal) {
  return run_probe(model, "hash", {{.texts = {made_text(4)}}}, options, {.journal = journal});
}

ProbeOptions quick(const ProbeMethods& methods) {
  return {.methods = methods,
          .sweep = {.packing = {.chunk_tokens = 40, .row_tokens = 16}},
          .bootstrap = {.draws = 50}};
}

TEST(Probe, MeasuresEachPlanAsPerplexityDoesAlone) {
  const CausalLM model = fixture_model("smollm");
  ProbeJournal journal;
  const Json json =
      probe_text(model,
                 quick({.remove = true, .expand = true, .last = 2, .init = RepeatInit::kAverage}),
                 journal);
  EXPECT_EQ(json["format"], 1);
  EXPECT_EQ(json["model"], "hash");
  EXPECT_EQ(json["layers"], 4);
  EXPECT_EQ(json["text"]["documents"], 4);
  EXPECT_EQ(json["text"]["intervals_over"], "documents");
  const double base = json["base"]["loss"].get<double>();
  EXPECT_NEAR(base, loss_alone(model, passthrough_plan(4, "0:4"), 4), kLossTolerance);
  for (size_t layer = 0; layer < 4; ++layer) {
    const Json& removed = json["remove"]["layers"][layer];
    const double expected =
        loss_alone(model, prune_plan(4, {.layers = {static_cast<int64_t>(layer)}}), 4);
    EXPECT_EQ(removed["layer"], layer);
    EXPECT_NEAR(removed["loss"].get<double>(), expected, kLossTolerance);
    EXPECT_NEAR(removed["dip"].get<double>(), expected - base, 2 * kLossTolerance);
    EXPECT_LE(removed["dip_low"].get<double>(), removed["dip"].get<double>());
    EXPECT_LE(removed["low"].get<double>(), removed["loss"].get<double>());
  }
  EXPECT_NEAR(json["last"]["layers"][1]["loss"].get<double>(),
              loss_alone(model, prune_plan(4, {.layers = {2, 3}}), 4),
              kLossTolerance);
  Plan repeated = passthrough_plan(4, "0:4");
  repeated.layers.insert(repeated.layers.begin() + 2, {.from = {1, 2}, .init = Init::kAverage});
  EXPECT_NEAR(json["expand"]["layers"][1]["loss"].get<double>(),
              loss_alone(model, repeated, 4),
              kLossTolerance);
  repeated = passthrough_plan(4, "0:4,3:4");
  EXPECT_NEAR(json["expand"]["layers"][3]["loss"].get<double>(),
              loss_alone(model, repeated, 4),
              kLossTolerance);
}

TEST(Probe, RemovesSpansAndRepeatsSeveralTimes) {
  const CausalLM model = fixture_model("smollm");
  ProbeJournal journal;
  const Json json =
      probe_text(model, quick({.remove = true, .expand = true, .span = 2, .copies = 2}), journal);
  EXPECT_EQ(json["remove"]["span"], 2);
  ASSERT_EQ(json["remove"]["layers"].size(), 3U);
  EXPECT_NEAR(json["remove"]["layers"][1]["loss"].get<double>(),
              loss_alone(model, prune_plan(4, {.layers = {1, 2}}), 4),
              kLossTolerance);
  EXPECT_NEAR(json["expand"]["layers"][0]["loss"].get<double>(),
              loss_alone(model, passthrough_plan(4, "0:1,0:1,0:4"), 4),
              kLossTolerance);
}

TEST(Probe, SetsDomainAgainstGeneral) {
  ProbeJournal journal;
  const Json json = run_probe(fixture_model("smollm"),
                              "hash",
                              {{.name = "domain", .texts = {made_text(3, "domain")}},
                               {.name = "general", .texts = {made_text(5, "general")}}},
                              quick({.remove = true, .prune = 1}),
                              {.journal = journal});
  EXPECT_FALSE(json.contains("remove"));
  EXPECT_FALSE(json["domain"].contains("prune"));
  EXPECT_TRUE(json["general"].contains("prune"));
  for (size_t layer = 0; layer < 4; ++layer) {
    EXPECT_NEAR(json["domain_minus_general"]["remove"]["layers"][layer]["dip"].get<double>(),
                json["domain"]["remove"]["layers"][layer]["dip"].get<double>() -
                    json["general"]["remove"]["layers"][layer]["dip"].get<double>(),
                1e-12);
  }
  EXPECT_NE(format_probe(json).find("domain minus general: dips of remove"), std::string::npos);
}

/// Stops after so many layers.
class StoppedSweep {
 public:
  /// @return what was measured by then.
  static void run(const std::filesystem::path& path, const ProbeOptions& options) {
    std::stop_source source;
    source.request_stop();
    ProbeJournal journal(path, "key");
    run_probe(fixture_model("smollm"),
              "hash",
              {{.texts = {made_text(4)}}},
              options,
              {.journal = journal, .stop = source.get_token()});
  }
};

TEST(Probe, GoesOnFromWhatIsMeasured) {
  const ScratchFolder folder;
  const ProbeOptions options = quick({.remove = true,
                                      .expand = true,
                                      .angular = true,
                                      .gradient = true,
                                      .lens = true,
                                      .prune = 2});
  const std::filesystem::path path = folder / "probe.json.journal";
  Json whole;
  {
    ProbeJournal journal(path, "key");
    whole = probe_text(fixture_model("smollm"), options, journal);
  }
  // All is noted: a run that may evaluate nothing gives the same.
  EXPECT_NO_THROW(StoppedSweep::run(path, options));
  // Half of it, the last line torn.
  const std::string text = read_text_file(path);
  write_text_file(path, text.substr(0, text.size() / 2));
  EXPECT_THROW(StoppedSweep::run(path, options), Interrupted);
  ProbeJournal journal(path, "key");
  EXPECT_NE(journal.find("text 0 base 0"), nullptr);
  EXPECT_EQ(compact_text(probe_text(fixture_model("smollm"), options, journal)),
            compact_text(whole));
  journal.remove();
  EXPECT_FALSE(std::filesystem::exists(path));
  ProbeJournal(path, "key").add("text 0 base 0", 1);
  EXPECT_EQ(ProbeJournal(path, "another").find("text 0 base 0"), nullptr);
}

TEST(Probe, MeasuresAgainWhatTheJournalHasOfAnotherShape) {
  const CausalLM model = fixture_model("smollm");
  const ProbeOptions options = quick({.remove = true});
  ProbeJournal fresh;
  const Json expected = probe_text(model, options, fresh);
  ProbeJournal journal;
  journal.add("text 0 remove 1", Json::parse("[[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]]"));
  journal.add("text 0 remove 2", Json::parse("[[\"nan\"]]"));
  journal.add("text 0 base 0", 7);
  EXPECT_EQ(compact_text(probe_text(model, options, journal)), compact_text(expected));
}

TEST(Probe, RacesToTheSameBestAndWorst) {
  const CausalLM model = fixture_model("smollm");
  ProbeOptions options = quick({.remove = true, .expand = true});
  const auto probe = [&] {
    ProbeJournal journal;
    return run_probe(model, "hash", {{.texts = {made_text(30)}}}, options, {.journal = journal});
  };
  const Json whole = probe();
  options.sweep.race = {.best = 1, .worst = 1};
  options.sweep.packing.chunk_tokens = 16;
  const Json raced = probe();
  EXPECT_EQ(raced["race"], 1);
  size_t stopped = 0;
  for (const char* const method : {"remove", "expand"}) {
    const auto loss = [](const Json& layer) { return layer["loss"].get<double>(); };
    const auto [best, worst] = std::ranges::minmax_element(whole[method]["layers"], {}, loss);
    EXPECT_EQ(raced[method]["best"], Json({(*best)["layer"]}));
    EXPECT_EQ(raced[method]["worst"], Json({(*worst)["layer"]}));
    stopped += static_cast<size_t>(std::ranges::count_if(
        raced[method]["layers"], [](const Json& layer) { return layer.contains("groups"); }));
  }
  EXPECT_GE(stopped, 1U);
  EXPECT_NE(format_probe(raced).find("least harm: "), std::string::npos);
}

TEST(Probe, MeasuresWhatARaceForAPruneFoundOnAllOfTheText) {
  const CausalLM model = fixture_model("smollm");
  ProbeOptions options = quick({.prune = 2});
  options.sweep.packing.chunk_tokens = 16;
  const auto steps = [&] {
    ProbeJournal journal;
    const Json json =
        run_probe(model, "hash", {{.texts = {made_text(12)}}}, options, {.journal = journal});
    return json["prune"]["steps"];
  };
  const Json whole = steps();
  options.sweep.race = {.best = 1, .worst = 1};
  const Json raced = steps();
  for (size_t step = 0; step < 2; ++step) {
    EXPECT_EQ(raced[step]["layers"], whole[step]["layers"]);
    EXPECT_FALSE(raced[step].contains("groups"));
    EXPECT_NEAR(
        raced[step]["loss"].get<double>(), whole[step]["loss"].get<double>(), kLossTolerance);
    ASSERT_EQ(raced[step].contains("collapse"), whole[step].contains("collapse"));
    if (whole[step].contains("collapse")) {
      EXPECT_FALSE(raced[step]["collapse"].contains("groups"));
    }
  }
}

TEST(Probe, SearchesWhatToPruneOnTheDomainWhereThereIsNoGeneralText) {
  ProbeJournal journal;
  const Json json = run_probe(fixture_model("smollm"),
                              "hash",
                              {{.name = "domain", .texts = {made_text(3, "domain")}}},
                              quick({.remove = true, .span = 2, .prune = 1}),
                              {.journal = journal});
  const Json& step = json["domain"]["prune"]["steps"][0];
  // One layer at a time, whatever the sweep's span.
  EXPECT_NEAR(step["loss"].get<double>(),
              loss_alone(fixture_model("smollm"),
                         prune_plan(4, {.layers = step["layers"].get<std::vector<int64_t>>()}),
                         3),
              kLossTolerance);
}

TEST(Probe, SaysThatARunWithoutAFileBeginsAnew) {
  std::stop_source source;
  source.request_stop();
  ProbeJournal journal;
  try {
    run_probe(fixture_model("smollm"),
              "hash",
              {{.texts = {made_text(2)}}},
              quick({.remove = true}),
              {.journal = journal, .stop = source.get_token()});
    FAIL();
  } catch (const Interrupted& interruption) {
    EXPECT_STREQ(interruption.what(), "with --out, the same command would go on");
  }
}

TEST(PruneSearch, FindsTheCheapestSetsThatItLooksAt) {
  const CausalLM model = fixture_model("smollm");
  ProbeJournal journal;
  const Json json = search_prune(model, made_text(4), 2, {}, {.draws = 50}, {.journal = journal});
  double cheapest = 1e9;
  for (int64_t first = 0; first < 4; ++first) {
    for (int64_t second = first + 1; second < 4; ++second) {
      cheapest =
          std::min(cheapest, loss_alone(model, prune_plan(4, {.layers = {first, second}}), 4));
    }
  }
  double single = 1e9;
  for (int64_t layer = 0; layer < 4; ++layer) {
    single = std::min(single, loss_alone(model, prune_plan(4, {.layers = {layer}}), 4));
  }
  EXPECT_NEAR(json["steps"][0]["loss"].get<double>(), single, kLossTolerance);
  const auto layers = json["steps"][1]["layers"].get<std::vector<int64_t>>();
  const double found = loss_alone(model, prune_plan(4, {.layers = layers}), 4);
  EXPECT_NEAR(json["steps"][1]["loss"].get<double>(), found, kLossTolerance);
  EXPECT_GE(found, cheapest - kLossTolerance);
  if (layers.front() > 0) {
    EXPECT_NEAR(
        json["steps"][1]["collapse"]["loss"].get<double>(),
        loss_alone(model, prune_plan(4, {.layers = layers, .mode = PruneMode::kCollapse}), 4),
        kLossTolerance);
  }
}

TEST(Probe, RefusesWhatCannotBeMeasured) {
  ProbeJournal journal;
  const CausalLM model = fixture_model("smollm");
  const auto probe = [&](const CausalLM& probed, const ProbeMethods& methods) {
    return message_of([&] { probe_text(probed, quick(methods), journal); });
  };
  CausalLM one_layer = apply_plan(model, passthrough_plan(4, "0:1"));
  EXPECT_EQ(probe(one_layer, {.remove = true}),
            "layers of the model: found one, expected two or more: a probe compares layers with "
            "each other");
  EXPECT_EQ(probe(model, {.remove = true, .span = 4}),
            "span of layers to remove: found 4, expected at least 1, and fewer than the model's 4 "
            "layers");
  EXPECT_EQ(probe(model, {.last = 4}),
            "number of last layers to remove: found 4, expected at least 1, and fewer than the "
            "model's 4 layers");
  EXPECT_EQ(probe(model, {.prune = 4}), "number of layers to prune: found 4, expected 0 to 3");
  EXPECT_EQ(probe(model, {.expand = true, .copies = 0}),
            "copies of a repeated layer: found 0, expected 1 to 1000");
  EXPECT_EQ(message_of([&] {
              run_probe(model, "", {{.texts = {}}}, quick({.lens = true}), {.journal = journal});
            }),
            "angular, gradient, lens and prune: found tasks only, expected a text (--text, or "
            "--domain and --general)");
  ProbeMethods methods;
  EXPECT_EQ(message_of([&] { add_method("removal", methods); }),
            "method: found removal, expected remove, expand, angular, gradient or lens");
  EXPECT_EQ(message_of([] { repeat_init_from_name("zero"); }),
            "init of a repeated layer: found zero, expected copy or average");
}

TEST(Probe, RefusesLossesThatAreNoNumbers) {
  CausalLM model = fixture_model("smollm");
  model.norm = model.norm * std::numeric_limits<float>::infinity();
  ProbeJournal journal;
  EXPECT_EQ(message_of([&] { probe_text(model, quick({.remove = true}), journal); }),
            "loss of remove 3 on text: found nan, expected a number (--dtype float32 has a wider "
            "range than float16)");
}

TEST(Journal, SaysThatItCannotBeWritten) {
  const ScratchFolder folder;
  EXPECT_TRUE(message_of([&] {
                ProbeJournal(folder.path(), "key");
              }).starts_with(folder.path().string() + ": cannot rename"));
}

TEST(TextSet, TakesFullWindowsSpreadOverTheText) {
  std::vector<std::vector<TokenId>> documents(5);
  for (size_t document = 0; document < 5; ++document) {
    documents[document].assign(35, static_cast<TokenId>(document));
  }
  const ProbeSet set = text_set("text", {"a.txt"}, documents, {.seq_len = 10, .windows = 10}, 64);
  ASSERT_EQ(set.groups.size(), 10U);
  std::set<size_t> units;
  for (size_t group = 0; group < 10; ++group) {
    EXPECT_EQ(set.groups[group].front().tokens.size(), 10U);
    EXPECT_EQ(set.groups[group].front().tokens[0], static_cast<TokenId>(set.unit_of_group[group]));
    units.insert(set.unit_of_group[group]);
  }
  EXPECT_EQ(units.size(), 5U);
  EXPECT_EQ(set.units, 5U);
  EXPECT_EQ(set.description["tokens"], 90);
}

TEST(TextSet, DrawsIntervalsOverWindowsOfASingleDocument) {
  const ProbeSet set =
      text_set("text", {"a.txt"}, {std::vector<TokenId>(30, 5)}, {.seq_len = 10, .windows = 0}, 64);
  EXPECT_EQ(set.units, 3U);
  EXPECT_EQ(set.description["intervals_over"], "windows");
}

TEST(TextSet, RefusesTooLittleText) {
  const auto set = [](const std::vector<std::vector<TokenId>>& documents, int64_t seq_len) {
    return message_of(
        [&] { text_set("text", {"a.txt"}, documents, {.seq_len = seq_len, .windows = 4}, 64); });
  };
  EXPECT_EQ(set({{1, 2, 3}}, 8),
            "a.txt: found 3 tokens, expected at least one sequence of 8 (more text, or a smaller "
            "--seq-len)");
  EXPECT_EQ(set({{1}, {2}, {3}}, 2),
            "a.txt: found no document of two tokens, expected text to predict");
  EXPECT_EQ(set({{1, 2, 3}}, 65), "seq-len: found 65, expected from 2 to the model's 64 positions");
}

}  // namespace
}  // namespace slayer
