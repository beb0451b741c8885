#pragma once

#include <functional>
#include <string>

#include "slayer/core/error.h"

namespace slayer {

/// The message of the Error that `action` throws; "no error" when it throws none.
inline std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace slayer
