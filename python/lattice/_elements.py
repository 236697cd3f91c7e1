# SPDX-License-Identifier: MIT
"""Element builders: one callable per HTML and SVG element.

``div("a", b("c"), class_="note", key=1)`` gives a `VNode`: positional arguments are children,
keywords attributes. The builders and all their checks are native (``python/bindings/vdom.cpp``);
this file is the table of names. A name that Python or its builtins have taken ends in an underscore
(``input_``, ``del_``, ``map_``), a name in camel case is spelled with underscores (``clip_path``),
and the SVG element ``text`` is ``svg_text``. ``element("wa-button")`` builds any other element.

Attributes: ``class_`` (text, a list, or a dict of switches), ``style`` (text or a dict), ``for_``,
``data_x``, ``aria_x``, ``http_equiv`` (underscores become hyphens), ``on_click`` (a function).
"""

from __future__ import annotations

from typing import Any, Protocol, cast

from lattice import _core

VNode = _core.VNode


class ElementBuilder(Protocol):
    """What the names of this module are: builders of one element each."""

    __name__: str
    tag: str

    def __call__(self, *children: Any, key: str | int | None = None, **attrs: Any) -> VNode:
        """Builds the element.

        Parameters
        ----------
        *children
            Text, numbers, elements, component elements, lists of these; None and False vanish. A
            signal, memo or function is bound to its place.
        key : str or int, optional
            Identity among siblings, unique there.
        **attrs
            Attributes and ``on_*`` handlers. True sets an attribute without a value, False and None
            leave it out. A signal, memo or function is bound to the attribute.

        Raises
        ------
        TypeError
            If a child or an attribute is of a type that no page can show, or a handler is not
            callable.
        LatticeError
            If a name is refused (``onclick``), or a value (a ``javascript:`` URL).
        """
        ...


def _element(name: str, doc: str, tag: str | None = None) -> ElementBuilder:
    return cast(ElementBuilder, _core.ElementBuilder(tag or name.rstrip("_"), doc, name))


def element(tag: str, *children: Any, key: str | int | None = None, **attrs: Any) -> VNode:
    """Builds an element by its tag name: custom elements, MathML.

    Parameters
    ----------
    tag : str
        Element name, such as ``"wa-button"``.
    *children, key, **attrs
        As for every builder, see `ElementBuilder`.

    Raises
    ------
    LatticeError
        If `tag` is not an element name.
    """
    return VNode(tag, attrs, children, key)


def fragment(*children: Any, key: str | int | None = None) -> VNode:
    """Children without an element around them.

    Parameters
    ----------
    *children
        As for every builder.
    key : str or int, optional
        Identity among siblings.
    """
    return VNode("#fragment", None, children, key)


def raw_html(html: Any, *, key: str | int | None = None) -> VNode:
    """Trusted HTML, written into the page as it is: the one door for it.

    Parameters
    ----------
    html : str, or a signal, memo or function that gives one
        Never text of a user: whatever scripts it holds will run.
    key : str or int, optional
        Identity among siblings.

    Raises
    ------
    TypeError
        If `html` is something else.
    """
    if not isinstance(html, str) and not _core.is_slot_object(html):
        raise TypeError(
            f"raw_html got {type(html).__name__}: expected text, a signal or a function"
        )
    return VNode("#html", None, [html], key)


