#include "slayer/checkpoint/gguf_vocabulary.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <iterator>
#include <optional>
#include <unordered_map>
#include <utility>

#include "slayer/checkpoint/gguf_tokenizer.h"
#include "slayer/core/error.h"

namespace slayer {
namespace {

/// Keys sorted: Json, which keeps their order, is slow with an object of 100 thousand keys.
using SortedJson = nlohmann::json;

constexpr int kDeepestNesting = 128;
/// Below every score that a merge gives.
constexpr float kNoMerge = -1e6F;

std::string describe(const SortedJson& value) {
  return printable(value.dump(-1, ' ', true, SortedJson::error_handler_t::replace));
}

/// What the offsets of tokens in the text are: nothing that a token depends on.
SortedJson without_trim_offsets(SortedJson component) {
  if (component.is_object()) {
    component.erase("trim_offsets");
  }
  if (component.is_structured()) {
    for (SortedJson& part : component) {
      part = without_trim_offsets(std::move(part));
    }
  }
  return component;
}

/// All objects inside `json` whose "type" is this one's.
bool contains_type(const SortedJson& json, std::string_view type) {
  if (json.is_object() && json.value("type", SortedJson()) == type) {
    return true;
  }
  return json.is_structured() && std::ranges::any_of(json, [type](const SortedJson& part) {
           return contains_type(part, type);
         });
}

/// tokenizer.json and tokenizer_config.json, checked as far as GGUF needs them.
class Vocabulary final {
 public:
  Vocabulary(const std::map<std::string, std::string>& files,
             const ModelConfig& config,
             const std::string& source)
      : files_(files), config_(config), source_(source) {
    json_ = parse("tokenizer.json");
    options_ = files_.contains("tokenizer_config.json") ? parse("tokenizer_config.json")
                                                        : SortedJson::object();
    const SortedJson& kind = member(member(json_, "model"), "type");
    if (kind != "BPE") {
      fail("model.type", describe(kind), "BPE");
    }
    is_sentencepiece_ = json_["model"].value("byte_fallback", SortedJson()) == true;
    read_tokens();
    read_added_tokens();
    read_merges();
  }

  void write(GgufWriter& writer) const {
    writer.add("tokenizer.ggml.model", is_sentencepiece_ ? "llama" : "gpt2");
    writer.add("tokenizer.ggml.pre", is_sentencepiece_ ? "default" : pre_tokenizer_name());
    writer.add("tokenizer.ggml.tokens", std::span(tokens_));
    writer.add("tokenizer.ggml.token_type", std::span<const int32_t>(types()));
    if (is_sentencepiece_) {
      writer.add("tokenizer.ggml.scores", std::span<const float>(scores()));
      writer.add("tokenizer.ggml.add_space_prefix", adds_space_prefix());
    } else {
      std::vector<std::string> lines;
      lines.reserve(merges_.size());
      for (const auto& [left, right] : merges_) {
        lines.push_back(fmt::format("{} {}", left, right));
      }
      writer.add("tokenizer.ggml.merges", std::span<const std::string>(lines));
    }
    write_special_ids(writer);
    write_chat_templates(writer);
  }

 private:
  enum class TokenType : int32_t {
    kNormal = 1,
    kUnknown = 2,
    kControl = 3,
    kUserDefined = 4,
    kUnused = 5,
    kByte = 6
  };

  [[noreturn]] void fail(std::string item, std::string found, std::string expected) const {
    throw Error({.file = source_ + "/tokenizer.json",
                 .item = std::move(item),
                 .found = std::move(found),
                 .expected = std::move(expected)});
  }

  SortedJson parse(const std::string& name) const {
    const auto file = files_.find(name);
    if (file == files_.end()) {
      throw Error({.file = source_,
                   .item = name,
                   .found = "nothing",
                   .expected = "this file",
                   .hint = "AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR) makes it"});
    }
    const std::string path = source_ + "/" + name;
    // What follows recurses.
    const auto check = [&path](int depth, SortedJson::parse_event_t, const SortedJson&) {
      if (depth > kDeepestNesting) {
        throw Error({.file = path, .found = "deeply nested JSON", .expected = "fewer levels"});
      }
      return true;
    };
    SortedJson json = SortedJson::parse(file->second, check, /*allow_exceptions=*/false);
    if (!json.is_object()) {
      throw Error({.file = path,
                   .found = json.is_discarded() ? "invalid JSON" : "another value",
                   .expected = "a JSON object"});
    }
    return json;
  }

  const SortedJson& member(const SortedJson& object, const std::string& key) const {
    const auto found = object.is_object() ? object.find(key) : object.end();
    if (found == object.end()) {
      fail(key, "nothing", "this key");
    }
    return *found;
  }

