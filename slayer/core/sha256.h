#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace slayer {

/// Incremental SHA-256 (FIPS 180-4), by OpenSSL.
class Sha256 final {
 public:
  Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  ~Sha256();

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);

  /// The digest as 64 lower-case hexadecimal digits; ends the computation.
  std::string hex_digest();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// SHA-256 of one piece of text, in hexadecimal.
std::string sha256(std::string_view text);

}  // namespace slayer
