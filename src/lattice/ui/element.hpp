// SPDX-License-Identifier: MIT
// Builders: elements, attributes and event handlers, to be mixed in any order.
//
//   ui::button("+1", ui::class_("primary"), ui::on_click([=] { count.update(plus_one); }))
//
// A name that C++ or an attribute has taken differs from its tag: template_, switch_,
// style_element, title_element, svg_text. ui::element("wa-button", ...) builds any other.
//
// Attribute values: texts, numbers, bools (true: there, false: not there), or signals, memos and
// functions, which stay bound. A signal given to value, checked or open is written by the user's
// edits, too. Handlers take nothing or the event; they are moved in, may be move-only, and die with
// their node (at the end of their call, when it is running).
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "lattice/ui/node.hpp"
#include "lattice/ui/vdom/wire.hpp"

namespace lattice::ui {

// What a handler may take: what the browser said, see protocol/README.md.
using Event = vdom::ClientEvent;
using ListenOptions = vdom::ListenOptions;

// ---- Elements -----------------------------------------------------------------------------------

template <class... Contents>
[[nodiscard]] Node element(std::string_view tag, Contents&&... contents) {
  Node node;
  node.kind = vdom::VNode::Kind::Element;
  node.tag = tag;
  (internal::append(node, std::forward<Contents>(contents)), ...);
  return node;
}

// Children without an element around them.
template <class... Contents>
[[nodiscard]] Node fragment(Contents&&... contents) {
  Node node;
  (internal::append(node, std::forward<Contents>(contents)), ...);
  return node;
}

// The one door for HTML from elsewhere: REQUIRES that it is trusted.
[[nodiscard]] inline Node raw_html(std::string html) {
  Node node;
  node.kind = vdom::VNode::Kind::RawHtml;
  node.value = std::move(html);
  return node;
}

// Identity among siblings, unique there.
[[nodiscard]] inline KeyAttribute key(std::string_view text) { return {std::string(text)}; }
template <std::integral T>
[[nodiscard]] KeyAttribute key(T number) {
  return {static_cast<int64_t>(number)};
}

// ---- Attributes ---------------------------------------------------------------------------------

template <class T>
[[nodiscard]] Attribute attr(std::string_view name, T&& value) {
  using U = std::decay_t<T>;
  if constexpr (internal::Showable<U>) {
    return {std::string(name), internal::to_value<U>(value), nullptr};
  } else if constexpr (std::same_as<U, std::nullptr_t>) {
    return {std::string(name), nullptr, nullptr};
  } else {
    static_assert(
        internal::Readable<U> || internal::Function<U>,
        "this is no attribute value: expected text, a number, a bool, a signal, a memo or "
        "a function without arguments");
    return {std::string(name), nullptr, internal::to_binding(std::forward<T>(value))};
  }
}

// The whole class list, or one class that is switched.
template <class T>
[[nodiscard]] Attribute class_(T&& names) {
  return attr("class", std::forward<T>(names));
}
template <class T>
[[nodiscard]] Attribute class_(std::string_view name, T&& on) {
  return attr("class." + std::string(name), std::forward<T>(on));
}
// The whole style, or one property: ui::style("color", "red").
template <class T>
[[nodiscard]] Attribute style(T&& declarations) {
  return attr("style", std::forward<T>(declarations));
}
template <class T>
[[nodiscard]] Attribute style(std::string_view property, T&& value) {
  return attr("style." + std::string(property), std::forward<T>(value));
}
template <class T>
[[nodiscard]] Attribute data(std::string_view name, T&& value) {
  return attr("data-" + std::string(name), std::forward<T>(value));
}
template <class T>
[[nodiscard]] Attribute aria(std::string_view name, T&& value) {
  return attr("aria-" + std::string(name), std::forward<T>(value));
}

namespace internal {

struct AttributeName {
  const char* name;
  template <class T>
  [[nodiscard]] Attribute operator()(T&& value) const {
    return attr(name, std::forward<T>(value));
  }
  [[nodiscard]] Attribute operator()() const { return attr(name, true); }
};

}  // namespace internal

inline constexpr internal::AttributeName action{"action"};
inline constexpr internal::AttributeName alt{"alt"};
inline constexpr internal::AttributeName autocomplete{"autocomplete"};
inline constexpr internal::AttributeName autofocus{"autofocus"};
inline constexpr internal::AttributeName checked{"checked"};
inline constexpr internal::AttributeName cols{"cols"};
inline constexpr internal::AttributeName colspan{"colspan"};
inline constexpr internal::AttributeName disabled{"disabled"};
inline constexpr internal::AttributeName for_{"for"};
inline constexpr internal::AttributeName height{"height"};
inline constexpr internal::AttributeName hidden{"hidden"};
inline constexpr internal::AttributeName href{"href"};
inline constexpr internal::AttributeName id{"id"};
inline constexpr internal::AttributeName lang{"lang"};
inline constexpr internal::AttributeName max{"max"};
inline constexpr internal::AttributeName maxlength{"maxlength"};
inline constexpr internal::AttributeName min{"min"};
inline constexpr internal::AttributeName multiple{"multiple"};
inline constexpr internal::AttributeName name{"name"};
inline constexpr internal::AttributeName open{"open"};
inline constexpr internal::AttributeName placeholder{"placeholder"};
inline constexpr internal::AttributeName readonly{"readonly"};
inline constexpr internal::AttributeName rel{"rel"};
inline constexpr internal::AttributeName required{"required"};
inline constexpr internal::AttributeName role{"role"};
inline constexpr internal::AttributeName rows{"rows"};
inline constexpr internal::AttributeName rowspan{"rowspan"};
inline constexpr internal::AttributeName selected{"selected"};
inline constexpr internal::AttributeName src{"src"};
inline constexpr internal::AttributeName step{"step"};
inline constexpr internal::AttributeName tabindex{"tabindex"};
inline constexpr internal::AttributeName target{"target"};
inline constexpr internal::AttributeName title{"title"};
inline constexpr internal::AttributeName type{"type"};
inline constexpr internal::AttributeName value{"value"};
inline constexpr internal::AttributeName view_box{"viewBox"};
inline constexpr internal::AttributeName width{"width"};

// ---- Handlers -----------------------------------------------------------------------------------

namespace internal {

template <class F>
class FunctionHandler final : public Handler {
 public:
  FunctionHandler(F function, ListenOptions options)
      : function_(std::move(function)), options_(std::move(options)) {}
  void call(const Event& event) override {
    if constexpr (std::invocable<F&, const Event&>) {
      function_(event);
    } else {
      function_();
    }
  }
  ListenOptions options() const override { return options_; }

