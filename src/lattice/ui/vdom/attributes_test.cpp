// SPDX-License-Identifier: MIT
#include "lattice/ui/vdom/attributes.hpp"

#include <gtest/gtest.h>

#include "lattice/base/error.hpp"

namespace lattice::vdom {
namespace {

Value text(const char* value) { return std::string(value); }

TEST(AttributeKind, NamesGoToTheirOp) {
  EXPECT_EQ(attribute_kind("p", "title"), AttributeKind::Attribute);
  EXPECT_EQ(attribute_kind("p", "class"), AttributeKind::Attribute);
  EXPECT_EQ(attribute_kind("p", "class.done"), AttributeKind::Class);
  EXPECT_EQ(attribute_kind("p", "style"), AttributeKind::Attribute);
  EXPECT_EQ(attribute_kind("p", "style.color"), AttributeKind::Style);
  EXPECT_EQ(attribute_kind("p", "on_click"), AttributeKind::Listen);
  EXPECT_EQ(attribute_kind("input", "checked"), AttributeKind::Property);
  EXPECT_EQ(attribute_kind("dialog", "open"), AttributeKind::Property);
  for (const char* tag : {"input", "textarea", "select"}) {
    EXPECT_EQ(attribute_kind(tag, "value"), AttributeKind::InputValue);
  }
  EXPECT_EQ(attribute_kind("li", "value"), AttributeKind::Attribute);
  EXPECT_EQ(attribute_kind("wa-slider", "value"), AttributeKind::Property);
}

TEST(AttributeKind, PropertiesWithoutHtmlAreKnown) {
  EXPECT_TRUE(is_property_only("input", "indeterminate"));
  EXPECT_TRUE(is_property_only("wa-slider", "value"));
  EXPECT_FALSE(is_property_only("input", "checked"));
  EXPECT_FALSE(is_property_only("wa-slider", "label"));
}

TEST(EventName, FollowsTheDomAndCustomElements) {
  EXPECT_EQ(event_name("on_click"), "click");
  EXPECT_EQ(event_name("on_keydown"), "keydown");
  EXPECT_EQ(event_name("on_key_down"), "keydown");
  EXPECT_EQ(event_name("on_double_click"), "dblclick");
  EXPECT_EQ(event_name("on_wa_after_show"), "wa-after-show");
  EXPECT_EQ(event_name("on_wa-show"), "wa-show");
}

TEST(WireValue, FloatsOfAttributesAreTextAndOfPropertiesNumbers) {
  EXPECT_EQ(wire_value(AttributeKind::Attribute, "x", 1.0), text("1.0"));
  EXPECT_EQ(wire_value(AttributeKind::Style, "opacity", 0.5), text("0.5"));
  EXPECT_EQ(wire_value(AttributeKind::InputValue, "value", 2.5), text("2.5"));
  EXPECT_EQ(wire_value(AttributeKind::Property, "value", 2.5), Value(2.5));
}

TEST(WireValue, BooleansOfWordAttributesAreWords) {
  EXPECT_EQ(wire_value(AttributeKind::Attribute, "aria-expanded", false), text("false"));
  EXPECT_EQ(wire_value(AttributeKind::Attribute, "draggable", true), text("true"));
  EXPECT_EQ(wire_value(AttributeKind::Attribute, "hidden", true), Value(true));
}

TEST(WireValue, IntegersThatJavaScriptCannotHoldAreText) {
  constexpr int64_t kEdge = (int64_t{1} << 53) - 1;
  EXPECT_EQ(wire_value(AttributeKind::Attribute, "x", kEdge), Value(kEdge));
  EXPECT_EQ(wire_value(AttributeKind::Property, "x", kEdge + 1), text("9007199254740992"));
  EXPECT_EQ(wire_value(AttributeKind::Attribute, "x", -kEdge - 1), text("-9007199254740992"));
}

TEST(Names, WhatWouldBreakOutOfTheHtmlIsRefused) {
  for (const char* tag : {"", "a b", "a>", "a\"", "a/", "1a", "<a", "a\n", "é"}) {
    EXPECT_THROW(check_tag(tag), Error) << tag;
  }
  for (const char* name : {"", "a b", "a>", "a\"", "a'", "a=", "a/", "1", "style.a;b", "style.",
                           "class.a b", "class.", "on_", "on_a b", "a\xc3\xa9"}) {
    EXPECT_THROW(check_attribute_name(name), Error) << name;
  }
}

TEST(Names, WhatPagesUseIsAccepted) {
  for (const char* tag : {"div", "h1", "foreignObject", "wa-button", "x_y"}) check_tag(tag);
  for (const char* name : {"data-x", "aria-label", "xlink:href", "viewBox", "style.--accent",
                           "style.-webkit-mask", "class.md:w-1/2", "on_wa-show"}) {
    check_attribute_name(name);
  }
}

TEST(Names, HandlersAsTextAndSrcdocAreRefusedWithTheCure) {
  try {
    check_attribute_name("onClick");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("on_click"), std::string::npos);
  }
  EXPECT_THROW(check_attribute_name("ONLOAD"), Error);
  EXPECT_THROW(check_attribute_name("srcDoc"), Error);
  EXPECT_THROW(check_tag("plaintext"), Error);
}

TEST(Urls, ScriptsAreRefusedHoweverTheyAreSpelled) {
  for (const char* url : {"javascript:alert(1)", "JaVaScript:alert(1)", "  javascript:x",
                          "\x01javascript:x", "java\nscript:x", "java\tscript\r:x", "vbscript:x"}) {
    EXPECT_THROW(check_attribute("href", text(url)), Error) << url;
    EXPECT_THROW(check_attribute("formaction", text(url)), Error) << url;
    EXPECT_THROW(check_attribute("xlink:href", text(url)), Error) << url;
  }
  EXPECT_THROW(check_attribute("HREF", text("javascript:x")), Error);
  EXPECT_THROW(check_attribute("values", text("#a;javascript:x")), Error);
}

TEST(Urls, OrdinaryOnesAreAccepted) {
  for (const char* url : {"https://a.b/javascript:x", "/a?b=javascript:c", "mailto:a@b",
                          "#javascript", "data:image/png;base64,AAAA", "blob:x", ""}) {
    check_attribute("href", text(url));
  }
  check_attribute("title", text("javascript:x"));
}

TEST(CssValue, OnlyClosedOnesAreKept) {
  for (const char* value : {"red", "1px solid rgb(1, 2, 3)", "url(\"a;b\")", "url(data:x;base64,y)",
                            "'a}b'", "calc((1px + 2px) * 3)", "\\;"}) {
    EXPECT_TRUE(is_closed_css_value(value)) << value;
  }
  for (const char* value :
       {"red; top: 0", "a}", "{", "rgb(1", "a)", "\"a", "'", "a\\", "/* x", "'a\nb'"}) {
    EXPECT_FALSE(is_closed_css_value(value)) << value;
  }
}

}  // namespace
}  // namespace lattice::vdom
