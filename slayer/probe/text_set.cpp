#include <algorithm>
#include <fmt/format.h>
#include <random>

#include "slayer/core/error.h"
#include "slayer/eval/statistics.h"
#include "slayer/probe/probe_set.h"

namespace slayer {
namespace {

struct Window {
  size_t document;
  int64_t begin;
  int64_t end;

  int64_t size() const { return end - begin; }
};

std::vector<Window> windows_of(const std::vector<std::vector<TokenId>>& documents,
                               int64_t seq_len) {
  std::vector<Window> windows;
  for (size_t document = 0; document < documents.size(); ++document) {
    const int64_t tokens = std::ssize(documents[document]);
    for (int64_t begin = 0; begin + 1 < tokens; begin += seq_len) {
      windows.push_back(
          {.document = document, .begin = begin, .end = std::min(begin + seq_len, tokens)});
    }
  }
  return windows;
}

/// `count` of them at even distances; full ones only where there are enough.
std::vector<Window> spread(std::vector<Window> windows, int64_t count, int64_t seq_len) {
  if (count == 0 || std::ssize(windows) <= count) {
    return windows;
  }
  std::vector<Window> full;
  std::ranges::copy_if(windows, std::back_inserter(full), [&](const Window& window) {
    return window.size() == seq_len;
  });
  if (std::ssize(full) >= count) {
    windows = std::move(full);
  }
  std::vector<Window> chosen;
  for (int64_t i = 0; i < count; ++i) {
    chosen.push_back(windows[static_cast<size_t>((2 * i + 1) * std::ssize(windows) / (2 * count))]);
  }
  return chosen;
}

void shuffle(std::vector<Window>& windows, uint64_t seed) {
  std::mt19937 generator(static_cast<std::mt19937::result_type>(seed));
  for (size_t left = windows.size(); left > 1; --left) {
    std::swap(windows[left - 1], windows[draw_below(generator, left)]);
  }
}

void check(const std::string& source,
           const std::vector<std::vector<TokenId>>& documents,
           const TextSetOptions& options,
           int64_t max_position_embeddings) {
  if (options.seq_len < 2 || options.seq_len > max_position_embeddings) {
    throw Error(
        {.item = "seq-len",
         .found = fmt::format("{}", options.seq_len),
         .expected = fmt::format("from 2 to the model's {} positions", max_position_embeddings)});
  }
  int64_t tokens = 0;
  for (const std::vector<TokenId>& document : documents) {
    tokens += std::ssize(document);
  }
  if (tokens < options.seq_len) {
    throw Error({.file = source,
                 .found = fmt::format("{} tokens", tokens),
                 .expected = fmt::format("at least one sequence of {}", options.seq_len),
                 .hint = "more text, or a smaller --seq-len"});
  }
}

/// Numbers the documents that windows come from; the only document's windows stand for themselves.
void assign_units(const std::vector<Window>& windows, ProbeSet& set) {
  std::vector<size_t> documents;
  for (const Window& window : windows) {
    documents.push_back(window.document);
  }
  std::ranges::sort(documents);
  documents.erase(std::ranges::unique(documents).begin(), documents.end());
  const bool has_documents = documents.size() > 1;
  for (size_t i = 0; i < windows.size(); ++i) {
    const auto place = std::ranges::lower_bound(documents, windows[i].document);
    set.unit_of_group.push_back(has_documents ? static_cast<size_t>(place - documents.begin()) : i);
  }
  set.units = has_documents ? documents.size() : windows.size();
  set.description["documents"] = documents.size();
  set.description["intervals_over"] = has_documents ? "documents" : "windows";
}

}  // namespace

ProbeSet text_set(const std::string& name,
                  const std::vector<std::string>& files,
                  const std::vector<std::vector<TokenId>>& documents,
                  const TextSetOptions& options,
                  int64_t max_position_embeddings) {
  const std::string source =
      files.size() == 1 ? files.front() : fmt::format("{} texts for {}", files.size(), name);
  check(source, documents, options, max_position_embeddings);
  std::vector<Window> windows =
      spread(windows_of(documents, options.seq_len), options.windows, options.seq_len);
  if (windows.empty()) {
    throw Error(
        {.file = source, .found = "no document of two tokens", .expected = "text to predict"});
  }
  shuffle(windows, options.seed);
  ProbeSet set{.name = name, .measures = {{.name = "loss", .higher_is_better = false}}};
  int64_t tokens = 0;
  for (const Window& window : windows) {
    const std::vector<TokenId>& document = documents[window.document];
    set.groups.push_back(
        {{.tokens = {document.begin() + window.begin, document.begin() + window.end}}});
    set.weights.push_back(static_cast<double>(window.size() - 1));
    tokens += window.size() - 1;
  }
  set.description = {{"files", files},
                     {"seq_len", options.seq_len},
                     {"windows", windows.size()},
                     {"tokens", tokens}};
  assign_units(windows, set);
  set.values = [](size_t, std::span<const SequenceScore> scores) {
    return std::vector<double>{-scores.front().loglikelihood};
  };
  return set;
}

}  // namespace slayer
