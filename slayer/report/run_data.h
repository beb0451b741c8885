#pragma once

#include <filesystem>

#include "slayer/core/json.h"

namespace slayer {

/// What a report shows, gathered from the JSON files of a run's folder; a file that is not there is
/// left out:
///
///   {"title": name of the folder, "version", "answer": ["...", "...", "..."],
///    "summary": summary.json, "plan": plan.json, "probe": probe.json, "compare": compare.json,
///    "overlap": overlap.json,
///    "training": {"step": [...], "loss": [...], ...}, "sft_training": the same of sft/,
///    "machine": run.json, "recipe": the recipe's text}
///
/// @throws Error when the folder holds no file of a run, or one that is not what its name says.
Json read_run(const std::filesystem::path& run);

/// The same of a probe's result alone: "title", "version", "probe", and "plan" where a plan.json of
/// the same model lies beside it.
/// @throws Error when the file is no probe.
Json read_probe(const std::filesystem::path& file);

}  // namespace slayer
