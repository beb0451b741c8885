#include "slayer/eval/sample_journal.h"

#include "slayer/core/error.h"
#include "slayer/core/file.h"

namespace slayer {
namespace {

std::filesystem::path journal_of(const std::filesystem::path& final_path) {
  return final_path.string() + ".journal";
}

std::string one_line(const Json& json) { return compact_text(json) + "\n"; }

/// The lines of a journal that were written whole; the last may be torn.
std::vector<Json> read_lines(const std::filesystem::path& path) {
  std::vector<Json> lines;
  std::ifstream stream(path);
  for (std::string line; std::getline(stream, line) && !stream.eof();) {
    const Json json = parse_journal_line(line);
    if (json.is_null()) {
      break;
    }
    lines.push_back(json);
  }
  return lines;
}

}  // namespace

SampleJournal::SampleJournal(std::filesystem::path final_path, const std::string& key)
    : final_(std::move(final_path)), journal_(journal_of(final_)) {
  const std::vector<Json> lines = read_lines(journal_);
  if (!lines.empty() && lines.front().value("key", "") == key) {
    for (size_t i = 1; i < lines.size(); ++i) {
      if (const auto id = lines[i].find("doc_id");
          id != lines[i].end() && id->is_number_integer()) {
        samples_[id->get<int64_t>()] = lines[i];
      }
    }
  }
  if (final_.has_parent_path()) {
    std::filesystem::create_directories(final_.parent_path());
  }
  // Written anew: a torn last line must not be appended to.
  stream_.open(journal_, std::ios::binary | std::ios::trunc);
  append({{"key", key}});
  for (const auto& [doc_id, sample] : samples_) {
    append(sample);
  }
}

void SampleJournal::append(const Json& line) {
  stream_ << one_line(line) << std::flush;
  if (!stream_) {
    throw Error({.file = journal_.string(),
                 .found = "a write that failed",
                 .expected = "room for the samples"});
  }
}

void SampleJournal::add(Json sample) {
  append(sample);
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
