#include "slayer/checkpoint/checkpoint.h"

#include <filesystem>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "slayer/core/file.h"

#include "tests/support/error_message.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/tiny_checkpoint.h"

namespace slayer {
namespace {

/// All tensors read back equal what tiny_tensors wrote.
void expect_tiny_values(const Checkpoint& checkpoint) {
  const auto expected = expected_tensors(checkpoint.config());
  for (size_t tensor = 0; tensor < expected.size(); ++tensor) {
    SCOPED_TRACE(expected[tensor].name);
    const TensorInfo* info = checkpoint.find(expected[tensor].name);
    ASSERT_NE(info, nullptr);
    EXPECT_EQ(info->shape, expected[tensor].shape);
    std::vector<float> values(static_cast<size_t>(info->element_count()));
    checkpoint.read(*info, 0, values);
    for (size_t index = 0; index < values.size(); ++index) {
      ASSERT_EQ(values[index], tiny_value(tensor, static_cast<int64_t>(index)));
    }
  }
}

TEST(Checkpoint, ReadsEveryValueOfASingleFile) {
  for (const Dtype dtype : {Dtype::kF32, Dtype::kBF16, Dtype::kF16, Dtype::kF64}) {
    const ScratchFolder folder;
    write_tiny_checkpoint(folder.path(), tiny_llama_config(), dtype);
    const Checkpoint checkpoint = Checkpoint::open(folder.path());
    EXPECT_TRUE(checkpoint.problems().empty());
    EXPECT_FALSE(checkpoint.is_gguf());
    EXPECT_EQ(checkpoint.config().num_hidden_layers, 2);
    EXPECT_EQ(checkpoint.tensors().size(), 21U);
    EXPECT_NO_THROW(checkpoint.require_complete());
    expect_tiny_values(checkpoint);
  }
}

TEST(Checkpoint, ReadsARangeOfATensor) {
  const ScratchFolder folder;
  write_tiny_checkpoint(folder.path(), tiny_llama_config(), Dtype::kBF16);
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  std::vector<float> values(5);
  checkpoint.read(*checkpoint.find("model.embed_tokens.weight"), 7, values);
  for (int64_t index = 0; index < 5; ++index) {
    EXPECT_EQ(values[static_cast<size_t>(index)], tiny_value(0, 7 + index));
  }
  EXPECT_EQ(checkpoint.find("nothing"), nullptr);
}

TEST(Checkpoint, ReadsShardsAsOneAndHashesThemAsOne) {
  const ScratchFolder whole;
  const ScratchFolder sharded;
  write_tiny_checkpoint(whole.path());
  write_tiny_checkpoint(sharded.path(), tiny_llama_config(), Dtype::kF32, /*shard_bytes=*/1000);
  ASSERT_TRUE(std::filesystem::exists(sharded / "model.safetensors.index.json"));
  const Checkpoint checkpoint = Checkpoint::open(sharded.path());
  EXPECT_TRUE(checkpoint.problems().empty());
  expect_tiny_values(checkpoint);
  EXPECT_EQ(checkpoint.hash(), Checkpoint::open(whole.path()).hash());
}

TEST(Checkpoint, HashesTheArchitectureNotItsSpelling) {
  const auto hash_with = [](const Json& json) {
    const ScratchFolder folder;
    write_tiny_checkpoint(folder.path(), json);
    return Checkpoint::open(folder.path()).hash();
  };
  const Json base = tiny_llama_config();
  Json now = base;
  now.erase("rope_theta");
  now["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 10000.0}};
  now["eos_token_id"] = {5};
  EXPECT_EQ(hash_with(base), hash_with(now));
  Json other = base;
  other["rms_norm_eps"] = 1e-6;
  EXPECT_NE(hash_with(base), hash_with(other));
}

TEST(Checkpoint, HashesEveryValueOfASmallTensor) {
  const ScratchFolder folder;
  const ModelConfig config = write_tiny_checkpoint(folder.path());
  const std::string before = Checkpoint::open(folder.path()).hash();
  auto tensors = tiny_tensors(config, Dtype::kF32);
  std::vector<float> ones(8, 1.0F);
  tensors[19] = tensor_of("model.norm.weight", Dtype::kF32, {8}, ones);
  write_safetensors(folder.path(), tensors, kDefaultShardBytes, [](int64_t) {});
  EXPECT_NE(Checkpoint::open(folder.path()).hash(), before);
}

TEST(Checkpoint, SaysWhenAFileShrinksWhileOpen) {
  const ScratchFolder folder;
  write_tiny_checkpoint(folder.path());
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  const auto file = folder / "model.safetensors";
  std::filesystem::resize_file(file, std::filesystem::file_size(file) - 1);
  EXPECT_EQ(message_of([&] { checkpoint.hash(); }),
            file.string() + ": cannot read: found an end of file that was not there before");
}

TEST(Checkpoint, OpensEveryFamilysFixture) {
  size_t count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(SLAYER_FIXTURES) / "models")) {
    SCOPED_TRACE(entry.path().string());
    const Checkpoint checkpoint = Checkpoint::open(entry.path());
    EXPECT_EQ(checkpoint.problems(), std::vector<std::string>{});
    int64_t parameters = 0;
    for (const TensorInfo& tensor : checkpoint.tensors()) {
      parameters += tensor.element_count();
    }
    EXPECT_EQ(parameters, parameter_count(checkpoint.config()));
    ++count;
  }
  EXPECT_GE(count, 8U);
}

TEST(Checkpoint, CarriesSideFilesByteForByte) {
  const ScratchFolder folder;
  write_tiny_checkpoint(folder.path());
  write_text_file(folder / "tokenizer.json", "{ \"a\":1}\r\n");
  write_text_file(folder / "additional_chat_templates/rag.jinja", "{{ x }}");
  write_text_file(folder / "slayer.json", "{}");
  const auto files = Checkpoint::open(folder.path()).side_files();
  EXPECT_EQ(files.size(), 2U);
  EXPECT_EQ(files.at("tokenizer.json"), "{ \"a\":1}\r\n");
  EXPECT_EQ(files.at("additional_chat_templates/rag.jinja"), "{{ x }}");
}

/// The problems of a tiny checkpoint whose tensors `change` has spoilt.
std::vector<std::string> problems_after(
    const Json& json, const std::function<void(std::vector<TensorToWrite>&)>& change) {
  const ScratchFolder folder;
  const ModelConfig config = write_tiny_checkpoint(folder.path(), json);
  auto tensors = tiny_tensors(config, Dtype::kF32);
  change(tensors);
  write_safetensors(folder.path(), tensors, kDefaultShardBytes, [](int64_t) {});
  return Checkpoint::open(folder.path()).problems();
}

TEST(Problems, AreAllListedAtOnce) {
  const auto problems = problems_after(tiny_llama_config(), [](auto& tensors) {
    std::erase_if(tensors, [](const TensorToWrite& tensor) {
      return tensor.info.name == "model.layers.0.mlp.up_proj.weight" ||
             tensor.info.name.starts_with("model.layers.1.");
    });
    tensors[0] = tensor_of("model.embed_tokens.weight", Dtype::kF32, {2}, {0, 0});
    tensors.push_back(tensor_of("model.layers.2.mlp.up_proj.weight", Dtype::kF32, {1}, {0}));
    tensors.push_back(tensor_of("model.layers.01.x", Dtype::kF32, {1}, {0}));
    tensors.push_back({.info = {.name = "i", .dtype = Dtype::kI8, .shape = {1}},
                       .write = [](OutputFile& file) { file.write("x"); }});
  });
  EXPECT_EQ(
      problems,
      (std::vector<std::string>{"model.embed_tokens.weight: found shape [2], expected [10, 8]",
                                "model.layers.0.mlp.up_proj.weight: missing",
                                "layer 1: missing, a hole in the numbering",
                                "i: unexpected",
                                "model.layers.01.x: unexpected",
                                "layer 2: unexpected, config.json has 2 layers"}));
}

TEST(Problems, NameDtypesThatCannotBeLoaded) {
  const auto problems = problems_after(tiny_llama_config(), [](auto& tensors) {
    tensors[19] = {.info = {.name = "model.norm.weight", .dtype = Dtype::kI8, .shape = {8}},
                   .write = [](OutputFile& file) { file.write("12345678"); }};
  });
  EXPECT_EQ(problems,
            std::vector<std::string>{
                "model.norm.weight: found dtype I8, expected F64, F32, F16 or BF16"});
}

TEST(Problems, PassOverWhatEveryReaderIgnores) {
  Json tied = tiny_llama_config();
  tied["tie_word_embeddings"] = true;
  const auto add = [](size_t value_seed) {
    return [value_seed](std::vector<TensorToWrite>& tensors) {
      tensors.push_back(tensor_of(
          "model.layers.0.self_attn.rotary_emb.inv_freq", Dtype::kF32, {2}, {1.0F, 0.1F}));
      std::vector<float> values;
      for (int64_t index = 0; index < 80; ++index) {
        values.push_back(tiny_value(value_seed, index));
      }
      tensors.push_back(tensor_of("lm_head.weight", Dtype::kF32, {10, 8}, values));
    };
  };
  EXPECT_EQ(problems_after(tied, add(0)), std::vector<std::string>{});
  EXPECT_EQ(problems_after(tied, add(1)),
            std::vector<std::string>{"lm_head.weight: differs from model.embed_tokens.weight, but "
                                     "config.json has tie_word_embeddings"});
}

TEST(RequireComplete, ShowsTheFirstTenAndCountsTheRest) {
  const ScratchFolder folder;
  const ModelConfig config = write_tiny_checkpoint(folder.path());
  auto tensors = tiny_tensors(config, Dtype::kF32);
  tensors.resize(2);  // 17 others and one layer are missing
  write_safetensors(folder.path(), tensors, kDefaultShardBytes, [](int64_t) {});
  const std::string message =
      message_of([&] { Checkpoint::open(folder.path()).require_complete(); });
  EXPECT_TRUE(message.starts_with(folder.path().string() +
                                  ": found model.layers.0.self_attn.q_proj.weight: missing; "))
      << message;
  EXPECT_TRUE(message.ends_with("(and 1 more; slayer inspect lists all)")) << message;
}

TEST(Checkpoint, RefusesWhatIsNoCheckpoint) {
  const ScratchFolder folder;
  const std::string path = folder.path().string();
  const auto error = [&] { return message_of([&] { Checkpoint::open(folder.path()); }); };
  EXPECT_EQ(
      message_of([&] { Checkpoint::open(folder / "none"); }),
      path + "/none: found nothing, expected a Hugging Face checkpoint folder or a GGUF file");
  EXPECT_EQ(error(), path + ": found no config.json, expected a Hugging Face checkpoint folder");
  write_json_file(folder / "config.json", tiny_llama_config());
  EXPECT_EQ(
      error(),
      path + ": found no weights, expected model.safetensors or model.safetensors.index.json");
  write_text_file(folder / "pytorch_model.bin", "x");
  EXPECT_EQ(error(),
            fmt::format("{0}: found pytorch_model.bin, a pickle that can run code, expected "
                        "model.safetensors (convert it where you trust it: python -c \"from "
                        "transformers import AutoModelForCausalLM as M; M.from_pretrained('{0}', "
                        "dtype='auto').save_pretrained('{0}')\")",
                        path));
  std::filesystem::create_symlink("model.safetensors", folder / "model.safetensors");
  EXPECT_EQ(error(),
            path + "/model.safetensors: cannot open: found Too many levels of symbolic links");
}

TEST(Checkpoint, RefusesToReadIntegersAsFloats) {
  const ScratchFolder folder;
  const ModelConfig config = write_tiny_checkpoint(folder.path());
  auto tensors = tiny_tensors(config, Dtype::kF32);
  tensors.push_back({.info = {.name = "i", .dtype = Dtype::kI8, .shape = {1}},
                     .write = [](OutputFile& file) { file.write("x"); }});
  write_safetensors(folder.path(), tensors, kDefaultShardBytes, [](int64_t) {});
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  std::vector<float> value(1);
  EXPECT_EQ(message_of([&] { checkpoint.read(*checkpoint.find("i"), 0, value); }),
            folder.path().string() + ": i: found I8, expected F64, F32, F16 or BF16");
}

TEST(Checkpoint, RefusesAnIndexThatDisagreesWithItsShards) {
  const ScratchFolder folder;
  write_tiny_checkpoint(folder.path(), tiny_llama_config(), Dtype::kF32, /*shard_bytes=*/3000);
  const std::string index = (folder / "model.safetensors.index.json").string();
  const Json good = read_json_file(index);
  const std::string first = good["weight_map"]["model.embed_tokens.weight"];
  const std::string last = good["weight_map"]["lm_head.weight"];
  ASSERT_NE(first, last);
  const auto error_with = [&](const std::string& tensor, const std::string& shard) {
    Json json = good;
    json["weight_map"][tensor] = shard;
    write_json_file(index, json);
    return message_of([&] { Checkpoint::open(folder.path()); });
  };
  EXPECT_EQ(error_with("lm_head.weight", first),
            fmt::format("{}: lm_head.weight: found shard {}, which does not hold it, expected {}",
                        index,
                        first,
                        last));
  EXPECT_EQ(error_with("ghost", first),
            fmt::format("{}: ghost: found shard {}, which does not hold it, expected an index of "
                        "what the shards hold",
                        index,
                        first));
  EXPECT_EQ(error_with("lm_head.weight", "model-9.safetensors"),
            index +
                ": lm_head.weight: found shard model-9.safetensors, which is not there, "
                "expected all shards beside the index (an unfinished download?)");
  std::filesystem::copy_file(folder / first, folder / "twin.safetensors");
  EXPECT_EQ(error_with("model.embed_tokens.weight", "twin.safetensors"),
            fmt::format("{}: model.embed_tokens.weight: found a tensor that {} holds too, expected "
                        "each tensor once",
                        (folder / "twin.safetensors").string(),
                        first));
}

}  // namespace
}  // namespace slayer
