#pragma once

#include <map>
#include <string>
#include <string_view>

namespace slayer {

/// Parses model.safetensors.index.json: the shard that holds each tensor, by the tensor's name.
/// Shard names are checked to be plain file names ("model-00001-of-00002.safetensors"), so that
/// none leads out of the checkpoint's folder. `file` is named in errors.
/// @throws Error for anything else.
std::map<std::string, std::string> parse_shard_index(std::string_view text,
                                                     const std::string& file);

}  // namespace slayer
