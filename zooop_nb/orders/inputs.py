"""Media in: what the caller gives for a media param is found, checked, hashed and uploaded once.

Accepted are a path, bytes, a picture object, an array, a figure, an earlier result, output or upload, a
foreign URL, or a ZOOOP URL.
"""

import asyncio
import hashlib
import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from zooop_nb.contract.backend import Backend
from zooop_nb.contract.limits import upload_problem
from zooop_nb.contract.media import KnownMedia
from zooop_nb.errors import Action, BadMedia, remedy
from zooop_nb.ledger import Ledger
from zooop_nb.orders.binding import BoundParams, MediaArgument
from zooop_nb.orders.order import Media

# Types that the library names otherwise than the API does.
_ALIASES: Final = {
    "audio/wave": "audio/wav",
    "audio/x-wav": "audio/wav",
    "audio/mp3": "audio/mpeg",
    "application/ogg": "audio/ogg",
    "video/x-m4v": "video/mp4",
}
_VIDEO_CODECS_IN_WEBM: Final = (b"V_VP8", b"V_VP9", b"V_AV1")


@dataclass(frozen=True)
class MediaStore:
    """Where media is looked up and kept: the backend, the ledger with its earlier uploads, and a folder."""

    backend: Backend
    ledger: Ledger
    folder: Path


async def identify(bound: BoundParams, store: MediaStore) -> dict[str, Any]:
    """Return all params, with each media value as `Media` (or a list of them), hashed but not uploaded yet.

    Raises `BadMedia` for a file that is missing, empty or of another kind than the param takes.
    """
    params = dict(bound.params)
    for name, argument in bound.media.items():
        values = [each for value in argument.values for each in _spread(value)]
        argument.check_count(name, len(values))
        found = [await _identify(each, argument.kind, name, store) for each in values]
        if not found:
            raise BadMedia(f"{name} was given a result without outputs.", value=name)
        if len(found) > 1 and not argument.several:
            raise BadMedia(f"{name} takes one {argument.kind}; the result holds {len(found)}.", value=name)
        params[name] = found if argument.several else found[0]
    return params


async def upload(params: dict[str, Any], store: MediaStore) -> dict[str, Any]:
    """Return the params with a ZOOOP URL for each media value; earlier uploads of this token are reused."""
    ready: dict[str, Any] = {}
    for name, value in params.items():
        if isinstance(value, Media):
            ready[name] = await _upload(value, store)
        elif isinstance(value, list) and value and isinstance(value[0], Media):
            ready[name] = [await _upload(each, store) for each in value]
        else:
            ready[name] = value
    return ready


async def upload_value(value: object, store: MediaStore) -> Media:
    """Return one value that is not a param of a model with its ZOOOP URL. Raises as `identify` does."""
    bound = BoundParams({}, {"upload": MediaArgument("any", several=False, values=(value,))})
    media: Media = (await identify(bound, store))["upload"]
    return await _upload(media, store)


def is_zooop(url: str, host: str) -> bool:
    """Return whether the API takes a URL as it is: one of ZOOOP's storage, or of the host in force."""
    try:
        netloc = urlsplit(url).netloc.lower()
    except ValueError:
        return False
    return netloc == urlsplit(host).netloc.lower() or netloc == "zooop.ai" or netloc.endswith(".zooop.ai")


def content_type_of(data: bytes, name: str) -> str:
    """Return the content type of a file by its first bytes. Raises `BadMedia` if it is not recognised."""
    # Late: only needed for media.
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
    if found == "video/webm" and not any(codec in data for codec in _VIDEO_CODECS_IN_WEBM):
        # The file's track list holds sound alone.
        return "audio/webm"
    return _ALIASES.get(found, found)


def _spread(value: object) -> Sequence[object]:
    """Return the media of a `MediaSource`, such as a gallery; any other value stands for itself."""
    # On the type: a proxy or mock object answers to every attribute of its own.
    media: Callable[[object], Sequence[KnownMedia]] | None = getattr(type(value), "_zooop_media_", None)
    return (value,) if media is None else media(value)


