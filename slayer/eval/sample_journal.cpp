#include "slayer/eval/sample_journal.h"

#include "slayer/core/file.h"
#include "slayer/core/journal.h"

namespace slayer {
namespace {

std::filesystem::path journal_of(const std::filesystem::path& final_path) {
  return final_path.string() + ".journal";
}

std::string one_line(const Json& json) { return compact_text(json) + "\n"; }

}  // namespace

SampleJournal::SampleJournal(std::filesystem::path final_path, const std::string& key)
    : final_(std::move(final_path)), journal_(journal_of(final_)) {
  const std::vector<Json> lines = read_journal(journal_);
  if (!lines.empty() && lines.front().value("key", "") == key) {
    for (size_t i = 1; i < lines.size(); ++i) {
      if (const auto id = lines[i].find("doc_id");
          id != lines[i].end() && id->is_number_integer()) {
        samples_[id->get<int64_t>()] = lines[i];
      }
    }
  }
  std::vector<Json> kept{{{"key", key}}};
  for (const auto& [doc_id, sample] : samples_) {
    kept.push_back(sample);
  }
  stream_ = begin_journal(journal_, kept);
}

void SampleJournal::add(Json sample) {
  append_to_journal(stream_, journal_, sample);
  const auto doc_id = sample["doc_id"].get<int64_t>();
  samples_[doc_id] = std::move(sample);
}

std::vector<Json> SampleJournal::finish() {
  std::string text;
  std::vector<Json> samples;
  for (auto& [doc_id, sample] : samples_) {
    text += one_line(sample);
    samples.push_back(std::move(sample));
  }
  write_text_file(final_, text);
  return samples;
}

void SampleJournal::discard(const std::filesystem::path& final_path) {
  std::error_code ignored;
  std::filesystem::remove(journal_of(final_path), ignored);
}

}  // namespace slayer
