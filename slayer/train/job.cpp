#include "slayer/train/job.h"

#include <ATen/Parallel.h>

#include <fmt/format.h>
#include <map>
#include <utility>

#include "slayer/core/error.h"
#include "slayer/data/chat_encoder.h"
#include "slayer/data/documents.h"
#include "slayer/eval/perplexity.h"
#include "slayer/model/device.h"
#include "slayer/train/available_memory.h"
#include "slayer/train/compute.h"
#include "slayer/train/folder.h"

namespace slayer {
namespace fs = std::filesystem;
namespace {

/// A Hugging Face folder with all its weights: what is written at the end looks like it.
Checkpoint open_trainable(const fs::path& path) {
  if (fs::is_regular_file(path)) {
    throw Error({.file = path.string(),
                 .found = "a file",
                 .expected = "a checkpoint folder",
                 .hint = "slayer import makes one of a GGUF file"});
  }
  Checkpoint checkpoint = Checkpoint::open(path);
  checkpoint.require_complete();
  return checkpoint;
}

/// Whether the training as it is would take more than four fifths of the memory at hand.
bool is_short_of_memory(const TrainJob& job) {
  constexpr double kShare = 0.8;
  const std::optional<int64_t> memory = available_memory();
  return job.options.device == "cpu" && memory &&
         static_cast<double>(forecast(job).memory.total()) > kShare * static_cast<double>(*memory);
}

/// One source's key; of several the keys and their shares.
Json key_of(const std::vector<TrainSource>& sources) {
  if (sources.size() == 1) {
    return sources.front().corpus.key;
  }
  Json keys = Json::array();
  for (const TrainSource& source : sources) {
    keys.push_back({{"text", source.corpus.key}, {"share", source.share}});
  }
  return keys;
}

/// Reads and tokenises all text of a training.
class TextReader final {
 public:
  TextReader(const TrainOptions& options, const Checkpoint& checkpoint, const TrainControl& control)
      : options_(options),
        control_(control),
        side_files_(checkpoint.side_files()),
        tokenizer_(Tokenizer::from_side_files(side_files_, checkpoint.path().string())),
        encoder_(make_encoder(checkpoint.path().string())) {}

  const Tokenizer& tokenizer() const { return tokenizer_; }
  const std::string& document_tokens() const { return encoder_.description; }

  std::vector<TrainSource> open_sources() const {
    std::vector<TrainSource> sources;
    for (const TextSource& text : sources_of(parse_weighted_texts(options_.data))) {
      const bool is_first = sources.empty();  // of which text is held out
      const bool has_holdout = is_first && options_.holdout > 0.0;
      sources.push_back(
          {.corpus = open(text, has_holdout ? CorpusPart::kTrained : CorpusPart::kAll),
           .share = text.share});
    }
    return sources;
  }

  WatchedTexts read_watched() const {
    WatchedTexts texts{.domain = read(options_.eval_domain),
                       .general = read(options_.eval_general)};
    if (options_.holdout > 0.0) {
      const TextSource domain = sources_of(parse_weighted_texts(options_.data)).front();
      const Corpus held_out = open(domain, CorpusPart::kHeldOut);
      int64_t begin = 0;
      for (const int64_t end : held_out.tokens.document_ends()) {
        const auto tokens = held_out.tokens.tokens().subspan(static_cast<size_t>(begin),
                                                             static_cast<size_t>(end - begin));
        texts.domain.documents.emplace_back(tokens.begin(), tokens.end());
        begin = end;
      }
    }
    return texts;
  }

 private:
  DocumentEncoder make_encoder(const std::string& source) const {
    const std::string key = tokenizer_key(side_files_);
    return options_.format == DocumentFormat::kText
               ? make_document_encoder(tokenizer_, key, options_.bos, options_.add_eos)
               : make_chat_encoder(
                     tokenizer_, key, ChatTemplate::from_side_files(side_files_, source));
  }

