#include "slayer/surgery/apply.h"

#include <fmt/format.h>

#include "slayer/checkpoint/family.h"
#include "slayer/core/error.h"
#include "slayer/core/file.h"
#include "slayer/core/version.h"
#include "slayer/surgery/init.h"
#include "slayer/surgery/model_card.h"
#include "slayer/surgery/record.h"
#include "slayer/surgery/tensor_stream.h"

namespace slayer {
namespace {

namespace fs = std::filesystem;

constexpr Dtype kDtypeOfGguf = Dtype::kBF16;

class TensorPlanner final {
 public:
  TensorPlanner(const Checkpoint& base,
                const Plan& plan,
                std::optional<Dtype> dtype,
                std::stop_token stop)
      : base_(base), plan_(plan), dtype_(dtype), stop_(std::move(stop)) {}

  TensorToWrite tensor_to_write(const ExpectedTensor& expected) const {
    if (expected.layer < 0) {
      return copied(expected, expected.name);
    }
    const PlannedLayer& layer = plan_.layers[static_cast<size_t>(expected.layer)];
    return is_copied(layer, expected.role)
               ? copied(expected, tensor_name(expected.role, layer.from.front()))
               : computed(expected, layer);
  }

 private:
  TensorInfo target_info(const ExpectedTensor& expected, const TensorInfo& source) const {
    return {.name = expected.name, .dtype = dtype_.value_or(source.dtype), .shape = source.shape};
  }

  TensorToWrite copied(const ExpectedTensor& expected, const std::string& source_name) const {
    const TensorInfo& source = *base_.find(source_name);
    TensorInfo info = target_info(expected, source);
    const auto write = [base = base_, &source, dtype = info.dtype, stop = stop_](OutputFile& file) {
      stream_tensor(base, source, dtype, file, stop);
    };
    return {.info = std::move(info), .write = write};
  }

  TensorToWrite computed(const ExpectedTensor& expected, const PlannedLayer& layer) const {
    TensorInfo info = target_info(expected, *base_.find(tensor_name(expected.role, layer.from[0])));
    if (is_zero(layer, expected.role)) {
      return {.info = info,
              .write = [info, stop = stop_](OutputFile& file) { stream_zeros(info, file, stop); }};
    }
    const auto fill = [base = base_, layer, role = expected.role](int64_t begin,
                                                                  std::span<float> values) {
      const auto read = [&](int64_t source_layer, std::span<float> source_values) {
        read_stretch(base, *base.find(tensor_name(role, source_layer)), begin, source_values);
      };
      initialize(layer, role, read, values);
    };
    return {.info = info, .write = [info, fill, stop = stop_](OutputFile& file) {
              stream_computed(info, fill, file, stop);
            }};
  }

  const Checkpoint& base_;
  const Plan& plan_;
  std::optional<Dtype> dtype_;
  std::stop_token stop_;
};

Json config_json(const ModelConfig& config, std::optional<Dtype> dtype) {
  Json json = config.json;
  if (dtype) {
    // transformers 5 writes "dtype", 4 "torch_dtype"; both read both.
    json[json.contains("torch_dtype") ? "torch_dtype" : "dtype"] = torch_name(*dtype);
  }
  return json;
}

/// From the base's own model card.
std::string license_of(const Checkpoint& base) {
  const fs::path card = base.path() / kModelCardFile;
  std::error_code ignored;
  return fs::is_regular_file(card, ignored) ? license_of_card(read_text_file(card)) : "";
}

}  // namespace

std::map<std::string, std::string> files_beside_weights(const Checkpoint& base,
                                                        const Plan& plan,
                                                        std::optional<Dtype> dtype) {
  SurgeryRecord record{.plan = plan, .source = name_of(base), .version = std::string(version())};
  record.plan.source_hash = base.hash();
  const ModelConfig config = with_layers(base.config(), layer_origins(plan));
  std::map<std::string, std::string> files = base.side_files();
  files["config.json"] = json_text(config_json(config, dtype));
  files[std::string(kRecordFile)] = json_text(record_to_json(record));
  files[std::string(kModelCardFile)] = model_card(record, license_of(base));
  return files;
}

void apply(const Checkpoint& base,
           const Plan& plan,
           std::optional<Dtype> dtype,
           const fs::path& out,
           const WriteOptions& options) {
  base.require_complete();
  validate(plan, "plan");
  require_plan_for(base, plan, "plan");
  if (base.is_gguf() && !dtype) {
    dtype = kDtypeOfGguf;
  }
  ModelFolder folder{.tensors = {}, .files = files_beside_weights(base, plan, dtype)};
  const TensorPlanner planner(base, plan, dtype, options.stop);
  for (const ExpectedTensor& expected :
       expected_tensors(with_layers(base.config(), layer_origins(plan)))) {
    folder.tensors.push_back(planner.tensor_to_write(expected));
  }
  write_model_folder(folder, out, options);
}

void require_plan_for(const Checkpoint& base, const Plan& plan, const std::string& plan_file) {
  const int64_t layers = base.config().num_hidden_layers;
  if (plan.source_layers != layers) {
    throw Error({.file = plan_file,
                 .item = "source.layers",
                 .found = fmt::format("{}", plan.source_layers),
                 .expected = fmt::format("{}, the layers of {}", layers, base.path().string())});
  }
  if (!plan.source_hash.empty() && plan.source_hash != base.hash()) {
    throw Error({.file = plan_file,
                 .item = "source.hash",
                 .found = printable(plan.source_hash),
                 .expected = fmt::format("{}, the hash of {}", base.hash(), base.path().string()),
                 .hint = "the plan is for another model; an empty hash fits any of that depth"});
  }
}

std::string name_of(const Checkpoint& checkpoint) {
  const fs::path path = fs::absolute(checkpoint.path()).lexically_normal();
  const fs::path name = path.has_filename() ? path.filename() : path.parent_path().filename();
  return checkpoint.is_gguf() ? name.stem().string() : name.string();
}

}  // namespace slayer
