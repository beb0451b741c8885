#include "slayer/report/page.h"

#include <gtest/gtest.h>

namespace slayer {
namespace {

constexpr const char* kBegin = "<script id=\"data\" type=\"application/json\">";

/// The text between the page's data element and the end that a browser sees.
std::string data_of(const std::string& page) {
  const size_t begin = page.find(kBegin) + std::string(kBegin).size();
  return page.substr(begin, page.find("</script", begin) - begin);
}

TEST(Page, CarriesItsDataWhole) {
  const Json data = {{"title", "</script><script>alert(1)</script>"},
                     {"comment", "<!-- <script"},
                     {"line",
                      "a\xE2\x80\xA8\xE2\x80\xA9"
                      "b"},
                     {"number", 0.1},
                     {"\xC3\xA9<", nullptr}};
  EXPECT_EQ(Json::parse(data_of(report_page(data))), data);
}

TEST(Page, LetsNoTextEndItsScript) {
  const std::string script = json_for_script({{"text", "</script> <!-- \xE2\x80\xA8"}});
  EXPECT_EQ(script, "{\"text\":\"\\u003c/script> \\u003c!-- \\u2028\"}");
}

TEST(Page, MarksBytesThatAreNoText) {
  EXPECT_EQ(json_for_script({{"text", "a\xFF"}}), "{\"text\":\"a\\ufffd\"}");
}

TEST(Page, NeedsNoNetwork) {
  const std::string page = report_page({{"title", "run"}});
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
  EXPECT_NE(page.find("Chart.js v"), std::string::npos);
  for (const char* const outside :
       {"src=\"http", "href=\"http", "src=\"//", "@import", "url(http"}) {
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;
  }
  for (const char* const marker : {"{{report.css}}", "{{chart.js}}", "{{report.js}}", "{{data}}"}) {
    EXPECT_EQ(page.find(marker), std::string::npos) << marker;
  }
}

}  // namespace
}  // namespace slayer
