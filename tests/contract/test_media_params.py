"""Pictures, sounds and clips as params: found, validated, uploaded once, identified by their content."""

import io
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.contract.conftest import CHEAP, OTHER
from tests.support.sandbox_harness import SandboxHarness
from zooop_nb import Gallery, errors
from zooop_nb.studio import Studio

MODEL = "Seedream"
TOOL = "background-removal"


def quote(studio: Studio, value: object, **more: Any) -> Any:
    return studio.quote("image", "in winter", model=MODEL, image_urls=value, **more)


def fingerprints(studio: Studio) -> list[str]:
    entries = studio.ledger._db.connection.execute("SELECT fingerprint FROM orders ORDER BY rowid").fetchall()
    return [entry["fingerprint"] for entry in entries]


class Figure:
    """An object with `savefig`, like Matplotlib's figures."""

    def savefig(self, target: io.BytesIO, **_: object) -> None:
        Image.new("RGB", (8, 8), "red").save(target, "PNG")


class Shown:
    """An object with a rich display, like IPython's images."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def _repr_mimebundle_(self) -> dict[str, str]:
        return {}


def held(png: bytes, path: Path) -> dict[str, Any]:
    with Image.open(io.BytesIO(png)) as picture:
        picture.load()
    return {
        "a path": path,
        "a path as text": [str(path)],
        "bytes": png,
        "a bytearray": bytearray(png),
        "a picture": picture,
        "a picture with a palette": picture.convert("P"),
        "a picture in CMYK": picture.convert("CMYK"),
        "an array": np.asarray(picture),
        "an array of floats": np.asarray(picture) / 255,
        "an array of booleans": np.asarray(picture)[:, :, 0] > 100,
        "a figure": Figure(),
        "what is shown": Shown(png),
    }


def test_everything_that_holds_a_picture_is_uploaded_and_taken(
    studio: Studio, books: SandboxHarness, png: bytes, picture: Path
) -> None:
    for name, value in held(png, picture).items():
        assert quote(studio, value).credits == 4, name
    assert {each["contentType"] for each in books.uploads} == {"image/png"}


def test_the_same_content_is_uploaded_once_and_is_the_same_order_wherever_it_lies(
    studio: Studio,
    studio_of: Callable[..., Studio],
    books: SandboxHarness,
    png: bytes,
    picture: Path,
    tmp_path: Path,
) -> None:
    copy = tmp_path / "copy.png"
    copy.write_bytes(png)
    for value in (picture, copy, png, [picture]):
        quote(studio, value)
    [upload] = books.uploads
    quote(studio, upload["url"])
    quote(studio_of(), picture)
    assert len(books.uploads) == 1
    assert len(set(fingerprints(studio))) == 1
    quote(studio_of(OTHER), picture)
    assert len(books.uploads) == 2, "another token may not use the first one's upload"
    assert len(set(fingerprints(studio))) == 1


def test_other_content_under_the_same_name_is_another_order(
    studio: Studio, books: SandboxHarness, picture: Path
) -> None:
    quote(studio, picture)
    Image.new("RGB", (9, 9)).save(picture)
    quote(studio, picture)
    assert len(books.uploads) == 2
    assert len(set(fingerprints(studio))) == 2


def test_an_earlier_result_goes_by_its_own_url_and_is_named_by_its_content(
    studio: Studio, books: SandboxHarness
) -> None:
    made = studio.image("a red panda", model=CHEAP)
    for value in (made, made.output, made.url, [made], made.output.path):
        quote(studio, value)
    names = fingerprints(studio)
    assert len(set(names[1:])) == 1
    assert len(books.uploads) == 1, "only the file on this machine is uploaded"
    result = studio.image("in winter", model=MODEL, image_urls=made)
    assert books.tasks[-1]["params"]["image_urls"] == [made.url]
    assert result.params["image_urls"][0]["sha256"] == made.output.sha256


def test_a_gallery_stands_for_all_its_pictures(studio: Studio, books: SandboxHarness) -> None:
    gallery = studio.image("a red panda", model=CHEAP, count=2)
    assert isinstance(gallery, Gallery)
    studio.image("together", model=MODEL, image_urls=gallery)
    assert books.tasks[-1]["params"]["image_urls"] == [each.url for each in gallery]
    with pytest.raises(errors.BadMedia, match="takes one image; the result holds 2"):
        studio.quote("tool", slug=TOOL, image_url=gallery)


def test_a_url_of_another_host_is_fetched_and_uploaded(
    studio: Studio, books: SandboxHarness, sandbox: Any
) -> None:
    made = studio.image("a red panda", model=CHEAP)
    elsewhere = made.url.replace("127.0.0.1", "localhost")
    quote(studio, elsewhere)
    [upload] = books.uploads
    assert upload["size"] == made.output.size
    with pytest.raises(errors.ZooopError) as caught:
        quote(studio, elsewhere + ".no")
    assert ".webp.no" in str(caught.value)
    with pytest.raises(errors.Unreachable, match=r"http://localhost:9/x\.png"):
        quote(studio, "http://localhost:9/x.png")
    with pytest.raises(errors.InvalidResponse, match="is no URL"):
        quote(studio, "http://localhost:port/x.png")
    assert len(books.uploads) == 1


def test_a_voice_sample_is_uploaded_as_sound(studio: Studio, books: SandboxHarness, tmp_path: Path) -> None:
    path = tmp_path / "me.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((np.sin(np.arange(80_000) / 5) * 9000).astype("<i2").tobytes())
    models = studio.models("clone")
    name = next(row["model"] for row in models.to_dict("records") if "audio_url" in row["params"])
    assert studio.quote("clone", "hello", model=name, audio_url=path).credits > 0
    assert [each["contentType"] for each in books.uploads] == ["audio/wav"]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("missing.png", None, "missing.png does not exist"),
        ("empty.png", b"", "empty.png is empty"),
        ("text.png", b"this is no picture at all", "text.png is no picture"),
        ("cut.png", 40, r"cut.png is no picture that can be read"),
        ("sound.png", b"RIFF\x24\x00\x00\x00WAVEfmt " + b"\x00" * 40, "sound.png is audio/wav"),
        (".", None, "is a folder"),
    ],
)
@pytest.mark.parametrize("param", ["image_urls", "image_url"])
def test_a_file_that_is_no_picture_is_named_and_never_sent(
    studio: Studio,
    books: SandboxHarness,
    tmp_path: Path,
    png: bytes,
    name: str,
    data: Any,
    said: str,
    param: str,
) -> None:
    path = tmp_path / name
    if data is not None:
        path.write_bytes(png[:data] if isinstance(data, int) else data)
    calls = {
        "image_urls": lambda: studio.image("x", model=MODEL, image_urls=path),
        "image_url": lambda: studio.tool(TOOL, image_url=path),
    }
    with pytest.raises(errors.BadMedia, match=said) as caught:
        calls[param]()
    assert param in str(caught.value)
    assert books.uploads == books.tasks == books.charges == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (5, "cannot take a int"),
        (object(), "cannot take a object"),
        (b"", "is empty"),
        (b"no picture", "is no picture"),
        (np.zeros((2, 2, 7), "uint8"), r"shape \(2, 2, 7\)"),
        (np.array(["a"]), "is no picture"),
        ("", "empty|does not exist|is a folder|needs"),
    ],
    ids=["number", "object", "empty", "text", "array-of-seven", "array-of-text", "blank"],
)
def test_a_value_that_holds_no_picture_is_named(
    studio: Studio, books: SandboxHarness, value: Any, said: str
) -> None:
    with pytest.raises(errors.InputError, match=said):
        studio.tool(TOOL, image_url=value)
    assert books.uploads == books.tasks == []


def test_more_references_than_the_model_takes_are_refused_before_any_upload(
    studio: Studio, books: SandboxHarness, picture: Path
) -> None:
    with pytest.raises(errors.BadValue, match="image_urls takes up to 10, not 11"):
        studio.image("x", model=MODEL, image_urls=[picture] * 11)
    gallery = studio.image("x", model=CHEAP, count=2)
    with pytest.raises(errors.BadValue, match="image_urls takes up to 1, not 2"):
        studio.template("superhero-movie-poster", image_urls=gallery)
    assert books.uploads == []
    assert books.spent() == 2


def test_an_upload_that_is_rejected_ends_the_order(studio: Studio, books: SandboxHarness, png: bytes) -> None:
    with pytest.raises(errors.ModerationBlocked, match="refused again"):
        studio.image("x", model=MODEL, image_urls=png + b"sandbox-block:porn;")
    assert books.tasks == books.charges == []


def test_what_lies_on_disk_may_have_a_comma_in_its_name_in_a_list(studio: Studio, picture: Path) -> None:
    assert "," in picture.name
    assert quote(studio, [str(picture)]).params["image_urls"][0]["file"] == picture.name


def test_an_object_that_answers_to_every_attribute_is_no_result(studio: Studio) -> None:
    class Proxy:
        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return lambda *_: "something"

    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("not connected")

    for odd in (Proxy(), Broken()):
        with pytest.raises(errors.BadMedia, match=f"cannot take a {type(odd).__name__}"):
            studio.tool(TOOL, image_url=odd)
