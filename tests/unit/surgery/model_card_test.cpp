#include "slayer/surgery/model_card.h"

#include <gtest/gtest.h>

#include "slayer/surgery/strategies.h"

namespace slayer {
namespace {

TEST(LicenseOfCard, ComesFromTheFrontMatter) {
  EXPECT_EQ(license_of_card("---\nlanguage: en\nlicense: apache-2.0\n---\n# X\n"), "apache-2.0");
  EXPECT_EQ(license_of_card("---\r\nlicense: mit\r\n---\r\n"), "mit");
  EXPECT_EQ(license_of_card("---\nlanguage: en\n---\nlicense: mit\n"), "");
  EXPECT_EQ(license_of_card("# X\nlicense: mit\n"), "");
  EXPECT_EQ(license_of_card(""), "");
}

TEST(ModelCard, TellsBasePlanDataLicenceAndHowItWasMade) {
  SurgeryRecord record{.plan = slayer_plan(4, 2, 0.5, {}), .source = "Base-1B", .version = "1.2.3"};
  record.plan.source_hash = "ab12";
  EXPECT_EQ(model_card(record, "mit"), R"(---
base_model: Base-1B
library_name: transformers
license: mit
tags:
- slayer
---

# Base-1B with 5 layers

**Base**: Base-1B, 4 layers, hash `ab12`.

**Plan**: strategy slayer; the embedding's side first, `=` kept, `+` new, `*` kept and
trained, `x` gone:

```
==+=*

      0-1    copied 0-1
        2 +  new after 1: average of 1 and 2, zero output, trained
        3    copied 2
        4    copied 3, trained
```

The new layers add nothing yet: the logits are the base's, bit for bit.

**Data**: none yet. The layers to train are as surgery left them.

**Licence**: the base model's, mit.

**How made**: `slayer apply Base-1B --plan plan.json --out DIR`, slayer 1.2.3; the plan is in
`slayer.json`.
)");
  record.plan = slayer_plan(4, 2, 0.5, {.layers = {3}});
  const std::string card = model_card(record, "");
  EXPECT_EQ(card.find("bit for bit"), std::string::npos);
  EXPECT_EQ(card.find("license"), std::string::npos);
  EXPECT_NE(card.find("**Licence**: the base model's; see there."), std::string::npos);
}

}  // namespace
}  // namespace slayer
