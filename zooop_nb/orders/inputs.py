"""Media in: what the caller gives for a media param is found, checked, hashed and uploaded once.

Accepted are a path, bytes, a picture object, an array, a figure, an earlier result, output or upload, a
foreign URL, or a ZOOOP URL.
"""

import asyncio
import hashlib
import io
import os
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from zooop_nb.contract.backend import Backend
from zooop_nb.contract.limits import upload_problem
from zooop_nb.contract.media import KnownMedia
from zooop_nb.errors import Action, BadMedia, ZooopError, remedy
from zooop_nb.ledger import Ledger
from zooop_nb.orders.binding import BoundParams, MediaArgument
from zooop_nb.orders.contents import FileContents
from zooop_nb.orders.order import Media
from zooop_nb.orders.single_flight import ById, SingleFlight

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
    """Where media is looked up and kept: the backend, the ledger with its earlier uploads, and a folder.

    One for each checkout: what it remembers of files, and its uploads under way, live as long. Use it on one
    event loop, from any number of coroutines.
    """

    backend: Backend
    ledger: Ledger
    folder: Path
    contents: FileContents = field(default_factory=FileContents)
    uploads: SingleFlight = field(default_factory=SingleFlight)
    call: SingleFlight | None = None
    """What one call has read, encoded and fetched."""

    def for_call(self) -> "MediaStore":
        """Return the store for one call, in which each path, object and foreign URL stands for one content.

        Objects are held until then: an array may have changed by the next call.
        """
        return replace(self, call=SingleFlight(keep=True))


async def identify(bound: BoundParams, store: MediaStore, *, fetch: bool = True) -> dict[str, Any]:
    """Return all params, with each media value as `Media` (or a list of them), hashed but not uploaded yet.

    Without `fetch` a foreign URL is left alone: its `Media` has neither content nor URL. Raises `BadMedia`
    for a file that is missing, empty or of another kind than the param takes.
    """
    if store.call is None:
        store = store.for_call()
    params = dict(bound.params)
    for name, argument in bound.media.items():
        values = [each for value in argument.values for each in _spread(value)]
        argument.check_count(name, len(values))
        found = [await _identify(each, argument.kind, name, store, fetch) for each in values]
        if not found:
            raise BadMedia(f"{name} was given a result without outputs.", value=name)
        if len(found) > 1 and not argument.several:
            raise BadMedia(f"{name} takes one {argument.kind}; the result holds {len(found)}.", value=name)
        params[name] = found if argument.several else found[0]
    return params


async def upload(params: dict[str, Any], store: MediaStore) -> dict[str, Any]:
    """Return the params with a ZOOOP URL for each media value; earlier uploads of this token are reused.

    Raises `BadMedia` for a file whose content is not any more what was identified.
    """
    ready: dict[str, Any] = {}
    for name, value in params.items():
        if isinstance(value, Media):
            ready[name] = await _upload(value, store)
        elif isinstance(value, list) and value and isinstance(value[0], Media):
            ready[name] = [await _upload(each, store) for each in value]
        else:
            ready[name] = value
    return ready


async def known_url(media: Media, store: MediaStore) -> str | None:
    """Return the ZOOOP URL that the media has for this token already; None if it is yet to be uploaded."""
    if media.url is not None or media.sha256 is None:
        return media.url
    backend = store.backend
    return await asyncio.to_thread(store.ledger.upload_url, backend.token, backend.host, media.sha256)


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


async def _identify(value: object, kind: str, param: str, store: MediaStore, fetch: bool) -> Media:
    assert store.call is not None
    if isinstance(value, KnownMedia) and not value.from_upload:
        return await _from_output(value, kind, param, store)
    if isinstance(value, KnownMedia):
        _check_kind(value.content_type, kind, param, value.url)
        value = value.url
    if isinstance(value, str) and value.lower().startswith(("http://", "https://")):
        if is_zooop(value, store.backend.host):
            sha256 = await asyncio.to_thread(store.ledger.content_of, value)
            return Media(sha256, None, url=value, label=value.rsplit("/", 1)[-1])
        label = urlsplit(value).path or value
        if not fetch:
            return Media(None, None, label=label)
        path = await store.call.run(("foreign", value), partial(_fetched, value, store))
        return await _from_file(path, kind, param, label, store)
    if isinstance(value, str | os.PathLike):
        path = _path_of(value, param)
        if not await asyncio.to_thread(path.is_file):
            what = "is a folder" if path.is_dir() else "does not exist"
            raise BadMedia(
                f"{param}: {value} {what}.", value=str(value), remedies=[remedy(Action.CHECK_FILE)]
            )
        return await _from_file(path, kind, param, path.name, store)
    path = await store.call.run(ById(value), partial(_kept, value, param, store.folder / "handed"))
    return await _from_file(path, kind, param, kind if kind != "any" else "bytes", store)


def _path_of(value: "str | os.PathLike[str]", param: str) -> Path:
    """Return the absolute path: the file is read again later, and the working directory may be another."""
    try:
        return Path(value).expanduser().absolute()
    except (RuntimeError, OSError) as error:
        raise BadMedia(
            f"{param}: {value} names no file ({error}).",
            value=str(value),
            remedies=[remedy(Action.CHECK_FILE)],
        ) from error


