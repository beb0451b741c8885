#include "slayer/tokenizer/chat_template.h"

#include <gtest/gtest.h>

#include "tests/support/error_message.h"

namespace slayer {
namespace {

const std::string kFixtures = SLAYER_FIXTURES "/chat_templates/";

class ModelsTemplate : public testing::TestWithParam<const char*> {};

TEST_P(ModelsTemplate, WritesWhatTransformersWrites) {
  const Json conversations = read_json_file(kFixtures + "conversations.json");
  const Json reference = read_json_file(kFixtures + GetParam() + ".json");
  const ChatTemplate chat(reference["template"], reference["special_tokens"], "template");
  ASSERT_EQ(conversations.size(), 50U);
  for (size_t i = 0; i < conversations.size(); ++i) {
    SCOPED_TRACE(i);
    for (const bool is_prompt : {false, true}) {
      const Json& expected = reference[is_prompt ? "prompts" : "texts"][i];
      if (expected.is_string()) {
        EXPECT_EQ(chat.render(conversations[i], is_prompt), expected.get<std::string>());
      } else {
        EXPECT_EQ(message_of([&] { chat.render(conversations[i], is_prompt); }),
                  "template: found " + expected["refused"].get<std::string>() +
                      ", expected a conversation that the chat template takes");
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models,
    ModelsTemplate,
    testing::Values("smollm2", "llama2", "llama3", "mistral", "qwen2.5", "zephyr", "features"),
    [](const auto& instance) {
      std::string name = instance.param;
      std::erase(name, '.');
      return name;
    });

std::string render(const std::string& source, const Json& messages = Json::array()) {
  return ChatTemplate(source, Json::object(), "t").render(messages, false);
}

std::string refusal(const std::string& source) {
  return message_of([&] { render(source); });
}

TEST(ChatTemplate, NamesTheLineOfWhatItCannotRead) {
  EXPECT_EQ(refusal("a\n{% include 'x' %}"),
            "t: line 2: found \"include\", expected if, for, set, macro, generation, break or "
            "continue");
  EXPECT_EQ(refusal("{{ 1 + }}"), "t: line 1: found \"}}\", expected an expression");
  EXPECT_EQ(refusal("{{ 'a"), "t: line 1: found a string that is not closed, expected '");
  EXPECT_EQ(refusal("{{ a"), "t: line 1: found the template's end inside a tag, expected }}");
  EXPECT_EQ(refusal("{# a"), "t: line 1: found a comment that is not closed, expected #}");
  EXPECT_EQ(refusal("{% raw %} a"),
            "t: line 1: found raw text that is not closed, expected {% endraw %}");
  EXPECT_EQ(refusal("{{ a ? b }}"), "t: line 1: found ?, expected a part of an expression");
  EXPECT_EQ(refusal("{% if a %}b"),
            "t: line 1: found the end of the template, expected {% endif %}");
  EXPECT_EQ(refusal("{% endif %}"),
            "t: line 1: found \"endif\", expected if, for, set, macro, generation, break or "
            "continue");
  EXPECT_EQ(refusal("{% for 1 in a %}"), "t: line 1: found \"1\", expected a name");
  EXPECT_EQ(refusal("{% if a b %}"), "t: line 1: found \"b\", expected the tag's end");
  EXPECT_EQ(refusal("{{ a[] }}"), "t: line 1: found \"]\", expected an index");
  EXPECT_EQ(refusal("{{ a[1:2:3:4] }}"), "t: line 1: found \"4\", expected at most two colons");
  EXPECT_EQ(refusal("{{ 99999999999999999999 }}"),
            "t: line 1: found \"}}\", expected a number of 64 bits");
  EXPECT_EQ(refusal("{{ " + std::string(300, '(') + " }}"),
            "t: line 1: found \"(\", expected less nesting");
}

TEST(ChatTemplate, NamesTheLineOfWhatItCannotDo) {
  const std::string expected = ", expected what slayer's part of Jinja can do";
  EXPECT_EQ(refusal("\n{{ 'a' + 1 }}"), "t: line 2: found string + number" + expected);
  EXPECT_EQ(refusal("{{ 1 < 'a' }}"), "t: line 1: found number < string" + expected);
  EXPECT_EQ(refusal("{{ 1 // 0 }}"), "t: line 1: found division by zero" + expected);
  EXPECT_EQ(refusal("{{ 'a'|sort }}"), "t: line 1: found the filter sort" + expected);
  EXPECT_EQ(refusal("{{ 'a' is odd_one }}"), "t: line 1: found the test odd_one" + expected);
  EXPECT_EQ(refusal("{{ 'a'.zfill(3) }}"),
            "t: line 1: found the method zfill of string" + expected);
  EXPECT_EQ(refusal("{{ {}.pop() }}"), "t: line 1: found the method pop of a dict" + expected);
  EXPECT_EQ(refusal("{{ cycler() }}"), "t: line 1: found the function cycler" + expected);
  EXPECT_EQ(refusal("{{ (1)() }}"), "t: line 1: found a call of a value" + expected);
  EXPECT_EQ(refusal("{{ a.b.c }}"), "t: line 1: found something of an undefined value" + expected);
  EXPECT_EQ(refusal("{{ 1|length }}"), "t: line 1: found length of number" + expected);
  EXPECT_EQ(refusal("{{ 1|items }}"), "t: line 1: found items of number" + expected);
  EXPECT_EQ(refusal("{{ 1[:2] }}"), "t: line 1: found a slice of number" + expected);
  EXPECT_EQ(refusal("{{ 'a'[::0] }}"), "t: line 1: found a slice with step 0" + expected);
  EXPECT_EQ(refusal("{{ 'a'.split('') }}"),
            "t: line 1: found splitting at an empty string" + expected);
  EXPECT_EQ(refusal("{{ 'a'.replace('', 'b') }}"),
            "t: line 1: found replacing an empty string" + expected);
  EXPECT_EQ(refusal("{{ 1.5 % 2 }}"), "t: line 1: found float % float" + expected);
  EXPECT_EQ(refusal("{{ range('a') }}"), "t: line 1: found range of string" + expected);
  EXPECT_EQ(refusal("{{ range(1000000) }}"), "t: line 1: found a range that long" + expected);
  EXPECT_EQ(refusal("{% for a in 1 %}{% endfor %}"),
            "t: line 1: found a loop over number" + expected);
  EXPECT_EQ(refusal("{% set a, b = 1 %}"), "t: line 1: found number for 2 names" + expected);
  EXPECT_EQ(refusal("{% set a.b = 1 %}"),
            "t: line 1: found a.b, which is no attribute of a namespace" + expected);
  EXPECT_EQ(refusal("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"),
            "t: line 1: found a macro that calls itself too often" + expected);
}

TEST(ChatTemplate, EndsWhatWouldNotEnd) {
  EXPECT_EQ(refusal("{% set ns = namespace(a='0123456789abcdef') %}{% for i in range(60) %}"
                    "{% set ns.a = ns.a ~ ns.a %}{% endfor %}"),
            "t: found more than 64 MiB of text, expected a prompt");
  EXPECT_EQ(refusal("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}"),
            "t: line 1: found a million steps, expected what slayer's part of Jinja can do");
}

TEST(ChatTemplate, IsFoundAmongTheSideFiles) {
  const Json messages = Json::array();
  const auto rendered = [&](const std::map<std::string, std::string>& files) {
    return ChatTemplate::from_side_files(files, "ckpt").render(messages, false);
  };
  const std::string config =
      R"({"bos_token": {"content": "<s>"}, "chat_template": "{{ bos_token }}!"})";
  EXPECT_EQ(rendered({{"tokenizer_config.json", config}}), "<s>!");
  EXPECT_EQ(rendered({{"tokenizer_config.json", config}, {"chat_template.jinja", "own"}}), "own");
  EXPECT_EQ(rendered({{"special_tokens_map.json", R"({"eos_token": "</s>"})"},
                      {"tokenizer_config.json",
                       R"({"chat_template": [{"name": "rag", "template": "no"},
                                             {"name": "default", "template": "{{ eos_token }}"}]})"}}),
            "</s>");
  EXPECT_EQ(message_of([&] { rendered({{"tokenizer_config.json", "{}"}}); }),
            "ckpt: found no chat template, expected chat_template.jinja, or chat_template in "
            "tokenizer_config.json (a base model? an instruction-tuned one has a template)");
}

}  // namespace
}  // namespace slayer
