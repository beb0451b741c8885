#include "slayer/data/byte_stream.h"

#include <cerrno>
#include <fmt/format.h>
#include <string>
#include <system_error>
#include <unistd.h>
#include <vector>
#include <zlib.h>
#include <zstd.h>

#include "slayer/core/error.h"
#include "slayer/core/file_descriptor.h"
#include "slayer/core/mapped_file.h"

namespace slayer {
namespace fs = std::filesystem;
namespace {

constexpr size_t kInputBytes = size_t{1} << 16U;
// Largest window that `zstd --ultra --long=31` makes is 2 GiB; 128 MiB is what `zstd -d` accepts
// unasked, and keeps a hostile file from asking for more.
constexpr int kZstdWindowLogMax = 27;

class PlainStream final : public ByteStream {
 public:
  explicit PlainStream(const fs::path& path) : path_(path), file_(open_for_reading(path)) {}

  size_t read(std::span<char> buffer) override {
    ssize_t count = 0;
    do {
      count = ::read(file_.get(), buffer.data(), buffer.size());
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
      throw Error({.file = path_.string(),
                   .item = "cannot read",
                   .found = std::generic_category().message(errno)});
    }
    position_ += static_cast<uint64_t>(count);
    return static_cast<size_t>(count);
  }

  uint64_t position() const override { return position_; }

 private:
  fs::path path_;
  FileDescriptor file_;
  uint64_t position_ = 0;
};

/// Common ground of the decompressors: a plain file read in pieces.
class CompressedInput {
 public:
  explicit CompressedInput(const fs::path& path) : file_(path), bytes_(kInputBytes) {}

  std::span<char> next() { return std::span(bytes_).first(file_.read(bytes_)); }
  uint64_t position() const { return file_.position(); }

 private:
  PlainStream file_;
  std::vector<char> bytes_;
};

[[noreturn]] void throw_corrupt(const fs::path& path, std::string_view format, std::string found) {
  throw Error({.file = path.string(),
               .found = std::move(found),
               .expected = fmt::format("{} data", format),
               .hint = "an incomplete download, or not compressed at all?"});
}

class GzipStream final : public ByteStream {
 public:
  explicit GzipStream(const fs::path& path) : path_(path), input_(path) {
    constexpr int kGzipOnly = 16 + MAX_WBITS;
    if (inflateInit2(&zlib_, kGzipOnly) != Z_OK) {
      throw std::bad_alloc();
    }
  }
  ~GzipStream() override { inflateEnd(&zlib_); }

  size_t read(std::span<char> buffer) override {
    zlib_.next_out = reinterpret_cast<Bytef*>(buffer.data());
    zlib_.avail_out = static_cast<uInt>(buffer.size());
    while (zlib_.avail_out == buffer.size()) {
      if (zlib_.avail_in == 0 && !refill()) {
        break;
      }
      if (is_between_members_) {  // a .gz may hold several, one after the other
        inflateReset(&zlib_);
        is_between_members_ = false;
      }
      const int status = inflate(&zlib_, Z_NO_FLUSH);
      is_between_members_ = status == Z_STREAM_END;
      if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
        throw_corrupt(path_, "gzip", zlib_.msg != nullptr ? zlib_.msg : "corrupt data");
      }
    }
    return buffer.size() - zlib_.avail_out;
  }

  uint64_t position() const override { return input_.position(); }

 private:
  bool refill() {
    const std::span<char> bytes = input_.next();
    zlib_.next_in = reinterpret_cast<Bytef*>(bytes.data());
    zlib_.avail_in = static_cast<uInt>(bytes.size());
    if (bytes.empty() && !is_between_members_) {
      throw_corrupt(path_, "gzip", "the file's end inside the data");
    }
    return !bytes.empty();
  }

  fs::path path_;
  CompressedInput input_;
  z_stream zlib_{};
  bool is_between_members_ = false;
};

class ZstdStream final : public ByteStream {
 public:
  explicit ZstdStream(const fs::path& path)
      : path_(path), input_(path), zstd_(ZSTD_createDCtx(), ZSTD_freeDCtx) {
    if (!zstd_) {
      throw std::bad_alloc();
    }
    ZSTD_DCtx_setParameter(zstd_.get(), ZSTD_d_windowLogMax, kZstdWindowLogMax);
  }

  size_t read(std::span<char> buffer) override {
    ZSTD_outBuffer output{buffer.data(), buffer.size(), 0};
    while (output.pos == 0) {
      if (pending_.pos == pending_.size && !refill()) {
        break;
      }
      const size_t status = ZSTD_decompressStream(zstd_.get(), &output, &pending_);
      if (ZSTD_isError(status) != 0U) {
        throw_corrupt(path_, "zstd", ZSTD_getErrorName(status));
      }
      is_between_frames_ = status == 0;
    }
    return output.pos;
  }

  uint64_t position() const override { return input_.position(); }

 private:
  bool refill() {
    const std::span<char> bytes = input_.next();
    pending_ = {bytes.data(), bytes.size(), 0};
    if (bytes.empty() && !is_between_frames_) {
      throw_corrupt(path_, "zstd", "the file's end inside the data");
    }
    return !bytes.empty();
  }

  fs::path path_;
  CompressedInput input_;
  std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> zstd_;
  ZSTD_inBuffer pending_{};
  bool is_between_frames_ = false;
};

}  // namespace

std::unique_ptr<ByteStream> open_byte_stream(const fs::path& path) {
  if (path.extension() == ".gz") {
    return std::make_unique<GzipStream>(path);
  }
  if (path.extension() == ".zst") {
    return std::make_unique<ZstdStream>(path);
  }
  return std::make_unique<PlainStream>(path);
}

}  // namespace slayer