async def _identify(value: object, kind: str, param: str, store: MediaStore) -> Media:
    if isinstance(value, KnownMedia) and not value.from_upload:
        return await _from_output(value, kind, param, store)
    if isinstance(value, KnownMedia):
        _check_kind(value.content_type, kind, param, value.url)
        value = value.url
    if isinstance(value, str) and value.lower().startswith(("http://", "https://")):
        if is_zooop(value, store.backend.host):
            return Media(store.ledger.content_of(value), None, url=value, label=value.rsplit("/", 1)[-1])
        name = hashlib.sha256(value.encode()).hexdigest()[:24]
        fetched = await store.backend.fetch(value, store.folder / "foreign", name)
        return await asyncio.to_thread(_from_file, fetched.path, kind, param, urlsplit(value).path or value)
    if isinstance(value, str | os.PathLike):
        path = Path(value).expanduser()
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            raise BadMedia(f"{param}: {path} {what}.", value=str(path), remedies=[remedy(Action.CHECK_FILE)])
        return await asyncio.to_thread(_from_file, path, kind, param, path.name)
    data = await asyncio.to_thread(_bytes_of, value, param)
    return await asyncio.to_thread(_from_bytes, data, kind, param, store.folder)


async def _from_output(output: KnownMedia, kind: str, param: str, store: MediaStore) -> Media:
    """Use an earlier output by its URL if this host made it, else upload its file again."""
    label = output.path.name if output.path else output.url.rsplit("/", 1)[-1]
    here = urlsplit(output.url).netloc == urlsplit(store.backend.host).netloc
    live = store.backend.mode == "live" and is_zooop(output.url, store.backend.host)
    if here or live:
        _check_kind(output.content_type, kind, param, label)
        return Media(output.sha256, output.content_type, url=output.url, label=label)
    if output.path is None or not output.path.is_file():
        raise BadMedia(f"{param}: the file of the earlier output {label} is gone.", value=label)
    return await asyncio.to_thread(_from_file, output.path, kind, param, label)


def _from_file(path: Path, kind: str, param: str, label: str) -> Media:
    with path.open("rb") as file:
        content_type = content_type_of(file.read(1 << 16), f"{param}: {label}")
        _check_kind(content_type, kind, param, label)
        # Checked for all files before the first is uploaded, and before a large one is read whole.
        if problem := upload_problem(path.stat().st_size, _typed(content_type, kind)):
            name = f"{param}: {label}"
            raise BadMedia(f"{name} {problem}", value=name, remedies=[remedy(Action.CHECK_FILE)])
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if content_type.startswith("image/"):
        _check_picture(path, param, label)
    return Media(digest, _typed(content_type, kind), path=path, label=label)


def _from_bytes(data: bytes, kind: str, param: str, folder: Path) -> Media:
    """Keep bytes as a file named by their content, so that the upload can be repeated."""
    content_type_of(data, param)
    folder = folder / "handed"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(data).hexdigest()
    partial = path.with_suffix(f".{os.getpid()}.part")
    partial.write_bytes(data)
    partial.replace(path)
    return _from_file(path, kind, param, kind if kind != "any" else "bytes")


def _bytes_of(value: object, param: str) -> bytes:
    """Return the bytes of an object from a notebook: bytes, a PIL image, an array, a figure, a display."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    # On the type, but for `data`: a proxy or mock object answers to every attribute of its own.
    held = vars(value).get("data") if hasattr(type(value), "_repr_mimebundle_") else None
    if isinstance(held, bytes):
        return held
    if callable(getattr(type(value), "savefig", None)):
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
    if not hasattr(type(value), "__array_interface__"):
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
    """Return the type as the param means it: WebM and Ogg hold sound as well as video."""
    if kind in {"audio", "video"} and content_type in {"video/webm", "audio/webm", "audio/ogg", "video/ogg"}:
        return f"{kind}/{content_type.partition('/')[2]}"
    return content_type


async def _upload(media: Media, store: MediaStore) -> Media:
    if media.url is not None:
        return media
    backend, ledger = store.backend, store.ledger
    assert media.path is not None
    assert media.sha256 is not None
    assert media.content_type is not None
    url = ledger.upload_url(backend.token, backend.host, media.sha256)
    if url is None:
        url = await backend.upload(media.path, media.content_type)
        size = media.path.stat().st_size
        ledger.record_upload(backend.token, backend.host, media.sha256, url, media.content_type, size)
    return replace(media, url=url)
