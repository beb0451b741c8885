#include "slayer/eval/item.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <iterator>

#include "slayer/core/error.h"
#include "slayer/core/file.h"
#include "slayer/core/sha256.h"
#include "slayer/data/file_hash.h"
#include "slayer/eval/python_random.h"

namespace slayer {
namespace {

/// Turns rows into text as the task says; no few-shot examples yet.
class RowReader final {
 public:
  explicit RowReader(const Task& task) : task_(task) {}

  std::string text(const Row& row) const { return cleaned(task_.text.render(row)); }

  std::vector<std::string> choices(const Row& row) const {
    return cleaned(alternatives(task_.choices, row));
  }

  std::vector<std::string> contexts(const Row& row) const {
    return alternatives(task_.contexts, row);
  }

  std::string continuation(const Row& row) const { return task_.continuation.render(row); }

  std::string target(const Row& row) const { return task_.target->render(row); }

  /// Index of the right choice among `count`.
  int64_t gold(const Row& row, int64_t count) const {
    const std::string value = task_.gold->render(row);
    int64_t index = -1;
    if (!task_.gold_among.empty()) {
      const auto labels = alternatives(task_.gold_among, row);
      const auto found = std::ranges::find(labels, value);
      index = found == labels.end() ? -1 : found - labels.begin();
    } else {
      const char* const end = value.data() + value.size();
      if (std::from_chars(value.data(), end, index).ptr != end || value.empty()) {
        index = -1;
      }
    }
    if (index < 0 || index >= count) {
      fail_in_row(
          row, "gold", printable(value), fmt::format("the label of one of {} choices", count));
    }
    return index;
  }

  std::vector<bool> right(const Row& row, size_t count) const {
    const Json& labels = task_.right->value(row);
    std::vector<bool> right;
    for (const Json& label : labels.is_array() ? labels : Json::array()) {
      right.push_back(label == 1);
    }
    if (right.size() != count || std::ranges::find(right, true) == right.end()) {
      fail_in_row(row,
                  "right",
                  printable(compact_text(labels)),
                  fmt::format("{} labels 0 or 1, at least one 1", count));
    }
    return right;
  }

  /// One row as a few-shot example, delimiters included.
  std::string example(const Row& row) const {
    std::string answered;
    if (!task_.contexts.empty()) {
      const auto all = contexts(row);
      answered = all[static_cast<size_t>(gold(row, std::ssize(all)))] + task_.target_delimiter +
                 continuation(row);
    } else if (task_.target) {
      answered = text(row) + task_.target_delimiter + target(row);
    } else {
      const auto all = choices(row);
      answered =
          text(row) + task_.target_delimiter + all[static_cast<size_t>(gold(row, std::ssize(all)))];
    }
    return answered + "\n\n";
  }

 private:
  std::string cleaned(std::string text) const { return apply_rules(std::move(text), task_.clean); }

  std::vector<std::string> cleaned(std::vector<std::string> texts) const {
    for (std::string& text : texts) {
      text = cleaned(std::move(text));
    }
    return texts;
  }

  static std::vector<std::string> alternatives(const std::vector<Template>& templates,
                                               const Row& row) {
    std::vector<std::string> texts;
    if (templates.size() > 1) {
      for (const Template& text : templates) {
        texts.push_back(text.render(row));
      }
      return texts;
    }
    const Template& list = templates.front();
    const Json& values = list.value(row);
    for (const Json& value : values.is_array() ? values : Json::array()) {
      if (!value.is_string()) {
        break;
      }
      texts.push_back(value.get<std::string>());
    }
    if (!values.is_array() || texts.size() != values.size() || texts.empty()) {
      fail_in_row(
          row, list.columns().front(), printable(compact_text(values)), "a list of strings");
    }
    return texts;
  }

