// Stands in for parquet.cpp where the build found no Arrow.
#include "slayer/core/error.h"
#include "slayer/data/parquet.h"

namespace slayer {

namespace {

[[noreturn]] void fail(const std::filesystem::path& path) {
  throw Error({.file = path.string(),
               .found = "a Parquet file",
               .expected = "another format: this slayer was built without Parquet",
               .hint = "pip install pyarrow into .venv and build again, or convert the file"});
}

}  // namespace

std::vector<Json> read_parquet(const std::filesystem::path& path) { fail(path); }

void stream_parquet(const std::filesystem::path& path,
                    const std::function<void(Json row, int64_t number)>&,
                    const std::function<void(int64_t)>&) {
  fail(path);
}

}  // namespace slayer
