#include <array>

#include "slayer/core/json.h"
#include "slayer/core/sha256.h"
#include "slayer/tokenizer/tokenizer.h"

namespace slayer {
namespace {

std::string without_chat_template(const std::string& tokenizer_config) {
  Json config = Json::parse(tokenizer_config, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (!config.is_object()) {
    return tokenizer_config;
  }
  config.erase("chat_template");
  return config.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

}  // namespace

std::string tokenizer_key(const std::map<std::string, std::string>& side_files) {
  constexpr std::array kFiles{
      "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json"};
  Sha256 hash;
  for (const std::string name : kFiles) {
    if (const auto file = side_files.find(name); file != side_files.end()) {
      hash.update(name);
      hash.update(sha256(name == "tokenizer_config.json" ? without_chat_template(file->second)
                                                         : file->second));
    }
  }
  return hash.hex_digest();
}

}  // namespace slayer