  const Task& task_;
};

/// Draws the examples before each item, as lm-evaluation-harness's ContextSampler does.
class ExampleSampler final {
 public:
  ExampleSampler(const Task& task, Dataset pool, int64_t count, uint32_t seed)
      : task_(task), reader_(task), pool_(std::move(pool)), count_(count), random_(seed) {
    if (std::ssize(pool_.rows) <
        count + task.few_shot.first_row + (task.few_shot.skips_item ? 1 : 0)) {
      throw Error({.file = pool_.name,
                   .item = fmt::format("few-shot examples of task {}", task.name),
                   .found = fmt::format("{} rows", pool_.rows.size()),
                   .expected = fmt::format("enough for {} examples", count)});
    }
  }

  /// The examples for the next item in order, as one text.
  std::string next(const Json& item) {
    std::string text;
    for (const int64_t index : pick(item)) {
      const auto position = static_cast<size_t>(index);
      text +=
          reader_.example({.fields = &pool_.rows[position], .file = pool_.name, .number = index});
    }
    return text;
  }

 private:
  std::vector<int64_t> pick(const Json& item) {
    std::vector<int64_t> picked;
    if (!task_.few_shot.is_random) {
      for (int64_t index = 0; index < count_; ++index) {
        picked.push_back(task_.few_shot.first_row + index);
      }
      return picked;
    }
    const auto population = std::ssize(pool_.rows);
    if (!task_.few_shot.skips_item) {
      return random_.sample(population, count_);
    }
    const auto is_item = [&](int64_t index) {
      return pool_.rows[static_cast<size_t>(index)] == item;
    };
    picked = random_.sample(population, count_ + 1);
    std::erase_if(picked, is_item);
    if (std::ssize(picked) >= count_) {
      picked.resize(static_cast<size_t>(count_));
      return picked;
    }
    std::vector<int64_t> others;
    for (int64_t index = 0; index < population; ++index) {
      if (!is_item(index)) {
        others.push_back(index);
      }
    }
    picked = random_.sample(std::ssize(others), count_);
    std::ranges::transform(
        picked, picked.begin(), [&](int64_t index) { return others[static_cast<size_t>(index)]; });
    return picked;
  }

