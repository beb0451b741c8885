#include "slayer/surgery/pack.h"

#include <algorithm>
#include <deque>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "slayer/checkpoint/family.h"
#include "slayer/checkpoint/writer.h"
#include "slayer/core/error.h"
#include "slayer/core/file.h"
#include "slayer/core/sha256.h"
#include "slayer/surgery/apply.h"
#include "slayer/surgery/compose.h"
#include "slayer/surgery/pack_file.h"
#include "slayer/surgery/tensor_stream.h"

namespace slayer {
namespace {

namespace fs = std::filesystem;

SurgeryRecord required_record(const Checkpoint& checkpoint) {
  const std::optional<SurgeryRecord> record = find_surgery_record(checkpoint.path());
  const std::string file = (checkpoint.path() / kRecordFile).string();
  if (!record) {
    throw Error({.file = file,
                 .found = "nothing",
                 .expected = "the plan that slayer apply leaves in what it writes"});
  }
  const int64_t layers = checkpoint.config().num_hidden_layers;
  if (static_cast<int64_t>(record->plan.layers.size()) != layers) {
    throw Error({.file = file,
                 .item = "plan.layers",
                 .found = fmt::format("{} layers", record->plan.layers.size()),
                 .expected = fmt::format("{}, as config.json has", layers)});
  }
  if (std::ranges::none_of(record->plan.layers, is_packed)) {
    throw Error({.file = file,
                 .item = "plan.layers",
                 .found = "copies of the base's layers only",
                 .expected = "layers to pack, new or trained"});
  }
  return *record;
}

/// The stored form of a tensor of a folder, which always has one.
StoredBytes stored_in_folder(const Checkpoint& checkpoint, const TensorInfo& tensor) {
  return checkpoint.stored(tensor).value();
}

BaseTensor base_tensor(const Checkpoint& checkpoint,
                       const TensorInfo& tensor,
                       const std::stop_token& stop) {
  Sha256 sha256;
  scan_stored(stored_in_folder(checkpoint, tensor), stop, [&](std::span<const std::byte> bytes) {
    sha256.update(bytes);
  });
  return {.dtype = tensor.dtype, .sha256 = sha256.hex_digest()};
}

std::map<std::string, std::string> packed_files(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const std::string_view name : kPackedFiles) {
    std::error_code ignored;
    if (fs::exists(folder / name, ignored)) {
      files[std::string(name)] = read_text_file(folder / name);
    }
  }
  return files;
}

/// Unpacking, tensor by tensor.
class Unpacker final {
 public:
  Unpacker(const Checkpoint& base,
           const std::deque<PackFile>& packs,
           const Composition& composition,
           std::stop_token stop)
      : base_(base), packs_(packs), composition_(composition), stop_(std::move(stop)) {}

  TensorToWrite tensor_to_write(const ExpectedTensor& expected) const {
    if (expected.layer < 0) {
      return from_base(expected, expected.name);
    }
    const ComposedLayer& layer = composition_.layers[static_cast<size_t>(expected.layer)];
    const std::string source_name = tensor_name(expected.role, layer.layer);
    return layer.pack ? from_pack(expected, packs_[*layer.pack], source_name)
                      : from_base(expected, source_name);
  }

 private:
  TensorToWrite from_pack(const ExpectedTensor& expected,
                          const PackFile& pack,
                          const std::string& name) const {
    const TensorInfo& info = pack.info(name);
    require_shape(info, expected, pack.name());
    const auto write = [stored = pack.stored(name), stop = stop_](OutputFile& file) {
      stream_stored(stored, file, stop);
    };
    return {.info = {.name = expected.name, .dtype = info.dtype, .shape = info.shape},
            .write = write};
  }

  TensorToWrite from_base(const ExpectedTensor& expected, const std::string& name) const {
    const TensorInfo* const source = base_.find(name);
    if (source == nullptr) {
      throw Error({.file = base_.path().string(),
                   .item = name,
                   .found = "nothing",
                   .expected = "this tensor"});
    }
    require_shape(*source, expected, base_.path().string());
    const BaseTensor& wanted = wanted_of_base(name);
    const auto write = [this, source, wanted](OutputFile& file) {
      Sha256 sha256;
      stream_tensor(
          base_, *source, wanted.dtype, file, stop_, [&](std::span<const std::byte> bytes) {
            sha256.update(bytes);
          });
      require_same_bytes(*source, sha256.hex_digest(), wanted.sha256);
    };
    return {.info = {.name = expected.name, .dtype = wanted.dtype, .shape = source->shape},
            .write = write};
  }

  /// What the packs say of a base tensor; all that speak of it must agree.
  const BaseTensor& wanted_of_base(const std::string& name) const {
    const BaseTensor* wanted = nullptr;
    for (const PackFile& pack : packs_) {
      const auto found = pack.manifest().base_tensors.find(name);
      if (found == pack.manifest().base_tensors.end()) {
        continue;
      }
      if (wanted != nullptr && wanted->sha256 != found->second.sha256) {
        throw Error({.file = pack.name(),
                     .item = name,
                     .found = found->second.sha256,
                     .expected = fmt::format("{}, as in {}", wanted->sha256, packs_[0].name()),
                     .hint = "the packs are not of the same base"});
      }
      wanted = &found->second;
    }
    if (wanted == nullptr) {
      throw Error({.file = packs_.front().name(),
                   .item = "base_tensors." + name,
                   .found = "nothing",
                   .expected = "the SHA-256 of this tensor of the base"});
    }
    return *wanted;
  }

