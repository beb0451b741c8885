#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/data/corpus.h"
#include "slayer/data/packing.h"

namespace slayer {

/// Settings of AdamW.
struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  double weight_decay = 0.1;  ///< Not applied to norms and biases.
};

/// What a user asks of a training. Empty optionals are chosen by `resolve`, once: what it chose is
/// kept when the training goes on.
///
/// Defaults are LLaMA Pro's (arXiv 2401.02415, section 4.1: learning rate 2e-4, cosine, warm-up
/// over 6 % of the steps, weight decay 0.1, clipping at 1.0), betas are Llama 2's (arXiv
/// 2307.09288, section 2.2); its batches of 1,024 x 4,096 tokens are cut to what one machine does.
struct TrainOptions {
  std::filesystem::path checkpoint;
  std::vector<std::string> data;    ///< Files, folders, globs.
  std::string text_field = "text";  ///< Of .jsonl files.
  std::filesystem::path out;
  std::filesystem::path cache_dir;  ///< Of the tokenised corpus; empty: OUT/cache.

  std::optional<int64_t> steps;             ///< One epoch.
  std::optional<int64_t> warmup;            ///< In steps; 6 % of them.
  std::optional<int64_t> seq_len;           ///< The model's positions, at most 2048.
  std::optional<int64_t> micro_batch_size;  ///< Rows that run together; 2048 tokens' worth.
  std::optional<int64_t> threads;           ///< The machine's cores.
  int64_t batch_size = 8;                   ///< Sequences a step.
  double lr = 2e-4;
  double clip = 1.0;  ///< Largest norm of a step's gradient; 0: no limit.
  AdamWOptions adamw;
  uint64_t seed = 0;
  int64_t save_every = 100;  ///< Steps; 0: only at the end.
  Packing packing = Packing::kDocuments;
  BosPolicy bos = BosPolicy::kTokenizer;
  bool add_eos = true;
  std::string dtype = "float32";
  std::string device = "cpu";
  bool force = false;  ///< Throw away what OUT holds and begin anew.
};

/// @throws Error naming the option whose value no training could follow.
void validate(const TrainOptions& options);

/// What `resolve` looks at to choose.
struct TrainFacts {
  std::string checkpoint_hash;
  std::string data_key;  ///< Corpus::key
  int64_t corpus_tokens = 0;
  int64_t max_position_embeddings = 0;
  int64_t cores = 1;
};

/// Fills the empty optionals.
TrainOptions resolve(TrainOptions options, const TrainFacts& facts);

/// The resolved options and what they work on, as OUT/training.json keeps them: everything that
/// the weights at the end depend on.
Json settings_to_json(const TrainOptions& resolved, const TrainFacts& facts);

/// Takes over what the training in `stored` chose for options that are left open here.
void keep_choices(TrainOptions& options, const Json& stored, const std::string& file);

/// @throws Error naming the first option whose value is not the stored one; only steps may grow.
void require_same_settings(const Json& stored, const Json& now, const std::string& file);

}  // namespace slayer
