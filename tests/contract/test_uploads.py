"""Uploads: identified by content, validated before a byte is sent, streamed, then polled."""

import asyncio
import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from PIL import Image

from tests.contract.conftest import MAIN, OTHER
from tests.support.holding_proxy import HoldingProxy
from tests.support.media import clip, moving, tone
from tests.support.sandbox_harness import SandboxHarness
from zooop_nb import errors
from zooop_nb.client import LiveBackend
from zooop_nb.contract.limits import LARGEST_UPLOAD, UPLOAD_TYPES
from zooop_nb.orders.inputs import content_type_of
from zooop_nb.settings import Settings
from zooop_nb.studio import Studio

SLOW_SPEED = 0.005
"""Checking a clip takes 12 s at speed 1 but 2400 s here: longer than the limit of 30 minutes."""


def sound(format: str, codec: str) -> bytes:
    out = io.BytesIO()
    source: Any
    with av.open(io.BytesIO(tone(440, 0.5, 48_000))) as source, av.open(out, "w", format=format) as target:
        # PyAV types a stream by its codec, which is not known here.
        stream: Any = target.add_stream(codec, rate=48_000)
        for frame in source.decode(audio=0):
            frame.pts = None
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
    return out.getvalue()


def drawn(format: str) -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(out, format)
    return out.getvalue()


FILES: dict[str, Callable[[], bytes]] = {
    "image/png": lambda: drawn("PNG"),
    "image/jpeg": lambda: drawn("JPEG"),
    "image/webp": lambda: drawn("WEBP"),
    "image/gif": lambda: drawn("GIF"),
    "audio/mpeg": lambda: sound("mp3", "libmp3lame"),
    "audio/wav": lambda: tone(440, 0.5),
    "audio/webm": lambda: sound("webm", "libopus"),
    "audio/ogg": lambda: sound("ogg", "libopus"),
    "video/mp4": lambda: clip(moving()),
    "video/webm": lambda: clip(moving(), format="webm", codec="libvpx-vp9"),
    "video/quicktime": lambda: clip(moving(), format="mov"),
}
"""A real file of each type that the API accepts."""


def test_there_is_a_file_for_every_type_that_the_api_takes() -> None:
    assert tuple(FILES) == UPLOAD_TYPES


@pytest.mark.parametrize("content_type", FILES)
def test_a_files_type_is_told_by_its_bytes_and_not_by_its_name(
    content_type: str, studio: Studio, books: SandboxHarness, tmp_path: Path
) -> None:
    data = FILES[content_type]()
    assert content_type_of(data[: 1 << 16], "file") == content_type
    if content_type.startswith("video/"):
        # Polling a clip waits 5 s; `test_a_clip_is_followed...` covers it with a simulated clock.
        return
    path = tmp_path / "notes.txt"
    path.write_bytes(data)
    upload = studio.upload(path)
    assert (upload.content_type, upload.size) == (content_type, len(data))
    [book] = books.uploads
    assert (book["url"], book["contentType"], book["size"]) == (upload.url, content_type, len(data))


def test_the_same_content_goes_up_once_for_a_token_and_a_host(
    studio: Studio,
    studio_of: Callable[..., Studio],
    books: SandboxHarness,
    picture: Path,
    tmp_path: Path,
    sandbox: Any,
) -> None:
    first = studio.upload(picture)
    other_name = tmp_path / "another.png"
    other_name.write_bytes(picture.read_bytes())
    assert studio.upload(other_name) == first
    assert studio.upload(picture.read_bytes()).url == first.url
    assert studio_of().upload(str(picture)).url == first.url
    assert len(books.uploads) == 1
    assert studio_of(OTHER).upload(picture).url != first.url
    assert len(books.uploads) == 2
    with HoldingProxy(sandbox.url) as proxy:
        studio_of(host=proxy.url).upload(picture)
    assert len(books.uploads) == 3