  /// An id that the embedding has a row for.
  size_t id_from(const SortedJson& value, const std::string& item) const {
    if (!value.is_number_unsigned() ||
        std::cmp_greater_equal(value.get<uint64_t>(), config_.vocab_size)) {
      fail(printable(item),
           describe(value),
           fmt::format("an id below the vocabulary's size, {}", config_.vocab_size));
    }
    return value.get<size_t>();
  }

  void place(size_t id, std::string token, TokenType type) {
    if (types_[id] != TokenType::kUnused && tokens_[id] != token) {
      fail(fmt::format("id {}", id),
           fmt::format("{} and {}", printable(tokens_[id]), printable(token)),
           "one token");
    }
    ids_[token] = id;
    tokens_[id] = std::move(token);
    types_[id] = type;
  }

  void read_tokens() {
    const auto size = static_cast<size_t>(config_.vocab_size);
    types_.assign(size, TokenType::kUnused);
    for (size_t id = 0; id < size; ++id) {
      tokens_.push_back(fmt::format("[PAD{}]", id));
    }
    const SortedJson& vocabulary = member(json_["model"], "vocab");
    if (!vocabulary.is_object()) {
      fail("model.vocab", "another value", "an object");
    }
    for (const auto& [token, id] : vocabulary.items()) {
      const bool is_byte = is_sentencepiece_ && token.size() == 6 && token.starts_with("<0x") &&
                           token.ends_with('>');
      place(id_from(id, "model.vocab." + token),
            token,
            is_byte ? TokenType::kByte : TokenType::kNormal);
    }
  }

  void read_added_tokens() {
    const SortedJson& unknown = json_["model"].value("unk_token", SortedJson());
    for (const SortedJson& added : member(json_, "added_tokens")) {
      const SortedJson& content = member(added, "content");
      if (!content.is_string()) {
        fail("added_tokens.content", describe(content), "a string");
      }
      const bool is_special = member(added, "special") == true;
      place(id_from(member(added, "id"), "added_tokens.id"),
            content.get<std::string>(),
            content == unknown ? TokenType::kUnknown
            : is_special       ? TokenType::kControl
                               : TokenType::kUserDefined);
    }
  }

  /// ["a", "b"] of newer files or "a b" of older ones.
  void read_merges() {
    for (const SortedJson& merge : member(json_["model"], "merges")) {
      if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
        merges_.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
      } else if (merge.is_string() &&
                 std::ranges::count(merge.get_ref<const std::string&>(), ' ') == 1) {
        const auto& line = merge.get_ref<const std::string&>();
        merges_.emplace_back(line.substr(0, line.find(' ')), line.substr(line.find(' ') + 1));
      } else {
        fail(fmt::format("model.merges[{}]", merges_.size()), describe(merge), "two tokens");
      }
      const auto& [left, right] = merges_.back();
      if (!ids_.contains(left + right)) {
        fail(fmt::format("model.merges[{}]", merges_.size() - 1),
             printable(left + right),
             "a token of the vocabulary");
      }
    }
  }

  std::string_view pre_tokenizer_name() const {
    const SortedJson found = without_trim_offsets(json_.value("pre_tokenizer", SortedJson()));
    for (const PreTokenizer& known : pre_tokenizers()) {
      if (without_trim_offsets(SortedJson(known.pre_tokenizer)) == found) {
        return known.gguf_name;
      }
    }
    fail("pre_tokenizer", describe(found), "that of SmolLM, GPT-2, Llama 3 or Qwen 2");
  }

  std::vector<int32_t> types() const {
    std::vector<int32_t> numbers;
    std::ranges::transform(types_, std::back_inserter(numbers), [](TokenType type) {
      return static_cast<int32_t>(type);
    });
    return numbers;
  }

  /// SentencePiece merges the pair whose token scores highest; the first merge that makes a token
  /// gives its rank.
  std::vector<float> scores() const {
    std::vector<float> scores(tokens_.size(), kNoMerge);
    for (size_t id = 0; id < tokens_.size(); ++id) {
      if (types_[id] != TokenType::kNormal) {
        scores[id] = 0.0F;
      }
    }
    for (size_t rank = merges_.size(); rank-- > 0;) {
      const auto& [left, right] = merges_[rank];
      const size_t id = ids_.at(left + right);
      if (types_[id] == TokenType::kNormal) {
        scores[id] = -static_cast<float>(rank + 1);
      }
    }
    return scores;
  }

  bool adds_space_prefix() const {
    const SortedJson normalizer = json_.value("normalizer", SortedJson());
    const SortedJson splitter = json_.value("pre_tokenizer", SortedJson());
    const bool has_metaspace = contains_type(splitter, "Metaspace") && splitter.is_object() &&
                               splitter.value("prepend_scheme", SortedJson("always")) != "never";
    return contains_type(normalizer, "Prepend") || has_metaspace;
  }

