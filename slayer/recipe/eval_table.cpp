#include <cstdlib>
#include <set>

#include "slayer/recipe/tables.h"
#include "slayer/recipe/values.h"

namespace slayer {

EvalRecipe read_eval_table(const JsonObject& object, const std::filesystem::path& folder) {
  EvalRecipe eval;
  eval.domain = text_files(object, "domain", folder);
  eval.general = text_files(object, "general", folder);
  eval.text_field = object.string_or("text_field", eval.text_field);
  eval.seq_len = object.integer_or("seq_len", 2, kAny, eval.seq_len);
  eval.prompts = strings(object, "prompts");
  eval.max_new_tokens = object.integer_or("max_new_tokens", 1, kAny, eval.max_new_tokens);
  eval.domain_tasks = strings(object, "domain_tasks");
  eval.general_tasks = strings(object, "general_tasks");
  eval.limit = optional_integer(object, "limit", 1);
  eval.num_fewshot = optional_integer(object, "num_fewshot", 0);
  if (object.has("sandbox")) {
    eval.sandbox = sandbox_kind_from_name(object.string("sandbox"));
  }
  eval.tasks_dir = optional_path(object, "tasks_dir", folder);
  eval.data_dir = optional_path(object, "data_dir", folder);
  const char* const from_environment = std::getenv("SLAYER_DATA_DIR");
  if (eval.data_dir.empty() && from_environment != nullptr) {
    eval.data_dir = from_environment;
  }
  return eval;
}

ExportRecipe read_export_table(const JsonObject& object) {
  ExportRecipe exported{.gguf = strings(object, "gguf"), .pack = object.boolean_or("pack", false)};
  const std::set<std::string> known{"f32", "f16", "bf16", "q8_0"};
  for (const std::string& type : exported.gguf) {
    if (!known.contains(type)) {
      object.fail("gguf", printable(type), "f32, f16, bf16 or q8_0");
    }
  }
  return exported;
}

}  // namespace slayer
