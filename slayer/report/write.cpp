#include "slayer/report/write.h"

#include "slayer/core/file.h"
#include "slayer/report/markdown.h"
#include "slayer/report/page.h"
#include "slayer/report/run_data.h"

namespace slayer {

std::filesystem::path write_report(const std::filesystem::path& run_or_probe) {
  if (run_or_probe.extension() == ".json") {
    const std::filesystem::path page =
        std::filesystem::path(run_or_probe).replace_extension("html");
    write_text_file(page, report_page(read_probe(run_or_probe)));
    return page;
  }
  const Json data = read_run(run_or_probe);
  const std::filesystem::path page = run_or_probe / "report.html";
  write_text_file(page, report_page(data));
  if (data.contains("summary")) {
    write_text_file(run_or_probe / "report.md",
                    report_markdown(data, (run_or_probe / "summary.json").string()));
  }
  return page;
}

}  // namespace slayer
