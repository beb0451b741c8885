#include "slayer/train/forgetting.h"

#include <cmath>

#include "slayer/core/progress.h"
#include "slayer/core/sha256.h"
#include "slayer/eval/perplexity.h"

namespace slayer {
namespace {

constexpr int64_t kLargestStep = int64_t{1} << 40U;

std::optional<double> loss_of(const CausalLM& model, const WatchedText& text, int64_t seq_len) {
  if (text.documents.empty()) {
    return std::nullopt;
  }
  Progress progress("looking", 1, "tokens", ProgressStyle::kSilent);
  PerplexityOptions options;
  options.seq_len = seq_len;
  return measure_perplexity(model, text.documents, options, progress).loss;
}

Json to_json(const WatchedLosses& losses) {
  Json json = Json::object();
  if (losses.domain) {
    json["domain"] = *losses.domain;
  }
  if (losses.general) {
    json["general"] = *losses.general;
  }
  return json;
}

std::optional<double> optional_number(const JsonObject& json, std::string_view key) {
  return json.has(key) ? std::optional(json.number(key)) : std::nullopt;
}

}  // namespace

std::string WatchedText::key() const {
  Sha256 hash;
  for (const std::vector<TokenId>& document : documents) {
    hash.update(std::to_string(document.size()) + " ");
    hash.update(std::as_bytes(std::span(document)));
  }
  return hash.hex_digest();
}

WatchedLosses measure(const CausalLM& model, const WatchedTexts& texts, int64_t seq_len) {
  return {.domain = loss_of(model, texts.domain, seq_len),
          .general = loss_of(model, texts.general, seq_len)};
}

double WatchRecord::forgetting(const WatchedLosses& losses) const {
  const bool is_known = base && base->general && losses.general;
  return is_known ? std::expm1(*losses.general - *base->general) : 0.0;
}

void WatchRecord::add(int64_t step, const WatchedLosses& losses, std::optional<double> limit) {
  if (limit && forgetting(losses) > *limit) {
    has_stopped = true;
  } else if (best_step == 0 || losses.wanted() < best_loss) {
    best_step = step;
    best_loss = losses.wanted();
  }
}

Json to_json(const WatchRecord& record) {
  Json json = {{"best_step", record.best_step},
               {"best_loss", record.best_loss},
               {"has_stopped", record.has_stopped}};
  if (record.base) {
    json["base"] = to_json(*record.base);
  }
  return json;
}

WatchRecord watch_record_from_json(const JsonObject& json) {
  WatchRecord record{.best_step = json.integer("best_step", 0, kLargestStep),
                     .best_loss = json.number("best_loss"),
                     .has_stopped = json.boolean("has_stopped")};
  if (json.has("base")) {
    const JsonObject base = json.object("base");
    record.base = WatchedLosses{.domain = optional_number(base, "domain"),
                                .general = optional_number(base, "general")};
  }
  return record;
}

}  // namespace slayer
