#pragma once

#include <filesystem>
#include <fmt/format.h>
#include <string>

#include "tests/support/tiny_run.h"

namespace slayer {

/// Runs with the stages that a recipe may have besides.
class TinyStages : public TinyRun {
 protected:
  void plan_from_a_probe() {
    replace_in_recipe("shallow = 1.0", "strategy = \"auto\"\nnew_layers = 2\nprune = 0");
    append_to_recipe(R"(
[probe]
methods = ["remove", "angular"]
domain = ["domain.jsonl"]
general = ["general.jsonl"]
seq_len = 8
)");
  }

  /// A task "words", whose data/o/n/c/test.jsonl is still to be written.
  void know_words() {
    replace_in_recipe("max_new_tokens = 4",
                      "max_new_tokens = 4\ntasks_dir = \"tasks\"\ndata_dir = \"data\"");
    write_text_file(folder_ / "tasks/words.toml", R"(
task = "words"
version = 1.0
source = "this test"
kind = "multiple_choice"
metrics = ["acc"]
[data]
path = "o/n/c"
split = "test"
[prompt]
text = "{q}"
choices = "{c}"
gold = "{a}"
)");
  }

  /// The base with a chat template, and a stage that learns conversations.
  void learn_conversations(int steps) {
    const std::filesystem::path model = folder_ / "model";
    std::filesystem::copy(SLAYER_FIXTURES "/models/smollm", model);
    std::filesystem::remove(model / "reference.safetensors");
    write_text_file(
        model / "chat_template.jinja",
        "{% for m in messages %}[{{ m.role }}] {{ m.content }}{{ eos_token }}{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}");
    replace_in_recipe(SLAYER_FIXTURES "/models/smollm", model.string());
    std::string rows;
    for (int i = 0; i < 20; ++i) {
      rows += fmt::format(
          "{{\"messages\": [{{\"role\": \"user\", \"content\": \"question {}\"}}, "
          "{{\"role\": \"assistant\", \"content\": \"answer {}\"}}]}}\n",
          i,
          i);
    }
    write_text_file(folder_ / "chat.jsonl", rows);
    append_to_recipe(fmt::format(
        "[sft]\ndata = [\"chat.jsonl\"]\nsteps = {}\nbatch_size = 2\nseq_len = 64\nlr = 1e-3\n",
        steps));
  }
};

}  // namespace slayer
