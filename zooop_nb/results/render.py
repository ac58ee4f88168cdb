"""How results display themselves: HTML that any notebook reader can show, and plain text.

Every byte is embedded. The browser may be far from the kernel, so the HTML never holds an address of a
sandbox, nor any that is not public. Rendering never raises: an output that cannot be shown says why.
"""

import mimetypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Final

from zooop_nb.contract.credits import credits_text
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
from zooop_nb.results.mimebundle import MimeBundle
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
from zooop_nb.results.text import UNSEEN, clean, public_url, seconds_text, size_text, summary_line
from zooop_nb.results.values import ASPECTS, Described, Gallery, Output, Quoted, Result, Upload

_SOUNDS = frozenset(
    f"audio/{name}" for name in ("aac", "flac", "mp3", "mp4", "mpeg", "ogg", "wav", "wave", "webm", "x-wav")
)
_CLIPS = frozenset(f"video/{name}" for name in ("mp4", "ogg", "quicktime", "webm"))
_SVG = "image/svg+xml"

_TEXT_LINES = 20
"""How many results of a gallery plain text lists."""


def output_bundle(output: Output, *, budget: EmbedBudget = SESSION) -> MimeBundle:
    """`text/html` and `text/plain` of one output. Where it came from is not known, so nothing is linked."""
    name = _name(output)
    frame = _Frame(mode=None, alt=name, recall="studio.result(task_id)", bounds=PICTURE, budget=budget)
    facts = _facts(output)
    return {
        "text/html": card(figure([_shown(output, frame)], caption(facts, None))),
        "text/plain": "\n".join([" · ".join([name, *facts]), *_paths((output,))]),
    }


def result_bundle(result: Result, *, budget: EmbedBudget = SESSION) -> MimeBundle:
    """`text/html` and `text/plain` of a result: what was made; model, credits and seconds beneath."""
    bounds = PICTURE if len(result.outputs) < 2 else TILE
    return {
        "text/html": _result_html(result, bounds, budget),
        "text/plain": _result_text(result),
    }


def gallery_bundle(gallery: Gallery, *, budget: EmbedBudget = SESSION) -> MimeBundle:
    """`text/html` and `text/plain` of several results: a grid, with what varies between them named."""
    results = tuple(gallery)
    if len(results) == 1:
        return result_bundle(results[0], budget=budget)
    varied = _varied(results)
    cells = "".join(_result_html(each, TILE, budget, said=_said(each, varied), fill=True) for each in results)
    return {
        "text/html": card(muted(_total(gallery)) + (grid(cells) if results else "")),
        "text/plain": _gallery_text(gallery, varied),
    }


def quoted_bundle(quoted: Quoted) -> MimeBundle:
    """Return a quote as its one line."""
    return {"text/plain": quoted_line(quoted)}


def upload_bundle(upload: Upload) -> MimeBundle:
    """Return an upload as one line: its type, size and URL."""
    facts = [upload.content_type or "", f"{upload.size:,} bytes" if upload.size is not None else ""]
    # A sandbox's address means nothing once it has ended, and must not be kept in a notebook.
    where = "on the sandbox; its URL is in .url" if upload.mode == "sandbox" else upload.url
    return {"text/plain": " · ".join(filter(None, ("uploaded", *facts, where)))}


def described_bundle(described: Described) -> MimeBundle:
    """Return a description: a line for each aspect, the whole paragraph, and what it cost."""
    said = {name: getattr(described, name) for name in ASPECTS if getattr(described, name)}
    lines = [f"{name.capitalize()}: {text}" for name, text in said.items()]
    lines.append(described.overall_description)
    cost = credits_text(described.credits)
    mark = [cost] if described.mode == "live" else [cost, described.mode]
    html = "".join(map(paragraph, lines)) + caption([cost], described.mode)
    return {"text/plain": "\n".join((*lines, " · ".join(mark))), "text/html": card(html)}