# HTML
a = _element("a", "A link.")
abbr = _element("abbr", "An abbreviation; `title` spells it out.")
address = _element("address", "Contact information.")
area = _element("area", "A region of an image map.")
article = _element("article", "A self-contained piece of content.")
aside = _element("aside", "Content beside the main one.")
audio = _element("audio", "A sound player.")
b = _element("b", "Text set apart without extra importance.")
base = _element("base", "The base URL of a document.")
bdi = _element("bdi", "Text isolated from the direction around it.")
bdo = _element("bdo", "Text with a direction of its own.")
blockquote = _element("blockquote", "A long quotation.")
body = _element("body", "The body of a document; the page itself already has one.")
br = _element("br", "A line break.")
button = _element("button", "A button.")
canvas = _element("canvas", "A drawing surface for scripts.")
caption = _element("caption", "The caption of a table.")
cite = _element("cite", "The title of a work.")
code = _element("code", "A fragment of code.")
col = _element("col", "A column of a table, for styling.")
colgroup = _element("colgroup", "A group of columns.")
data = _element("data", "Content with a machine-readable `value`.")
datalist = _element("datalist", "Suggestions for an input.")
dd = _element("dd", "A description in a `dl`.")
del_ = _element("del_", "Deleted text (`<del>`).")
details = _element("details", "A disclosure with a `summary`.")
dfn = _element("dfn", "The defining use of a term.")
dialog = _element("dialog", "A dialog; `open` shows it.")
div = _element("div", "A block without meaning of its own.")
dl = _element("dl", "A list of terms and descriptions.")
dt = _element("dt", "A term in a `dl`.")
em = _element("em", "Stressed text.")
embed = _element("embed", "Embedded external content.")
fieldset = _element("fieldset", "A group of form controls.")
figcaption = _element("figcaption", "The caption of a `figure`.")
figure = _element("figure", "Self-contained content with an optional caption.")
footer = _element("footer", "The foot of a section or page.")
form = _element("form", "A form.")
h1 = _element("h1", "A heading of the first level.")
h2 = _element("h2", "A heading of the second level.")
h3 = _element("h3", "A heading of the third level.")
h4 = _element("h4", "A heading of the fourth level.")
h5 = _element("h5", "A heading of the fifth level.")
h6 = _element("h6", "A heading of the sixth level.")
head = _element("head", "The head of a document; the page itself already has one.")
header = _element("header", "The head of a section or page.")
hgroup = _element("hgroup", "A heading with what belongs to it.")
hr = _element("hr", "A thematic break.")
html = _element("html", "The root of a document; the page itself already has one.")
i = _element("i", "Text in another voice.")
iframe = _element("iframe", "A nested page.")
img = _element("img", "An image.")
input_ = _element("input_", "A form control (`<input>`); also `ui.input`.")
ins = _element("ins", "Inserted text.")
kbd = _element("kbd", "Keyboard input.")
label = _element("label", "The label of a form control; `for_` names its id.")
legend = _element("legend", "The caption of a `fieldset`.")
li = _element("li", "An item of a list.")
link = _element("link", "A link to a resource.")
main = _element("main", "The main content of a page.")
map_ = _element("map_", "An image map (`<map>`).")
mark = _element("mark", "Highlighted text.")
menu = _element("menu", "A list of commands.")
meta = _element("meta", "Metadata of a document.")
meter = _element("meter", "A value within a known range.")
nav = _element("nav", "Navigation links.")
noscript = _element("noscript", "Content for browsers without scripts.")
object_ = _element("object_", "An external object (`<object>`).")
ol = _element("ol", "An ordered list.")
optgroup = _element("optgroup", "A group of options.")
option = _element("option", "An option of a `select`.")
output = _element("output", "The result of a calculation.")
p = _element("p", "A paragraph.")
picture = _element("picture", "An image in alternative forms.")
pre = _element("pre", "Preformatted text.")
progress = _element("progress", "The progress of a task.")
q = _element("q", "A short quotation.")
rp = _element("rp", "Parentheses around a ruby text.")
rt = _element("rt", "The text of a ruby annotation.")
ruby = _element("ruby", "A ruby annotation.")
s = _element("s", "Text that is no longer valid.")
samp = _element("samp", "Output of a program.")
script = _element("script", "A script; its text may not hold `</script`.")
search = _element("search", "Controls that search or filter.")
section = _element("section", "A section of a document.")
select = _element("select", "A choice among options; `value` is the chosen one.")
slot = _element("slot", "A slot of a web component.")
small = _element("small", "Side comments.")
source = _element("source", "A source of a `picture`, `audio` or `video`.")
span = _element("span", "A run of text without meaning of its own.")
strong = _element("strong", "Important text.")
style = _element("style", "A style sheet; its text may not hold `</style`.")
sub = _element("sub", "Subscript.")
summary = _element("summary", "The visible part of a `details`.")
sup = _element("sup", "Superscript.")
table = _element("table", "A table; put rows into `tbody`.")
tbody = _element("tbody", "The body rows of a table.")
td = _element("td", "A cell.")
template = _element("template", "Inert content for scripts.")
textarea = _element("textarea", "A text field of several lines; its text is `value`.")
tfoot = _element("tfoot", "The foot rows of a table.")
th = _element("th", "A header cell.")
thead = _element("thead", "The head rows of a table.")
time = _element("time", "A date or time; `datetime` is its machine-readable form.")
title = _element("title", "A title: of a document, or of an SVG element.")
tr = _element("tr", "A row of a table.")
track = _element("track", "A text track of a player.")
u = _element("u", "Text with a non-textual annotation.")
ul = _element("ul", "An unordered list.")
var = _element("var", "A variable.")
video = _element("video", "A video player.")
wbr = _element("wbr", "A place where a line may break.")