  Corpus open(const TextSource& text, CorpusPart part) const {
    const CorpusFiles files{.files = find_document_files(text.patterns),
                            .rows = {.format = options_.format, .text_field = options_.text_field},
                            .part = part,
                            .holdout = options_.holdout};
    const int64_t threads = options_.threads.value_or(at::get_num_threads());
    return open_corpus(
        files,
        encoder_,
        options_.cache_dir.empty() ? TrainFolder(options_.out).cache() : options_.cache_dir,
        static_cast<int>(threads),
        control_.progress,
        control_.stop);
  }

  WatchedText read(const std::vector<std::string>& patterns) const {
    return {.documents = encode_documents(tokenizer_, read_texts(patterns, options_.text_field))};
  }

  const TrainOptions& options_;
  const TrainControl& control_;
  std::map<std::string, std::string> side_files_;
  Tokenizer tokenizer_;
  DocumentEncoder encoder_;
};

/// Of conversations, only what the assistant says is learnt: some of it must stand in a sequence.
void require_targets(const TrainJob& job) {
  const TrainingData data = job.data();
  for (int64_t draw = 0; draw < data.draws_per_epoch(); ++draw) {
    if (data.at(draw).target_count > 0) {
      return;
    }
  }
  throw Error(
      {.file = job.sources.front().corpus.source.files.front().string(),
       .found = fmt::format("nothing to learn in sequences of {} tokens", job.choices.seq_len),
       .expected = "an assistant's turn within them",
       .hint = "a larger --seq-len?"});
}

std::string key_of(const WatchedText& text) { return text.documents.empty() ? "" : text.key(); }

}  // namespace

TrainingData TrainJob::data() const {
  return {sources,
          {.seq_len = choices.seq_len,
           .packing = choices.packing,
           .padding = padding,
           .seed = options.seed}};
}

TrainJob prepare(const TrainOptions& asked, const TrainControl& control) {
  TrainOptions options = asked;
  validate(options);
  const at::Device device = device_from_name(options.device);
  Checkpoint checkpoint = open_trainable(options.checkpoint);
  std::optional<SurgeryRecord> record = find_surgery_record(checkpoint.path());

  const TrainFolder folder(options.out);
  const std::optional<Json> stored = options.force ? std::nullopt : folder.stored_settings();
  if (stored) {
    keep_choices(options, *stored, folder.settings_file().string());
  }
  options.method = resolve(std::move(options.method));
  TrainableSet trainable = trainable_set(options.method, checkpoint, record);
  validate(options.lr_scales, parameter_groups(trainable, record));

  const TextReader reader(options, checkpoint, control);
  std::vector<TrainSource> sources = reader.open_sources();
  WatchedTexts watched = reader.read_watched();
  const TokenId padding = reader.tokenizer().eos_id().value_or(0);
  const TrainFacts facts{
      .checkpoint_hash = checkpoint.hash(),
      .data_key = key_of(sources),
      .domain_key = key_of(watched.domain),
      .general_key = key_of(watched.general),
      .draws_per_epoch =
          [&](int64_t seq_len, Packing packing) {
            return TrainingData(sources,
                                {.seq_len = seq_len, .packing = packing, .padding = padding})
                .draws_per_epoch();
          },
      .quicker_compute = [&] { return quicker_compute(checkpoint.config(), device); },
      .max_position_embeddings = checkpoint.config().max_position_embeddings,
      .cores = at::get_num_threads()};
  TrainChoices choices = resolve(options, facts);
  TrainJob job{.options = std::move(options),
               .choices = std::move(choices),
               .checkpoint = std::move(checkpoint),
               .record = std::move(record),
               .trainable = std::move(trainable),
               .watched = std::move(watched),
               .sources = std::move(sources),
               .document_tokens = reader.document_tokens(),
               .padding = padding,
               .settings = {}};
  require_targets(job);
  if (!job.options.recompute) {
    job.choices.recompute = is_short_of_memory(job);
  }
  job.settings = settings_to_json(job.options, job.choices, facts);
  if (stored) {
    require_same_settings(*stored, job.settings, folder.settings_file().string());
  }
  return job;
}

}  // namespace slayer
