#include "slayer/surgery/pack.h"

#include <gtest/gtest.h>

#include "slayer/checkpoint/family.h"
#include "slayer/core/json.h"
#include "slayer/surgery/apply.h"
#include "slayer/surgery/pack_file.h"
#include "slayer/surgery/strategies.h"

#include "tests/support/checkpoint_bytes.h"
#include "tests/support/error_message.h"
#include "tests/support/scratch_folder.h"

namespace slayer {
namespace {

namespace fs = std::filesystem;

/// Adds 1 to the first byte of a tensor of a folder with one weight file, as training would.
void change_tensor(const fs::path& folder, const std::string& name) {
  uint64_t offset = 0;
  {
    const Checkpoint checkpoint = Checkpoint::open(folder);
    offset = checkpoint.stored(*checkpoint.find(name)).value().offset;
  }
  std::fstream file(folder / "model.safetensors", std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  const auto byte = static_cast<char>(file.get() + 1);
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(byte);
}

class PackTest : public testing::Test {
 protected:
  PackTest() : base_(Checkpoint::open(fs::path(SLAYER_FIXTURES) / "models" / "qwen3")) {}

  /// A checkpoint of the plan with its trained layers changed, and its pack NAME.safetensors.
  fs::path packed(const std::string& name, const Plan& plan) {
    const fs::path folder = scratch_ / name;
    apply(base_, plan, std::nullopt, folder, {});
    for (size_t target_layer = 0; target_layer < plan.layers.size(); ++target_layer) {
      if (plan.layers[target_layer].train) {
        change_tensor(folder,
                      tensor_name(TensorRole::kDownWeight, static_cast<int64_t>(target_layer)));
      }
    }
    pack(Checkpoint::open(folder), scratch_ / (name + ".safetensors"), {});
    return scratch_ / (name + ".safetensors");
  }

  std::string message_of_unpack(const Checkpoint& base, const std::vector<fs::path>& packs) {
    const std::string message = message_of([&] { unpack(base, packs, scratch_ / "refused", {}); });
    EXPECT_FALSE(fs::exists(scratch_ / "refused"));
    EXPECT_FALSE(fs::exists(scratch_ / "refused.partial"));
    return message;
  }

  ScratchFolder scratch_;
  Checkpoint base_;
};

TEST_F(PackTest, GivesBackTheFolderBitForBit) {
  const std::vector<Plan> plans{
      slayer_plan(4, 1, 0.5, {.layers = {3}}),
      slayer_plan(4, 2, 0.5, {.layers = {3}, .mode = PruneMode::kCollapse}),
      llama_pro_plan(4, 2),
      passthrough_plan(4, "0:3,1:4")};
  for (size_t index = 0; index < plans.size(); ++index) {
    SCOPED_TRACE(index);
    const std::string name = "model" + std::to_string(index);
    const fs::path file = packed(name, plans[index]);
    EXPECT_LT(fs::file_size(file), fs::file_size(scratch_ / name / "model.safetensors"));
    unpack(base_, {file}, scratch_ / (name + "-again"), {});
    EXPECT_EQ(files_of(scratch_ / (name + "-again")), files_of(scratch_ / name));
  }
}

TEST_F(PackTest, ComposesPacksOfOneBase) {
  const Plan code = passthrough_plan(4, "0:2,1:4");  // layer 1 again after it
  Plan law = llama_pro_plan(4, 1);                   // a block after layer 3
  const std::vector<fs::path> packs{packed("code", code), packed("law", law)};
  unpack(base_, packs, scratch_ / "both", {});
  const Checkpoint both = Checkpoint::open(scratch_ / "both");
  EXPECT_EQ(both.problems(), std::vector<std::string>{});
  EXPECT_EQ(both.config().num_hidden_layers, 6);
  const auto expect_same = [&](int64_t layer, const Checkpoint& other, int64_t other_layer) {
    EXPECT_EQ(bytes_of(both, tensor_name(TensorRole::kDownWeight, layer)),
              bytes_of(other, tensor_name(TensorRole::kDownWeight, other_layer)));
  };
  const Checkpoint code_model = Checkpoint::open(scratch_ / "code");
  const Checkpoint law_model = Checkpoint::open(scratch_ / "law");
  expect_same(1, base_, 1);
  expect_same(2, code_model, 2);
  expect_same(3, base_, 2);
  expect_same(5, law_model, 4);
  EXPECT_EQ(find_surgery_record(both.path())->plan.strategy, "composed");
}

TEST_F(PackTest, RefusesAnotherBase) {
  const fs::path file = packed("model", llama_pro_plan(4, 1));
  const Checkpoint other = Checkpoint::open(fs::path(SLAYER_FIXTURES) / "models" / "llama3");
  EXPECT_EQ(message_of_unpack(other, {file}),
            file.string() + ": the base's hash: found " + base_.hash() + ", expected " +
                other.hash() + ", the hash of " + other.path().string() +
                " (the pack was made on qwen3)");
}

// The hash looks at parts of each tensor only; the SHA-256 of each sees the rest.
TEST_F(PackTest, RefusesABaseWithOtherBytes) {
  apply(base_, llama_pro_plan(4, 1), std::nullopt, scratch_ / "model", {});
  change_tensor(scratch_ / "model", "model.norm.weight");
  pack(Checkpoint::open(scratch_ / "model"), scratch_ / "pack", {});
  const std::string message = message_of_unpack(base_, {scratch_ / "pack"});
  EXPECT_TRUE(
      message.starts_with(base_.path().string() + ": model.norm.weight: found bytes with SHA-256 "))
      << message;
  EXPECT_TRUE(
      message.ends_with(", as in the base of the pack (another base, or one that full "
                        "training has changed)"))
      << message;
}

TEST_F(PackTest, RefusesPacksThatDisagreeAboutTheirBase) {
  const fs::path law = packed("law", llama_pro_plan(4, 1));
  apply(base_, llama_pro_plan(4, 1), std::nullopt, scratch_ / "full", {});
  change_tensor(scratch_ / "full", "lm_head.weight");
  const fs::path full = scratch_ / "full.safetensors";
  pack(Checkpoint::open(scratch_ / "full"), full, {});
  const auto sha256_of = [](const fs::path& file) {
    return PackFile(file).manifest().base_tensors.at("lm_head.weight").sha256;
  };
  EXPECT_EQ(message_of_unpack(base_, {law, full}),
            full.string() + ": lm_head.weight: found " + sha256_of(full) + ", expected " +
                sha256_of(law) + ", as in " + law.string() +
                " (the packs are not of the same base)");
}

TEST_F(PackTest, RefusesWhatIsNotAPack) {
  const fs::path weights = base_.path() / "model.safetensors";
  EXPECT_EQ(message_of_unpack(base_, {weights}),
            weights.string() +
                ": metadata slayer_pack: found nothing, expected a pack, as slayer pack writes it");
}

TEST_F(PackTest, RefusesACheckpointWithoutAFittingPlan) {
  const fs::path out = scratch_ / "pack";
  const auto message_of_pack = [&](const fs::path& folder) {
    return message_of([&] { pack(Checkpoint::open(folder), out, {}); });
  };
  EXPECT_EQ(message_of_pack(base_.path()),
            (base_.path() / "slayer.json").string() +
                ": found nothing, expected the plan that slayer apply leaves in what it writes");
  const fs::path copies = scratch_ / "copies";
  apply(base_, passthrough_plan(4, "0:4"), std::nullopt, copies, {});
  const std::string record = (copies / "slayer.json").string();
  EXPECT_EQ(message_of_pack(copies),
            record +
                ": plan.layers: found copies of the base's layers only, expected layers to "
                "pack, new or trained");
  Json json = read_json_file(record);
  json["plan"]["layers"].erase(0);
  write_json_file(record, json);
  EXPECT_EQ(message_of_pack(copies),
            record + ": plan.layers: found 3 layers, expected 4, as config.json has");
  EXPECT_FALSE(fs::exists(out));
}

/// Rewrites a pack with its manifest changed.
void change_manifest(const fs::path& path, const std::function<void(PackManifest&)>& change) {
  PackManifest manifest = PackFile(path).manifest();
  change(manifest);
  const fs::path copy = path.string() + ".changed";
  {
    const PackFile pack(path);
    std::vector<TensorToWrite> tensors;
    const std::string name = tensor_name(TensorRole::kDownWeight, 4);
    tensors.push_back({.info = pack.info(name),
                       .write = [&](OutputFile& file) { file.write(pack.stored(name).bytes()); }});
    write_safetensors_file(copy, tensors, manifest_to_metadata(manifest), [](int64_t) {});
  }
  fs::rename(copy, path);
}

TEST_F(PackTest, RefusesADamagedPack) {
  const fs::path file = packed("model", llama_pro_plan(4, 1));
  const fs::path damaged = scratch_ / "damaged";
  const auto message_after = [&](const std::function<void(PackManifest&)>& change) {
    fs::copy_file(file, damaged, fs::copy_options::overwrite_existing);
    change_manifest(damaged, change);
    return message_of_unpack(base_, {damaged});
  };
  EXPECT_EQ(message_after([](PackManifest&) {}),
            damaged.string() +
                ": model.layers.4.input_layernorm.weight: found nothing, expected this tensor");
  EXPECT_EQ(message_after([](PackManifest& manifest) { manifest.base_tensors.clear(); }),
            damaged.string() +
                ": base_tensors.model.embed_tokens.weight: found nothing, expected "
                "the SHA-256 of this tensor of the base");
  EXPECT_EQ(
      message_after([](PackManifest& manifest) {
        manifest.files["config.json"] = json_text(
            with_layers(parse_model_config(parse_json(manifest.files["config.json"], "c"), "c"),
                        {0, 1})
                .json);
      }),
      damaged.string() + ": config.json: num_hidden_layers: found 2, expected 5, as the plan has");
  EXPECT_EQ(message_after([](PackManifest& manifest) { manifest.files["../x"] = "y"; }),
            damaged.string() +
                ": files.../x: found an unknown key, expected one of config.json, "
                "generation_config.json, slayer.json, README.md");
  EXPECT_EQ(message_after([](PackManifest& manifest) {
              manifest.base_tensors.begin()->second.dtype = Dtype::kI8;
            }),
            damaged.string() +
                ": base_tensors.lm_head.weight.dtype: found I8, expected F64, F32, F16 or BF16");
  EXPECT_EQ(message_after([](PackManifest& manifest) { manifest.record.plan.source_layers = 5; }),
            damaged.string() + ": source.layers: found 5, expected 4");
  EXPECT_EQ(message_after([](PackManifest& manifest) {
              Json config = parse_json(manifest.files["config.json"], "c");
              config["attention_bias"] = true;
              manifest.files["config.json"] = json_text(config);
            }),
            base_.path().string() +
                ": model.layers.0.self_attn.q_proj.bias: found nothing, expected this tensor");
  EXPECT_EQ(message_after([](PackManifest& manifest) {
              Json config = parse_json(manifest.files["config.json"], "c");
              config["vocab_size"] = 32;
              manifest.files["config.json"] = json_text(config);
            }),
            base_.path().string() +
                ": model.embed_tokens.weight: found shape [64, 24], expected [32, 24]");
}

TEST_F(PackTest, LeavesNothingWhenStopped) {
  const fs::path folder = scratch_ / "model";
  apply(base_, llama_pro_plan(4, 1), std::nullopt, folder, {});
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(pack(Checkpoint::open(folder), scratch_ / "pack", {.stop = stop.get_token()}),
               Interrupted);
  EXPECT_FALSE(fs::exists(scratch_ / "pack"));
  EXPECT_FALSE(fs::exists(scratch_ / "pack.partial"));
}

}  // namespace
}  // namespace slayer
