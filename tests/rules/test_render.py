"""How results, outputs and progress are displayed: complete, bounded, escaped, without the sandbox's URL."""

import base64
import io
import json
import os
import pickle
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import av
import nbformat
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nbclient import NotebookClient
from PIL import Image

from zooop_nb.contract.credits import credits_text
from zooop_nb.notebook.progress import AT_ONCE_AFTER, EVERY_SECONDS, ProgressLine, line_html, line_text
from zooop_nb.results import html as card
from zooop_nb.results import preview
from zooop_nb.results.mimebundle import MimeBundle
from zooop_nb.results.preview import EmbedBudget
from zooop_nb.results.render import gallery_bundle, output_bundle, result_bundle
from zooop_nb.results.text import clean, public_url, seconds_text, summary_line
from zooop_nb.results.values import Gallery, Output, Result
from zooop_nb.tasks.progress import Progress

SANDBOX = "http://127.0.0.1:8765/media/u1/a.webp"
PUBLIC = "https://storage.zooop.ai/u1/p1/clip.mp4"
HOSTILE = (
    """<script>alert('x')</script>" onerror="alert(1)" 'x' &lt; \x1b[31m http://127.0.0.1:9/a localhost:9/b"""
)

TAGS = {"div", "figure", "figcaption", "img", "audio", "video", "span", "strong", "code"}
VOID = {"img"}
ATTRIBUTES = {
    *("style", "src", "alt", "title", "width", "controls", "preload", "poster"),
    *("role", "aria-label", "aria-valuemin", "aria-valuemax", "aria-valuenow"),
}


