#include <cstdio>

#include "slayer/surgery/strategies.h"
#include "slayer/surgery/summary.h"

/// The paper's plan for a model of 32 layers.
int main() {
  const slayer::Plan plan =
      slayer::slayer_plan(32, /*every=*/2, /*shallow=*/0.5, {.layers = {30, 31}});
  std::puts(slayer::sketch_layers(plan).c_str());
  return plan.layers.size() == 38 ? 0 : 1;
}
