#include "slayer/recipe/evaluate.h"

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/core/error.h"
#include "slayer/eval/perplexity.h"
#include "slayer/model/device.h"
#include "slayer/model/generate.h"
#include "slayer/model/load.h"
#include "slayer/tokenizer/tokenizer.h"

namespace slayer {
namespace {

void throw_if_stopped(const EvalSettings& settings) {
  if (settings.stop.stop_requested()) {
    throw Interrupted("run the same command again to go on");
  }
}

Json samples(const CausalLM& model,
             const Tokenizer& tokenizer,
             const std::vector<int64_t>& stop_tokens,
             const EvalSettings& settings) {
  Json all = Json::array();
  for (const std::string& prompt : settings.recipe.prompts) {
    throw_if_stopped(settings);
    const std::vector<TokenId> tokens = tokenizer.encode(prompt, /*add_special_tokens=*/true);
    const auto generated = generate(model,
                                    {tokens},
                                    {.max_new_tokens = settings.recipe.max_new_tokens,
                                     .sampling = {},
                                     .stop_tokens = stop_tokens});
    all.push_back({{"prompt", prompt},
                   {"text", tokenizer.decode(generated.front(), /*skip_special_tokens=*/true)}});
  }
  return all;
}

}  // namespace

std::vector<Document> read_texts(const std::vector<std::string>& patterns,
                                 const std::string& text_field) {
  std::vector<Document> documents;
  for (const std::filesystem::path& file : find_document_files(patterns)) {
    read_documents(
        file, text_field, [&](Document document) { documents.push_back(std::move(document)); });
  }
  return documents;
}

Json evaluate(const std::filesystem::path& path,
              const std::string& name,
              const EvalSettings& settings) {
  const Checkpoint checkpoint = Checkpoint::open(path);
  const Tokenizer tokenizer = Tokenizer::from_side_files(checkpoint.side_files(), path.string());
  const CausalLM model = load_causal_lm(checkpoint, settings.dtype, settings.device);
  const int64_t seq_len = settings.recipe.seq_len;
  Json results = Json::object();
  for (const auto& [kind, patterns] : {std::pair("domain", &settings.recipe.domain),
                                       std::pair("general", &settings.recipe.general)}) {
    throw_if_stopped(settings);
    const auto documents =
        encode_documents(tokenizer, read_texts(*patterns, settings.recipe.text_field));
    Progress progress(
        name + " on " + kind, count_scored_tokens(documents, seq_len), "tokens", settings.progress);
    PerplexityOptions options;
    options.seq_len = seq_len;
    results[std::string("text:") + kind] =
        perplexity_to_json(measure_perplexity(model, documents, options, progress));
    progress.finish();
  }
  return {{"format", 1},
          {"model", checkpoint.hash()},
          {"results", results},
          {"configs",
           {{"seq_len", seq_len},
            {"dtype", torch_name(dtype_of(settings.dtype))},
            {"adds_bos", !tokenizer.prefix_ids().empty()}}},
          {"samples", samples(model, tokenizer, stop_tokens(checkpoint), settings)}};
}

}  // namespace slayer
