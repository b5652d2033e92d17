"""Charts as pictures: a plotting library draws them, and what it drew is let onto a page only as far as it is harmless.

Knows no report: what is to be drawn comes as a Vega-Lite specification, which is plain data.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from xml.etree import ElementTree

import orjson

__all__ = ["OFF", "Draw", "drawer", "harmless"]

OFF = "SMELT_PLOTS"
"""The environment variable that, set to 0, leaves the charts out of reports."""

Draw = Callable[[Mapping[str, object]], str]
"""From a Vega-Lite specification to SVG."""

# What charts are made of. No style, no link, no script, no picture from elsewhere: none of them is ever let through.
TAGS = frozenset({"svg", "g", "path", "line", "rect", "text", "tspan"})
ATTRIBUTES = frozenset(
    {
        "d", "dx", "dy", "fill", "fill-opacity", "font-size", "font-weight", "height", "opacity", "stroke",
        "stroke-dasharray", "stroke-linecap", "stroke-opacity", "stroke-width", "text-anchor", "transform", "viewBox",
        "width", "x", "x2", "y", "y2",
    }
)  # fmt: skip


def drawer() -> Draw | None:
    """What draws charts here; None where the library is not installed, or charts are not wanted."""
    if os.environ.get(OFF) == "0" or find_spec("vl_convert") is None:
        return None
    return lambda specification: _drawn(orjson.dumps(specification, option=orjson.OPT_SORT_KEYS))


@cache
def _drawn(specification: bytes) -> str:
    """It asks no network, whatever stands in the specification."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg(specification.decode(), allowed_base_urls=[]))


def harmless(svg: str, *, name: str, title: str, about: str) -> str:
    """The same picture for a page, made anew of nothing but shapes and text, with words for who cannot see it.

    `name` is of the page's own, and no other picture's there. Raises ValueError for what is no picture.
    """
    try:
        root = ElementTree.fromstring(svg)  # noqa: S314  # drawn by a library of ours a moment ago
    except ElementTree.ParseError as error:
        raise ValueError(f"the chart is no SVG ({error})") from error
    picture = _clean(root)
    if picture is None or picture.tag != "svg":
        raise ValueError("the chart is no SVG")
    picture.attrib.update({"role": "img", "aria-labelledby": f"{name}-title {name}-about"})
    for at, (tag, text) in enumerate((("title", title), ("desc", about))):
        words = ElementTree.Element(tag, {"id": f"{name}-{'about' if at else 'title'}"})
        words.text = text
        picture.insert(at, words)
    return ElementTree.tostring(picture, encoding="unicode", short_empty_elements=False)


def _clean(element: ElementTree.Element) -> ElementTree.Element | None:
    """An element with what is known of its attributes and children; None where it is unknown, or not to be seen."""
    tag = element.tag.rpartition("}")[2]
    if tag not in TAGS or element.get("display") == "none" or element.get("opacity") == "0":
        return None
    kept = ElementTree.Element(tag, {name: value for name, value in element.items() if name in ATTRIBUTES})
    kept.text = element.text
    children = [child for child in map(_clean, element) if child is not None]
    kept.extend(children)
    return None if tag == "g" and not children else kept
