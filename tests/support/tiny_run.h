#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "slayer/core/file.h"
#include "slayer/core/json.h"

#include "tests/support/run_slayer.h"

namespace slayer {

/// A recipe on a model of a few thousand parameters.
class TinyRun : public testing::Test {
 protected:
  TinyRun() {
    std::string domain;
    std::string general;
    for (int i = 0; i < 40; ++i) {
      domain +=
          fmt::format("{{\"text\": \"Licence {}: you may copy section {} freely.\"}}\n", i, i);
      general += fmt::format("{{\"text\": \"On day {} the weather was fine again.\"}}\n", i);
    }
    write_text_file(folder_ / "domain.jsonl", domain);
    write_text_file(folder_ / "general.jsonl", general);
    write_recipe(/*steps=*/6, /*max_new_tokens=*/4);
  }

  void write_recipe(int steps, int max_new_tokens) {
    write_text_file(folder_ / "recipe.toml",
                    fmt::format(R"(
base = "{}/models/smollm"
threads = 1
[plan]
shallow = 1.0
[train]
data = ["domain.jsonl"]
steps = {}
batch_size = 2
seq_len = 32
save_every = 2
lr = 1e-3
[eval]
domain = ["domain.jsonl"]
general = ["general.jsonl"]
seq_len = 32
prompts = ["You may"]
max_new_tokens = {}
)",
                                SLAYER_FIXTURES,
                                steps,
                                max_new_tokens));
  }

  Outcome run(const std::string& out, const std::vector<std::string>& options = {}) {
    std::vector<std::string> arguments{
        "run", (folder_ / "recipe.toml").string(), "--out", (folder_ / out).string()};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return run_slayer(arguments);
  }

  void append_to_recipe(const std::string& text) {
    write_text_file(folder_ / "recipe.toml", read_text_file(folder_ / "recipe.toml") + text);
  }

  void replace_in_recipe(const std::string& text, const std::string& by) {
    std::string recipe = read_text_file(folder_ / "recipe.toml");
    recipe.replace(recipe.find(text), text.size(), by);
    write_text_file(folder_ / "recipe.toml", recipe);
  }

  /// The result of a run but for the time it took.
  Json result(const std::string& out) {
    Json summary = read_json_file(folder_ / (out + "/summary.json"));
    summary.erase("time");
    return summary;
  }

  ScratchFolder folder_;
};

}  // namespace slayer
