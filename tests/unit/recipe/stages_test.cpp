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
  StageLog log_{folder_.path()};
  int flour_ = 1;
  bool fails_ = false;
  bool went_on_ = false;
};

TEST_F(Stages, AreUpToDateOnceMade) {
  EXPECT_FALSE(log_.is_up_to_date(stage()));
  log_.make(stage());
  EXPECT_TRUE(log_.is_up_to_date(stage()));
  EXPECT_FALSE(went_on_);
  EXPECT_GE(log_.time_of("bake").seconds, 0.0);
}

TEST_F(Stages, AreStaleWhenAnInputChanged) {
  log_.make(stage());
  flour_ = 2;
  EXPECT_FALSE(log_.is_up_to_date(stage()));
  log_.make(stage());
  EXPECT_FALSE(went_on_) << "what lay there was made from other inputs";
}

TEST_F(Stages, AreStaleWhenTheOutputIsGone) {
  log_.make(stage());
  std::filesystem::remove(folder_ / "cake");
  EXPECT_FALSE(log_.is_up_to_date(stage()));
}

TEST_F(Stages, GoOnAfterBeingCutShort) {
  fails_ = true;
  EXPECT_THROW(log_.make(stage()), std::runtime_error);
  write_text_file(folder_ / "cake", "half");
  EXPECT_FALSE(log_.is_up_to_date(stage()));
  fails_ = false;
  log_.make(stage());
  EXPECT_TRUE(went_on_);
  EXPECT_TRUE(log_.is_up_to_date(stage()));
}

}  // namespace
}  // namespace slayer