  std::optional<size_t> special_id(const std::string& key) const {
    const auto entry = options_.find(key);
    if (entry == options_.end() || entry->is_null()) {
      return std::nullopt;
    }
    const SortedJson& token = entry->is_object() ? entry->value("content", SortedJson()) : *entry;
    const auto id = token.is_string() ? ids_.find(token.get<std::string>()) : ids_.end();
    if (id == ids_.end()) {
      throw Error({.file = source_ + "/tokenizer_config.json",
                   .item = key,
                   .found = describe(token),
                   .expected = "a token of the vocabulary"});
    }
    return id->second;
  }

  /// What the template of the post-processor puts before (index 0) or after the text.
  bool template_has(const std::optional<size_t>& id, bool is_before) const {
    if (!id) {
      return false;
    }
    const SortedJson processor = json_.value("post_processor", SortedJson());
    const SortedJson parts = processor.is_object() && processor.contains("processors")
                                 ? processor["processors"]
                                 : SortedJson::array({processor});
    for (const SortedJson& part : parts) {
      if (!part.is_object() || !part.contains("single") || !part["single"].is_array() ||
          part["single"].empty()) {
        continue;
      }
      const SortedJson& piece = is_before ? part["single"].front() : part["single"].back();
      return piece.is_object() && piece.contains("SpecialToken") &&
             piece["SpecialToken"].is_object() &&
             piece["SpecialToken"].value("id", SortedJson()) == tokens_[*id];
    }
    return options_.value(is_before ? "add_bos_token" : "add_eos_token", SortedJson()) == true;
  }

  void write_special_ids(GgufWriter& writer) const {
    const auto bos = special_id("bos_token");
    const auto eos = special_id("eos_token");
    const auto add_id = [&writer](std::string_view name, const std::optional<size_t>& id) {
      if (id) {
        writer.add(fmt::format("tokenizer.ggml.{}_token_id", name), static_cast<uint32_t>(*id));
      }
    };
    add_id("bos", bos);
    add_id("eos", eos);
    // A model that ends its turns with a token of its own lists it beside the end of text.
    for (const int64_t id : config_.eos_token_ids) {
      if (eos && std::cmp_not_equal(id, *eos) && std::cmp_less(id, tokens_.size())) {
        add_id("eot", static_cast<size_t>(id));
        break;
      }
    }
    add_id("unknown", special_id("unk_token"));
    add_id("padding", special_id("pad_token"));
    writer.add("tokenizer.ggml.add_bos_token", template_has(bos, /*is_before=*/true));
    writer.add("tokenizer.ggml.add_eos_token", template_has(eos, /*is_before=*/false));
  }

  /// One, or several with names, of which "default" is the one.
  /// Source: gguf-py, GGUFWriter.add_chat_template.
  void write_chat_templates(GgufWriter& writer) const {
    if (const auto file = files_.find("chat_template.jinja"); file != files_.end()) {
      writer.add("tokenizer.chat_template", file->second);
      return;
    }
    const SortedJson given = options_.value("chat_template", SortedJson());
    if (given.is_string()) {
      writer.add("tokenizer.chat_template", given.get<std::string>());
    }
    std::vector<std::string> names;
    for (const SortedJson& entry : given.is_array() ? given : SortedJson::array()) {
      const SortedJson name = entry.is_object() ? entry.value("name", SortedJson()) : SortedJson();
      const SortedJson text =
          entry.is_object() ? entry.value("template", SortedJson()) : SortedJson();
      if (!name.is_string() || !text.is_string()) {
        continue;
      }
      const bool is_default = name == "default";
      if (!is_default) {
        names.push_back(name.get<std::string>());
      }
      writer.add(is_default ? "tokenizer.chat_template" : "tokenizer.chat_template." + names.back(),
                 text.get<std::string>());
    }
    if (!names.empty()) {
      writer.add("tokenizer.chat_templates", std::span<const std::string>(names));
    }
  }

  const std::map<std::string, std::string>& files_;
  const ModelConfig& config_;
  const std::string& source_;
  SortedJson json_;
  SortedJson options_;
  bool is_sentencepiece_ = false;
  std::vector<std::string> tokens_;  ///< By id, one for each row of the embedding.
  std::vector<TokenType> types_;
  std::unordered_map<std::string, size_t> ids_;
  std::vector<std::pair<std::string, std::string>> merges_;
};

}  // namespace

void add_vocabulary(GgufWriter& writer,
                    const std::map<std::string, std::string>& side_files,
                    const ModelConfig& config,
                    const std::string& source) {
  Vocabulary(side_files, config, source).write(writer);
}

}  // namespace slayer