async def _fetched(url: str, store: MediaStore) -> Path:
    name = hashlib.sha256(url.encode()).hexdigest()[:24]
    return (await store.backend.fetch(url, store.folder / "foreign", name)).path


async def _from_output(output: KnownMedia, kind: str, param: str, store: MediaStore) -> Media:
    """Use an earlier output by its URL if this host made it, else upload its file again."""
    label = output.path.name if output.path else output.url.rsplit("/", 1)[-1]
    here = urlsplit(output.url).netloc == urlsplit(store.backend.host).netloc
    live = store.backend.mode == "live" and is_zooop(output.url, store.backend.host)
    if here or live:
        _check_kind(output.content_type, kind, param, label)
        return Media(output.sha256, output.content_type, url=output.url, label=label)
    if output.path is None or not await asyncio.to_thread(output.path.is_file):
        raise BadMedia(f"{param}: the file of the earlier output {label} is gone.", value=label)
    return await _from_file(output.path.absolute(), kind, param, label, store)


async def _from_file(path: Path, kind: str, param: str, label: str, store: MediaStore) -> Media:
    assert store.call is not None
    name = f"{param}: {label}"
    try:
        content_type, size = await asyncio.to_thread(_begins, path, name)
        _check_kind(content_type, kind, param, label)
        # Checked for all files before the first is uploaded, and before a large one is read whole.
        if problem := upload_problem(size, _typed(content_type, kind)):
            raise BadMedia(f"{name} {problem}", value=name, remedies=[remedy(Action.CHECK_FILE)])
        sha256 = await store.call.run(("file", path), partial(store.contents.sha256, path))
    except OSError as error:
        raise BadMedia(
            f"{name} cannot be read ({error.strerror or error}).",
            value=name,
            remedies=[remedy(Action.CHECK_FILE)],
        ) from error
    if content_type.startswith("image/"):
        why = await store.contents.unreadable(path, sha256)
        if why is not None:
            raise BadMedia(
                f"{name} is no picture that can be read ({why}).",
                value=label,
                remedies=[remedy(Action.CHECK_FILE)],
            )
    return Media(sha256, _typed(content_type, kind), path=path, label=label)


def _begins(path: Path, name: str) -> tuple[str, int]:
    """Return the content type of a file by its first bytes, and its size in bytes."""
    with path.open("rb") as file:
        return content_type_of(file.read(1 << 16), name), os.fstat(file.fileno()).st_size


async def _kept(value: object, param: str, folder: Path) -> Path:
    return await asyncio.to_thread(_keep, value, param, folder)


def _keep(value: object, param: str, folder: Path) -> Path:
    """Keep an object as a file named by its content, so that the upload can be repeated."""
    data = _bytes_of(value, param)
    content_type_of(data, param)
    path = folder / hashlib.sha256(data).hexdigest()
    if _holds(path, data):
        return path
    folder.mkdir(parents=True, exist_ok=True)
    partial_ = path.with_suffix(f".{uuid.uuid4().hex}.part")
    try:
        partial_.write_bytes(data)
        partial_.replace(path)
    finally:
        partial_.unlink(missing_ok=True)
    return path


def _holds(path: Path, data: bytes) -> bool:
    """Return whether the file holds just that. It is then not replaced: it may be on its way up."""
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


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


def _typed(content_type: str, kind: str) -> str:
    """Return the type as the param means it: WebM and Ogg hold sound as well as video."""
    if kind in {"audio", "video"} and content_type in {"video/webm", "audio/webm", "audio/ogg", "video/ogg"}:
        return f"{kind}/{content_type.partition('/')[2]}"
    return content_type


async def _upload(media: Media, store: MediaStore) -> Media:
    if media.url is not None:
        return media
    key = (store.backend.token, store.backend.host, media.sha256)
    return replace(media, url=await store.uploads.run(key, partial(_uploaded, media, store)))


async def _uploaded(media: Media, store: MediaStore) -> str:
    """Return the URL of an earlier upload of this content, or upload it. One at a time for each content."""
    url = await known_url(media, store)
    if url is not None:
        return url
    assert media.path is not None
    assert media.sha256 is not None
    assert media.content_type is not None
    await _check_unchanged(media, store)
    try:
        size = (await asyncio.to_thread(media.path.stat)).st_size
        url = await store.backend.upload(media.path, media.content_type)
    except (ZooopError, OSError):
        # A file that grows or shrinks on its way up fails as if the connection had.
        await _check_unchanged(media, store)
        raise
    # What went up is only used if it is what the order's fingerprint names.
    await _check_unchanged(media, store)
    uploaded = (media.sha256, url, media.content_type, size)
    await asyncio.to_thread(store.ledger.record_upload, store.backend.token, store.backend.host, *uploaded)
    return url


async def _check_unchanged(media: Media, store: MediaStore) -> None:
    """Raise `BadMedia` if the file does not hold any more what was identified."""
    assert media.path is not None
    try:
        if await store.contents.sha256(media.path) == media.sha256:
            return
        what = "has changed since it was read"
    except OSError as error:
        what = f"cannot be read any more ({error.strerror or error})"
    label = media.label or media.path.name
    raise BadMedia(f"{label} {what}, so it was not used.", value=label, remedies=[remedy(Action.CHECK_FILE)])
