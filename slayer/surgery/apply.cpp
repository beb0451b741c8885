#include "slayer/surgery/apply.h"

#include <algorithm>
#include <fmt/format.h>
#include <functional>

#include "slayer/checkpoint/family.h"
#include "slayer/core/error.h"
#include "slayer/core/version.h"
#include "slayer/surgery/init.h"
#include "slayer/surgery/model_card.h"
#include "slayer/surgery/record.h"

namespace slayer {
namespace {

namespace fs = std::filesystem;

/// Elements computed at a time.
constexpr int64_t kChunkElements = int64_t{1} << 20U;
constexpr Dtype kDtypeOfGguf = Dtype::kBF16;

using TensorWrite = std::function<void(OutputFile&)>;

/// Streams one target tensor in chunks of float32, each made by `fill(begin, values)`.
TensorWrite write_computed(const TensorInfo& info,
                           std::function<void(int64_t, std::span<float>)> fill,
                           std::stop_token stop) {
  return [info, fill = std::move(fill), stop = std::move(stop)](OutputFile& file) {
    const int64_t count = info.element_count();
    std::vector<float> values(static_cast<size_t>(std::min(count, kChunkElements)));
    std::vector<std::byte> stored(values.size() * static_cast<size_t>(size_in_bytes(info.dtype)));
    for (int64_t begin = 0; begin < count; begin += kChunkElements) {
      throw_if_stopped(stop);
      const auto size = static_cast<size_t>(std::min(kChunkElements, count - begin));
      fill(begin, std::span(values).first(size));
      const auto bytes =
          std::span(stored).first(size * static_cast<size_t>(size_in_bytes(info.dtype)));
      narrow_from_float(info.dtype, std::span(values).first(size), bytes);
      file.write(bytes);
    }
  };
}

/// Reads a stretch of a base tensor and lets go of the pages it came from.
void read_stretch(const Checkpoint& base,
                  const TensorInfo& tensor,
                  int64_t begin,
                  std::span<float> values) {
  base.read(tensor, begin, values);
  if (const auto stored = base.stored(tensor)) {
    const auto element = static_cast<uint64_t>(size_in_bytes(tensor.dtype));
    stored->file->forget(stored->offset + static_cast<uint64_t>(begin) * element,
                         values.size() * element);
  }
}

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
    return {.name = expected.name,
            .dtype = dtype_.value_or(base_.is_gguf() ? kDtypeOfGguf : source.dtype),
            .shape = source.shape};
  }

  TensorToWrite copied(const ExpectedTensor& expected, const std::string& source_name) const {
    const TensorInfo& source = *base_.find(source_name);
    TensorInfo info = target_info(expected, source);
    const std::optional<StoredBytes> stored = base_.stored(source);
    if (stored && source.dtype == info.dtype) {
      return {.info = std::move(info), .write = write_copy(*stored, stop_)};
    }
    const auto fill = [base = base_, &source](int64_t begin, std::span<float> values) {
      read_stretch(base, source, begin, values);
    };
    return {.info = info, .write = write_computed(info, fill, stop_)};
  }

  TensorToWrite computed(const ExpectedTensor& expected, const PlannedLayer& layer) const {
    TensorInfo info = target_info(expected, *base_.find(tensor_name(expected.role, layer.from[0])));
    const auto fill = [base = base_, layer, role = expected.role](int64_t begin,
                                                                  std::span<float> values) {
      const auto read = [&](int64_t source_layer, std::span<float> source_values) {
        read_stretch(base, *base.find(tensor_name(role, source_layer)), begin, source_values);
      };
      initialize(layer, role, read, values);
    };
    return {.info = info, .write = write_computed(info, fill, stop_)};
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

}  // namespace

void apply(const Checkpoint& base,
           const Plan& plan,
           std::optional<Dtype> dtype,
           const fs::path& out,
           const WriteOptions& options) {
  base.require_complete();
  SurgeryRecord record{.plan = plan, .source = name_of(base), .version = std::string(version())};
  record.plan.source_hash = base.hash();
  const ModelConfig config = with_layers(base.config(), layer_origins(plan));
  if (base.is_gguf() && !dtype) {
    dtype = kDtypeOfGguf;
  }

  ModelFolder folder{.tensors = {}, .files = base.side_files()};
  const std::string base_card = folder.files[std::string(kModelCardFile)];
  folder.files["config.json"] = json_text(config_json(config, dtype));
  folder.files[std::string(kRecordFile)] = json_text(record_to_json(record));
  folder.files[std::string(kModelCardFile)] = model_card(record, license_of_card(base_card));
  const TensorPlanner planner(base, plan, dtype, options.stop);
  for (const ExpectedTensor& expected : expected_tensors(config)) {
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
