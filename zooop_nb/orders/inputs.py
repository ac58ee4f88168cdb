"""What is handed over for a media param: found, checked, named by its content, uploaded once.

A path, bytes, a picture object, an earlier output or result, a foreign URL, or a ZOOOP URL.
"""

import asyncio
import hashlib
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from zooop_nb.contract.backend import Backend
from zooop_nb.errors import Action, BadMedia, remedy
from zooop_nb.ledger import Ledger
from zooop_nb.orders.binding import BoundParams, MediaArgument
from zooop_nb.orders.order import Media
from zooop_nb.results.values import Gallery, Output, Result, Upload

# What the library calls otherwise than the API's list of allowed types.
_SAME: Final = {
    "audio/wave": "audio/wav",
    "audio/x-wav": "audio/wav",
    "audio/mp3": "audio/mpeg",
    "application/ogg": "audio/ogg",
    "video/x-m4v": "video/mp4",
}
_PICTURES_IN_WEBM: Final = (b"V_VP8", b"V_VP9", b"V_AV1")


@dataclass(frozen=True)
class MediaStore:
    """Where media is looked up and kept: the backend, the ledger that knows earlier uploads, and a folder."""

    backend: Backend
    ledger: Ledger
    folder: Path


async def identify(filled: BoundParams, shelf: MediaStore) -> dict[str, Any]:
    """All params, with each media value as `Media` (or a list of them), named but not uploaded yet.

    Raises `BadMedia` for a file that is missing, empty or of another kind than the param takes.
    """
    params = dict(filled.params)
    for name, wanted in filled.media.items():
        spread = [each for value in wanted.values for each in _spread(value)]
        wanted.check_count(name, len(spread))
        found = [await _identify(each, wanted.kind, name, shelf) for each in spread]
        if not found:
            raise BadMedia(f"{name} was given a result without outputs.", value=name)
        if len(found) > 1 and not wanted.several:
            raise BadMedia(f"{name} takes one {wanted.kind}; the result holds {len(found)}.", value=name)
        params[name] = found if wanted.several else found[0]
    return params


async def upload(params: dict[str, Any], shelf: MediaStore) -> dict[str, Any]:
    """The params with a ZOOOP URL for each media value; what this token uploaded before is used again."""
    ready: dict[str, Any] = {}
    for name, value in params.items():
        if isinstance(value, Media):
            ready[name] = await _upload(value, shelf)
        elif isinstance(value, list) and value and isinstance(value[0], Media):
            ready[name] = [await _upload(each, shelf) for each in value]
        else:
            ready[name] = value
    return ready


async def upload_value(value: object, kind: str, param: str, shelf: MediaStore) -> Media:
    """One value that is no param of a model, with its ZOOOP URL; `kind` is `image` or `any`.

    Raises `BadMedia` as `identify` does.
    """
    filled = BoundParams({}, {param: MediaArgument(kind, several=False, values=(value,))})
    named: Media = (await identify(filled, shelf))[param]
    return await _upload(named, shelf)


def is_zooop(url: str, host: str) -> bool:
    """Whether a URL is the API's own, which it takes as it is: ZOOOP's storage, or the host in force."""
    try:
        netloc = urlsplit(url).netloc.lower()
    except ValueError:
        return False
    return netloc == urlsplit(host).netloc.lower() or netloc == "zooop.ai" or netloc.endswith(".zooop.ai")


def content_type_of(data: bytes, name: str) -> str:
    """The content type that the first bytes tell. Raises `BadMedia` where they tell none."""
    # Late: only who hands over media needs it.
    import puremagic

    if not data:
        raise BadMedia(f"{name} is empty.", value=name, remedies=[remedy(Action.CHECK_FILE)])
    try:
        found = puremagic.from_string(data, mime=True)
    except (puremagic.PureError, ValueError):
        found = ""
    if not found:
        raise BadMedia(
            f"{name} is no picture, sound or clip that can be recognised.",
            value=name,
            remedies=[remedy(Action.CHECK_FILE)],
        )
    if found == "video/webm" and not any(codec in data for codec in _PICTURES_IN_WEBM):
        # The file's own list of tracks tells: sound alone.
        return "audio/webm"
    return _SAME.get(found, found)


def _spread(value: object) -> Iterable[object]:
    """A result stands for its outputs."""
    if isinstance(value, Gallery):
        return [output for result in value for output in result.outputs]
    return value.outputs if isinstance(value, Result) else (value,)


async def _identify(value: object, kind: str, param: str, shelf: MediaStore) -> Media:
    if isinstance(value, Output):
        return await _from_output(value, kind, param, shelf)
    if isinstance(value, Upload):
        _check_kind(value.content_type, kind, param, value.url)
        value = value.url
    if isinstance(value, str) and value.lower().startswith(("http://", "https://")):
        if is_zooop(value, shelf.backend.host):
            return Media(shelf.ledger.content_of(value), None, url=value, label=value.rsplit("/", 1)[-1])
        name = hashlib.sha256(value.encode()).hexdigest()[:24]
        fetched = await shelf.backend.fetch(value, shelf.folder / "foreign", name)
        return await asyncio.to_thread(_from_file, fetched.path, kind, param, urlsplit(value).path or value)
    if isinstance(value, str | os.PathLike):
        path = Path(value).expanduser()
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            raise BadMedia(f"{param}: {path} {what}.", value=str(path), remedies=[remedy(Action.CHECK_FILE)])
        return await asyncio.to_thread(_from_file, path, kind, param, path.name)
    data = await asyncio.to_thread(_bytes_of, value, param)
    return await asyncio.to_thread(_from_bytes, data, kind, param, shelf.folder)


