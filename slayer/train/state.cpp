#include "slayer/train/state.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <limits>
#include <map>
#include <system_error>

#include "slayer/checkpoint/safetensors.h"
#include "slayer/checkpoint/writer.h"
#include "slayer/core/error.h"
#include "slayer/core/file.h"
#include "slayer/core/json.h"
#include "slayer/core/mapped_file.h"
#include "slayer/core/output_file.h"

namespace slayer {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kPrefix = "step-";
constexpr std::string_view kPositionFile = "state.json";
constexpr size_t kKept = 2;
constexpr int64_t kLargestCount = int64_t{1} << 60U;

/// One tensor of a state and its name in the file.
struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};

std::vector<NamedTensor> tensors_of(const std::vector<TrainableParameter>& parameters,
                                    const AdamW& optimizer) {
  std::vector<NamedTensor> tensors;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const std::string& name = parameters[i].name;
    tensors.push_back({name, parameters[i].master.detach()});
    tensors.push_back({"adamw.first_moment." + name, optimizer.first_moments()[i]});
    tensors.push_back({"adamw.second_moment." + name, optimizer.second_moments()[i]});
  }
  return tensors;
}

std::span<const std::byte> bytes_of(const at::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
}

TensorToWrite to_write(const NamedTensor& named) {
  return {.info = {.name = named.name, .dtype = Dtype::kF32, .shape = named.tensor.sizes().vec()},
          .write = [tensor = named.tensor](OutputFile& file) {
            file.write(bytes_of(tensor.contiguous().cpu()));
          }};
}

std::optional<int64_t> step_of(const fs::path& folder) {
  const std::string name = folder.filename().string();
  int64_t step = 0;
  if (!name.starts_with(kPrefix)) {
    return std::nullopt;
  }
  const char* begin = name.data() + kPrefix.size();
  const char* end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(begin, end, step);
  return error == std::errc() && rest == end ? std::optional(step) : std::nullopt;
}

}  // namespace

TrainStates::TrainStates(fs::path folder) : folder_(std::move(folder)) {}

fs::path TrainStates::path_of(int64_t step) const {
  return folder_ / fmt::format("{}{}", kPrefix, step);
}

std::vector<int64_t> TrainStates::steps() const {
  std::vector<int64_t> found;
  std::error_code error;
  for (fs::directory_iterator entry(folder_, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    if (const std::optional<int64_t> step = step_of(entry->path())) {
      found.push_back(*step);
    }
  }
  std::ranges::sort(found);
  return found;
}

std::optional<fs::path> TrainStates::last() const {
  const std::vector<int64_t> found = steps();
  return found.empty() ? std::nullopt : std::optional(path_of(found.back()));
}

void TrainStates::save(const TrainPosition& position,
                       const std::vector<TrainableParameter>& parameters,
                       const AdamW& optimizer) const {
  StagedFolder staged(path_of(position.step), /*force=*/true);
  std::vector<TensorToWrite> tensors;
  for (const NamedTensor& named : tensors_of(parameters, optimizer)) {
    tensors.push_back(to_write(named));
  }
  write_safetensors(staged.path(), tensors, std::numeric_limits<uint64_t>::max(), [](int64_t) {});
  write_json_file(staged.path() / kPositionFile,
                  {{"format", 1},
                   {"step", position.step},
                   {"tokens", position.tokens},
                   {"elapsed_s", position.elapsed_s},
                   {"cpu_seconds", position.cpu_seconds},
                   {"watch", to_json(position.watch)}});
  staged.commit();
  std::vector<int64_t> old = steps();
  old.resize(old.size() - std::min(old.size(), kKept));
  for (const int64_t step : old) {
    if (step != position.watch.best_step) {
      std::error_code ignored;  // a leftover costs space, not correctness
      fs::remove_all(path_of(step), ignored);
    }
  }
}

TrainPosition TrainStates::position_of(const fs::path& checkpoint) {
  const std::string name = (checkpoint / kPositionFile).string();
  const Json json = read_json_file(name);
  const JsonObject state(json, name);
  return {.step = state.integer("step", 0, kLargestCount),
          .tokens = state.integer("tokens", 0, kLargestCount),
          .elapsed_s = state.number("elapsed_s"),
          .cpu_seconds = state.number_or("cpu_seconds", 0.0),  // Older checkpoints have none.
          .watch = watch_record_from_json(state.object("watch"))};
}

TrainPosition TrainStates::load(const fs::path& checkpoint,
                                std::vector<TrainableParameter>& parameters,
                                AdamW& optimizer) {
  const MappedFile file(checkpoint / "model.safetensors");
  std::map<std::string, SafetensorsEntry> entries;
  for (SafetensorsEntry& entry :
       parse_safetensors_header(file.bytes(), file.path().string()).entries) {
    entries.emplace(entry.info.name, std::move(entry));
  }
  const at::NoGradGuard no_grad;
  for (const NamedTensor& named : tensors_of(parameters, optimizer)) {
    const auto entry = entries.find(named.name);
    if (entry == entries.end() || entry->second.info.dtype != Dtype::kF32 ||
        entry->second.info.shape != named.tensor.sizes().vec()) {
      throw Error({.file = file.path().string(),
                   .item = named.name,
                   .found = entry == entries.end() ? "nothing" : "another shape or dtype",
                   .expected = "the state of this training",
                   .hint = "remove this checkpoint to go on from the one before"});
    }
    at::Tensor stored = at::empty(named.tensor.sizes(), at::kFloat);
    std::memcpy(
        stored.mutable_data_ptr(), file.bytes().data() + entry->second.offset, stored.nbytes());
    at::Tensor(named.tensor).copy_(stored);
  }
  const TrainPosition position = position_of(checkpoint);
  optimizer.set_steps_taken(position.step);
  update_model(parameters);
  return position;
}

}  // namespace slayer