# SVG and the root of MathML
svg = _element("svg", "The root of a drawing; `viewBox` or `view_box` sets its coordinates.")
animate = _element("animate", "An animation of an attribute.")
animate_motion = _element("animate_motion", "A motion along a path.", "animateMotion")
animate_transform = _element(
    "animate_transform", "An animation of a transform.", "animateTransform"
)
circle = _element("circle", "A circle.")
clip_path = _element("clip_path", "A clipping path.", "clipPath")
defs = _element("defs", "Definitions to refer to.")
desc = _element("desc", "A description for accessibility.")
ellipse = _element("ellipse", "An ellipse.")
filter_ = _element("filter_", "A filter effect (`<filter>`).")
foreign_object = _element("foreign_object", "HTML inside a drawing.", "foreignObject")
g = _element("g", "A group.")
image = _element("image", "An image inside a drawing.")
line = _element("line", "A line.")
linear_gradient = _element("linear_gradient", "A linear gradient.", "linearGradient")
marker = _element("marker", "A mark on the ends of lines.")
mask = _element("mask", "A mask.")
metadata = _element("metadata", "Metadata of a drawing.")
mpath = _element("mpath", "The path of an `animate_motion`.")
path = _element("path", "A path; `d` is its shape.")
pattern = _element("pattern", "A repeated fill.")
polygon = _element("polygon", "A closed shape of lines.")
polyline = _element("polyline", "An open shape of lines.")
radial_gradient = _element("radial_gradient", "A radial gradient.", "radialGradient")
rect = _element("rect", "A rectangle.")
set_ = _element("set_", "An attribute set for a time (`<set>`).")
stop = _element("stop", "A stop of a gradient.")
switch = _element("switch", "The first child that the browser supports.")
symbol = _element("symbol", "A shape for `use`.")
svg_text = _element("svg_text", "Text inside a drawing (`<text>`).", "text")
text_path = _element("text_path", "Text along a path.", "textPath")
tspan = _element("tspan", "A run inside `svg_text`.")
use = _element("use", "A copy of a defined shape.")
view = _element("view", "A named view of a drawing.")
fe_blend = _element("fe_blend", "Filter primitive: blends two inputs.", "feBlend")
fe_color_matrix = _element(
    "fe_color_matrix", "Filter primitive: transforms colors by a matrix.", "feColorMatrix"
)
fe_component_transfer = _element(
    "fe_component_transfer", "Filter primitive: maps each color channel.", "feComponentTransfer"
)
fe_composite = _element("fe_composite", "Filter primitive: composites two inputs.", "feComposite")
fe_convolve_matrix = _element(
    "fe_convolve_matrix", "Filter primitive: convolves with a kernel.", "feConvolveMatrix"
)
fe_diffuse_lighting = _element(
    "fe_diffuse_lighting", "Filter primitive: lights diffusely.", "feDiffuseLighting"
)
fe_displacement_map = _element(
    "fe_displacement_map", "Filter primitive: displaces by another input.", "feDisplacementMap"
)
fe_distant_light = _element(
    "fe_distant_light", "Filter primitive: a distant light source.", "feDistantLight"
)
fe_drop_shadow = _element("fe_drop_shadow", "Filter primitive: draws a shadow.", "feDropShadow")
fe_flood = _element("fe_flood", "Filter primitive: fills with a color.", "feFlood")
fe_func_a = _element("fe_func_a", "Filter primitive: maps alpha.", "feFuncA")
fe_func_b = _element("fe_func_b", "Filter primitive: maps blue.", "feFuncB")
fe_func_g = _element("fe_func_g", "Filter primitive: maps green.", "feFuncG")
fe_func_r = _element("fe_func_r", "Filter primitive: maps red.", "feFuncR")
fe_gaussian_blur = _element("fe_gaussian_blur", "Filter primitive: blurs.", "feGaussianBlur")
fe_image = _element("fe_image", "Filter primitive: takes an image as input.", "feImage")
fe_merge = _element("fe_merge", "Filter primitive: stacks inputs.", "feMerge")
fe_merge_node = _element("fe_merge_node", "Filter primitive: one input of a merge.", "feMergeNode")
fe_morphology = _element("fe_morphology", "Filter primitive: thickens or thins.", "feMorphology")
fe_offset = _element("fe_offset", "Filter primitive: shifts.", "feOffset")
fe_point_light = _element(
    "fe_point_light", "Filter primitive: a point light source.", "fePointLight"
)
fe_specular_lighting = _element(
    "fe_specular_lighting", "Filter primitive: lights with highlights.", "feSpecularLighting"
)
fe_spot_light = _element("fe_spot_light", "Filter primitive: a spot light source.", "feSpotLight")
fe_tile = _element("fe_tile", "Filter primitive: repeats an input.", "feTile")
fe_turbulence = _element("fe_turbulence", "Filter primitive: makes noise.", "feTurbulence")
math = _element("math", "The root of a MathML formula; build what is inside with `element`.")

