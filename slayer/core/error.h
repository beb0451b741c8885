#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace slayer {

/// What a user needs to mend a failure. Empty fields are left out of the message.
struct ErrorParts {
  std::string file = {};      ///< The file, folder or option that is wrong.
  std::string item = {};      ///< The thing in it: a tensor, a key, a line.
  std::string found = {};     ///< What is there.
  std::string expected = {};  ///< What should be.
  std::string hint = {};      ///< A likely cause or the command that mends it.
};

/// Every failure a user can fix: bad input, a full disk, a wrong option value. The CLI prints
/// `what()`, "file: item: found X, expected Y (hint)", on one line and exits with 1.
class Error final : public std::runtime_error {
 public:
  explicit Error(ErrorParts parts);

  const ErrorParts& parts() const noexcept { return parts_; }

 private:
  ErrorParts parts_;
};

/// Thrown where a long job notices that it was asked to stop; the CLI exits with 130.
class Interrupted final : public std::runtime_error {
 public:
  /// `how_to_go_on`: the sentence shown to the user, e.g. "run the same command again to go on".
  explicit Interrupted(const std::string& how_to_go_on) : std::runtime_error(how_to_go_on) {}
};

/// Text from a file made fit for a one-line message: control characters and invalid bytes as
/// escapes, at most `limit` characters, then "...".
std::string printable(std::string_view text, size_t limit = 80);

}  // namespace slayer
