#include "slayer/recipe/tables.h"
#include "slayer/recipe/values.h"

namespace slayer {
namespace {

ProbeMethods read_methods(const JsonObject& object) {
  ProbeMethods methods;
  for (const std::string& method : strings(object, "methods")) {
    add_method(method, methods);
  }
  methods.remove = methods.remove || !object.has("methods");
  methods.span = object.integer_or("span", 1, kAny, methods.span);
  methods.last = object.integer_or("last", 0, kAny, methods.last);
  methods.prune = object.integer_or("prune", 0, kAny, methods.prune);
  methods.init = repeat_init_from_name(object.string_or("init", "copy"));
  methods.copies = object.integer_or("copies", 1, kAny, methods.copies);
  return methods;
}

void check_sources(const JsonObject& object, const ProbeRequest& probe) {
  const bool has_kinds = !probe.domain.is_empty() || !probe.general.is_empty();
  if (probe.plain.is_empty() && !has_kinds) {
    object.fail("domain", "nothing", "domain and general texts or tasks, or text or tasks");
  }
  if (!probe.plain.is_empty() && has_kinds) {
    object.fail(probe.plain.text.empty() ? "tasks" : "text",
                "domain or general beside it",
                "either of both ways");
  }
}

}  // namespace

ProbeRequest read_probe_table(const JsonObject& object, const std::filesystem::path& folder) {
  ProbeRequest probe;
  probe.plain = {.text = optional_text_files(object, "text", folder),
                 .tasks = strings(object, "tasks")};
  probe.domain = {.text = optional_text_files(object, "domain", folder),
                  .tasks = strings(object, "domain_tasks")};
  probe.general = {.text = optional_text_files(object, "general", folder),
                   .tasks = strings(object, "general_tasks")};
  check_sources(object, probe);
  probe.text_field = object.string_or("text_field", probe.text_field);
  probe.text.seq_len = object.integer_or("seq_len", 2, kAny, probe.text.seq_len);
  probe.text.windows = object.integer_or("windows", 0, kAny, probe.text.windows);
  probe.items.limit = optional_integer(object, "limit", 1);
  probe.items.num_fewshot = optional_integer(object, "num_fewshot", 0);
  probe.methods = read_methods(object);
  probe.race = optional_integer(object, "race", 1);
  return probe;
}

}  // namespace slayer
