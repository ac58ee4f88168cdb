"""How outputs and results show themselves: HTML that any notebook reader can show, and plain text.

Every byte is embedded. The browser may be far from the kernel, so no address of a sandbox ever stands in
the HTML, nor any address that is not public. Rendering raises nothing: an output that cannot be shown says
why, in its place.
"""

import ipaddress
import mimetypes
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from zooop_nb.results.html import (
    CHIPS,
    audio,
    caption,
    card,
    figure,
    grid,
    image,
    muted,
    paragraph,
    red_card,
    video,
)
from zooop_nb.results.mimebundle import MimeBundle, bundle
from zooop_nb.results.preview import (
    MEDIA_BYTES,
    PICTURE,
    SESSION,
    TILE,
    Bounds,
    EmbedBudget,
    Preview,
    data_uri,
    picture,
    poster,
)
from zooop_nb.results.values import Gallery, Output, Quoted, Result

_SOUNDS = frozenset(
    f"audio/{name}" for name in ("aac", "flac", "mp3", "mp4", "mpeg", "ogg", "wav", "wave", "webm", "x-wav")
)
_CLIPS = frozenset(f"video/{name}" for name in ("mp4", "ogg", "quicktime", "webm"))
_SVG = "image/svg+xml"

_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
_ADDRESS = re.compile(
    r"http://[^\s\"'<>]*"
    r"|(?:https://)?(?:127(?:\.\d{1,3}){3}|0\.0\.0\.0|\[::1?\])(?::\d+)?[^\s\"'<>]*"
    r"|https://localhost[^\s\"'<>]*|localhost:\d+[^\s\"'<>]*",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
"""The last label of a host that browsers read as an IPv4 address, however it is written."""
_ANY_ADDRESS = re.compile(r"https?://[^\s\"'<>]*", re.IGNORECASE)

_TEXT_LINES = 20
"""How many results of a gallery plain text lists."""


@bundle.register
def output_bundle(output: Output, *, allowance: EmbedBudget = SESSION) -> MimeBundle:
    """`text/html` and `text/plain` of one output. Where it came from is not known, so nothing is linked."""
    name = _name(output)
    frame = _Frame(mode=None, alt=name, recall="studio.result(task_id)", bounds=PICTURE, allowance=allowance)
    facts = _facts(output)
    return {
        "text/html": card(figure([_shown(output, frame)], caption(facts, None))),
        "text/plain": "\n".join([" · ".join([name, *facts]), *_paths((output,))]),
    }


@bundle.register
def result_bundle(result: Result, *, allowance: EmbedBudget = SESSION) -> MimeBundle:
    """`text/html` and `text/plain` of a result: what was made; model, credits and seconds beneath."""
    bounds = PICTURE if len(result.outputs) < 2 else TILE
    return {
        "text/html": _result_html(result, bounds, allowance),
        "text/plain": _result_text(result),
    }


@bundle.register
def gallery_bundle(gallery: Gallery, *, allowance: EmbedBudget = SESSION) -> MimeBundle:
    """`text/html` and `text/plain` of several results: a grid, with what varies between them named."""
    results = tuple(gallery)
    if len(results) == 1:
        return result_bundle(results[0], allowance=allowance)
    varied = _varied(results)
    cells = "".join(
        _result_html(each, TILE, allowance, said=_said(each, varied), fill=True) for each in results
    )
    return {
        "text/html": card(muted(_total(gallery)) + (grid(cells) if results else "")),
        "text/plain": _gallery_text(gallery, varied),
    }


@bundle.register
def quoted_bundle(quoted: Quoted) -> MimeBundle:
    """A quote: the one line."""
    return {"text/plain": quoted_line(quoted)}


def quoted_line(quoted: Quoted) -> str:
    """The one line of a quote."""
    key = quoted.breakdown.get("pricing_key")
    # A model with one price calls it "default", which tells nobody anything.
    key = None if key == "default" else key
    return summary_line(quoted.model, key, quoted.credits, quoted.eta, quoted.count)


def summary_line(
    model: str,
    pricing_key: str | None,
    credits: int | float | None,
    eta: float | None,
    count: int = 1,
    total: int | float | None = None,
) -> str:
    """The one line before submitting: `→ Kling V3 · 720p · 8 credits · ~18s`.

    `credits` are the quote's for one order and `eta` its seconds; `total` is what `count` of them cost
    together (left out: `count` times the one quote). API documentation: "Quote before submit".
    """
    several = count != 1
    if several and total is None and credits is not None:
        total = credits * count
    parts = [
        f"{count} × {clean(model)}" if several else clean(model),
        clean(pricing_key or ""),
        credits_text(total if several else credits),
        "ETA unknown" if eta is None else f"~{eta:.0f}s{' each' if several else ''}",
    ]
    return "→ " + " · ".join(part for part in parts if part)


def credits_text(value: int | float | None) -> str:
    """`4 credits`, `1 credit`, `50.5 credits`; `credits not named` where the server named none."""
    if value is None:
        return "credits not named"
    number = str(int(value)) if float(value).is_integer() else f"{value:.10g}"
    return f"{number} {'credit' if number == '1' else 'credits'}"


def seconds_text(value: float) -> str:
    """`3.4 s`, `12.3 s`; from a minute on whole seconds, `125 s`."""
    return f"{value:.0f} s" if value >= 60 else f"{value:.1f}".removesuffix(".0") + " s"


def clean(text: str, mode: str | None = None, limit: int | None = None) -> str:
    """Text on one line, without what cannot be seen and without addresses that must not be shown.

    Those are unencrypted ones and this machine's; from a sandbox any. `limit` is in characters.
    """
    text = " ".join(_UNSEEN.sub(" ", text).split())
    text = _ADDRESS.sub("(address)", text)
    if mode == "sandbox":
        text = _ANY_ADDRESS.sub("(address)", text)
    return text if limit is None or len(text) <= limit else text[: limit - 1].rstrip() + "…"


def public_url(url: str | None, mode: str | None) -> str | None:
    """The URL where a browser anywhere may load it: live, https, and no address of a private network."""
    if mode != "live" or not url or _UNSEEN.search(url):
        return None
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        port = parts.port
    except ValueError:
        return None
    if parts.scheme != "https" or parts.username or port == 0 or "." not in host:
        return None
    if host.endswith((".localhost", ".local", ".internal", ".lan")):
        return None
    if not _NUMBER.fullmatch(host.rpartition(".")[2]):
        return url
    try:
        return url if ipaddress.ip_address(host).is_global else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class _Frame:
    """What an output needs to be shown besides itself."""

    mode: str | None
    alt: str
    recall: str
    """What brings its file back."""
    bounds: Bounds
    allowance: EmbedBudget


def _result_html(
    result: Result, bounds: Bounds, allowance: EmbedBudget, *, said: Sequence[str] = (), fill: bool = False
) -> str:
    beneath = caption(_line(result), result.mode) + "".join(muted(escape(each)) for each in said)
    error = paragraph(_error(result))
    if result.status != "succeeded":
        message = f"<strong>{escape(_status(result))}</strong>{error}"
        box = red_card if result.status in {"failed", "cancelled", "refused", "unknown"} else card
        return box(message + beneath, fill=fill)
    frame = _Frame(result.mode, _alt(result), _recall(result), bounds, allowance)
    shown = [_shown(each, frame) for each in result.outputs] or [muted("It has no output.")]
    return card(figure(shown, beneath) + error, fill=fill)


def _shown(output: Output, frame: _Frame) -> str:
    """An output's HTML; where it cannot be shown, the reason in its place."""
    name = escape(_name(output))
    if output.path is None:
        return muted(f"{name} is not on this machine; {escape(frame.recall)} brings it.")
    try:
        return _embedded(output, output.path, frame)
    except FileNotFoundError:
        return muted(f"{name} is no longer on this machine; {escape(frame.recall)} brings it back.")
    except Exception as error:
        # Decoders raise almost anything on a damaged file, and a result must show itself all the same.
        why = clean(str(error) or type(error).__name__, "sandbox", 160)
        return muted(f"{name} cannot be shown ({escape(why)}); {escape(frame.recall)} brings it anew.")


def _embedded(output: Output, file: Path, frame: _Frame) -> str:
    content_type = _content_type(output, file)
    size = file.stat().st_size
    if size == 0:
        raise ValueError("the file is empty")
    if content_type in _SOUNDS:
        return _sound(file, content_type, size, frame)
    if content_type in _CLIPS:
        return _clip(output, file, content_type, size, frame)
    if content_type == _SVG:
        if _fits(size, frame):
            return image(data_uri(_SVG, file.read_bytes()), frame.alt)
        return _left_out(file, size)
    if content_type.startswith("image/"):
        return _picture(picture(file, frame.bounds, frame.allowance), frame)
    kind = clean(content_type, limit=80) or "this kind of file"
    return muted(f"There is no preview of {escape(kind)}: {_where(file)}")


def _fits(size: int, frame: _Frame) -> bool:
    return size <= MEDIA_BYTES and frame.allowance.take(size)


def _picture(preview: Preview, frame: _Frame) -> str:
    return image(preview.uri, frame.alt, preview.width, alpha=preview.alpha)


def _sound(file: Path, content_type: str, size: int, frame: _Frame) -> str:
    if not _fits(size, frame):
        return _left_out(file, size)
    return audio(data_uri(content_type, file.read_bytes()), frame.alt)


def _clip(output: Output, file: Path, content_type: str, size: int, frame: _Frame) -> str:
    if _fits(size, frame):
        return video(data_uri(content_type, file.read_bytes()), frame.alt)
    still = poster(file, frame.bounds, frame.allowance)
    address = public_url(output.url, frame.mode)
    if address is None:
        return (_picture(still, frame) if still else "") + _left_out(file, size)
    cover = still.uri if still else public_url(output.thumbnail_url, frame.mode)
    return video(address, frame.alt, cover=cover, preload="none")


def _left_out(file: Path, size: int) -> str:
    return muted(f"Too much for the notebook ({_size(size)}): {_where(file)}")


def _where(file: Path) -> str:
    return escape(clean(str(file)))


def _line(result: Result) -> list[str]:
    parts = [
        clean(result.model or result.category or "order", result.mode, 80),
        clean(result.version or "", result.mode, 80),
        credits_text(result.credits),
        "" if result.seconds is None else seconds_text(result.seconds),
    ]
    return [part for part in parts if part]


def _status(result: Result) -> str:
    known = {
        "failed": "Failed",
        "cancelled": "Cancelled",
        "queued": "Queued",
        "running": "Running",
        "unknown": "It is not known whether this order arrived",
    }
    return known.get(result.status) or clean(result.status, result.mode, 80)


def _error(result: Result) -> str:
    return clean(result.error or "", result.mode, 400)


def _alt(result: Result) -> str:
    said = clean(result.prompt or "", result.mode, 160)
    return said or f"made by {clean(result.model or 'ZOOOP', result.mode, 80)}"


def _recall(result: Result) -> str:
    return f'studio.result("{clean(result.task_id or result.order_id, result.mode, 80)}")'


def _name(output: Output) -> str:
    if output.path is not None:
        return clean(output.path.name, limit=80) or "output"
    return clean(output.content_type or "", limit=80) or "output"


def _facts(output: Output) -> list[str]:
    facts = [
        clean(output.content_type or "", limit=80),
        f"{output.width}×{output.height}" if output.width and output.height else "",
        "" if output.duration is None else seconds_text(output.duration),
        "" if output.size is None else _size(output.size),
    ]
    return [fact for fact in facts if fact]


def _content_type(output: Output, file: Path) -> str:
    said = output.content_type or mimetypes.guess_type(file.name)[0] or ""
    return said.partition(";")[0].strip().lower()


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{max(size, 1) / 1e3:.1f} kB"


def _varied(results: Sequence[Result]) -> list[str]:
    """The params whose values differ between results and can be said in a few words."""
    names = dict.fromkeys(name for each in results for name in each.params)
    return [
        name
        for name in names
        if len({repr(each.params.get(name)) for each in results}) > 1
        and all(isinstance(each.params.get(name), str | int | float | None) for each in results)
    ]


def _said(result: Result, varied: Sequence[str]) -> list[str]:
    """What this result has of the params that vary; the prompt goes without its name."""
    lines = []
    for name in varied:
        value = result.params.get(name)
        if value is not None:
            text = clean(str(value), result.mode, 80)
            is_prompt = result.prompt is not None and value == result.prompt
            lines.append(text if is_prompt else f"{clean(name, limit=40)}: {text}")
    return lines


def _total(gallery: Gallery) -> str:
    """The line above a gallery: how many, what they cost, how many did not succeed."""
    if not len(gallery):
        return "0 results"
    unnamed = sum(each.credits is None for each in gallery)
    parts = [
        f"{len(gallery)} results",
        credits_text(gallery.credits),
        f"{unnamed} without a figure" if unnamed and gallery.credits is not None else "",
        f"{len(gallery.failed)} did not succeed" if gallery.failed else "",
    ]
    return " · ".join(part for part in parts if part)


def _result_text(result: Result) -> str:
    parts = _line(result)
    if result.status != "succeeded":
        parts.insert(-1 if result.seconds is None else -2, _status(result).lower())
    if result.mode in CHIPS:
        parts.append(result.mode)
    return "\n".join([" · ".join(parts), *filter(None, [_error(result)]), *_paths(result.outputs)])


def _gallery_text(gallery: Gallery, varied: Sequence[str]) -> str:
    lines = [_total(gallery)]
    for number, each in enumerate(gallery.results[:_TEXT_LINES], 1):
        first, *rest = _result_text(each).split("\n")
        lines.append(f"{number:>3}  {first}")
        lines.extend(f"     {line}" for line in [*_said(each, varied), *rest])
    if len(gallery) > _TEXT_LINES:
        lines.append(f"     … and {len(gallery) - _TEXT_LINES} more: .frame() lists them all")
    return "\n".join(lines)


def _paths(outputs: Sequence[Output]) -> list[str]:
    return [_UNSEEN.sub(" ", str(each.path)) if each.path else "not on this machine" for each in outputs]
