#include "slayer/tokenizer/chat_template.h"

#include "slayer/core/error.h"
#include "slayer/tokenizer/jinja_renderer.h"
#include "slayer/tokenizer/jinja_syntax.h"

namespace slayer {

struct ChatTemplate::Parsed {
  std::string source;
  std::vector<jinja::Statement> statements;
  Json special_tokens;
  std::string name;
};

namespace {

/// The tokens that templates call by name: strings, or objects with their content.
void add_special_tokens(const Json& config, Json& tokens) {
  for (const auto& [key, value] : config.items()) {
    if (!key.ends_with("_token")) {
      continue;
    }
    if (value.is_string()) {
      tokens[key] = value;
    } else if (value.is_object() && value.contains("content") && value["content"].is_string()) {
      tokens[key] = value["content"];
    }
  }
}

/// A template in tokenizer_config.json: a string, or a list of {"name", "template"}.
std::optional<std::string> template_in(const Json& config) {
  const Json given = config.is_object() ? config.value("chat_template", Json()) : Json();
  if (given.is_string()) {
    return given.get<std::string>();
  }
  if (given.is_array()) {
    for (const Json& entry : given) {
      if (entry.is_object() && entry.value("name", "") == "default") {
        return entry.value("template", "");
      }
    }
  }
  return std::nullopt;
}

}  // namespace

ChatTemplate::ChatTemplate(const std::string& source, Json special_tokens, const std::string& name)
    : parsed_(std::make_shared<const Parsed>(Parsed{.source = source,
                                                    .statements = jinja::parse(source, name),
                                                    .special_tokens = std::move(special_tokens),
                                                    .name = name})) {}

ChatTemplate ChatTemplate::from_side_files(const std::map<std::string, std::string>& files,
                                           const std::string& source) {
  Json config = Json::object();
  Json tokens = Json::object();
  for (const char* name : {"special_tokens_map.json", "tokenizer_config.json"}) {
    if (const auto file = files.find(name); file != files.end()) {
      config = parse_json(file->second, source + "/" + name);
      if (config.is_object()) {
        add_special_tokens(config, tokens);
      }
    }
  }
  if (const auto file = files.find("chat_template.jinja"); file != files.end()) {
    return {file->second, std::move(tokens), source + "/chat_template.jinja"};
  }
  const std::optional<std::string> text = template_in(config);
  if (!text) {
    throw Error({.file = source,
                 .found = "no chat template",
                 .expected = "chat_template.jinja, or chat_template in tokenizer_config.json",
                 .hint = "a base model? an instruction-tuned one has a template"});
  }
  return {*text, std::move(tokens), source + "/tokenizer_config.json: chat_template"};
}

std::string ChatTemplate::render(const Json& messages, bool add_generation_prompt) const {
  Json variables = parsed_->special_tokens;
  variables["messages"] = messages;
  variables["add_generation_prompt"] = add_generation_prompt;
  variables["tools"] = nullptr;
  variables["documents"] = nullptr;
  return jinja::render(parsed_->statements, variables, parsed_->name);
}

const std::string& ChatTemplate::text() const { return parsed_->source; }

}  // namespace slayer
