"""Turns a matplotlib figure into an SVG that a page under a strict Content-Security-Policy may hold.

Text stays text (`svg.fonttype` none): it can be read out, searched and enlarged, the file stays small, and a character
that the server's font lacks is shown by the browser's. Styles become presentation attributes, which no policy forbids;
there is no script, no style sheet, no document type and no foreign reference. The same figure gives the same bytes.
"""

import io
import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from xml.etree import ElementTree

from matplotlib import font_manager, rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from eligibility.wire.encoding import b64url

# First those that measure text here; the browser takes the first it has.
JAPANESE_FONTS: Final = ("Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "Yu Gothic", "Meiryo", "Hiragino Sans")
# It comes with matplotlib and has a shape for every character, so that measuring never fails.
_LAST_RESORT: Final = "Last Resort High-Efficiency"
_NOT_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UNKNOWN_GLYPH: Final = "●"
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_STACK: Final = ", ".join(f"'{name}'" for name in JAPANESE_FONTS) + ", sans-serif"
# matplotlib's settings belong to the process, and pages are made by several threads.
_settings_in_use = threading.Lock()
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # a font of the list that is not here is no news


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a screen reader says of a chart: its title, and in a sentence or two what it shows."""

    title: str
    description: str


def draw(size_in: tuple[float, float], draw_on: Callable[[Figure], None], spoken: Spoken, chart_id: str) -> str:
    """Return a figure as one `<svg>` element; `chart_id` sets its ids apart from those of other charts on the page."""
    with _settings(chart_id):
        figure = Figure(figsize=size_in, layout="constrained")
        FigureCanvasSVG(figure)
        draw_on(figure)
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None})
    return _made_fit(written.getvalue(), spoken, chart_id)


@contextmanager
def _settings(chart_id: str) -> Iterator[None]:
    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": chart_id,
        "font.family": [*_present_fonts(), _LAST_RESORT],
        "font.size": 11,
        "text.parse_math": False,  # a dollar sign in a name is a dollar sign
        "axes.unicode_minus": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with _settings_in_use, rc_context(settings):
        yield


def _present_fonts() -> list[str]:
    present = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in (*JAPANESE_FONTS, "DejaVu Sans") if name in present]


def _made_fit(drawn: str, spoken: Spoken, chart_id: str) -> str:
    # matplotlib escapes what XML escapes, and writes what XML cannot hold as it is.
    root = ElementTree.fromstring(_NOT_IN_XML.sub(_UNKNOWN_GLYPH, drawn))  # noqa: S314 - matplotlib has just written it
    for parent in root.iter():
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        _style_to_attributes(element)
        _set_apart(element, chart_id)
    title_id, description_id = f"{chart_id}-title", f"{chart_id}-description"
    for position, (tag, identifier, text) in enumerate(
        (("title", title_id, spoken.title), ("desc", description_id, spoken.description))
    ):
        told = ElementTree.Element(f"{{{_SVG}}}{tag}", {"id": identifier})
        told.text = text
        root.insert(position, told)
    # What the style sheet said of everything; both are inherited.
    root.attrib |= {"stroke-linejoin": "round", "stroke-linecap": "butt", "role": "img", "id": chart_id}
    root.attrib |= {"aria-labelledby": f"{title_id} {description_id}", "focusable": "false"}
    # It fills the width its place on the page has, never more than its own.
    root.attrib.pop("width"), root.attrib.pop("height")
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    return ElementTree.tostring(root, encoding="unicode")


def _style_to_attributes(element: ElementTree.Element) -> None:
    for declaration in element.attrib.pop("style", "").split(";"):
        name, _, value = declaration.partition(":")
        if name.strip():
            element.set(name.strip(), _STACK if name.strip() == "font-family" else value.strip())


def _set_apart(element: ElementTree.Element, chart_id: str) -> None:
    for name, value in element.attrib.items():
        if name == "id":
            element.set(name, f"{chart_id}-{value}")
        elif value.startswith("#") and name == f"{{{_XLINK}}}href":
            element.set(name, f"#{chart_id}-{value[1:]}")
        elif value.startswith("url(#"):
            element.set(name, f"url(#{chart_id}-{value[5:]}")


def chart_id(*parts: str) -> str:
    """Return an id for a chart from what it shows; it begins with a letter."""
    return "chart-" + b64url("-".join(parts).encode())
