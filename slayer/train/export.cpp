#include "slayer/train/export.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>

#include "slayer/checkpoint/writer.h"
#include "slayer/core/json.h"
#include "slayer/surgery/model_card.h"
#include "slayer/surgery/model_folder.h"
#include "slayer/surgery/tensor_stream.h"

namespace slayer {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kTrainingKey = "training";
constexpr std::string_view kConfigFile = "config.json";
constexpr int64_t kLargestStep = int64_t{1} << 40U;

/// For TensorToWrite: a master weight, narrowed to the stored dtype.
std::function<void(OutputFile&)> write_trained(const at::Tensor& master,
                                               const TensorInfo& info,
                                               const std::stop_token& stop) {
  return [values = master.detach().cpu().contiguous(), info, stop](OutputFile& file) {
    const float* all = values.const_data_ptr<float>();
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

std::vector<TensorToWrite> tensors_to_write(const TrainJob& job,
                                            const std::vector<TrainableParameter>& parameters,
                                            const std::stop_token& stop) {
  std::map<std::string, at::Tensor> masters;
  for (const TrainableParameter& parameter : parameters) {
    masters.emplace(parameter.name, parameter.master);
  }
  std::vector<TensorToWrite> tensors;
  for (const TensorInfo& info : job.checkpoint.tensors()) {
    const auto master = masters.find(info.name);
    tensors.push_back({.info = info,
                       .write = master == masters.end()
                                    ? write_frozen(job.checkpoint, info, stop)
                                    : write_trained(master->second, info, stop)});
  }
  return tensors;
}

Json training_record(const TrainJob& job, const TrainPosition& position) {
  std::vector<std::string> data;
  for (const fs::path& file : job.corpus.source.files) {
    data.push_back(file.filename().string());
  }
  return {{"step", position.step},
          {"tokens", position.tokens},
          {"data", data},
          {"settings", job.settings}};
}

std::string training_card(const TrainJob& job, const TrainPosition& position) {
  return fmt::format(
      "\n## Training\n\n"
      "Layers {} were trained on {} documents ({} tokens) from {} files: {} steps, {} tokens,\n"
      "AdamW, learning rate {:g} (cosine), {} sequences of {} tokens a step. All settings are in\n"
      "`{}`.\n",
      fmt::join(job.layers, ", "),
      job.corpus.tokens.document_count(),
      job.corpus.tokens.token_count(),
      job.corpus.source.files.size(),
      position.step,
      position.tokens,
      job.options.lr,
      job.options.batch_size,
      *job.options.seq_len,
      kRecordFile);
}

std::map<std::string, std::string> files_to_write(const TrainJob& job,
                                                  const TrainPosition& position) {
  std::map<std::string, std::string> files = job.checkpoint.side_files();
  const fs::path& source = job.checkpoint.path();
  files[std::string(kConfigFile)] = read_text_file(source / kConfigFile);
  const std::string record_file(kRecordFile);
  Json record = read_json_file(source / record_file);
  record[kTrainingKey] = training_record(job, position);
  files[record_file] = record.dump(2) + "\n";
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