class Page(HTMLParser):
    """The HTML as a browser parses it: elements with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def one(self, tag: str) -> dict[str, str | None]:
        (attributes,) = self.all(tag)
        return attributes


def page(bundle: MimeBundle) -> Page:
    """Return the parsed HTML of a bundle, after checking that it holds only what a notebook allows."""
    assert set(bundle) == {"text/html", "text/plain"}
    json.dumps(bundle).encode()
    found = Page(bundle["text/html"])
    assert found.open == []
    for tag, attributes in found.elements:
        assert tag in TAGS
        assert set(attributes) <= ATTRIBUTES
        for name in ("src", "poster"):
            address = attributes.get(name)
            assert address is None or address.startswith(("data:", "https://storage.zooop.ai/"))
    for shown in (bundle["text/html"], bundle["text/plain"]):
        lowered = shown.lower()
        assert "http://" not in lowered
        assert "127.0.0.1" not in lowered
        assert "localhost:" not in lowered
    return found


def embedded(address: str | None) -> bytes:
    assert address is not None
    return base64.b64decode(address.partition(";base64,")[2])


def result(*outputs: Output, **changes: object) -> Result:
    made = Result(
        order_id="o-1",
        task_id="t-1",
        status="succeeded",
        credits=4,
        quote=4,
        category="image/default",
        model="GPT Image 2.0",
        version="standard",
        params={"prompt": "a red panda", "quality": "low"},
        seconds=12.34,
        error=None,
        created_at=None,
        completed_at=None,
        outputs=outputs,
        mode="sandbox",
        prompt="a red panda",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def noise(width: int, height: int, channels: int = 3) -> Image.Image:
    """Return a picture of noise, which compresses worst."""
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture
def opaque(tmp_path: Path) -> Output:
    file = tmp_path / "panda.jpg"
    noise(1600, 900).save(file, quality=95)
    return Output(url=SANDBOX, thumbnail_url=SANDBOX, path=file, content_type="image/jpeg")


@pytest.fixture
def cutout(tmp_path: Path) -> Output:
    file = tmp_path / "cutout.png"
    noise(800, 800, 4).save(file)
    return Output(url=SANDBOX, path=file, content_type="image/png")


@pytest.fixture
def clip(tmp_path: Path) -> Output:
    file = tmp_path / "clip.mp4"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for _ in range(3):
            picture = np.full((180, 320, 3), (200, 30, 30), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return Output(url=PUBLIC, path=file, content_type="video/mp4")


@pytest.fixture
def long_clip(clip: Output) -> Output:
    """A clip over the budget: padding after the last MP4 box does not change what is displayed."""
    assert clip.path is not None
    with clip.path.open("ab") as file:
        file.write(b"\0\x30\0\0free".ljust(0x300000, b"\0"))
    return clip


def test_a_picture_is_embedded_as_a_jpeg_within_its_bounds(opaque: Output) -> None:
    shown = page(result_bundle(result(opaque), budget=EmbedBudget())).one("img")
    assert shown["alt"] == "a red panda"
    assert str(shown["src"]).startswith("data:image/jpeg;base64,")
    data = embedded(shown["src"])
    assert len(data) <= preview.PICTURE_BYTES
    with Image.open(io.BytesIO(data)) as picture:
        # The aspect ratio is kept, to within a pixel.
        assert max(picture.size) <= preview.PICTURE.side
        assert picture.width / picture.height == pytest.approx(16 / 9, abs=0.02)


def test_alpha_is_kept_and_stands_on_a_checkerboard(cutout: Output) -> None:
    shown = page(result_bundle(result(cutout), budget=EmbedBudget())).one("img")
    data = embedded(shown["src"])
    assert len(data) <= preview.PICTURE_BYTES
    assert "conic-gradient" in str(shown["style"])
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.mode == "RGBA"
        assert len(set(picture.getchannel("A").tobytes())) > 1


def test_an_alpha_channel_that_hides_nothing_is_not_kept(tmp_path: Path) -> None:
    file = tmp_path / "full.png"
    Image.new("RGBA", (40, 30), (10, 20, 30, 255)).save(file)
    shown = page(output_bundle(Output(url=SANDBOX, path=file), budget=EmbedBudget())).one("img")
    assert str(shown["src"]).startswith("data:image/jpeg;")
    assert shown["width"] == "40"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16", "CMYK", "YCbCr", "F"])
def test_pictures_of_any_kind_of_pixel_are_shown(tmp_path: Path, mode: str) -> None:
    file = tmp_path / ("p.tiff" if mode in {"CMYK", "YCbCr", "F"} else "p.png")
    Image.new("L", (30, 20), 90).convert(mode).save(file)
    output = Output(url=SANDBOX, path=file, content_type="image/any")
    assert len(page(output_bundle(output, budget=EmbedBudget())).all("img")) == 1


def test_model_version_credits_and_seconds_stand_beneath_with_the_mark_of_the_sandbox(opaque: Output) -> None:
    bundle = result_bundle(result(opaque), budget=EmbedBudget())
    assert "GPT Image 2.0 · standard · 4 credits · 12.3 s sandbox" in page(bundle).text
    assert bundle["text/plain"] == f"GPT Image 2.0 · standard · 4 credits · 12.3 s · sandbox\n{opaque.path}"


@pytest.mark.parametrize(("mode", "marked"), [("live", False), ("sandbox", True), ("replay", True)])
def test_only_what_is_not_live_is_marked(opaque: Output, mode: str, marked: bool) -> None:
    bundle = result_bundle(result(opaque, mode=mode), budget=EmbedBudget())
    assert (mode in page(bundle).text) is marked
    assert (mode in bundle["text/plain"].splitlines()[0]) is marked


def test_several_outputs_and_several_results_show_as_a_grid(opaque: Output, cutout: Output) -> None:
    both = page(result_bundle(result(opaque, cutout), budget=EmbedBudget()))
    assert len(both.all("img")) == 2
    first, second = result(opaque), result(cutout, params={"prompt": "a red panda", "quality": "high"})
    bundle = gallery_bundle(Gallery((first, second)), budget=EmbedBudget())
    grid = page(bundle)
    for shown in (both, grid):
        assert any("display:grid" in str(each.get("style")) for each in shown.all("div"))
    assert all(len(embedded(each["src"])) <= preview.TILE_BYTES for each in grid.all("img"))
    assert "2 results · 8 credits" in grid.text
    assert "quality: low" in grid.text
    assert "quality: high" in grid.text
    assert "a red panda" not in grid.text
    assert bundle["text/plain"].splitlines()[:2] == [
        "2 results · 8 credits",
        "  1  GPT Image 2.0 · standard · 4 credits · 12.3 s · sandbox",
    ]


def test_a_gallery_says_what_failed_and_what_the_server_did_not_price(opaque: Output) -> None:
    failed = result(status="failed", error="no luck", credits=0)
    gallery = Gallery((result(opaque), failed, result(opaque, credits=None)))
    text = page(gallery_bundle(gallery, budget=EmbedBudget())).text
    assert "3 results · 4 credits · 1 without a figure · 1 did not succeed" in text


def test_an_empty_gallery_says_so() -> None:
    bundle = gallery_bundle(Gallery(()))
    assert page(bundle).text == bundle["text/plain"] == "0 results"


def test_a_long_gallery_lists_the_first_in_text_and_names_the_rest() -> None:
    text = gallery_bundle(Gallery((result(),) * 25))["text/plain"]
    assert "… and 5 more: .frame() lists them all" in text
    assert text.count("GPT Image 2.0") == 20


@pytest.mark.parametrize(
    ("credits", "said"),
    [(0, "0 credits"), (None, "credits not named"), (1, "1 credit"), (2.5, "2.5 credits")],
)
def test_a_failed_task_is_a_red_card_with_its_error_and_what_was_charged(
    credits: float | None, said: str
) -> None:
    bundle = result_bundle(result(status="failed", error="The provider gave up", credits=credits))
    shown = page(bundle)
    assert shown.elements[0][0] == "div"
    assert card.RED_CARD in str(shown.elements[0][1]["style"])
    assert "The provider gave up" in shown.text
    assert said in shown.text
    first, error = bundle["text/plain"].splitlines()
    assert first == f"GPT Image 2.0 · standard · failed · {said} · 12.3 s · sandbox"
    assert error == "The provider gave up"


@pytest.mark.parametrize("status", ["queued", "running", "unknown", "something new"])
def test_an_unfinished_result_says_how_it_stands(status: str) -> None:
    bundle = result_bundle(result(status=status, seconds=None))
    words = {"unknown": "not known whether this order arrived"}.get(status, status)
    assert words in page(bundle).text.lower()
    assert words in bundle["text/plain"]


def test_a_sound_is_embedded_whole(tmp_path: Path) -> None:
    file = tmp_path / "speech.mp3"
    file.write_bytes(b"ID3" + bytes(5000))
    output = Output(url=SANDBOX, path=file, content_type="audio/mpeg; rate=1")
    shown = page(result_bundle(result(output, prompt="Good morning"), budget=EmbedBudget())).one("audio")
    assert embedded(shown["src"]) == file.read_bytes()
    assert str(shown["src"]).startswith("data:audio/mpeg;base64,")
    assert shown["aria-label"] == "Good morning"


def test_a_drawing_is_embedded_as_a_picture_and_never_as_markup(tmp_path: Path) -> None:
    file = tmp_path / "logo.svg"
    file.write_text('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    output = Output(url=SANDBOX, path=file, content_type="image/svg+xml")
    shown = page(result_bundle(result(output), budget=EmbedBudget()))
    assert ElementTree.fromstring(embedded(shown.one("img")["src"])).tag.endswith("svg")
    assert "svg" not in {tag for tag, _ in shown.elements}


def test_a_small_clip_is_embedded_whole(clip: Output) -> None:
    assert clip.path is not None
    shown = page(result_bundle(result(clip), budget=EmbedBudget())).one("video")
    assert embedded(shown["src"]) == clip.path.read_bytes()


def test_a_large_clip_plays_from_its_public_url_only_when_live(long_clip: Output) -> None:
    live = page(result_bundle(result(long_clip, mode="live"), budget=EmbedBudget())).one("video")
    assert live["src"] == PUBLIC
    with Image.open(io.BytesIO(embedded(live["poster"]))) as cover:
        assert cover.size == (320, 180)
    for mode in ("sandbox", "replay"):
        shown = page(result_bundle(result(long_clip, mode=mode), budget=EmbedBudget()))
        assert shown.all("video") == []
        assert len(shown.all("img")) == 1
        assert str(long_clip.path) in shown.text


def test_past_the_allowance_pictures_are_thumbnails_and_media_is_named(
    opaque: Output, clip: Output, tmp_path: Path
) -> None:
    sound = tmp_path / "long.mp3"
    sound.write_bytes(bytes(90_000))
    allowance = EmbedBudget(20_000)
    picture = page(result_bundle(result(opaque), budget=allowance)).one("img")
    data = embedded(picture["src"])
    assert len(data) <= preview.THUMBNAIL_BYTES
    assert allowance.used == len(data)
    speech = Output(url=SANDBOX, path=sound, content_type="audio/mpeg")
    heard = page(result_bundle(result(speech), budget=allowance))
    assert heard.all("audio") == []
    assert str(sound) in heard.text
    seen = page(result_bundle(result(clip), budget=EmbedBudget(0)))
    assert seen.all("video") == []
    assert len(seen.all("img")) == 1


def test_an_allowance_never_gives_more_than_it_has_to_any_number_of_threads() -> None:
    allowance = EmbedBudget(1000)
    given_out: list[bool] = []

    def take() -> None:
        given_out.extend([allowance.take(7) for _ in range(100)])

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert given_out.count(True) == 1000 // 7
    assert allowance.used == 1000 // 7 * 7


def test_a_file_that_is_gone_is_named_with_what_brings_it_back(opaque: Output) -> None:
    assert opaque.path is not None
    opaque.path.unlink()
    text = page(result_bundle(result(opaque))).text
    assert 'panda.jpg is no longer on this machine; studio.result("t-1") brings it back.' in text
    assert "4 credits" in text


def test_an_output_that_was_not_fetched_says_so() -> None:
    bundle = result_bundle(result(Output(url=SANDBOX, content_type="image/png")))
    assert 'is not on this machine; studio.result("t-1") brings it.' in page(bundle).text
    assert bundle["text/plain"].splitlines()[1] == "not on this machine"


def damaged() -> Iterator[tuple[str, bytes]]:
    for suffix in ("jpg", "png", "webp", "gif"):
        stream = io.BytesIO()
        format = {"jpg": "jpeg"}.get(suffix, suffix)
        noise(64, 64).save(stream, format)
        whole = stream.getvalue()
        yield suffix, whole[: len(whole) // 2]
        yield suffix, whole[:20] + bytes(200) + whole[220:]
        yield suffix, b""
        yield suffix, b"<html>not a picture</html>"


@pytest.mark.parametrize(("suffix", "data"), list(damaged()))
def test_a_damaged_picture_is_shown_in_words(tmp_path: Path, suffix: str, data: bytes) -> None:
    file = tmp_path / f"broken.{suffix}"
    file.write_bytes(data)
    shown = page(result_bundle(result(Output(url=SANDBOX, path=file)), budget=EmbedBudget()))
    assert shown.all("img") or "broken." in shown.text
    assert "4 credits" in shown.text


@pytest.mark.parametrize("content_type", ["video/mp4", "audio/mpeg", "image/svg+xml", "image/png", "", "x/y"])
def test_a_folder_in_the_place_of_a_file_is_shown_in_words(tmp_path: Path, content_type: str) -> None:
    output = Output(url=SANDBOX, path=tmp_path, content_type=content_type)
    assert tmp_path.name in page(result_bundle(result(output), budget=EmbedBudget())).text


def test_a_damaged_large_clip_is_shown_in_words(tmp_path: Path) -> None:
    file = tmp_path / "broken.mp4"
    file.write_bytes(bytes(preview.MEDIA_BYTES + 1))
    output = Output(url=PUBLIC, path=file, content_type="video/mp4")
    text = page(result_bundle(result(output, mode="live"), budget=EmbedBudget())).text
    assert "broken.mp4 cannot be shown" in text


def test_a_hostile_content_type_is_never_an_address(tmp_path: Path) -> None:
    file = tmp_path / "x.bin"
    file.write_bytes(b"<script>alert(1)</script>")
    output = Output(url=SANDBOX, path=file, content_type='audio/x" autoplay onplay="alert(1)')
    shown = page(output_bundle(output, budget=EmbedBudget()))
    assert {tag for tag, _ in shown.elements} <= {"div", "figure", "figcaption"}


@pytest.mark.parametrize("field", ["model", "version", "prompt", "error", "category", "task_id", "status"])
@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_hostile_text_stays_text(opaque: Output, field: str, status: str) -> None:
    changes: dict[str, object] = {"status": status, "mode": "live", field: HOSTILE}
    bundle = result_bundle(result(opaque, Output(url=SANDBOX), **changes), budget=EmbedBudget())
    page(bundle)
    assert "\x1b" not in bundle["text/plain"]


anything = st.text(st.characters(), max_size=60) | st.sampled_from([HOSTILE, SANDBOX, "HTTP://LOCALHOST:1/"])


@given(model=anything, prompt=anything, error=anything, name=anything, value=anything, mode=anything)
@example(model="m", prompt="p", error="", name="localhost", value="1", mode="live")
@example(model="m", prompt="p", error="", name="http", value="//127.0.0.1", mode="live")
@settings(max_examples=200)
def test_whatever_the_words_the_html_is_whole_and_holds_no_private_address(
    model: str, prompt: str, error: str, name: str, value: str, mode: str
) -> None:
    outputs = (Output(url=SANDBOX), Output(url=value, content_type=value, path=Path("gone") / "x.png"))
    first = result(*outputs, model=model, prompt=prompt, error=error, params={name: value}, mode=mode)
    second = result(status="failed", error=error, params={name: prompt}, prompt=prompt)
    for bundle in (
        gallery_bundle(Gallery((first, second))),
        result_bundle(first),
        output_bundle(outputs[1]),
    ):
        page(bundle)


@given(st.lists(st.builds(Progress, anything, st.floats(-1, 1e6), st.none() | st.floats(0, 1e6), anything)))
@settings(max_examples=100)
def test_whatever_the_moments_the_progress_is_whole(moments: list[Progress]) -> None:
    page({"text/html": line_html(moments), "text/plain": line_text(moments)})
    assert "\n" not in line_text(moments)


@given(anything, st.integers(1, 80))
def test_cleaned_text_is_one_line_within_its_limit(text: str, limit: int) -> None:
    cleaned = clean(text, limit=limit)
    assert len(cleaned) <= limit
    assert "\n" not in cleaned


def test_from_a_sandbox_no_address_is_shown_at_all() -> None:
    text = "see https://box.example:8/a and http://10.0.0.2/b"
    assert clean(text, "sandbox") == "see (address) and (address)"
    assert clean(text, "live") == "see https://box.example:8/a and (address)"


@pytest.mark.parametrize(
    "url",
    [
        "http://storage.zooop.ai/a.mp4",
        "https://127.0.0.1/a",
        "https://127.1/a",
        "https://0x7f.1/a",
        "https://localhost./a",
        "https://localhost/a",
        "https://[::1]/a",
        "https://10.0.0.8/a",
        "https://192.168.1.4/a",
        "https://nas.local/a",
        "https://user:word@storage.zooop.ai/a",
        "https://storage.zooop.ai:x/a",
        "javascript:alert(1)",
        "https://[broken",
        "",
        None,
    ],
)
def test_an_address_that_is_not_public_is_not_linked(url: str | None) -> None:
    assert public_url(url, "live") is None


@pytest.mark.parametrize(
    ("mode", "linked"), [("live", True), ("sandbox", False), ("replay", False), (None, False)]
)
def test_a_public_address_is_linked_only_when_live(mode: str | None, linked: bool) -> None:
    assert (public_url(PUBLIC, mode) == PUBLIC) is linked


def test_the_line_before_submitting_is_the_guides() -> None:
    assert summary_line("Kling V3", "720p", 8, 18) == "→ Kling V3 · 720p · 8 credits · ~18s"
    assert summary_line("Kling V3", None, 1.0, None) == "→ Kling V3 · 1 credit · ETA unknown"
    several = "→ 3 × Kling V3 · 720p · 24 credits · ~18s each"
    assert summary_line("Kling V3", "720p", 8, 18, count=3) == several
    assert summary_line("Kling V3", "720p", 8, 18, count=3, total=24.0) == several
    assert summary_line("A\nB", "", None, 2.4, count=2) == "→ 2 × A B · credits not named · ~2s each"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (4, "4 credits"),
        (4.0, "4 credits"),
        (1, "1 credit"),
        (50.5, "50.5 credits"),
        (0.1 + 0.2, "0.3 credits"),
    ],
)
def test_credits_are_said_without_needless_digits(value: float, text: str) -> None:
    assert credits_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.04, "0 s"), (3.44, "3.4 s"), (4.0, "4 s"), (12.34, "12.3 s"), (125.4, "125 s")]
)
def test_seconds_are_rounded_to_what_a_reader_needs(value: float, text: str) -> None:
    assert seconds_text(value) == text


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("text", "ground"),
    [
        (card.TEXT, card.CARD),
        (card.MUTED, card.CARD),
        (card.RED_TEXT, card.RED_CARD),
        (card.MUTED, card.RED_CARD),
        (card.AMBER_TEXT, card.AMBER_CARD),
        (card.BLUE_TEXT, card.BLUE_CARD),
    ],
)
def test_text_stands_out_from_its_ground(text: str, ground: str) -> None:
    darker, lighter = sorted([luminance(text), luminance(ground)])
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


class Shown:
    """A display that records what it is given."""

    def __init__(self) -> None:
        self.now: MimeBundle | None = None
        self.updates = 0
        self.closed = False

    def show(self, bundle: MimeBundle) -> None:
        self.now = bundle
        self.updates += 1

    def close(self, bundle: MimeBundle) -> None:
        self.now = bundle
        self.closed = True


RUNNING = Progress("running", 7.2, 18, "Kling V3")


def test_one_order_shows_its_state_seconds_eta_and_a_bar() -> None:
    assert line_text([RUNNING]) == "Kling V3 · running · 7 s of ~18 s"
    shown = Page(line_html([RUNNING]))
    assert shown.text == "Kling V3 · running · 7 s of ~18 s"
    (bar,) = [each for each in shown.all("div") if each.get("role") == "progressbar"]
    assert bar["aria-valuenow"] == "40"


def test_without_an_eta_there_is_no_bar_and_no_invented_number() -> None:
    moment = replace(RUNNING, eta=None)
    assert line_text([moment]) == "Kling V3 · running · 7 s · ETA unknown"
    assert "progressbar" not in line_html([moment])


def test_the_bar_is_not_full_before_the_end() -> None:
    assert 'aria-valuenow="97"' in line_html([replace(RUNNING, seconds=400)])
    assert 'aria-valuenow="100"' in line_html([replace(RUNNING, state="succeeded")])


def test_several_orders_are_one_block() -> None:
    done = replace(RUNNING, state="succeeded")
    moments = [done, replace(done, state="failed"), RUNNING]
    assert line_text(moments) == "2 of 3 done · Kling V3 · running · 7 s of ~18 s"
    assert line_text([done, done]) == "2 of 2 done"
    assert Page(line_html(moments)).text == "2 of 3 doneKling V3 · running · 7 s of ~18 s"
    assert "and 14 more" in line_html([RUNNING] * 20)


def test_updates_that_tell_only_of_time_are_spaced_and_a_new_state_shows_at_once() -> None:
    now = 0.0
    display = Shown()
    line = ProgressLine(display, clock=lambda: now)
    line.update([RUNNING])
    now += EVERY_SECONDS / 2
    line.update([replace(RUNNING, seconds=8)])
    assert display.updates == 1
    line.update([replace(RUNNING, state="fetching")])
    assert display.updates == 2
    now += AT_ONCE_AFTER / 2
    line.update([replace(RUNNING, state="succeeded")])
    assert display.updates == 2
    now += EVERY_SECONDS
    line.update([replace(RUNNING, state="fetching", seconds=9)])
    assert display.updates == 3


def test_a_line_clears_itself_or_gives_way_to_the_summary() -> None:
    display = Shown()
    line = ProgressLine(display)
    line.done()
    assert not display.closed
    line.update([RUNNING])
    line.done()
    assert display.now == {"text/html": "", "text/plain": ""}
    line.done("<div>4 credits</div>", "4 credits")
    assert display.now == {"text/html": "<div>4 credits</div>", "text/plain": "4 credits"}


def test_in_a_kernel_the_line_is_one_plain_display_that_ends_as_the_summary() -> None:
    source = (
        "from zooop_nb.notebook.progress import ProgressLine\n"
        "from zooop_nb.tasks.progress import Progress\n"
        "line = ProgressLine()\n"
        "line.update([Progress('queued', 0, 18, 'Kling V3')])\n"
        "line.update([Progress('running', 1, 18, 'Kling V3')])\n"
        "line.done('<b>4 credits</b>', '4 credits')\n"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    nbformat.validate(notebook)
    (shown,) = notebook.cells[0].outputs
    assert shown.output_type == "display_data"
    assert shown.data == {"text/html": "<b>4 credits</b>", "text/plain": "4 credits"}


SCRIPT = """
import sys
from zooop_nb.contract.credits import credits_text
from zooop_nb.notebook.progress import ProgressLine
from zooop_nb.tasks.progress import Progress