async def _from_output(output: Output, kind: str, param: str, shelf: MediaStore) -> Media:
    """An earlier output: its own URL where this host made it, else its file, uploaded again."""
    label = output.path.name if output.path else output.url.rsplit("/", 1)[-1]
    here = urlsplit(output.url).netloc == urlsplit(shelf.backend.host).netloc
    live = shelf.backend.mode == "live" and is_zooop(output.url, shelf.backend.host)
    if here or live:
        _check_kind(output.content_type, kind, param, label)
        return Media(output.sha256, output.content_type, url=output.url, label=label)
    if output.path is None or not output.path.is_file():
        raise BadMedia(f"{param}: the file of the earlier output {label} is gone.", value=label)
    return await asyncio.to_thread(_from_file, output.path, kind, param, label)


def _from_file(path: Path, kind: str, param: str, label: str) -> Media:
    # Late: only who hands over a file needs it, and that file goes up by the client.
    from zooop_nb.client.files import check_upload

    with path.open("rb") as file:
        content_type = content_type_of(file.read(1 << 16), f"{param}: {label}")
        _check_kind(content_type, kind, param, label)
        # Of all files, before the first is sent; and before minutes go into reading a large one.
        check_upload(f"{param}: {label}", path.stat().st_size, _typed(content_type, kind))
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if content_type.startswith("image/"):
        _check_picture(path, param, label)
    return Media(digest, _typed(content_type, kind), path=path, label=label)


def _from_bytes(data: bytes, kind: str, param: str, folder: Path) -> Media:
    """Bytes are kept as a file under the name of their content, so that the intent can be sent again."""
    content_type_of(data, param)
    folder = folder / "handed"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(data).hexdigest()
    partial = path.with_suffix(f".{os.getpid()}.part")
    partial.write_bytes(data)
    partial.replace(path)
    return _from_file(path, kind, param, kind if kind != "any" else "bytes")


def _bytes_of(value: object, param: str) -> bytes:
    """The bytes of what people hold in a notebook: bytes, a PIL picture, an array, a figure, a display."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    held = getattr(value, "data", None)
    if isinstance(held, bytes) and hasattr(value, "_repr_mimebundle_"):
        return held
    if callable(getattr(value, "savefig", None)):
        buffer = io.BytesIO()
        value.savefig(buffer, format="png", bbox_inches="tight")  # type: ignore[attr-defined]
        return buffer.getvalue()
    picture = _picture_of(value)
    if picture is not None:
        buffer = io.BytesIO()
        mode = picture.mode if picture.mode in {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"} else "RGB"
        (picture if mode == picture.mode else picture.convert(mode)).save(buffer, "PNG")
        return buffer.getvalue()
    raise BadMedia(
        f"{param} cannot take a {type(value).__name__}. It takes a path, a URL, bytes, a picture, an array, "
        "a figure or an earlier result.",
        value=type(value).__name__,
    )


def _picture_of(value: object) -> Any:
    from PIL import Image

    if isinstance(value, Image.Image):
        return value
    if not hasattr(value, "__array_interface__"):
        return None
    array: Any = value
    if array.dtype.kind == "f":
        # Matplotlib's convention: floats are 0 to 1.
        array = (array.clip(0, 1) * 255).round().astype("uint8")
    elif array.dtype.kind == "b":
        array = array.astype("uint8") * 255
    try:
        return Image.fromarray(array)
    except (TypeError, ValueError) as error:
        raise BadMedia(
            f"An array of shape {array.shape} and type {array.dtype} is no picture.", value=str(array.shape)
        ) from error


def _check_kind(content_type: str | None, kind: str, param: str, label: str) -> None:
    if content_type is None or kind == "any":
        return
    if not _typed(content_type, kind).startswith(f"{kind}/"):
        raise BadMedia(
            f"{param} takes {'an' if kind[0] in 'ai' else 'a'} {kind}; {label} is {content_type}.",
            value=label,
        )


def _check_picture(path: Path, param: str, label: str) -> None:
    from PIL import Image

    try:
        with Image.open(path) as picture:
            picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadMedia(
            f"{param}: {label} is no picture that can be read ({error}).",
            value=label,
            remedies=[remedy(Action.CHECK_FILE)],
        ) from error


def _typed(content_type: str, kind: str) -> str:
    """WebM and Ogg hold sound as well as pictures; the param says which is meant."""
    if kind in {"audio", "video"} and content_type in {"video/webm", "audio/webm", "audio/ogg", "video/ogg"}:
        return f"{kind}/{content_type.partition('/')[2]}"
    return content_type


async def _upload(media: Media, shelf: MediaStore) -> Media:
    if media.url is not None:
        return media
    backend, ledger = shelf.backend, shelf.ledger
    assert media.path is not None
    assert media.sha256 is not None
    assert media.content_type is not None
    url = ledger.upload_url(backend.token, backend.host, media.sha256)
    if url is None:
        url = await backend.upload(media.path, media.content_type)
        size = media.path.stat().st_size
        ledger.keep_upload(backend.token, backend.host, media.sha256, url, media.content_type, size)
    return replace(media, url=url)
