#pragma once

#include <string>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/tokenizer/jinja_syntax.h"

namespace slayer::jinja {

/// Runs a template.
/// @param variables  an object; its members are the template's global names.
/// @param name  of the template, for errors.
/// @throws Error naming the line of what cannot be done, and with the template's own message where
/// it calls raise_exception; also for text beyond 64 MiB and
/// for a million steps.
std::string render(const std::vector<Statement>& statements,
                   const Json& variables,
                   const std::string& name);

}  // namespace slayer::jinja
