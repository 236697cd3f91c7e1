// SPDX-License-Identifier: MIT
#include "lattice/ui/vdom/html.hpp"

#include <gtest/gtest.h>

#include "lattice/base/error.hpp"

namespace lattice::vdom {
namespace {

std::string html(const VNode& node) {
  std::string out;
  write_html(out, node);
  return out;
}

VNode text(const char* data) { return VNode::text(std::string(data)); }
Value string(const char* data) { return std::string(data); }

TEST(Html, FragmentsOpenUpAndKeepTextsApart) {
  const VNode tree =
      VNode::fragment({text("a"), VNode::fragment({text("b"), text("")}), text("c")});
  EXPECT_EQ(html(tree), "a<!---->b<!--e-->c");
}

TEST(Html, AttributesWithoutValueAreEmptyAndAbsentOnesLeftOut) {
  EXPECT_EQ(html(VNode::element("p", {{"hidden", true}, {"id", nullptr}, {"inert", false}})),
            "<p hidden=\"\"></p>");
  EXPECT_EQ(html(VNode::element("p", {{"aria-hidden", false}})), "<p aria-hidden=\"false\"></p>");
}

TEST(Html, NumbersShowAsTheyDoOnTheWire) {
  EXPECT_EQ(html(VNode::element("p", {{"x", 1.0}, {"y", int64_t{2}}}, {VNode::text(0.5)})),
            "<p x=\"1.0\" y=\"2\">0.5</p>");
}

TEST(Html, HandlersAreNotWritten) {
  EXPECT_EQ(html(VNode::element("p", {{"on_click", SlotId{3}}})), "<p></p>");
}

TEST(Html, ClassAndStyleMergeWithTheirSwitches) {
  const VNode tree = VNode::element("p", {{"class.b", true},
                                          {"class", string("a")},
                                          {"style.top", int64_t{0}},
                                          {"style", string("color: red")},
                                          {"class.c", nullptr}});
  EXPECT_EQ(html(tree), "<p class=\"a b\" style=\"color: red; top: 0\"></p>");
}

TEST(Html, AStyleValueThatWouldLeaveItsDeclarationIsLeftOut) {
  const VNode tree = VNode::element(
      "p", {{"style.color", string("red; position: fixed")}, {"style.top", string("1px")}});
  EXPECT_EQ(html(tree), "<p style=\"top: 1px\"></p>");
}

TEST(Html, APropertyWithoutHtmlIsNotWritten) {
  EXPECT_EQ(html(VNode::element("input", {{"indeterminate", true}, {"checked", false}})),
            "<input>");
}

TEST(Html, AFileInputHasNoValue) {
  EXPECT_EQ(html(VNode::element("input", {{"type", string("file")}, {"value", string("x")}})),
            "<input type=\"file\">");
}

TEST(Html, ASelectChoosesByValueElseByTextElseBySelected) {
  const auto option = [](const char* label) { return VNode::element("option", {}, {text(label)}); };
  EXPECT_EQ(
      html(VNode::element("select", {{"value", string("b c")}}, {option("a"), option(" b \n c ")})),
      "<select><option>a</option><option selected=\"\"> b \n c </option></select>");
  EXPECT_EQ(html(VNode::element("select", {{"value", int64_t{2}}},
                                {VNode::element("option", {{"value", int64_t{2}}})})),
            "<select><option value=\"2\" selected=\"\"></option></select>");
  EXPECT_EQ(html(VNode::element("select", {},
                                {VNode::element("option", {{"selected", true}}, {text("a")})})),
            "<select><option selected=\"\">a</option></select>");
}

TEST(Html, ATextareaShowsItsValueAndTakesNoChildren) {
  EXPECT_EQ(html(VNode::element("textarea", {{"value", string("\n<b>")}})),
            "<textarea>\n\n&lt;b&gt;</textarea>");
  EXPECT_THROW(html(VNode::element("textarea", {}, {text("x")})), Error);
}

TEST(Html, LeadingNewlineOfPreSurvivesOnlyWhereItWouldBeDropped) {
  EXPECT_EQ(html(VNode::element("pre", {}, {text("\n")})), "<pre>\n\n</pre>");
  EXPECT_EQ(html(VNode::element("pre", {}, {text("a"), text("\nb")})), "<pre>a<!---->\nb</pre>");
  EXPECT_EQ(html(VNode::element("pre", {}, {VNode::element("b", {}, {text("\n")})})),
            "<pre><b>\n</b></pre>");
  EXPECT_EQ(html(VNode::element("pre", {}, {text(""), text("\n")})), "<pre><!--e-->\n</pre>");
}

TEST(Html, ScriptAndStyleTextIsWrittenAsItIs) {
  EXPECT_EQ(html(VNode::element("style", {}, {text("a > b { }")})), "<style>a > b { }</style>");
  EXPECT_EQ(html(VNode::element("script", {}, {text("1 < 2 && 3")})),
            "<script>1 < 2 && 3</script>");
}

TEST(Html, ScriptTextThatWouldEndTheElementIsRefused) {
  for (const char* bad : {"</script>", "</SCRIPT ", "<!-- <script>"}) {
    EXPECT_THROW(html(VNode::element("script", {}, {text(bad)})), Error) << bad;
  }
  EXPECT_THROW(html(VNode::element("style", {}, {text("</sty"), text("le>")})), Error);
  EXPECT_THROW(html(VNode::element("style", {}, {VNode::raw_html("</style>")})), Error);
}

TEST(Html, TitleTextsAreOneSinceCommentsMeanNothingThere) {
  EXPECT_EQ(html(VNode::element("title", {}, {text("a<"), text(""), text("b")})),
            "<title>a&lt;b</title>");
}

TEST(Html, SvgKeepsItsOwnRules) {
  EXPECT_EQ(html(VNode::element("svg", {}, {VNode::element("style", {}, {text("a>b")})})),
            "<svg><style>a&gt;b</style></svg>");
  EXPECT_EQ(html(VNode::element("svg", {}, {VNode::element("link", {}, {text("a")})})),
            "<svg><link>a</link></svg>");
}

TEST(Html, WhatCannotBeWrittenIsRefused) {
  EXPECT_THROW(html(VNode::element("br", {}, {text("x")})), Error);
  EXPECT_THROW(html(VNode::slot({1})), Error);
  EXPECT_THROW(html(VNode::element("a b")), Error);
  EXPECT_THROW(html(VNode::element("p", {{"a b", true}})), Error);
  EXPECT_THROW(html(VNode::element("a", {{"href", string("javascript:x")}})), Error);
}

TEST(Html, TreesBeyondTheDepthBoundAreRefused) {
  VNode node = VNode::element("p");
  for (size_t i = 0; i <= kTreeDepthMax; ++i) {
    VNode outer = VNode::element("div");
    outer.children.push_back(std::move(node));
    node = std::move(outer);
  }
  EXPECT_THROW(html(node), Error);
}

TEST(NestingHazard, TheUsualCasesAreNamedWithTheirCure) {
  EXPECT_NE(nesting_hazard("table", "tr")->find("tbody"), std::string::npos);
  EXPECT_TRUE(nesting_hazard("p", "div").has_value());
  EXPECT_TRUE(nesting_hazard("table", "div").has_value());
  EXPECT_TRUE(nesting_hazard("a", "a").has_value());
  EXPECT_FALSE(nesting_hazard("table", "tbody").has_value());
  EXPECT_FALSE(nesting_hazard("tr", "td").has_value());
  EXPECT_FALSE(nesting_hazard("div", "p").has_value());
}

}  // namespace
}  // namespace lattice::vdom
