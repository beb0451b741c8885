#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/data/corpus.h"
#include "slayer/data/packing.h"
#include "slayer/train/method.h"
#include "slayer/train/parameter_groups.h"
#include "slayer/train/schedule.h"

namespace slayer {

/// Settings of AdamW.
struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  double weight_decay = 0.1;  ///< Not applied to norms and biases.
};

/// What a user asks of a training. `resolve` chooses what is left empty, see TrainChoices.
///
/// Defaults are LLaMA Pro's (arXiv 2401.02415, section 4.1: learning rate 2e-4, cosine, warm-up
/// over 6 % of the steps, weight decay 0.1, clipping at 1.0), betas are Llama 2's (arXiv
/// 2307.09288, section 2.2); its batches of 1,024 x 4,096 tokens are cut to what one machine does.
/// LoRA's learning rate is 2e-4 too (QLoRA, arXiv 2305.14314, appendix B.2); where existing layers
/// themselves train (last-k, layers, full) it is 2e-5 (Llama 2, section 3.1).
struct TrainOptions {
  std::filesystem::path checkpoint;
  std::vector<std::string> data;  ///< Files, folders, globs; with weights, see WeightedText.
  DocumentFormat format = DocumentFormat::kText;
  std::string text_field = "text";  ///< Of kText: the column of rows.
  std::filesystem::path out;
  std::filesystem::path cache_dir;  ///< Of the tokenised corpus; empty: OUT/cache.
  MethodOptions method;

  std::optional<int64_t> steps;             ///< One epoch.
  std::optional<int64_t> warmup;            ///< In steps; 6 % of them.
  std::optional<int64_t> seq_len;           ///< The model's positions, at most 2048.
  std::optional<int64_t> micro_batch_size;  ///< Rows that run together; 2048 tokens' worth.
  std::optional<int64_t> threads;           ///< The machine's cores.
  std::optional<double> lr;                 ///< Peak; by method.
  std::optional<bool> recompute;            ///< Activations; where memory would not do.
  std::optional<std::string> compute;       ///< float32 or bfloat16; the quicker one.
  std::optional<int64_t> decay_steps;       ///< Of the schedule wsd: 10 % of the steps.
  std::optional<int64_t> eval_every;        ///< Steps; a tenth of them where there is text.
  int64_t batch_size = 8;                   ///< Sequences a step.
  ScheduleShape schedule = ScheduleShape::kCosine;
  double min_lr = 0.0;  ///< Where the schedule ends.
  LrScales lr_scales;
  double clip = 1.0;  ///< Largest norm of a step's gradient; 0: no limit.
  AdamWOptions adamw;
  uint64_t seed = 0;
  int64_t save_every = 100;        ///< Steps; 0: only at the end.
  std::optional<Packing> packing;  ///< kDocuments; kWhole for conversations.
  BosPolicy bos = BosPolicy::kTokenizer;
  bool add_eos = true;
  std::string device = "cpu";
  bool has_int8_frozen = false;  ///< Products with frozen layers' weights on 8-bit integers.
  double holdout = 0.0;  ///< Share of the first source's documents, watched instead of trained on.
  std::vector<std::string> eval_domain;  ///< Held-out text to watch: files, folders, globs.
  std::vector<std::string> eval_general;
  std::optional<double> stop_if_forgetting;  ///< Growth of the general text's perplexity.
  bool force = false;                        ///< Throw away what OUT holds and begin anew.
};

/// @throws Error naming the option whose value no training could follow.
void validate(const TrainOptions& options);

/// The learning rate where none is given.
double default_lr(Method method);

/// What `resolve` looks at to choose.
struct TrainFacts {
  std::string checkpoint_hash = {};
  Json data_key = {};            ///< Of the sources.
  std::string domain_key = {};   ///< WatchedText::key; empty without such text.
  std::string general_key = {};  ///< As domain_key.
  std::function<int64_t(int64_t seq_len, Packing)> draws_per_epoch = {};
  std::function<std::string()> quicker_compute = {};  ///< Asked where the dtype is left open.
  int64_t max_position_embeddings = 0;
  int64_t cores = 1;
};

/// What TrainOptions may leave open, as it is: asked for or chosen. Chosen once, and kept when the
/// training goes on.
struct TrainChoices {
  int64_t steps = 0;
  int64_t warmup = 0;
  int64_t seq_len = 0;
  int64_t micro_batch_size = 0;
  int64_t threads = 0;
  double lr = 0.0;
  bool recompute = false;
  std::string compute;
  int64_t decay_steps = 0;  ///< kWsd only.
  int64_t eval_every = 0;   ///< 0: there is no text to watch.
  Packing packing = Packing::kDocuments;
};

/// @param options valid ones
/// @throws Error naming the option that does not fit the model.
TrainChoices resolve(const TrainOptions& options, const TrainFacts& facts);

/// The options, what was chosen and what they work on, as OUT/training.json keeps them: everything
/// that the weights at the end depend on.
Json settings_to_json(const TrainOptions& options,
                      const TrainChoices& choices,
                      const TrainFacts& facts);

/// Takes over what the training in `stored` chose for options that are left open here.
void keep_choices(TrainOptions& options, const Json& stored, const std::string& file);

/// @throws Error naming the first option whose value is not the stored one; only steps may grow.
void require_same_settings(const Json& stored, const Json& now, const std::string& file);

}  // namespace slayer
