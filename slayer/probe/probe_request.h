#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/core/json.h"
#include "slayer/core/progress.h"
#include "slayer/eval/item.h"
#include "slayer/probe/probe.h"
#include "slayer/probe/probe_set.h"
#include "slayer/tokenizer/tokenizer.h"

namespace slayer {

/// Where one section's text and tasks come from; either may be missing.
struct ProbeSources {
  std::vector<std::string> text = {};   ///< Files, folders, globs.
  std::vector<std::string> tasks = {};  ///< Tasks, groups, .toml files.

  bool is_empty() const { return text.empty() && tasks.empty(); }
};

/// What a user asks of a probe. Its sources are either `plain`, or `domain` and `general`.
struct ProbeRequest {
  ProbeSources plain = {};
  ProbeSources domain = {};
  ProbeSources general = {};
  std::string text_field = "text";
  TextSetOptions text = {};
  std::filesystem::path tasks_dir = {};  ///< Empty: slayer's own.
  std::filesystem::path data_dir = {};
  ItemOptions items = {};
  ProbeMethods methods = {};
  std::optional<int64_t> race = {};  ///< How many are wanted from each end.
  int64_t chunk_tokens = 4096;
  std::string dtype = "float32";
  std::string device = "cpu";

  bool has_tasks() const {
    return !plain.tasks.empty() || !domain.tasks.empty() || !general.tasks.empty();
  }
};

/// Reads the texts and tasks of all sections that have some.
/// @throws Error for files, tasks and data that are missing or wrong.
std::vector<ProbeSection> read_sections(const ProbeRequest& request,
                                        const Tokenizer& tokenizer,
                                        const ModelConfig& config);

/// Probes a checkpoint. Unless `out` is empty, probe.json is written there, and what an interrupted
/// attempt had measured is taken up from `out`.journal.
/// @return what is written. @throws Error as read_sections and run_probe; Interrupted when asked to
/// stop.
Json probe_checkpoint(const Checkpoint& checkpoint,
                      const ProbeRequest& request,
                      const std::filesystem::path& out,
                      ProgressStyle progress,
                      const std::stop_token& stop);

/// Where what was measured for `out` is kept until all is.
std::filesystem::path journal_of(const std::filesystem::path& out);

}  // namespace slayer
