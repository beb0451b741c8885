#include "slayer/recipe/overlap.h"

#include <functional>
#include <utility>

#include "slayer/data/documents.h"
#include "slayer/data/mixture.h"
#include "slayer/eval/item.h"
#include "slayer/recipe/evaluate.h"

namespace slayer {
namespace {

bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         static_cast<unsigned char>(c) >= 0x80;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Calls `on_gram` with the hash of every 13 words in a row.
void for_each_gram(std::string_view text, const std::function<void(uint64_t)>& on_gram) {
  std::vector<uint64_t> words;
  std::string word;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && is_word_byte(text[i])) {
      word += lower(text[i]);
      continue;
    }
    if (word.empty()) {
      continue;
    }
    words.push_back(std::hash<std::string>()(word));
    word.clear();
    if (words.size() >= OverlapFinder::kWords) {
      uint64_t hash = 0;
      for (size_t k = words.size() - OverlapFinder::kWords; k < words.size(); ++k) {
        hash = (hash ^ words[k]) * 0x9E3779B97F4A7C15U;
        hash ^= hash >> 29U;
      }
      on_gram(hash);
    }
  }
}

/// The items of one set: each one's id and its number in the finder.
using ItemNumbers = std::vector<std::pair<int64_t, int64_t>>;

/// An item's question and choices, without examples before it.
std::string text_of(const Item& item) {
  std::string text;
  for (const TextRequest& request : item.requests) {
    text += request.context + request.continuation + "\n\n";
  }
  return text + item.target;
}

/// A text, or all that is said in a conversation.
std::string text_of(const Document& document) {
  std::string text = document.text;
  for (const Json& turn : document.conversation) {
    text += turn.at("content").get<std::string>() + "\n\n";
  }
  return text;
}

void scan_training(const TrainOptions& training, OverlapFinder& finder) {
  for (const std::filesystem::path& file : find_document_files(patterns_of(training.data))) {
    read_documents(file,
                   {.format = training.format, .text_field = training.text_field},
                   [&](const Document& document) { finder.scan(text_of(document)); });
  }
}

}  // namespace

int64_t OverlapFinder::add_item(std::string_view text) {
  const auto number = static_cast<int64_t>(is_found_.size());
  is_found_.push_back(false);
  for_each_gram(text, [&](uint64_t gram) {
    std::vector<int64_t>& items = items_of_[gram];
    if (items.empty() || items.back() != number) {
      items.push_back(number);
    }
  });
  return number;
}

void OverlapFinder::scan(std::string_view text) {
  for_each_gram(text, [&](uint64_t gram) {
    if (const auto found = items_of_.find(gram); found != items_of_.end()) {
      for (const int64_t item : found->second) {
        is_found_[static_cast<size_t>(item)] = true;
      }
    }
  });
}

Json find_overlap(const Recipe& recipe) {
  OverlapFinder finder;
  std::vector<std::pair<std::string, ItemNumbers>> sets;
  for (const auto& [kind, patterns] : {std::pair("text:domain", &recipe.eval.domain),
                                       std::pair("text:general", &recipe.eval.general)}) {
    ItemNumbers numbers;
    for (const Document& document : read_texts(*patterns, recipe.eval.text_field)) {
      numbers.emplace_back(std::ssize(numbers), finder.add_item(document.text));
    }
    sets.emplace_back(kind, std::move(numbers));
  }
  const TaskCatalogue catalogue = task_catalogue(recipe.eval);
  for (const std::string& name : task_names(recipe.eval, catalogue)) {
    const Task& task = catalogue.tasks.at(name);
    ItemOptions options;
    options.num_fewshot = 0;
    options.limit = recipe.eval.limit;
    ItemNumbers numbers;
    for (const Item& item : read_items(task, recipe.eval.data_dir, options)) {
      numbers.emplace_back(item.doc_id, finder.add_item(text_of(item)));
    }
    sets.emplace_back(name, std::move(numbers));
  }
  scan_training(recipe.train, finder);
  if (recipe.sft) {
    scan_training(*recipe.sft, finder);
  }
  Json json = {{"format", 1}, {"words", OverlapFinder::kWords}, {"sets", Json::object()}};
  for (const auto& [name, numbers] : sets) {
    Json overlapping = Json::array();
    for (const auto& [id, number] : numbers) {
      if (finder.is_found(number)) {
        overlapping.push_back(id);
      }
    }
    json["sets"][name] = {{"items", numbers.size()}, {"overlapping", overlapping}};
  }
  return json;
}

}  // namespace slayer
