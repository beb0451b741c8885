#include "slayer/train/metrics.h"

#include <sstream>
#include <string>

#include "slayer/core/error.h"
#include "slayer/core/file.h"
#include "slayer/core/json.h"
#include "slayer/eval/perplexity.h"

namespace slayer {
namespace fs = std::filesystem;
namespace {

/// The lines of steps 0 to `last_step`, as far as they are whole, and their losses; none for a
/// training that begins.
std::string lines_until(const fs::path& path, int64_t last_step, std::vector<double>& losses) {
  std::string kept;
  if (last_step == 0 || !fs::exists(path)) {
    return kept;
  }
  std::istringstream lines(read_text_file(path));
  for (std::string line; std::getline(lines, line) && !lines.eof();) {
    const Json json = parse_journal_line(line);
    if (json.is_null() || json.value("step", last_step + 1) > last_step) {
      break;
    }
    kept += line + "\n";
    if (json.contains("loss")) {
      losses.push_back(json.value("loss", 0.0));
    }
  }
  return kept;
}

void add_watched(Json& line, const std::string& name, std::optional<double> loss) {
  if (loss) {
    line[name + "_loss"] = *loss;
    line[name + "_perplexity"] = perplexity_of(*loss);
  }
}

}  // namespace

MetricsFile::MetricsFile(const fs::path& path, int64_t last_step) : path_(path) {
  write_text_file(path, lines_until(path, last_step, losses_before_));
  file_.open(path, std::ios::app);
}

void MetricsFile::append(const StepMetrics& metrics) {
  Json line = {{"step", metrics.step}};
  if (metrics.step > 0) {
    line["loss"] = metrics.loss;
    line["lr"] = metrics.lr;
    line["grad_norm"] = metrics.grad_norm;
    line["tokens_per_second"] = metrics.tokens_per_second;
  }
  line["tokens"] = metrics.tokens;
  line["elapsed_s"] = metrics.elapsed_s;
  line["cpu_seconds"] = metrics.cpu_seconds;
  if (metrics.is_spike) {
    line["spike"] = true;
  }
  add_watched(line, "domain", metrics.watched.domain);
  add_watched(line, "general", metrics.watched.general);
  if (metrics.watched.general) {
    line["forgetting"] = metrics.forgetting;
  }
  file_ << compact_text(line) << '\n' << std::flush;
  if (!file_) {
    throw Error({.file = path_.string(), .found = "a failed write", .hint = "is the disk full?"});
  }
}

}  // namespace slayer