 private:
  F function_;
  ListenOptions options_;
};

}  // namespace internal

template <class F>
concept HandlerFunction = std::invocable<F&> || std::invocable<F&, const Event&>;

// `event` as in on_*: "click", "key_down"; or a custom event, "wa_show".
template <class F>
  requires HandlerFunction<std::decay_t<F>>
[[nodiscard]] Attribute on(std::string_view event, F&& function, ListenOptions options = {}) {
  using Made = internal::FunctionHandler<std::decay_t<F>>;
  return {"on_" + std::string(event), nullptr,
          std::make_unique<Made>(std::forward<F>(function), std::move(options))};
}

namespace internal {

struct EventName {
  const char* name;
  template <class F>
    requires HandlerFunction<std::decay_t<F>>
  [[nodiscard]] Attribute operator()(F&& function, ListenOptions options = {}) const {
    return on(name, std::forward<F>(function), std::move(options));
  }
};

}  // namespace internal

inline constexpr internal::EventName on_blur{"blur"};
inline constexpr internal::EventName on_change{"change"};
inline constexpr internal::EventName on_click{"click"};
inline constexpr internal::EventName on_double_click{"double_click"};
inline constexpr internal::EventName on_focus{"focus"};
inline constexpr internal::EventName on_input{"input"};
inline constexpr internal::EventName on_key_down{"key_down"};
inline constexpr internal::EventName on_key_up{"key_up"};
inline constexpr internal::EventName on_pointer_down{"pointer_down"};
inline constexpr internal::EventName on_pointer_move{"pointer_move"};
inline constexpr internal::EventName on_pointer_up{"pointer_up"};
inline constexpr internal::EventName on_scroll{"scroll"};
inline constexpr internal::EventName on_submit{"submit"};
inline constexpr internal::EventName on_toggle{"toggle"};

// ---- Tags ---------------------------------------------------------------------------------------

namespace internal {

struct Tag {
  const char* tag;
  template <class... Contents>
  [[nodiscard]] Node operator()(Contents&&... contents) const {
    return element(tag, std::forward<Contents>(contents)...);
  }
};

}  // namespace internal

inline constexpr internal::Tag a{"a"};
inline constexpr internal::Tag abbr{"abbr"};
inline constexpr internal::Tag address{"address"};
inline constexpr internal::Tag area{"area"};
inline constexpr internal::Tag article{"article"};
inline constexpr internal::Tag aside{"aside"};
inline constexpr internal::Tag audio{"audio"};
inline constexpr internal::Tag b{"b"};
inline constexpr internal::Tag base{"base"};
inline constexpr internal::Tag bdi{"bdi"};
inline constexpr internal::Tag bdo{"bdo"};
inline constexpr internal::Tag blockquote{"blockquote"};
inline constexpr internal::Tag body{"body"};
inline constexpr internal::Tag br{"br"};
inline constexpr internal::Tag button{"button"};
inline constexpr internal::Tag canvas{"canvas"};
inline constexpr internal::Tag caption{"caption"};
inline constexpr internal::Tag cite{"cite"};
inline constexpr internal::Tag code{"code"};
inline constexpr internal::Tag col{"col"};
inline constexpr internal::Tag colgroup{"colgroup"};
inline constexpr internal::Tag data_element{"data"};
inline constexpr internal::Tag datalist{"datalist"};
inline constexpr internal::Tag dd{"dd"};
inline constexpr internal::Tag del{"del"};
inline constexpr internal::Tag details{"details"};
inline constexpr internal::Tag dfn{"dfn"};
inline constexpr internal::Tag dialog{"dialog"};
inline constexpr internal::Tag div{"div"};
inline constexpr internal::Tag dl{"dl"};
inline constexpr internal::Tag dt{"dt"};
inline constexpr internal::Tag em{"em"};
inline constexpr internal::Tag embed{"embed"};
inline constexpr internal::Tag fieldset{"fieldset"};
inline constexpr internal::Tag figcaption{"figcaption"};
inline constexpr internal::Tag figure{"figure"};
inline constexpr internal::Tag footer{"footer"};
inline constexpr internal::Tag form{"form"};
inline constexpr internal::Tag h1{"h1"};
inline constexpr internal::Tag h2{"h2"};
inline constexpr internal::Tag h3{"h3"};
inline constexpr internal::Tag h4{"h4"};
inline constexpr internal::Tag h5{"h5"};
inline constexpr internal::Tag h6{"h6"};
inline constexpr internal::Tag head{"head"};
inline constexpr internal::Tag header{"header"};
inline constexpr internal::Tag hgroup{"hgroup"};
inline constexpr internal::Tag hr{"hr"};
inline constexpr internal::Tag html{"html"};
inline constexpr internal::Tag i{"i"};
inline constexpr internal::Tag iframe{"iframe"};
inline constexpr internal::Tag img{"img"};
inline constexpr internal::Tag input{"input"};
inline constexpr internal::Tag ins{"ins"};
inline constexpr internal::Tag kbd{"kbd"};
inline constexpr internal::Tag label{"label"};
inline constexpr internal::Tag legend{"legend"};
inline constexpr internal::Tag li{"li"};
inline constexpr internal::Tag link{"link"};
inline constexpr internal::Tag main{"main"};
inline constexpr internal::Tag map{"map"};
inline constexpr internal::Tag mark{"mark"};
inline constexpr internal::Tag menu{"menu"};
inline constexpr internal::Tag meta{"meta"};
inline constexpr internal::Tag meter{"meter"};
inline constexpr internal::Tag nav{"nav"};
inline constexpr internal::Tag noscript{"noscript"};
inline constexpr internal::Tag object{"object"};
inline constexpr internal::Tag ol{"ol"};
inline constexpr internal::Tag optgroup{"optgroup"};
inline constexpr internal::Tag option{"option"};
inline constexpr internal::Tag output{"output"};
inline constexpr internal::Tag p{"p"};
inline constexpr internal::Tag picture{"picture"};
inline constexpr internal::Tag pre{"pre"};
inline constexpr internal::Tag progress{"progress"};
inline constexpr internal::Tag q{"q"};
inline constexpr internal::Tag rp{"rp"};
inline constexpr internal::Tag rt{"rt"};
inline constexpr internal::Tag ruby{"ruby"};
inline constexpr internal::Tag s{"s"};
inline constexpr internal::Tag samp{"samp"};
inline constexpr internal::Tag script{"script"};
inline constexpr internal::Tag search{"search"};
inline constexpr internal::Tag section{"section"};
inline constexpr internal::Tag select{"select"};
inline constexpr internal::Tag slot{"slot"};
inline constexpr internal::Tag small{"small"};
inline constexpr internal::Tag source{"source"};
inline constexpr internal::Tag span{"span"};
inline constexpr internal::Tag strong{"strong"};
inline constexpr internal::Tag style_element{"style"};
inline constexpr internal::Tag sub{"sub"};
inline constexpr internal::Tag summary{"summary"};
inline constexpr internal::Tag sup{"sup"};
inline constexpr internal::Tag table{"table"};
inline constexpr internal::Tag tbody{"tbody"};
inline constexpr internal::Tag td{"td"};
inline constexpr internal::Tag template_{"template"};
inline constexpr internal::Tag textarea{"textarea"};
inline constexpr internal::Tag tfoot{"tfoot"};
inline constexpr internal::Tag th{"th"};
inline constexpr internal::Tag thead{"thead"};
inline constexpr internal::Tag time{"time"};
inline constexpr internal::Tag title_element{"title"};
inline constexpr internal::Tag tr{"tr"};
inline constexpr internal::Tag track{"track"};
inline constexpr internal::Tag u{"u"};
inline constexpr internal::Tag ul{"ul"};
inline constexpr internal::Tag var{"var"};
inline constexpr internal::Tag video{"video"};
inline constexpr internal::Tag wbr{"wbr"};

// SVG
inline constexpr internal::Tag svg{"svg"};
inline constexpr internal::Tag animate{"animate"};
inline constexpr internal::Tag animate_motion{"animateMotion"};
inline constexpr internal::Tag animate_transform{"animateTransform"};
inline constexpr internal::Tag circle{"circle"};
inline constexpr internal::Tag clip_path{"clipPath"};
inline constexpr internal::Tag defs{"defs"};
inline constexpr internal::Tag desc{"desc"};
inline constexpr internal::Tag ellipse{"ellipse"};
inline constexpr internal::Tag filter{"filter"};
inline constexpr internal::Tag foreign_object{"foreignObject"};
inline constexpr internal::Tag g{"g"};
inline constexpr internal::Tag image{"image"};
inline constexpr internal::Tag line{"line"};
inline constexpr internal::Tag linear_gradient{"linearGradient"};
inline constexpr internal::Tag marker{"marker"};
inline constexpr internal::Tag mask{"mask"};
inline constexpr internal::Tag metadata{"metadata"};
inline constexpr internal::Tag mpath{"mpath"};
inline constexpr internal::Tag path{"path"};
inline constexpr internal::Tag pattern{"pattern"};
inline constexpr internal::Tag polygon{"polygon"};
inline constexpr internal::Tag polyline{"polyline"};
inline constexpr internal::Tag radial_gradient{"radialGradient"};
inline constexpr internal::Tag rect{"rect"};
inline constexpr internal::Tag set{"set"};
inline constexpr internal::Tag stop{"stop"};
inline constexpr internal::Tag switch_{"switch"};
inline constexpr internal::Tag symbol{"symbol"};
inline constexpr internal::Tag svg_text{"text"};
inline constexpr internal::Tag text_path{"textPath"};
inline constexpr internal::Tag tspan{"tspan"};
inline constexpr internal::Tag use{"use"};
inline constexpr internal::Tag view{"view"};
inline constexpr internal::Tag fe_blend{"feBlend"};
inline constexpr internal::Tag fe_color_matrix{"feColorMatrix"};
inline constexpr internal::Tag fe_component_transfer{"feComponentTransfer"};
inline constexpr internal::Tag fe_composite{"feComposite"};
inline constexpr internal::Tag fe_convolve_matrix{"feConvolveMatrix"};
inline constexpr internal::Tag fe_diffuse_lighting{"feDiffuseLighting"};
inline constexpr internal::Tag fe_displacement_map{"feDisplacementMap"};
inline constexpr internal::Tag fe_distant_light{"feDistantLight"};
inline constexpr internal::Tag fe_drop_shadow{"feDropShadow"};
inline constexpr internal::Tag fe_flood{"feFlood"};
inline constexpr internal::Tag fe_func_a{"feFuncA"};
inline constexpr internal::Tag fe_func_b{"feFuncB"};
inline constexpr internal::Tag fe_func_g{"feFuncG"};
inline constexpr internal::Tag fe_func_r{"feFuncR"};
inline constexpr internal::Tag fe_gaussian_blur{"feGaussianBlur"};
inline constexpr internal::Tag fe_image{"feImage"};
inline constexpr internal::Tag fe_merge{"feMerge"};
inline constexpr internal::Tag fe_merge_node{"feMergeNode"};
inline constexpr internal::Tag fe_morphology{"feMorphology"};
inline constexpr internal::Tag fe_offset{"feOffset"};
inline constexpr internal::Tag fe_point_light{"fePointLight"};
inline constexpr internal::Tag fe_specular_lighting{"feSpecularLighting"};
inline constexpr internal::Tag fe_spot_light{"feSpotLight"};
inline constexpr internal::Tag fe_tile{"feTile"};
inline constexpr internal::Tag fe_turbulence{"feTurbulence"};
inline constexpr internal::Tag math{"math"};

}  // namespace lattice::ui
