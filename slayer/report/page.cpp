#include "slayer/report/page.h"

#include "slayer/report/template.h"

namespace slayer {

std::string json_for_script(const Json& data) {
  // ASCII only, so neither U+2028 nor U+2029 is in it; a '<' can only stand within a string.
  const std::string text =
      data.dump(/*indent=*/-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    if (c == '<') {
      escaped += "\\u003c";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string report_page(const Json& data) {
  std::string page(page_before_data());
  page += json_for_script(data);
  page += page_after_data();
  return page;
}

}  // namespace slayer
