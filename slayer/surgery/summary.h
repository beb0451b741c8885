#pragma once

#include <cstdint>
#include <string>

#include "slayer/checkpoint/config.h"
#include "slayer/core/dtype.h"
#include "slayer/core/json.h"
#include "slayer/surgery/plan.h"

namespace slayer {

/// What a plan makes of a model, in numbers.
struct PlanSummary {
  int64_t layers = 0;
  int64_t new_layers = 0;
  int64_t trained_layers = 0;
  int64_t parameters = 0;  ///< A tied head counts once.
  int64_t trained_parameters = 0;
  int64_t bytes_on_disk = 0;  ///< Of the tensors, stored as `dtype`.
};

PlanSummary summarize(const Plan& plan, const ModelConfig& source, Dtype dtype);

/// The layers in one line, a character each, the embedding's side first: = kept, + new, * kept and
/// trained, x gone.
std::string sketch_layers(const Plan& plan);

/// The layers in a table, a line each, untouched neighbours together.
std::string tabulate_layers(const Plan& plan);

}  // namespace slayer