  void require_same_bytes(const TensorInfo& source,
                          const std::string& found,
                          const std::string& wanted) const {
    if (found != wanted) {
      throw Error({.file = base_.path().string(),
                   .item = source.name,
                   .found = "bytes with SHA-256 " + found,
                   .expected = wanted + ", as in the base of the pack",
                   .hint = "another base, or one that full training has changed"});
    }
  }

  static void require_shape(const TensorInfo& tensor,
                            const ExpectedTensor& expected,
                            const std::string& file) {
    if (tensor.shape != expected.shape) {
      throw Error({.file = file,
                   .item = tensor.name,
                   .found = fmt::format("shape [{}]", fmt::join(tensor.shape, ", ")),
                   .expected = fmt::format("[{}]", fmt::join(expected.shape, ", "))});
    }
  }

  const Checkpoint& base_;
  const std::deque<PackFile>& packs_;
  const Composition& composition_;
  std::stop_token stop_;
};

void require_base(const Checkpoint& base, const PackFile& pack) {
  const Plan& plan = pack.manifest().record.plan;
  if (plan.source_hash != base.hash()) {
    throw Error({.file = pack.name(),
                 .item = "the base's hash",
                 .found = printable(plan.source_hash),
                 .expected = fmt::format("{}, the hash of {}", base.hash(), base.path().string()),
                 .hint = "the pack was made on " + printable(pack.manifest().record.source) +
                         (base.is_gguf() ? "; of a run with a GGUF that is its folder base/, "
                                           "as slayer import makes it"
                                         : "")});
  }
  if (plan.source_layers != base.config().num_hidden_layers) {
    throw Error({.file = pack.name(),
                 .item = "source.layers",
                 .found = fmt::format("{}", plan.source_layers),
                 .expected = fmt::format("{}", base.config().num_hidden_layers)});
  }
}

/// The files of the unpacked folder: those packed, or for several packs those of a new plan.
std::map<std::string, std::string> unpacked_files(const Checkpoint& base,
                                                  const std::deque<PackFile>& packs,
                                                  const Plan& plan) {
  if (packs.size() > 1) {
    const auto& base_tensors = packs.front().manifest().base_tensors;
    const auto embedding = base_tensors.find(tensor_name(TensorRole::kEmbedding));
    return files_beside_weights(base,
                                plan,
                                base.is_gguf() && embedding != base_tensors.end()
                                    ? std::optional(embedding->second.dtype)
                                    : std::nullopt);
  }
  std::map<std::string, std::string> files = base.side_files();
  for (const auto& [name, content] : packs.front().manifest().files) {
    files[name] = content;
  }
  return files;
}

}  // namespace

void pack(const Checkpoint& checkpoint, const fs::path& out, const WriteOptions& options) {
  const SurgeryRecord record = required_record(checkpoint);
  checkpoint.require_complete();
  StagedFile staged(out, options.force);
  PackManifest manifest{
      .record = record, .files = packed_files(checkpoint.path()), .base_tensors = {}};
  int64_t total = 0;
  for (const TensorInfo& tensor : checkpoint.tensors()) {
    total += tensor.byte_count();
  }
  Progress progress("packing", total, "bytes", options.progress);
  std::vector<TensorToWrite> tensors;
  for (const ExpectedTensor& expected : expected_tensors(checkpoint.config())) {
    const TensorInfo& tensor = *checkpoint.find(expected.name);
    const PlannedLayer* const layer =
        expected.layer < 0 ? nullptr : &record.plan.layers[static_cast<size_t>(expected.layer)];
    if (layer != nullptr && is_packed(*layer)) {
      tensors.push_back({.info = tensor, .write = [&](OutputFile& file) {
                           stream_tensor(checkpoint, tensor, tensor.dtype, file, options.stop);
                         }});
      continue;
    }
    const std::string source_name =
        layer == nullptr ? expected.name : tensor_name(expected.role, layer->from.front());
    manifest.base_tensors[source_name] = base_tensor(checkpoint, tensor, options.stop);
    progress.advance(tensor.byte_count());
  }
  write_safetensors_file(
      staged.path(), tensors, manifest_to_metadata(manifest), [&](int64_t bytes) {
        progress.advance(bytes);
      });
  staged.commit();
  progress.finish();
}

void unpack(const Checkpoint& base,
            const std::vector<fs::path>& packs,
            const fs::path& out,
            const WriteOptions& options) {
  base.require_complete();
  std::deque<PackFile> files;
  std::vector<PackPlan> plans;
  for (const fs::path& path : packs) {
    const PackFile& pack = files.emplace_back(path);
    require_base(base, pack);
    plans.push_back({.pack = pack.name(), .plan = pack.manifest().record.plan});
  }
  const Composition composition = compose(plans);
  ModelFolder folder{.tensors = {}, .files = unpacked_files(base, files, composition.plan)};
  const ModelConfig config = parse_model_config(
      parse_json(folder.files["config.json"], files.front().name() + ": config.json"),
      files.front().name() + ": config.json");
  if (config.num_hidden_layers != static_cast<int64_t>(composition.layers.size())) {
    throw Error({.file = files.front().name(),
                 .item = "config.json: num_hidden_layers",
                 .found = fmt::format("{}", config.num_hidden_layers),
                 .expected = fmt::format("{}, as the plan has", composition.layers.size())});
  }
  const Unpacker unpacker(base, files, composition, options.stop);
  for (const ExpectedTensor& expected : expected_tensors(config)) {
    folder.tensors.push_back(unpacker.tensor_to_write(expected));
  }
  write_model_folder(folder, out, options);
}

}  // namespace slayer
