#include "slayer/core/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace slayer {
namespace {

spdlog::logger& stderr_logger() {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    auto created = spdlog::stderr_color_mt("slayer");
    created->set_pattern("%^%l%$: %v");
    return created;
  }();
  return *logger;
}

}  // namespace

void log_info(std::string_view message) { stderr_logger().info("{}", message); }

void log_warning(std::string_view message) { stderr_logger().warn("{}", message); }

void set_quiet(bool quiet) {
  stderr_logger().set_level(quiet ? spdlog::level::warn : spdlog::level::info);
}

}  // namespace slayer
