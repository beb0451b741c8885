#include <fmt/format.h>

#include "slayer/data/conversation.h"
#include "slayer/recipe/tables.h"
#include "slayer/recipe/values.h"

namespace slayer {
namespace {

MethodOptions read_method(const JsonObject& object, const std::filesystem::path& folder) {
  return {.method = method_from_name(object.string_or("method", "plan")),
          .last_k = optional_integer(object, "last_k", 1),
          .layers = integers(object, "layers"),
          .lora_rank = optional_integer(object, "lora_rank", 1),
          .lora_alpha = optional_number(object, "lora_alpha"),
          .lora_targets = strings(object, "lora_targets"),
          .adapter = optional_path(object, "adapter", folder)};
}

/// [train.lr_scale]: factors by group; which groups there are depends on the model.
LrScales read_lr_scales(const JsonObject& object) {
  LrScales scales;
  if (!object.has("lr_scale")) {
    return scales;
  }
  const JsonObject table = object.object("lr_scale");
  for (const auto& [group, unused] : table.json().items()) {
    scales.insert(parse_lr_scale(fmt::format("{}={}", group, table.number(group))));
  }
  return scales;
}

void read_optimizer(const JsonObject& object, TrainOptions& train) {
  train.steps = optional_integer(object, "steps", 1);
  train.warmup = optional_integer(object, "warmup", 0);
  train.seq_len = optional_integer(object, "seq_len", 1);
  train.batch_size = object.integer_or("batch_size", 1, kAny, train.batch_size);
  train.micro_batch_size = optional_integer(object, "micro_batch_size", 1);
  train.lr = optional_number(object, "lr");
  train.schedule = schedule_shape_from_name(object.string_or("schedule", "cosine"));
  train.min_lr = object.number_or("min_lr", train.min_lr);
  train.decay_steps = optional_integer(object, "decay_steps", 0);
  train.lr_scales = read_lr_scales(object);
  train.clip = object.number_or("clip", train.clip);
  train.adamw.weight_decay = object.number_or("weight_decay", train.adamw.weight_decay);
  train.adamw.beta1 = object.number_or("beta1", train.adamw.beta1);
  train.adamw.beta2 = object.number_or("beta2", train.adamw.beta2);
  train.seed = static_cast<uint64_t>(object.integer_or("seed", 0, kAny, 0));
  train.save_every = object.integer_or("save_every", 0, kAny, train.save_every);
  if (object.has("recompute")) {
    train.recompute = object.boolean("recompute");
  }
  const std::string compute = object.string_or("compute", "auto");
  if (compute != "auto") {
    train.compute = compute;
  }
  const std::string frozen = object.string_or("frozen_weights", "compute");
  if (frozen != "compute" && frozen != "int8") {
    object.fail("frozen_weights", frozen, "compute or int8");
  }
  train.has_int8_frozen = frozen == "int8";
}

void read_watch(const JsonObject& object,
                const std::filesystem::path& folder,
                TrainOptions& train) {
  train.holdout = object.number_or("holdout", train.holdout);
  train.eval_domain = optional_text_files(object, "eval_domain", folder);
  train.eval_general = optional_text_files(object, "eval_general", folder);
  train.eval_every = optional_integer(object, "eval_every", 1);
  train.stop_if_forgetting = optional_number(object, "stop_if_forgetting");
}

}  // namespace

TrainOptions read_train_table(const JsonObject& object,
                              const std::filesystem::path& folder,
                              DocumentFormat usual_format) {
  TrainOptions train;
  train.data = text_files(object, "data", folder);
  train.format = document_format_from_name(object.string_or("format", name_of(usual_format)));
  train.text_field = object.string_or("text_field", train.text_field);
  if (object.has("packing")) {
    train.packing = packing_from_name(object.string("packing"));
  }
  train.add_eos = object.boolean_or("eos", train.add_eos);
  train.method = read_method(object, folder);
  read_optimizer(object, train);
  read_watch(object, folder, train);
  resolve(train.method);  // Reads the adapter, if there is one.
  return train;
}

}  // namespace slayer
