#include "slayer/eval/perplexity.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>

#include "slayer/core/error.h"

namespace slayer {
namespace {

constexpr int64_t kMostTokens = int64_t{1} << 53;  // What a JSON number holds exactly.

/// Scored tokens of one document: all but the first of each window of `seq_len`.
int64_t scored_tokens(int64_t tokens, int64_t seq_len) {
  return tokens - (tokens + seq_len - 1) / seq_len;
}

/// One bootstrap interval of nats per token; documents without a scored token say nothing.
std::optional<Interval> interval_over_documents(const std::vector<double>& losses,
                                                const std::vector<double>& tokens,
                                                const BootstrapOptions& options) {
  if (losses.size() < 2) {
    return std::nullopt;
  }
  return bootstrap_ratio(losses, tokens, options);
}

/// Sums the documents up.
PerplexityResult summarize(std::vector<DocumentLoss> documents, const BootstrapOptions& options) {
  PerplexityResult result;
  result.documents = std::move(documents);
  std::vector<double> losses;
  std::vector<double> tokens;
  double loss = 0.0;
  for (const DocumentLoss& document : result.documents) {
    if (document.tokens > 0) {
      losses.push_back(document.loss);
      tokens.push_back(static_cast<double>(document.tokens));
      loss += document.loss;
      result.tokens += document.tokens;
    }
  }
  result.loss = loss / static_cast<double>(result.tokens);
  result.perplexity = perplexity_of(result.loss);
  result.loss_interval = interval_over_documents(losses, tokens, options);
  return result;
}

}  // namespace

double perplexity_of(double loss) {
  return std::min(std::exp(loss), std::numeric_limits<double>::max());
}

std::vector<std::vector<TokenId>> encode_documents(const Tokenizer& tokenizer,
                                                   const std::vector<Document>& documents) {
  std::vector<std::vector<TokenId>> encoded;
  encoded.reserve(documents.size());
  for (const Document& document : documents) {
    encoded.push_back(tokenizer.encode(document.text, /*add_special_tokens=*/true));
  }
  return encoded;
}

int64_t count_scored_tokens(const std::vector<std::vector<TokenId>>& documents, int64_t seq_len) {
  int64_t total = 0;
  for (const std::vector<TokenId>& document : documents) {
    total += scored_tokens(std::ssize(document), seq_len);
  }
  return total;
}

PerplexityResult measure_perplexity(const CausalLM& model,
                                    const std::vector<std::vector<TokenId>>& documents,
                                    const PerplexityOptions& options,
                                    Progress& progress) {
  if (options.seq_len < 2 || options.seq_len > model.config.max_position_embeddings) {
    throw Error({.item = "seq-len",
                 .found = std::to_string(options.seq_len),
                 .expected = fmt::format("from 2 to the model's {} positions",
                                         model.config.max_position_embeddings)});
  }
  if (count_scored_tokens(documents, options.seq_len) == 0) {
    throw Error({.item = "text for perplexity",
                 .found = fmt::format("no document of two tokens among {}", documents.size()),
                 .expected = "text to score"});
  }
  std::vector<SequenceGroup> windows;
  std::vector<size_t> document_of_window;
  for (size_t index = 0; index < documents.size(); ++index) {
    const std::vector<TokenId>& tokens = documents[index];
    for (int64_t begin = 0; begin + 1 < std::ssize(tokens); begin += options.seq_len) {
      const int64_t end = std::min(begin + options.seq_len, std::ssize(tokens));
      windows.push_back({{.tokens = {tokens.begin() + begin, tokens.begin() + end}}});
      document_of_window.push_back(index);
    }
  }
  std::vector<DocumentLoss> losses(documents.size());
  score_groups(model,
               windows,
               options.scoring,
               [&](size_t window, const std::vector<SequenceScore>& scores) {
                 DocumentLoss& document = losses[document_of_window[window]];
                 const int64_t tokens = std::ssize(windows[window].front().tokens) - 1;
                 document.loss -= scores.front().loglikelihood;
                 document.tokens += tokens;
                 progress.advance(tokens);
                 if (options.stop.stop_requested()) {
                   throw Interrupted("run the same command again to start this text over");
                 }
               });
  return summarize(std::move(losses), options.bootstrap);
}

PerplexityChange compare_perplexity(const PerplexityResult& base,
                                    const PerplexityResult& changed,
                                    const BootstrapOptions& options) {
  if (base.documents.size() != changed.documents.size()) {
    throw Error({.item = "documents of two perplexities",
                 .found = fmt::format("{} and {}", base.documents.size(), changed.documents.size()),
                 .expected = "the same documents"});
  }
  std::vector<double> differences;
  std::vector<double> tokens;
  for (size_t i = 0; i < base.documents.size(); ++i) {
    if (base.documents[i].tokens != changed.documents[i].tokens) {
      throw Error({.item = fmt::format("document {} of two perplexities", i),
                   .found = fmt::format(
                       "{} and {} tokens", base.documents[i].tokens, changed.documents[i].tokens),
                   .expected = "the same tokens",
                   .hint = "another tokenizer, or another --seq-len?"});
    }
    if (base.documents[i].tokens > 0) {
      differences.push_back(changed.documents[i].loss - base.documents[i].loss);
      tokens.push_back(static_cast<double>(base.documents[i].tokens));
    }
  }
  PerplexityChange change;
  change.loss_difference = changed.loss - base.loss;
  change.perplexity_ratio = perplexity_of(change.loss_difference);
  change.difference_interval = interval_over_documents(differences, tokens, options);
  if (change.difference_interval) {
    change.ratio_interval = Interval{.low = perplexity_of(change.difference_interval->low),
                                     .high = perplexity_of(change.difference_interval->high)};
  }
  return change;
}

Json perplexity_to_json(const PerplexityResult& result) {
  Json json = {{"loss", result.loss}, {"perplexity", result.perplexity}, {"tokens", result.tokens}};
  if (result.loss_interval) {
    json["loss_low"] = result.loss_interval->low;
    json["loss_high"] = result.loss_interval->high;
  }
  json["documents"] = Json::array();
  for (const DocumentLoss& document : result.documents) {
    json["documents"].push_back({{"loss", document.loss}, {"tokens", document.tokens}});
  }
  return json;
}

PerplexityResult perplexity_from_json(const Json& json, const std::string& file) {
  const JsonObject object(json, file);
  PerplexityResult result;
  result.loss = object.number("loss");
  result.perplexity = object.number("perplexity");
  result.tokens = object.integer("tokens", 1, kMostTokens);
  if (object.has("loss_low")) {
    result.loss_interval =
        Interval{.low = object.number("loss_low"), .high = object.number("loss_high")};
  }
  for (const Json& entry : object.array("documents")) {
    const JsonObject document(entry, file, "documents[]");
    result.documents.push_back(
        {.loss = document.number("loss"), .tokens = document.integer("tokens", 0, kMostTokens)});
  }
  return result;
}

}  // namespace slayer
