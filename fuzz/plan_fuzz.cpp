#include <cstdint>
#include <string_view>

#include "slayer/core/error.h"
#include "slayer/surgery/plan.h"
#include "slayer/surgery/record.h"
#include "slayer/surgery/summary.h"

/// Any bytes as plan.json: a plan that can be shown and comes back from its text, or an Error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const slayer::Plan plan =
        slayer::plan_from_json(slayer::parse_json(text, "plan.json"), "plan.json");
    const std::string written = slayer::plan_file_text(plan);
    if (slayer::plan_from_json(slayer::parse_json(written, "plan.json"), "plan.json") != plan) {
      __builtin_trap();
    }
    slayer::sketch_layers(plan);
    slayer::tabulate_layers(plan);
    slayer::record_to_json({.plan = plan, .source = "base", .version = "0"});
  } catch (const slayer::Error&) {
  }
  return 0;
}