def test_an_upload_serves_as_a_picture_and_as_an_upload(
    studio: Studio, books: SandboxHarness, picture: Path
) -> None:
    upload = studio.upload(picture)
    assert studio.upload(upload).url == upload.url
    result = studio.image("in winter", model="seedream", image_urls=upload)
    assert result.status == "succeeded"
    assert books.tasks[0]["params"]["image_urls"] == [upload.url]
    assert len(books.uploads) == 1


def test_what_is_shown_of_an_upload_has_no_address_of_the_sandbox(studio: Studio, picture: Path) -> None:
    shown = studio.upload(picture)._repr_mimebundle_()
    assert "127.0.0.1" not in str(shown)
    assert "image/png" in shown["text/plain"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"just some words", "no picture, sound or clip"),
        (b"%PDF-1.7\n", "application/pdf"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg.xml; the API takes image/png, "),
    ],
    ids=["empty", "words", "pdf", "svg"],
)
def test_what_the_api_does_not_take_is_refused_before_anything_is_sent(
    studio: Studio, books: SandboxHarness, tmp_path: Path, data: bytes, said: str
) -> None:
    path = tmp_path / "file.png"
    path.write_bytes(data)
    with pytest.raises(errors.BadMedia, match=said):
        studio.upload(path)
    assert books.uploads == []


def large(path: Path, size: int) -> Path:
    """Write a picture padded to `size` bytes as a sparse file, so it takes little disk space."""
    path.write_bytes(drawn("PNG"))
    os.truncate(path, size)
    return path


def test_a_file_over_100_mb_is_sent_to_the_web_ui_with_the_word_that_its_url_serves(
    studio: Studio, books: SandboxHarness, picture: Path, tmp_path: Path
) -> None:
    path = large(tmp_path / "huge.png", LARGEST_UPLOAD + 1)
    with pytest.raises(errors.BadMedia) as caught:
        studio.upload(path)
    assert re.search("huge.png .*100 MB.*https://zooop.ai.*use its URL", str(caught.value))
    # The small file beside it is not uploaded either.
    with pytest.raises(errors.BadMedia, match=r"huge\.png"):
        studio.image("in winter", model="seedream", image_urls=[picture, path])
    assert books.uploads == []


MEASURED = """
import asyncio, json, resource, sys
from pathlib import Path
from zooop_nb import settings
from zooop_nb.studio import Studio
small, file = map(Path, sys.argv[1:3])
studio = Studio()
studio.upload(small)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
upload = studio.upload(file)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
studio.close()
print(json.dumps({"url": upload.url, "size": upload.size, "kilobytes": after - before}))
"""


def test_100_mb_are_streamed_and_never_in_memory(
    sandbox: SandboxHarness, books: SandboxHarness, picture: Path, tmp_path: Path
) -> None:
    pytest.importorskip("resource", reason="Windows tells no peak of memory")
    environment = {
        **os.environ,
        "ZOOOP_API_HOST": sandbox.url,
        "ZOOOP_API_KEY": MAIN,
        "ZOOOP_NB_HOME": str(tmp_path / "home"),
    }

    def measured(size: int) -> dict[str, Any]:
        file = large(tmp_path / f"{size}.png", size)
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, str(picture), str(file)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    small, whole = measured(1 << 20), measured(LARGEST_UPLOAD)
    assert [each["size"] for each in books.uploads][1:] == [1 << 20, LARGEST_UPLOAD]
    # Streaming may take a tenth of the file size at most; loading the file would take all of it.
    assert whole["kilobytes"] - small["kilobytes"] < 10 * 1024


# Clips.


@pytest.fixture(scope="module")
def slow() -> Iterator[SandboxHarness]:
    world = {"users": [{"id": "u1"}], "tokens": [{"token": MAIN, "user": "u1"}]}
    with SandboxHarness(speed=SLOW_SPEED, world=world) as harness:
        yield harness


