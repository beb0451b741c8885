#include "slayer/eval/task.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

#include "slayer/core/error.h"
#include "slayer/core/json.h"
#include "slayer/core/toml.h"
#include "slayer/eval/task_reader.h"

namespace slayer {
namespace {

void add_task(Task task, TaskCatalogue& catalogue) {
  const std::string file = task.file;
  const std::string name = task.name;
  const auto [existing, is_new] = catalogue.tasks.emplace(name, std::move(task));
  if (!is_new) {
    throw Error({.file = file,
                 .item = "task",
                 .found = name,
                 .expected = "a new name",
                 .hint = "also defined in " + existing->second.file});
  }
}

void add_family(const Json& json, const std::string& file, TaskCatalogue& catalogue) {
  const JsonObject root(json, file);
  TaskGroup whole{.name = root.string("group"), .tasks = {}};
  for (const auto& [part, subsets] : root.object("subsets").json().items()) {
    TaskGroup group{.name = whole.name + "_" + part, .tasks = {}};
    for (const Json& subset : root.object("subsets").array(part)) {
      if (!subset.is_string()) {
        root.fail("subsets." + part, printable(compact_text(subset)), "an array of strings");
      }
      Task task = read_task(json, file, subset.get<std::string>());
      group.tasks.push_back(task.name);
      whole.tasks.push_back(task.name);
      add_task(std::move(task), catalogue);
    }
    catalogue.groups[group.name] = group;
  }
  catalogue.groups[whole.name] = whole;
}

}  // namespace

void add_task_file(const std::filesystem::path& file, TaskCatalogue& catalogue) {
  const Json json = read_toml_file(file);
  const JsonObject root(json, file.string());
  if (root.has("subsets")) {
    add_family(json, file.string(), catalogue);
  } else if (root.has("tasks")) {
    root.refuse_unknown_keys({"group", "tasks"});
    TaskGroup group{.name = root.string("group"), .tasks = {}};
    for (const Json& task : root.array("tasks")) {
      if (!task.is_string()) {
        root.fail("tasks", printable(compact_text(task)), "an array of strings");
      }
      group.tasks.push_back(task.get<std::string>());
    }
    catalogue.groups[group.name] = group;
  } else {
    add_task(read_task(json, file.string(), ""), catalogue);
  }
}

TaskCatalogue read_task_folder(const std::filesystem::path& folder) {
  std::set<std::filesystem::path> files;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failure)) {
    if (entry.path().extension() == ".toml") {
      files.insert(entry.path());
    }
  }
  if (files.empty()) {
    throw Error({.file = folder.string(), .found = "no .toml file", .expected = "task files"});
  }
  TaskCatalogue catalogue;
  for (const std::filesystem::path& file : files) {
    add_task_file(file, catalogue);
  }
  for (const auto& [name, group] : catalogue.groups) {
    for (const std::string& task : group.tasks) {
      if (!catalogue.tasks.contains(task)) {
        throw Error({.file = folder.string(),
                     .item = fmt::format("group {}", name),
                     .found = printable(task),
                     .expected = "a task of this folder"});
      }
    }
  }
  return catalogue;
}

std::vector<std::string> add_own_tasks(const std::vector<std::string>& names,
                                       TaskCatalogue& catalogue) {
  std::vector<std::string> resolved;
  for (const std::string& name : names) {
    if (!name.ends_with(".toml")) {
      resolved.push_back(name);
      continue;
    }
    TaskCatalogue own;
    add_task_file(name, own);
    for (auto& [task, definition] : own.tasks) {
      resolved.push_back(task);
      catalogue.tasks.insert_or_assign(task, std::move(definition));
    }
  }
  return resolved;
}

std::vector<std::string> resolve_tasks(const TaskCatalogue& catalogue,
                                       const std::vector<std::string>& names) {
  std::vector<std::string> resolved;
  const auto add = [&resolved](const std::string& name) {
    if (std::ranges::find(resolved, name) == resolved.end()) {
      resolved.push_back(name);
    }
  };
  for (const std::string& name : names) {
    if (const auto group = catalogue.groups.find(name); group != catalogue.groups.end()) {
      std::ranges::for_each(group->second.tasks, add);
    } else if (catalogue.tasks.contains(name)) {
      add(name);
    } else {
      std::vector<std::string_view> known;
      for (const auto& entry : catalogue.tasks) {
        known.push_back(entry.first);
      }
      for (const auto& entry : catalogue.groups) {
        known.push_back(entry.first);
      }
      const auto near = nearest_word(name, known);
      throw Error({.item = "--tasks",
                   .found = printable(name),
                   .expected = "a task, a group or a .toml file",
                   .hint = near ? fmt::format("did you mean {}?", *near) : ""});
    }
  }
  return resolved;
}

}  // namespace slayer
