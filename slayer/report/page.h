#pragma once

#include <string>

#include "slayer/core/json.h"

namespace slayer {

/// One HTML file that shows `data` (see run_data.h) with no need of a network: the template, its
/// style and script, Chart.js and the data in one. Text in the data stays text.
std::string report_page(const Json& data);

/// JSON that may stand inside <script>: nothing in it can end the element or open a comment, and
/// bytes that are not UTF-8 become U+FFFD.
std::string json_for_script(const Json& data);

}  // namespace slayer
