#include "slayer/train/export.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "slayer/checkpoint/writer.h"
#include "slayer/core/file.h"
#include "slayer/core/json.h"
#include "slayer/core/version.h"
#include "slayer/surgery/model_card.h"
#include "slayer/surgery/model_folder.h"
#include "slayer/surgery/tensor_stream.h"

namespace slayer {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kTrainingKey = "training";
constexpr std::string_view kConfigFile = "config.json";
constexpr int64_t kLargestStep = int64_t{1} << 40U;

/// What a tensor became, in float32: called when it is written, so that merged weights exist one at
/// a time.
using TrainedValues = std::function<at::Tensor()>;

/// For TensorToWrite: trained values, narrowed to the stored dtype.
std::function<void(OutputFile&)> write_trained(const TrainedValues& trained,
                                               const TensorInfo& info,
                                               const std::stop_token& stop) {
  return [trained, info, stop](OutputFile& file) {
    const at::Tensor values = trained().detach().cpu().contiguous();
    const float* const all = values.const_data_ptr<float>();
    stream_computed(
        info,
        [all](int64_t begin, std::span<float> stretch) {
          std::copy_n(all + begin, stretch.size(), stretch.begin());
        },
        file,
        stop);
  };
}

/// For TensorToWrite: a tensor as the source stores it.
std::function<void(OutputFile&)> write_frozen(const Checkpoint& checkpoint,
                                              const TensorInfo& info,
                                              const std::stop_token& stop) {
  return [checkpoint, info, stop](OutputFile& file) {
    stream_tensor(checkpoint, info, info.dtype, file, stop);
  };
}

at::Tensor read_as_float(const Checkpoint& checkpoint, const TensorInfo& info) {
  at::Tensor values = at::empty(info.shape, at::kFloat);
  checkpoint.read(info, 0, {values.mutable_data_ptr<float>(), static_cast<size_t>(values.numel())});
  return values;
}

/// The trained tensors by name.
std::map<std::string, TrainedValues> trained_values(
    const TrainJob& job, const std::vector<TrainableParameter>& parameters) {
  std::map<std::string, at::Tensor> masters;
  for (const TrainableParameter& parameter : parameters) {
    masters.emplace(parameter.name, parameter.master);
  }
  std::map<std::string, TrainedValues> trained;
  for (const TensorInfo& info : job.checkpoint.tensors()) {
    if (const auto master = masters.find(info.name); master != masters.end()) {
      trained[info.name] = [values = master->second] { return values; };
    }
    if (!job.trainable.lora || !info.name.ends_with(".weight")) {
      continue;
    }
    if (const auto a = masters.find(lora_a_name(info.name)); a != masters.end()) {
      trained[info.name] = [checkpoint = job.checkpoint,
                            info,
                            a = a->second.cpu(),
                            b = masters.at(lora_b_name(info.name)).cpu(),
                            scale = job.trainable.lora->scale()] {
        return merged_weight(read_as_float(checkpoint, info), a, b, scale);
      };
    }
  }
  return trained;
}

std::vector<TensorToWrite> tensors_to_write(const TrainJob& job,
                                            const std::vector<TrainableParameter>& parameters,
                                            const std::stop_token& stop) {
  const std::map<std::string, TrainedValues> trained = trained_values(job, parameters);
  std::vector<TensorToWrite> tensors;
  for (const TensorInfo& info : job.checkpoint.tensors()) {
    const auto values = trained.find(info.name);
    tensors.push_back({.info = info,
                       .write = values == trained.end()
                                    ? write_frozen(job.checkpoint, info, stop)
                                    : write_trained(values->second, info, stop)});
  }
  return tensors;
}

Json training_record(const TrainJob& job, const TrainPosition& position) {
  std::vector<std::string> data;
  for (const TrainSource& source : job.sources) {
    for (const fs::path& file : source.corpus.source.files) {
      data.push_back(file.filename().string());
    }
  }
  return {{"step", position.step},
          {"tokens", position.tokens},
          {"data", data},
          {"settings", job.settings}};
}

/// The source's slayer.json, its plan marking all layers that have now been trained, so that a pack
/// holds them too; without a plan, no more than who wrote it.
Json surgery_record(const TrainJob& job) {
  if (!job.record) {
    return {{"format", 1}, {"version", version()}};
  }
  Json record = read_json_file(job.checkpoint.path() / kRecordFile);
  for (const int64_t layer : job.trainable.layers) {
    record["plan"]["layers"][static_cast<size_t>(layer)]["train"] = true;
  }
  return record;
}

std::string training_card(const TrainJob& job, const TrainPosition& position) {
  int64_t documents = 0;
  int64_t tokens = 0;
  size_t files = 0;
  for (const TrainSource& source : job.sources) {
    documents += source.corpus.tokens.document_count();
    tokens += source.corpus.tokens.token_count();
    files += source.corpus.source.files.size();
  }
  return fmt::format(
      "\n## Training\n\n"
      "Trained: {}; on {} documents ({} tokens) from {} files: {} steps, {} tokens,\n"
      "AdamW, learning rate {:g} ({}), {} sequences of {} tokens a step. All settings are in\n"
      "`{}`.\n",
      describe(job.trainable),
      documents,
      tokens,
      files,
      position.step,
      position.tokens,
      job.choices.lr,
      name_of(job.options.schedule),
      job.options.batch_size,
      job.choices.seq_len,
      kRecordFile);
}

std::map<std::string, std::string> files_to_write(const TrainJob& job,
                                                  const TrainPosition& position) {
  std::map<std::string, std::string> files = job.checkpoint.side_files();
  const fs::path& source = job.checkpoint.path();
  files[std::string(kConfigFile)] = read_text_file(source / kConfigFile);
  const std::string record_file(kRecordFile);
  Json record = surgery_record(job);
  record[kTrainingKey] = training_record(job, position);
  files[record_file] = json_text(record);
  const std::string card_file(kModelCardFile);
  const std::string card = fs::exists(source / card_file) ? read_text_file(source / card_file) : "";
  files[card_file] = card + training_card(job, position);
  return files;
}

}  // namespace

void write_trained_model(const TrainJob& job,
                         const TrainPosition& position,
                         const std::vector<TrainableParameter>& parameters,
                         const fs::path& out,
                         const TrainControl& control) {
  const ModelFolder folder{.tensors = tensors_to_write(job, parameters, control.stop),
                           .files = files_to_write(job, position)};
  write_model_folder(
      folder, out, {.force = true, .progress = control.progress, .stop = control.stop});
}

int64_t trained_steps(const fs::path& model) {
  const fs::path path = model / kRecordFile;
  if (!fs::exists(path)) {
    return 0;
  }
  const Json json = read_json_file(path);
  return JsonObject(json, path.string()).object(kTrainingKey).integer("step", 0, kLargestStep);
}

}  // namespace slayer
