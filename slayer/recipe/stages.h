#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "slayer/core/json.h"

namespace slayer {

/// One step of a run: a file or folder that is made from others. FOLDER/stages/NAME.json remembers
/// from which inputs the output was made, so that a stage runs only when they changed, its output
/// is gone, or it was cut short.
struct Stage {
  std::string name;              ///< "train"
  std::filesystem::path folder;  ///< The run's, or that of one of its variants.
  std::filesystem::path output;  ///< Below the folder.
  std::function<Json()> inputs;  ///< Settings and hashes that the output depends on.
  /// Makes the output. `goes_on`: a former attempt with the same inputs was cut short and may have
  /// left work to go on from; else what lies there is stale.
  std::function<void(bool goes_on)> make;
  std::string variant = {};  ///< Whose stage it is; empty: of all.
  /// Outputs of other stages that it is made from, and perhaps files that no stage makes.
  std::vector<std::filesystem::path> reads = {};
  /// Below the folder: what took so long to make that it is not replaced unasked.
  std::vector<std::filesystem::path> work = {};
  /// Below the folder: states that it goes on from, also where it was finished.
  std::filesystem::path states = {};
  /// Hash of what the output merely carries, as a model its tokenizer's files. Where this changed
  /// alone, the stage goes on from what it did.
  std::function<std::string()> carried = {};
  /// Removes the work, after it has been seen that another can begin.
  std::function<void()> discard = {};

  std::string title() const { return variant.empty() ? name : name + " " + variant; }
  std::filesystem::path output_path() const { return folder / output; }
};

/// Whether its output is there, of an output folder all files, weights in their sizes, and its
/// inputs are as they were.
bool is_up_to_date(const Stage& stage);

/// In what a former attempt, finished or cut short, differs from now: inputs, as "steps, data", or
/// files that are gone and cannot be made again from its states; empty where it does not, or there
/// was none.
std::string changed_inputs(const Stage& stage);

/// Whether some of the stage's work lies there, finished or not.
bool holds_work(const Stage& stage);

/// Makes the stage's output and notes that it did. `anew`: whatever a former attempt left. Work
/// that it does not go on from is removed. `made_by`: the recipe, program and machine, which the
/// stamp remembers.
void make_stage(const Stage& stage, bool anew = false, const Json& made_by = {});

/// What a stage took.
struct StageCost {
  double seconds = 0.0;
  double cpu_seconds = 0.0;  ///< User and system time of all threads.
  int64_t peak_bytes = 0;  ///< Of the process's resident memory; 0 where the system does not tell.
};

/// Of the attempt that finished the stage.
StageCost cost_of(const Stage& stage);

}  // namespace slayer