  const Task& task_;
  RowReader reader_;
  Dataset pool_;
  int64_t count_;
  PythonRandom random_;
};

/// The words that Python's re.split(r"\s+", text) gives, empty ones at the ends included.
int64_t count_words(const std::string& text) {
  static const TextPattern space(R"(\s+)", "", "words");
  return std::ssize(space.find_all(text)) + 1;
}

/// The columns that the model is shown.
std::string columns_of(const Task& task) {
  std::vector<std::string> columns = task.text.columns();
  for (const Template& context : task.contexts) {
    std::ranges::copy(context.columns(), std::back_inserter(columns));
  }
  std::ranges::sort(columns);
  columns.erase(std::ranges::unique(columns).begin(), columns.end());
  return fmt::format("{}", fmt::join(columns, ", "));
}

void add_choices(const Task& task,
                 const RowReader& reader,
                 const Row& row,
                 const std::string& before,
                 Item& item) {
  if (!task.contexts.empty()) {
    const std::string continuation = task.target_delimiter + reader.continuation(row);
    const std::vector<std::string> contexts = reader.contexts(row);
    for (const std::string& context : contexts) {
      item.requests.push_back({.context = before + context, .continuation = continuation});
      item.choices.push_back(continuation);
    }
    item.question = fmt::format("{}{}", fmt::join(contexts, " / "), continuation);
  } else {
    item.question = reader.text(row);
    item.choices = reader.choices(row);
    for (const std::string& choice : item.choices) {
      item.requests.push_back(
          {.context = before + item.question, .continuation = task.target_delimiter + choice});
    }
  }
  if (task.right) {
    item.right = reader.right(row, item.choices.size());
  } else {
    item.gold = reader.gold(row, std::ssize(item.choices));
  }
}

Item make_item(const Task& task,
               const RowReader& reader,
               const Row& row,
               const std::string& before) {
  Item item;
  item.doc_id = row.number;
  item.place = fmt::format("{}: row {}: column {}", row.file, row.number, columns_of(task));
  if (task.kind == TaskKind::kMultipleChoice) {
    add_choices(task, reader, row, before, item);
    return item;
  }
  item.question = reader.text(row);
  if (task.kind == TaskKind::kRolling) {
    const std::string original = task.text.render(row);
    item.words = count_words(original);
    item.bytes = std::ssize(original);
    item.requests.push_back({.context = {}, .continuation = item.question});
    return item;
  }
  item.requests.push_back({.context = before + item.question, .continuation = {}});
  if (task.target) {
    item.target = reader.target(row);
  }
  if (task.kind == TaskKind::kLoglikelihood) {
    item.requests.front().continuation = task.target_delimiter + item.target;
  }
  if (task.program) {
    item.program_before = task.program->before.render(row);
    item.program_after = task.program->after.render(row);
  }
  return item;
}

std::string read_description(const Task& task, const std::filesystem::path& data_dir) {
  if (task.description_file.empty()) {
    return task.description;
  }
  const std::filesystem::path path = data_dir / task.description_file;
  if (!std::filesystem::exists(path)) {
    throw Error({.file = path.string(),
                 .item = fmt::format("text before the questions of task {}", task.name),
                 .found = "nothing",
                 .expected = "this file",
                 .hint = "published as " + task.description_source});
  }
  std::string text = read_text_file(path);
  text.erase(text.find_last_not_of("\r\n") + 1);
  return task.description + text;
}

}  // namespace

int64_t few_shot_count(const Task& task, const ItemOptions& options) {
  return options.num_fewshot.value_or(task.few_shot.count);
}

std::vector<Item> read_items(const Task& task,
                             const std::filesystem::path& data_dir,
                             const ItemOptions& options) {
  const int64_t shots = few_shot_count(task, options);
  const std::string description = read_description(task, data_dir);
  Dataset data = read_split(data_dir, task.data_path, task.split, task.name);
  if (options.limit && *options.limit < std::ssize(data.rows)) {
    data.rows.resize(static_cast<size_t>(*options.limit));
  }
  std::optional<ExampleSampler> sampler;
  if (shots > 0) {
    if (task.few_shot.split.empty()) {
      throw Error({.item = "--num-fewshot",
                   .found = std::to_string(shots),
                   .expected = fmt::format("0: task {} has no examples", task.name)});
    }
    sampler.emplace(task,
                    read_split(data_dir, task.data_path, task.few_shot.split, task.name),
                    shots,
                    options.seed);
  }
  const RowReader reader(task);
  std::vector<Item> items;
  for (int64_t number = 0; number < std::ssize(data.rows); ++number) {
    const Json& fields = data.rows[static_cast<size_t>(number)];
    try {  // The examples, too: one of them may be a row that cannot be used.
      const std::string before = description + (sampler ? sampler->next(fields) : "");
      items.push_back(make_item(
          task, reader, {.fields = &fields, .file = data.name, .number = number}, before));
    } catch (const Error& error) {
      Item& unusable = items.emplace_back();
      unusable.doc_id = number;
      unusable.problem = error.what();
    }
  }
  if (std::ranges::none_of(items, &std::string::empty, &Item::problem)) {
    throw Error({.file = data.name,
                 .item = fmt::format("data of task {}", task.name),
                 .found = "no row that can be used",
                 .expected = "the columns that the task names",
                 .hint = items.front().problem});
  }
  return items;
}

std::string content_hash(const Task& task, const std::filesystem::path& data_dir) {
  std::vector<std::filesystem::path> files = files_of_split(data_dir, task.data_path, task.split);
  if (!task.few_shot.split.empty()) {
    std::ranges::move(files_of_split(data_dir, task.data_path, task.few_shot.split),
                      std::back_inserter(files));
  }
  if (!task.description_file.empty()) {
    files.push_back(data_dir / task.description_file);
  }
  Sha256 hash;
  hash.update(sha256(read_text_file(task.file)));
  for (const std::filesystem::path& file : files) {
    hash_file(hash, file);
  }
  return hash.hex_digest();
}

}  // namespace slayer
