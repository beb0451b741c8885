#include "slayer/checkpoint/gguf_tokenizer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <iterator>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "slayer/core/error.h"

namespace slayer {
namespace {

constexpr int64_t kLargestId = int64_t{1} << 31;
constexpr std::string_view kSpace = "\xe2\x96\x81";  // U+2581, SentencePiece's space.

/// The format's numbers of its token types.
enum class TokenType : int64_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};

std::string quoted(std::string_view text) { return compact_text(Json(text)); }

Json special_token(std::string_view token, int type_id) {
  return {{"SpecialToken", {{"id", token}, {"type_id", type_id}}}};
}

Json text_slot(std::string_view name, int type_id) {
  return {{"Sequence", {{"id", name}, {"type_id", type_id}}}};
}

/// Length of the UTF-8 character that begins with this byte of valid text.
size_t character_length(char first) {
  const auto byte = static_cast<uint8_t>(first);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/// The metadata under "tokenizer.", checked.
class TokenizerReader final {
 public:
  explicit TokenizerReader(const GgufFile& file)
      : file_(file), tokens_(file.strings("tokenizer.ggml.tokens")), pre_tokenizer_(nullptr) {
    const std::string kind = file_.string("tokenizer.ggml.model");
    if (kind == "gpt2") {
      pre_tokenizer_ = &find_pre_tokenizer();
    } else if (kind != "llama") {
      file_.fail("tokenizer.ggml.model", printable(kind), "gpt2 or llama");
    }
    refuse_more_tokens_than_embeddings();
    read_types();
    refuse_repeated_tokens();
    bos_ = special_id("bos");
    eos_ = special_id("eos");
    adds_bos_ = adds("bos", bos_, pre_tokenizer_ == nullptr || pre_tokenizer_->adds_bos);
    adds_eos_ = adds("eos", eos_, /*fallback=*/false);
  }

  std::string tokenizer_json() const {
    const bool is_byte_level = pre_tokenizer_ != nullptr;
    // By hand: a JSON object of 100 thousand keys that keeps their order is slow to fill.
    return fmt::format(
        R"({{"version":"1.0","truncation":null,"padding":null,"added_tokens":{},"normalizer":{},)"
        R"("pre_tokenizer":{},"post_processor":{},"decoder":{},"model":{{"type":"BPE",)"
        R"("dropout":null,"unk_token":{},"continuing_subword_prefix":null,)"
        R"("end_of_word_suffix":null,"fuse_unk":{},"byte_fallback":{},"ignore_merges":{},)"
        R"("vocab":{{{}}},"merges":[{}]}}}})",
        compact_text(added_tokens()),
        compact_text(normalizer()),
        compact_text(is_byte_level ? pre_tokenizer_->pre_tokenizer : Json()),
        compact_text(post_processor()),
        compact_text(decoder()),
        is_byte_level ? "null" : compact_text(unknown_token()),
        !is_byte_level,
        !is_byte_level,
        is_byte_level && pre_tokenizer_->ignores_merges,
        vocabulary(),
        merges());
  }

  std::string tokenizer_config() const {
    Json config = special_tokens();
    config["add_bos_token"] = adds_bos_;
    config["add_eos_token"] = adds_eos_;
    Json by_id = Json::object();
    for (const size_t id : added_ids()) {
      Json token = added_token(id);
      token.erase("id");
      by_id[std::to_string(id)] = std::move(token);
    }
    config["added_tokens_decoder"] = std::move(by_id);
    if (file_.has("tokenizer.chat_template")) {
      config["chat_template"] = file_.string("tokenizer.chat_template");
    }
    config["clean_up_tokenization_spaces"] = false;
    config["model_max_length"] =
        file_.integer(file_.string("general.architecture") + ".context_length", 1, kLargestId);
    config["tokenizer_class"] = "PreTrainedTokenizerFast";
    return json_text(config);
  }

  std::string special_tokens_map() const { return json_text(special_tokens()); }

  std::string generation_config() const {
    Json config = {{"_from_model_config", true}};
    if (bos_) {
      config["bos_token_id"] = *bos_;
    }
    if (eos_) {
      const auto turn_end = special_id("eot");
      config["eos_token_id"] =
          turn_end && *turn_end != *eos_ ? Json{*eos_, *turn_end} : Json(*eos_);
    }
    if (const auto padding = special_id("padding")) {
      config["pad_token_id"] = *padding;
    }
    return json_text(config);
  }

 private:
  const PreTokenizer& find_pre_tokenizer() const {
    const std::string name = file_.string("tokenizer.ggml.pre");
    const auto& known = pre_tokenizers();
    const auto found = std::ranges::find(known, name, &PreTokenizer::gguf_name);
    if (found == known.end()) {
      file_.fail("tokenizer.ggml.pre", printable(name), "smollm, gpt-2, llama-bpe or qwen2");
    }
    return *found;
  }

  void refuse_more_tokens_than_embeddings() const {
    const GgufTensor* const embedding = file_.find("token_embd.weight");
    if (embedding != nullptr && std::cmp_greater(tokens_.size(), embedding->shape.front())) {
      file_.fail("tokenizer.ggml.tokens",
                 fmt::format("{} tokens", tokens_.size()),
                 fmt::format("at most the {} rows of the embedding", embedding->shape.front()));
    }
  }

  void read_types() {
    if (!file_.has("tokenizer.ggml.token_type")) {
      types_.assign(tokens_.size(), TokenType::kNormal);
      return;
    }
    for (const int64_t type : file_.integers("tokenizer.ggml.token_type", 1, 6)) {
      types_.push_back(static_cast<TokenType>(type));
    }
    if (types_.size() != tokens_.size()) {
      file_.fail("tokenizer.ggml.token_type",
                 fmt::format("{} types", types_.size()),
                 fmt::format("one for each of the {} tokens", tokens_.size()));
    }
  }

  void refuse_repeated_tokens() const {
    std::unordered_set<std::string_view> seen;
    for (size_t id = 0; id < tokens_.size(); ++id) {
      if (is_used(id) && !seen.insert(tokens_[id]).second) {
        file_.fail(fmt::format("tokenizer.ggml.tokens[{}]", id),
                   fmt::format("\"{}\" once more", printable(tokens_[id])),
                   "each token once");
      }
    }
  }

  bool adds(std::string_view name, const std::optional<int64_t>& id, bool fallback) const {
    const std::string key = fmt::format("tokenizer.ggml.add_{}_token", name);
    const bool does = file_.boolean_or(key, fallback && id.has_value());
    if (does && !id) {
      file_.fail(key, "true", fmt::format("tokenizer.ggml.{}_token_id with it", name));
    }
    return does;
  }

  /// Padding of the embedding is no token.
  bool is_used(size_t id) const { return types_[id] != TokenType::kUnused; }

  std::optional<int64_t> special_id(std::string_view name) const {
    const std::string key = fmt::format("tokenizer.ggml.{}_token_id", name);
    return file_.optional_integer(key, 0, static_cast<int64_t>(tokens_.size()) - 1);
  }

  std::string_view token(int64_t id) const { return tokens_[static_cast<size_t>(id)]; }

  /// The tokens that are looked for in the text before it is split.
  std::vector<size_t> added_ids() const {
    std::vector<size_t> ids;
    for (size_t id = 0; id < tokens_.size(); ++id) {
      if (types_[id] == TokenType::kUnknown || types_[id] == TokenType::kControl ||
          types_[id] == TokenType::kUserDefined) {
        ids.push_back(id);
      }
    }
    return ids;
  }

  Json added_token(size_t id) const {
    return {{"id", id},
            {"content", tokens_[id]},
            {"single_word", false},
            {"lstrip", false},
            {"rstrip", false},
            {"normalized", false},
            {"special", types_[id] != TokenType::kUserDefined}};
  }

  Json added_tokens() const {
    Json tokens = Json::array();
    for (const size_t id : added_ids()) {
      tokens.push_back(added_token(id));
    }
    return tokens;
  }

  bool adds_space_prefix() const {
    return file_.boolean_or("tokenizer.ggml.add_space_prefix", true);
  }

  Json normalizer() const {
    if (pre_tokenizer_ != nullptr) {
      return pre_tokenizer_->normalizer;
    }
    Json steps = Json::array();
    if (adds_space_prefix()) {
      steps.push_back({{"type", "Prepend"}, {"prepend", kSpace}});
    }
    steps.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kSpace}});
    return {{"type", "Sequence"}, {"normalizers", steps}};
  }

  Json decoder() const {
    if (pre_tokenizer_ != nullptr) {
      return {{"type", "ByteLevel"},
              {"add_prefix_space", true},
              {"trim_offsets", true},
              {"use_regex", true}};
    }
    Json steps = {
        {{"type", "Replace"}, {"pattern", {{"String", kSpace}}}, {"content", " "}},
        {{"type", "ByteFallback"}},
        {{"type", "Fuse"}},
    };
    if (adds_space_prefix()) {
      steps.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
    }
    return {{"type", "Sequence"}, {"decoders", steps}};
  }

  Json post_processor() const {
    if (!adds_bos_ && !adds_eos_) {
      return nullptr;
    }
    Json single = Json::array();
    Json pair = Json::array();
    Json tokens = Json::object();
    const auto add_special = [&](const std::optional<int64_t>& id, Json& into, int type_id) {
      into.push_back(special_token(token(*id), type_id));
      tokens[std::string(token(*id))] = {
          {"id", token(*id)}, {"ids", {*id}}, {"tokens", {token(*id)}}};
    };
    const auto add_text = [&](Json& into, std::string_view name, int type_id) {
      if (adds_bos_) {
        add_special(bos_, into, type_id);
      }
      into.push_back(text_slot(name, type_id));
      if (adds_eos_) {
        add_special(eos_, into, type_id);
      }
    };
    add_text(single, "A", 0);
    add_text(pair, "A", 0);
    add_text(pair, "B", 1);
    return {{"type", "TemplateProcessing"},
            {"single", single},
            {"pair", pair},
            {"special_tokens", tokens}};
  }

  Json unknown_token() const {
    const auto id = special_id("unknown");
    return id ? Json(token(*id)) : Json();
  }

  Json special_tokens() const {
    Json tokens = Json::object();
    for (const auto& [name, key] :
         std::array<std::pair<std::string_view, std::string_view>, 4>{{{"bos", "bos_token"},
                                                                       {"eos", "eos_token"},
                                                                       {"unknown", "unk_token"},
                                                                       {"padding", "pad_token"}}}) {
      if (const auto id = special_id(name)) {
        tokens[std::string(key)] = token(*id);
      }
    }
    return tokens;
  }

  std::string vocabulary() const {
    std::string text;
    for (size_t id = 0; id < tokens_.size(); ++id) {
      if (is_used(id)) {
        fmt::format_to(
            std::back_inserter(text), "{}{}:{}", text.empty() ? "" : ",", quoted(tokens_[id]), id);
      }
    }
    return text;
  }

  std::string merges() const {
    std::string text;
    const auto append = [&text](std::string_view left, std::string_view right) {
      fmt::format_to(std::back_inserter(text),
                     "{}[{},{}]",
                     text.empty() ? "" : ",",
                     quoted(left),
                     quoted(right));
    };
    if (pre_tokenizer_ == nullptr) {
      for (const auto& [left, right] : merges_from_scores()) {
        append(left, right);
      }
      return text;
    }
    const auto lines = file_.strings("tokenizer.ggml.merges");
    for (size_t index = 0; index < lines.size(); ++index) {
      const size_t space = lines[index].find(' ');
      if (space == std::string_view::npos ||
          lines[index].find(' ', space + 1) != lines[index].npos) {
        file_.fail(fmt::format("tokenizer.ggml.merges[{}]", index),
                   fmt::format("\"{}\"", printable(lines[index])),
                   "two tokens with a space between");
      }
      append(lines[index].substr(0, space), lines[index].substr(space + 1));
    }
    return text;
  }

  /// SentencePiece keeps a score for each token in place of merges: the pair whose token scores
  /// highest merges first. So every way to make a token from two others is a merge, in the order of
  /// the scores.
  /// Source: transformers convert_slow_tokenizer.py, generate_merges.
  std::vector<std::pair<std::string_view, std::string_view>> merges_from_scores() const {
    struct Merge {
      std::string_view left;
      std::string_view right;
      double score;
    };
    const auto scores = file_.numbers("tokenizer.ggml.scores");
    if (scores.size() != tokens_.size()) {
      file_.fail("tokenizer.ggml.scores",
                 fmt::format("{} scores", scores.size()),
                 fmt::format("one for each of the {} tokens", tokens_.size()));
    }
    if (!std::ranges::all_of(scores, [](double score) { return std::isfinite(score); })) {
      file_.fail("tokenizer.ggml.scores", "a score that is not finite", "finite scores");
    }
    std::unordered_map<std::string_view, size_t> ids;
    for (size_t id = 0; id < tokens_.size(); ++id) {
      if (types_[id] == TokenType::kNormal) {
        ids.emplace(tokens_[id], id);
      }
    }
    std::vector<Merge> merges;
    for (size_t id = 0; id < tokens_.size(); ++id) {
      const std::string_view whole = tokens_[id];
      if (types_[id] != TokenType::kNormal || whole.empty()) {
        continue;
      }
      const auto first = static_cast<ptrdiff_t>(merges.size());
      for (size_t cut = character_length(whole[0]); cut < whole.size();
           cut += character_length(whole[cut])) {
        const Merge merge{whole.substr(0, cut), whole.substr(cut), scores[id]};
        if (ids.contains(merge.left) && ids.contains(merge.right)) {
          merges.push_back(merge);
        }
      }
      std::sort(merges.begin() + first, merges.end(), [&ids](const Merge& a, const Merge& b) {
        return std::pair(ids.at(a.left), ids.at(a.right)) <
               std::pair(ids.at(b.left), ids.at(b.right));
      });
    }
    std::ranges::stable_sort(merges, std::ranges::greater(), [](const Merge& merge) {
      return std::tuple(merge.score, merge.left.size(), merge.right.size());
    });
    std::vector<std::pair<std::string_view, std::string_view>> pairs;
    pairs.reserve(merges.size());
    for (const Merge& merge : merges) {
      pairs.emplace_back(merge.left, merge.right);
    }
    return pairs;
  }

  const GgufFile& file_;
  std::vector<std::string_view> tokens_;
  std::vector<TokenType> types_;
  const PreTokenizer* pre_tokenizer_;  ///< nullptr: SentencePiece.
  std::optional<int64_t> bos_;
  std::optional<int64_t> eos_;
  bool adds_bos_ = false;
  bool adds_eos_ = false;
};

}  // namespace

std::map<std::string, std::string> side_files_from_gguf(const GgufFile& file) {
  const TokenizerReader reader(file);
  return {{"tokenizer.json", reader.tokenizer_json()},
          {"tokenizer_config.json", reader.tokenizer_config()},
          {"special_tokens_map.json", reader.special_tokens_map()},
          {"generation_config.json", reader.generation_config()}};
}

}  // namespace slayer
