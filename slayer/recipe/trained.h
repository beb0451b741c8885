#pragma once

#include <optional>

#include "slayer/recipe/recipe.h"
#include "slayer/surgery/plan.h"
#include "slayer/train/trainable.h"

namespace slayer {

/// What the trainings of a recipe train in the model of a plan.
struct PlannedTrainings {
  TrainableSet train;
  std::optional<TrainableSet> sft;
  Plan plan;  ///< With the layers marked that any of them trains, and no others.
};

/// @throws Error naming the option that asks for layers or groups that the model does not have.
PlannedTrainings planned_trainings(const Recipe& recipe, const Plan& plan);

}  // namespace slayer
