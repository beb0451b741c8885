#include "slayer/train/job.h"

#include <ATen/Parallel.h>

#include <array>
#include <system_error>

#include "slayer/core/error.h"
#include "slayer/core/sha256.h"
#include "slayer/data/documents.h"
#include "slayer/model/device.h"
#include "slayer/train/folder.h"

namespace slayer {
namespace fs = std::filesystem;
namespace {

SurgeryRecord require_record(const Checkpoint& checkpoint) {
  const std::optional<SurgeryRecord> record = find_surgery_record(checkpoint.path());
  if (!record) {
    throw Error({.file = (checkpoint.path() / kRecordFile).string(),
                 .found = "nothing",
                 .expected = "the plan that says which layers train",
                 .hint = "make such a checkpoint with slayer plan and slayer apply"});
  }
  return *record;
}

std::vector<int64_t> require_trained_layers(const Checkpoint& checkpoint, const Plan& plan) {
  const std::string file = (checkpoint.path() / kRecordFile).string();
  const auto layers = static_cast<int64_t>(plan.layers.size());
  if (layers != checkpoint.config().num_hidden_layers) {
    throw Error({.file = file,
                 .item = "plan",
                 .found = std::to_string(layers) + " layers",
                 .expected = std::to_string(checkpoint.config().num_hidden_layers) +
                             ", as in config.json"});
  }
  std::vector<int64_t> trained;
  for (int64_t layer = 0; layer < layers; ++layer) {
    if (plan.layers[static_cast<size_t>(layer)].train) {
      trained.push_back(layer);
    }
  }
  if (trained.empty()) {
    throw Error({.file = file,
                 .item = "plan",
                 .found = "no layer that trains",
                 .expected = "\"train\": true for at least one"});
  }
  return trained;
}

/// A hash of the files that define a tokenizer.
std::string tokenizer_key(const std::map<std::string, std::string>& side_files) {
  constexpr std::array kFiles{
      "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json"};
  Sha256 hash;
  for (const char* name : kFiles) {
    if (const auto file = side_files.find(name); file != side_files.end()) {
      hash.update(name);
      hash.update(sha256(file->second));
    }
  }
  return hash.hex_digest();
}

}  // namespace

PackedSequences TrainJob::sequences() const {
  return {corpus.tokens, *options.seq_len, options.packing, padding};
}

TrainJob prepare(const TrainOptions& asked, const TrainControl& control) {
  TrainOptions options = asked;
  validate(options);
  device_from_name(options.device);
  scalar_type_from_name(options.dtype);
  Checkpoint checkpoint = Checkpoint::open(options.checkpoint);
  checkpoint.require_complete();
  SurgeryRecord record = require_record(checkpoint);
  std::vector<int64_t> layers = require_trained_layers(checkpoint, record.plan);

  const TrainFolder folder(options.out);
  const std::optional<Json> stored = options.force ? std::nullopt : folder.stored_settings();
  if (stored) {
    keep_choices(options, *stored, folder.settings_file().string());
  }
  const CorpusFiles source{.files = find_document_files(options.data),
                           .text_field = options.text_field};
  const std::map<std::string, std::string> side_files = checkpoint.side_files();
  const Tokenizer tokenizer = Tokenizer::from_side_files(side_files, checkpoint.path().string());
  const DocumentEncoder encoder =
      make_document_encoder(tokenizer, tokenizer_key(side_files), options.bos, options.add_eos);
  const int64_t cores = at::get_num_threads();
  Corpus corpus = open_corpus(source,
                              encoder,
                              options.cache_dir.empty() ? folder.cache() : options.cache_dir,
                              static_cast<int>(options.threads.value_or(cores)),
                              control.progress,
                              control.stop);
  const TrainFacts facts{.checkpoint_hash = checkpoint.hash(),
                         .data_key = corpus.key,
                         .corpus_tokens = corpus.tokens.token_count(),
                         .max_position_embeddings = checkpoint.config().max_position_embeddings,
                         .cores = cores};
  options = resolve(std::move(options), facts);
  Json settings = settings_to_json(options, facts);
  if (stored) {
    require_same_settings(*stored, settings, folder.settings_file().string());
  }
  return {.options = std::move(options),
          .checkpoint = std::move(checkpoint),
          .record = std::move(record),
          .layers = std::move(layers),
          .corpus = std::move(corpus),
          .document_tokens = encoder.description,
          .padding = tokenizer.eos_id().value_or(0),
          .settings = std::move(settings)};
}

}  // namespace slayer