line = ProgressLine(clock=iter((0.0, 1.0)).__next__)
line.update([Progress("running", 7, 18, "Kling V3")])
line.update([Progress("fetching", 8, None)])
line.done(text="4 credits")
assert not {"IPython", "PIL", "pandas", "httpx"} & set(sys.modules)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is POSIX's")
def test_in_a_terminal_one_line_writes_over_itself_and_nothing_heavy_is_imported() -> None:
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen:
        subprocess.run([sys.executable, "-c", SCRIPT], stderr=theirs, check=True)
        os.close(theirs)
        seen = screen.read(10_000).decode()
    first, second = "Kling V3 · running · 7 s of ~18 s", "fetching · 8 s · ETA unknown"
    blank = " " * len(second)
    assert seen == f"\r{first}\r{second.ljust(len(first))}\r{blank}\r4 credits\r\n"


def test_without_a_kernel_or_a_terminal_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    line = ProgressLine()
    line.update([RUNNING])
    line.done()
    assert capsys.readouterr() == ("", "")


def test_a_result_that_is_unpickled_in_a_new_process_displays_itself(tmp_path: Path) -> None:
    file = tmp_path / "result.pickle"
    file.write_bytes(pickle.dumps(result()))
    program = (
        "import pickle, sys\n"
        "made = pickle.load(open(sys.argv[1], 'rb'))\n"
        "print(sorted(made._repr_mimebundle_()))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, file], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("['text/html', 'text/plain']\n", "")
