#include "slayer/recipe/stages.h"

#include <gtest/gtest.h>
#include <stdexcept>

#include "slayer/core/file.h"

#include "tests/support/scratch_folder.h"

namespace slayer {
namespace {

class Stages : public testing::Test {
 protected:
  Stage stage() {
    return {.name = "bake",
            .folder = folder_.path(),
            .output = "cake",
            .inputs = [this] { return Json{{"flour", flour_}}; },
            .make =
                [this](bool goes_on) {
                  went_on_ = goes_on;
                  if (fails_) {
                    throw std::runtime_error("power cut");
                  }
                  write_text_file(folder_ / "cake", "cake");
                }};
  }

  ScratchFolder folder_;
  int flour_ = 1;
  bool fails_ = false;
  bool went_on_ = false;
};

TEST_F(Stages, AreUpToDateOnceMade) {
  EXPECT_FALSE(is_up_to_date(stage()));
  make_stage(stage());
  EXPECT_TRUE(is_up_to_date(stage()));
  EXPECT_FALSE(went_on_);
  EXPECT_GE(cost_of(stage()).seconds, 0.0);
  EXPECT_GT(cost_of(stage()).peak_bytes, 0);
}

TEST_F(Stages, AreStaleWhenAnInputChanged) {
  make_stage(stage());
  flour_ = 2;
  EXPECT_FALSE(is_up_to_date(stage()));
  make_stage(stage());
  EXPECT_FALSE(went_on_) << "what lay there was made from other inputs";
}

TEST_F(Stages, AreStaleWhenTheOutputIsGone) {
  make_stage(stage());
  std::filesystem::remove(folder_ / "cake");
  EXPECT_FALSE(is_up_to_date(stage()));
}

TEST_F(Stages, DiscardOtherWorkBeforeTheyCanBeTakenForIt) {
  Stage other = stage();
  other.work = {"cake"};
  other.discard = [this] { std::filesystem::remove(folder_ / "cake"); };
  make_stage(other);
  flour_ = 2;
  fails_ = true;
  EXPECT_THROW(make_stage(other), std::runtime_error);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "cake")) << "of the flour before";
}

TEST_F(Stages, AreStaleWhenAFileOfTheOutputIsGone) {
  Stage folder = stage();
  folder.make = [this](bool) { write_text_file(folder_ / "cake/slice.safetensors", "cake"); };
  make_stage(folder);
  write_text_file(folder_ / "cake/crumb", "");
  EXPECT_TRUE(is_up_to_date(folder)) << "others may come";
  write_text_file(folder_ / "cake/slice.safetensors", "cak");  // Cut.
  EXPECT_FALSE(is_up_to_date(folder));
  std::filesystem::remove(folder_ / "cake/slice.safetensors");
  EXPECT_FALSE(is_up_to_date(folder));
}

TEST_F(Stages, GoOnAfterBeingCutShort) {
  fails_ = true;
  EXPECT_THROW(make_stage(stage()), std::runtime_error);
  write_text_file(folder_ / "cake", "half");
  EXPECT_FALSE(is_up_to_date(stage()));
  fails_ = false;
  make_stage(stage());
  EXPECT_TRUE(went_on_);
  EXPECT_TRUE(is_up_to_date(stage()));
}

TEST_F(Stages, AreMadeAnewWhenAskedTo) {
  fails_ = true;
  EXPECT_THROW(make_stage(stage()), std::runtime_error);
  fails_ = false;
  make_stage(stage(), /*anew=*/true);
  EXPECT_FALSE(went_on_);
}

TEST_F(Stages, RememberTheirInputsAndWhoMadeThem) {
  make_stage(stage(), /*anew=*/false, {{"cook", "me"}});
  const Json stamp = read_json_file(folder_ / "stages/bake.json");
  EXPECT_EQ(stamp["inputs"], (Json{{"flour", 1}}));
  EXPECT_EQ(stamp["made_by"]["cook"], "me");
}

TEST_F(Stages, NameTheInputsThatChanged) {
  EXPECT_EQ(changed_inputs(stage()), "") << "nothing was made";
  Stage cake = stage();
  cake.inputs = [] { return Json{{"flour", 1}, {"oven", {{"heat", 180}, {"fan", true}}}}; };
  make_stage(cake);
  EXPECT_EQ(changed_inputs(cake), "");
  cake.inputs = [] { return Json{{"oven", {{"heat", 200}, {"fan", true}}}, {"eggs", 3}}; };
  EXPECT_EQ(changed_inputs(cake), "flour, heat, eggs");
}

TEST_F(Stages, HoldWorkOnceThereIsSome) {
  Stage cake = stage();
  EXPECT_FALSE(holds_work(cake));
  cake.work = {"cake", "dough"};
  EXPECT_FALSE(holds_work(cake));
  std::filesystem::create_directories(folder_ / "dough");
  EXPECT_FALSE(holds_work(cake)) << "an empty folder";
  make_stage(cake);
  EXPECT_TRUE(holds_work(cake));
}

}  // namespace
}  // namespace slayer