class Waits:
    """Stands in for asyncio's sleep: advances its own clock instead, and the sandbox's by `times` as much."""

    def __init__(self, sandbox: SandboxHarness, times: float = 1.0) -> None:
        self.seconds: list[float] = []
        self._sandbox = sandbox
        self._times = times

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self._sandbox.advance(seconds * self._times)

    def now(self) -> float:
        return time.monotonic() + sum(self.seconds)


@pytest.fixture
def follow(
    slow: SandboxHarness, settings_of: Callable[..., Settings], tmp_path: Path
) -> Callable[[bytes, Waits], str]:
    """`follow(data, waits)`: upload a clip, poll it until it is ready and return its URL."""

    def run(data: bytes, waits: Waits) -> str:
        file = tmp_path / "clip.mp4"
        file.write_bytes(data)

        async def whole() -> str:
            backend = LiveBackend(settings_of(host=slow.url), sleep=waits, monotonic=waits.now)
            try:
                return await backend.upload(file, "video/mp4")
            finally:
                await backend.aclose()

        return asyncio.run(whole())

    return run


def test_a_clip_is_followed_at_the_documented_pace_until_it_is_ready(
    slow: SandboxHarness, follow: Callable[[bytes, Waits], str]
) -> None:
    # The check takes 12 s by this clock; polls from 15 s on may arrive just before its end is recorded.
    waits = Waits(slow, 1 / SLOW_SPEED)
    url = follow(clip(moving()), waits)
    assert len(waits.seconds) >= 2
    assert waits.seconds == ([5.0, 10.0, 20.0, 20.0] * 32)[: len(waits.seconds)]
    assert httpx.get(url, trust_env=False).headers["content-type"] == "video/mp4"


def test_a_clip_is_followed_for_30_minutes_and_no_longer(
    slow: SandboxHarness, follow: Callable[[bytes, Waits], str]
) -> None:
    waits = Waits(slow)
    with pytest.raises(errors.BadMedia, match="not ready 30 minutes after"):
        follow(clip(moving()), waits)
    assert waits.seconds[:6] == [5.0, 10.0, 20.0, 20.0, 5.0, 10.0]
    assert 1780 < sum(waits.seconds) <= 1800


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        (b"sandbox-block:porn;", r"its content was rejected \(porn\)"),
        (b"sandbox-error:no frames;", "could not be uploaded: no frames"),
    ],
    ids=["blocked", "errored"],
)
def test_a_clip_that_ends_badly_says_why(
    slow: SandboxHarness, follow: Callable[[bytes, Waits], str], mark: bytes, said: str
) -> None:
    with pytest.raises(errors.BadMedia, match=said):
        follow(clip(moving()) + mark, Waits(slow, 1 / SLOW_SPEED))


def test_only_the_token_that_made_an_upload_can_ask_about_it(
    settings_of: Callable[..., Settings], reset: None, tmp_path: Path
) -> None:
    file = tmp_path / "clip.mp4"
    file.write_bytes(clip(moving()))

    async def ask() -> None:
        mine, other = LiveBackend(settings_of()), LiveBackend(settings_of(OTHER))
        try:
            started = await mine.start_upload(file, "video/mp4")
            assert (await mine.upload_state(started.upload_id or "")).status in {"processing", "ready"}
            with pytest.raises(errors.InvalidRequest) as caught:
                await other.upload_state(started.upload_id or "")
            assert caught.value.code == "unknown_upload"
        finally:
            await mine.aclose()
            await other.aclose()

    asyncio.run(ask())


def test_a_rejected_picture_is_not_sent_again_and_is_no_upload(
    studio: Studio, books: SandboxHarness, picture: Path, faults: Callable[..., None]
) -> None:
    picture.write_bytes(picture.read_bytes() + b"sandbox-block:gore;")
    with pytest.raises(errors.ModerationBlocked) as caught:
        studio.upload(picture)
    assert (caught.value.status, caught.value.extras["labels"]) == (451, "gore")
    assert books.uploads == []
