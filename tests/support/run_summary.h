#pragma once

#include "slayer/core/json.h"

namespace slayer {

/// The summary.json of a run that gained on the domain and forgot nothing that shows.
inline Json run_summary() {
  const Json domain = {{"documents", 58},
                       {"tokens", 23412},
                       {"base", {{"perplexity", 14.5}, {"low", 13.25}, {"high", 15.75}}},
                       {"new", {{"perplexity", 11.6}, {"low", 10.5}, {"high", 12.75}}},
                       {"change", -0.2},
                       {"change_low", -0.21},
                       {"change_high", -0.19}};
  Json general = domain;
  general["new"] = {{"perplexity", 14.6}, {"low", 13.5}, {"high", 15.75}};
  general["change"] = 0.007;
  general["change_low"] = -0.002;
  general["change_high"] = 0.015;
  return {{"format", 1},
          {"plan", {{"strategy", "slayer"}, {"sketch", "==+=="}}},
          {"models",
           {{"base", {{"layers", 30}, {"parameters", 134515008}}},
            {"new",
             {{"layers", 37},
              {"parameters", 159302016},
              {"trained_layers", 8},
              {"trained_parameters", 28325376}}}}},
          {"verify",
           {{"must_be_identical", true},
            {"is_identical", true},
            {"tokens", 1934},
            {"base_loss", 3.05},
            {"new_loss", 3.05}}},
          {"text", {{"domain", domain}, {"general", general}}},
          {"samples", {{{"prompt", "Once"}, {"base", "a\nb"}, {"new", "c"}}}},
          {"time",
           {{"seconds", 61.0},
            {"cpu_seconds", 118.0},
            {"stages", {{"plan", {{"seconds", 1.0}}}, {"train", {{"seconds", 60.0}}}}}}}};
}

}  // namespace slayer