def quoted_line(quoted: Quoted) -> str:
    """Return the one line of a quote."""
    key = quoted.breakdown.get("pricing_key")
    # A model with a single price calls it "default", which is no information.
    key = None if key == "default" else key
    return summary_line(quoted.model, key, quoted.credits, quoted.eta, quoted.count)


@dataclass(frozen=True, slots=True)
class _Frame:
    """What an output needs to be shown besides itself."""

    mode: str | None
    alt: str
    recall: str
    """What brings its file back."""
    bounds: Bounds
    budget: EmbedBudget


def _result_html(
    result: Result, bounds: Bounds, budget: EmbedBudget, *, said: Sequence[str] = (), fill: bool = False
) -> str:
    beneath = caption(_line(result), result.mode) + "".join(muted(escape(each)) for each in said)
    error = paragraph(_error(result))
    if result.status != "succeeded":
        message = f"<strong>{escape(_status(result))}</strong>{error}"
        box = red_card if result.status in {"failed", "cancelled", "refused", "unknown"} else card
        return box(message + beneath, fill=fill)
    frame = _Frame(result.mode, _alt(result), _recall(result), bounds, budget)
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
        return _picture(picture(file, frame.bounds, frame.budget), frame)
    kind = clean(content_type, limit=80) or "this kind of file"
    return muted(f"There is no preview of {escape(kind)}: {_where(file)}")


def _fits(size: int, frame: _Frame) -> bool:
    return size <= MEDIA_BYTES and frame.budget.take(size)


def _picture(preview: Preview, frame: _Frame) -> str:
    return image(preview.uri, frame.alt, preview.width, alpha=preview.alpha)


def _sound(file: Path, content_type: str, size: int, frame: _Frame) -> str:
    if not _fits(size, frame):
        return _left_out(file, size)
    return audio(data_uri(content_type, file.read_bytes()), frame.alt)


def _clip(output: Output, file: Path, content_type: str, size: int, frame: _Frame) -> str:
    if _fits(size, frame):
        return video(data_uri(content_type, file.read_bytes()), frame.alt)
    still = poster(file, frame.bounds, frame.budget)
    address = public_url(output.url, frame.mode)
    if address is None:
        return (_picture(still, frame) if still else "") + _left_out(file, size)
    cover = still.uri if still else public_url(output.thumbnail_url, frame.mode)
    return video(address, frame.alt, cover=cover, preload="none")


def _left_out(file: Path, size: int) -> str:
    return muted(f"Too much for the notebook ({size_text(size)}): {_where(file)}")


def _where(file: Path) -> str:
    return escape(clean(str(file)))


def _line(result: Result) -> list[str]:
    parts = [
        clean(result.model or result.category or "order", result.mode, 80),
        clean(result.version or "", result.mode, 80),
        "costs nothing" if result.unpaid else credits_text(result.credits),
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
        "withdrawn": "Not sent",
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
        "" if output.size is None else size_text(output.size),
    ]
    return [fact for fact in facts if fact]


def _content_type(output: Output, file: Path) -> str:
    said = output.content_type or mimetypes.guess_type(file.name)[0] or ""
    return said.partition(";")[0].strip().lower()


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
            # Cleaned once more: a name and a value can make an address together.
            lines.append(text if is_prompt else clean(f"{clean(name, limit=40)}: {text}", result.mode))
    return lines


def _total(gallery: Gallery) -> str:
    """The line above a gallery: how many, what they cost, how many did not succeed."""
    if not len(gallery):
        return "0 results"
    unnamed = sum(each.credits is None and not each.unpaid for each in gallery)
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
    return [UNSEEN.sub(" ", str(each.path)) if each.path else "not on this machine" for each in outputs]


RENDERERS: Final[Mapping[type, Callable[[Any], MimeBundle]]] = {
    Output: output_bundle,
    Result: result_bundle,
    Gallery: gallery_bundle,
    Quoted: quoted_bundle,
    Upload: upload_bundle,
    Described: described_bundle,
}
"""What renders each kind of value."""