__all__ = [
    "ElementBuilder",
    "a",
    "abbr",
    "address",
    "animate",
    "animate_motion",
    "animate_transform",
    "area",
    "article",
    "aside",
    "audio",
    "b",
    "base",
    "bdi",
    "bdo",
    "blockquote",
    "body",
    "br",
    "button",
    "canvas",
    "caption",
    "circle",
    "cite",
    "clip_path",
    "code",
    "col",
    "colgroup",
    "data",
    "datalist",
    "dd",
    "defs",
    "del_",
    "desc",
    "details",
    "dfn",
    "dialog",
    "div",
    "dl",
    "dt",
    "element",
    "ellipse",
    "em",
    "embed",
    "fe_blend",
    "fe_color_matrix",
    "fe_component_transfer",
    "fe_composite",
    "fe_convolve_matrix",
    "fe_diffuse_lighting",
    "fe_displacement_map",
    "fe_distant_light",
    "fe_drop_shadow",
    "fe_flood",
    "fe_func_a",
    "fe_func_b",
    "fe_func_g",
    "fe_func_r",
    "fe_gaussian_blur",
    "fe_image",
    "fe_merge",
    "fe_merge_node",
    "fe_morphology",
    "fe_offset",
    "fe_point_light",
    "fe_specular_lighting",
    "fe_spot_light",
    "fe_tile",
    "fe_turbulence",
    "fieldset",
    "figcaption",
    "figure",
    "filter_",
    "footer",
    "foreign_object",
    "form",
    "fragment",
    "g",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hgroup",
    "hr",
    "html",
    "i",
    "iframe",
    "image",
    "img",
    "input_",
    "ins",
    "kbd",
    "label",
    "legend",
    "li",
    "line",
    "linear_gradient",
    "link",
    "main",
    "map_",
    "mark",
    "marker",
    "mask",
    "math",
    "menu",
    "meta",
    "metadata",
    "meter",
    "mpath",
    "nav",
    "noscript",
    "object_",
    "ol",
    "optgroup",
    "option",
    "output",
    "p",
    "path",
    "pattern",
    "picture",
    "polygon",
    "polyline",
    "pre",
    "progress",
    "q",
    "radial_gradient",
    "raw_html",
    "rect",
    "rp",
    "rt",
    "ruby",
    "s",
    "samp",
    "script",
    "search",
    "section",
    "select",
    "set_",
    "slot",
    "small",
    "source",
    "span",
    "stop",
    "strong",
    "style",
    "sub",
    "summary",
    "sup",
    "svg",
    "svg_text",
    "switch",
    "symbol",
    "table",
    "tbody",
    "td",
    "template",
    "text_path",
    "textarea",
    "tfoot",
    "th",
    "thead",
    "time",
    "title",
    "tr",
    "track",
    "tspan",
    "u",
    "ul",
    "use",
    "var",
    "video",
    "view",
    "wbr",
]
