#include "slayer/checkpoint/shard_index.h"

#include <algorithm>

#include "slayer/core/error.h"
#include "slayer/core/json.h"

namespace slayer {
namespace {

constexpr std::string_view kExtension = ".safetensors";

bool is_plain_file_name(std::string_view name) {
  const auto is_plain = [](char character) {
    return (character >= '0' && character <= '9') || (character >= 'a' && character <= 'z') ||
           (character >= 'A' && character <= 'Z') || character == '-' || character == '_' ||
           character == '.';
  };
  return name.size() > kExtension.size() && name.ends_with(kExtension) && !name.starts_with('.') &&
         std::ranges::all_of(name, is_plain);
}

}  // namespace

std::map<std::string, std::string> parse_shard_index(std::string_view text,
                                                     const std::string& file) {
  const Json json = parse_json(text, file);
  const JsonObject weight_map = JsonObject(json, file).object("weight_map");
  std::map<std::string, std::string> shard_of;
  for (const auto& [tensor, value] : weight_map.json().items()) {
    std::string shard = weight_map.string(tensor);
    if (!is_plain_file_name(shard)) {
      weight_map.fail(tensor, printable(shard), "the name of a .safetensors file beside the index");
    }
    shard_of.emplace(tensor, std::move(shard));
  }
  if (shard_of.empty()) {
    JsonObject(json, file).fail("weight_map", "no tensors", "the shard of each tensor");
  }
  return shard_of;
}

}  // namespace slayer
