"""The HTML elements that everything shown is built from.

They are self-contained in any notebook reader: inline styles, their own text and background colours (legible
on light and dark pages), no scripts and no style sheets. `inner`, `cells`, `shown` and `beneath` are HTML
already; everything else is text and is escaped here.
"""

from collections.abc import Sequence
from html import escape
from typing import Final

TEXT: Final = "#1f2328"
MUTED: Final = "#57606a"
CARD: Final = "#f6f8fa"
LINE: Final = "#d0d7de"
ACCENT: Final = "#5b4bd6"
RED_TEXT: Final = "#82071e"
RED_CARD: Final = "#fff0ee"
RED_LINE: Final = "#f0b4ae"
AMBER_TEXT: Final = "#4d3800"
AMBER_CARD: Final = "#fff3c4"
BLUE_TEXT: Final = "#2b2f77"
BLUE_CARD: Final = "#e6e9ff"

SINGLE_WIDTH: Final = 512
"""The largest width of a single picture, in CSS pixels: half its preview's, so that it is sharp."""

CHIPS: Final = {"sandbox": (AMBER_TEXT, AMBER_CARD), "replay": (BLUE_TEXT, BLUE_CARD)}
"""The modes that are marked, with their text and background colours."""

_FONT = "font:13px/1.45 system-ui,-apple-system,'Segoe UI',sans-serif"
_BOX = "box-sizing:border-box;border-radius:8px;padding:8px 10px;overflow-wrap:anywhere"
_CHECKERBOARD = (
    "background-color:#fff;background-image:repeating-conic-gradient(#dcdcdc 0 25%,#fff 0 50%);"
    "background-size:16px 16px"
)


def card(inner: str, *, text: str = TEXT, ground: str = CARD, line: str = LINE, fill: bool = False) -> str:
    """Put HTML in a box with its own colours, as wide as its content or, with `fill`, as its container."""
    width = "" if fill else "width:fit-content;"
    style = f"{_FONT};{_BOX};{width}max-width:100%;color:{text};background:{ground};border:1px solid {line}"
    return f'<div style="{style}">{inner}</div>'


def red_card(inner: str, *, fill: bool = False) -> str:
    """Put HTML in the box of a failure."""
    return card(inner, text=RED_TEXT, ground=RED_CARD, line=RED_LINE, fill=fill)


def image(source: str, alt: str, width: int = SINGLE_WIDTH, *, alpha: bool = True) -> str:
    """Return a picture, at most `SINGLE_WIDTH` wide; one with alpha has a checkerboard behind it."""
    ground = f";{_CHECKERBOARD}" if alpha else ""
    style = f"display:block;margin:0 auto;max-width:100%;height:auto;border-radius:6px{ground}"
    width = min(width, SINGLE_WIDTH)
    return f'<img src="{escape(source)}" {_named(alt, "alt")} width="{width}" style="{style}">'


def audio(source: str, alt: str) -> str:
    """Return a player for a sound."""
    return (
        f'<audio controls preload="metadata" src="{escape(source)}" {_named(alt, "aria-label")} '
        'style="display:block;width:360px;max-width:100%"></audio>'
    )


def video(source: str, alt: str, *, cover: str | None = None, preload: str = "metadata") -> str:
    """Return a player for a clip; `cover` is the picture that it shows before it plays."""
    attribute = f'poster="{escape(cover)}" ' if cover else ""
    style = f"display:block;width:{SINGLE_WIDTH}px;max-width:100%;border-radius:6px"
    return (
        f'<video controls preload="{preload}" src="{escape(source)}" {attribute}'
        f'{_named(alt, "aria-label")} style="{style}"></video>'
    )


def figure(shown: Sequence[str], beneath: str) -> str:
    """Put elements side by side, with a caption beneath."""
    inner = shown[0] if len(shown) == 1 else grid("".join(f"<div>{each}</div>" for each in shown))
    return (
        f'<figure style="margin:0">{inner}<figcaption style="margin-top:6px">{beneath}</figcaption></figure>'
    )


def grid(cells: str) -> str:
    """Put cells side by side, as many in a row as fit."""
    style = (
        "display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,220px),1fr));gap:10px;"
        "align-items:start;width:900px;max-width:100%"
    )
    return f'<div style="{style}">{cells}</div>'


def caption(parts: Sequence[str], mode: str | None) -> str:
    """Return a line of facts, with a mark if the mode is not live."""
    text = escape(" · ".join(parts))
    if mode not in CHIPS:
        return f"<div>{text}</div>"
    colour, ground = CHIPS[mode]
    style = f"color:{colour};background:{ground};border-radius:9px;padding:1px 8px;white-space:nowrap"
    return f'<div>{text} <span style="{style}">{mode}</span></div>'


def muted(inner: str) -> str:
    """Put HTML in a muted line."""
    return f'<div style="color:{MUTED};margin:2px 0">{inner}</div>'


def paragraph(text: str) -> str:
    """Return a line of text; empty text gives nothing."""
    return f'<div style="margin:2px 0">{escape(text)}</div>' if text else ""


def _named(text: str, attribute: str) -> str:
    text = escape(text)
    return f'{attribute}="{text}" title="{text}"'
