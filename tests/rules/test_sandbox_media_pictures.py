"""The sandbox's pictures and vector files, read back with Pillow."""

import re
import warnings
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.rules.bodies import catalogue, model, raw
from tests.support.media import difference, loaded, picture, saved
from zooop_nb.sandbox.media import Piece, Unreadable, Work, render
from zooop_nb.sandbox.resolve import resolve, work_order

SVG = "{http://www.w3.org/2000/svg}"


def one(**order: object) -> Piece:
    order.setdefault("prompt", "a red panda in a forest at sunset")
    order.setdefault("model", "Flux 2 Pro")
    order.setdefault("width", 256)
    order.setdefault("height", 192)
    (piece,) = render(Work(**order))  # type: ignore[arg-type]
    return piece


@pytest.mark.parametrize(("width", "height"), [(256, 192), (96, 400), (1, 1), (1500, 300)])
def test_a_picture_has_the_asked_size_and_is_a_jpeg_with_a_small_one(width: int, height: int) -> None:
    piece = one(action="picture", width=width, height=height)
    image, small = loaded(piece.data), loaded(piece.thumbnail or b"")
    assert (piece.content_type, image.format, image.mode) == ("image/jpeg", "JPEG", "RGB")
    assert image.size == (piece.width, piece.height) == (width, height)
    assert (piece.thumbnail_type, small.format) == ("image/jpeg", "JPEG")
    assert max(small.size) <= 512
    assert piece.seconds is None


@pytest.mark.parametrize(
    ("resolution", "ratio", "pixels"),
    [("1k", "9:16", (576, 1024)), ("2k", "1:1", (2048, 2048)), ("4k", "16:9", (4096, 2304))],
)
def test_a_resolution_that_a_model_offers_is_what_comes_out(
    resolution: str, ratio: str, pixels: tuple[int, int]
) -> None:
    body = raw(model("image/default", "GPT Image 2.0"), resolution=resolution, aspect_ratio=ratio)
    (piece,) = render(work_order(resolve(catalogue(), body), seed=1))
    assert loaded(piece.data).size == (piece.width, piece.height) == pixels


@pytest.mark.parametrize("action", ["picture", "svg"])
def test_the_same_work_gives_the_same_bytes(action: str) -> None:
    assert one(action=action) == one(action=action)


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "a red panda in a forest at night"},
        {"prompt": "a zebra in a forest at sunset"},
        {"seed": 7},
        {"params": {"quality": "high"}},
    ],
)
def test_words_seed_and_params_each_change_the_picture(change: dict[str, object]) -> None:
    before, after = one(action="picture"), one(action="picture", **change)
    assert difference(loaded(before.data), loaded(after.data)) > 2


def test_an_uploads_new_address_does_not_change_the_picture() -> None:
    inputs = {"image_urls": (saved(picture()),)}
    orders = [
        {"params": {"image_urls": [f"https://storage.zooop.ai/u/p/{name}.png"]}, "inputs": inputs}
        for name in ("one", "two")
    ]
    first, second = (one(action="picture", **order) for order in orders)
    assert first == second


def test_the_variants_of_one_order_differ() -> None:
    pieces = render(Work("picture", "a boat", width=128, height=128, count=3))
    assert len({piece.data for piece in pieces}) == 3


def test_chinese_words_are_understood() -> None:
    night, day = (loaded(one(action="picture", prompt=prompt).data).convert("L") for prompt in ("夜", "白天"))
    assert np.asarray(night).mean() + 40 < np.asarray(day).mean()


def test_a_named_colour_shows() -> None:
    means = {
        name: np.asarray(loaded(one(action="picture", prompt=f"a {name} cat").data)).mean(axis=(0, 1))
        for name in ("red", "blue")
    }
    assert means["red"][0] > means["blue"][0]
    assert means["blue"][2] > means["red"][2]


def test_the_mark_can_be_read_in_the_picture_and_its_comment() -> None:
    marked, other = (
        loaded(one(action="picture", width=640, height=480, model=m).data) for m in ("A", "A B C D")
    )
    assert marked.info["comment"].decode() == "ZOOOP sandbox · A"
    corner = (8, 440, 280, 476)
    assert np.asarray(marked.crop(corner).convert("L")).max() > 200
    assert difference(marked.crop(corner), other.crop(corner)) > 2


def test_a_reference_hangs_in_the_picture_and_colours_it() -> None:
    plain = loaded(one(action="picture").data)
    green = loaded(
        one(action="picture", inputs={"image_urls": (saved(Image.new("RGB", (80, 80), (0, 220, 40))),)}).data
    )
    pure = np.asarray(green, dtype=int)
    framed = (abs(pure - (0, 220, 40)).max(axis=2) < 24).mean()
    assert framed > 0.04
    assert difference(plain, green) > 15


def test_a_transparent_picture_is_a_png_with_a_see_through_corner() -> None:
    piece = one(action="picture", prompt="a blue cat", alpha=True)
    image = loaded(piece.data)
    assert (piece.content_type, image.format, image.mode) == ("image/png", "PNG", "RGBA")
    alpha = np.asarray(image)[..., 3]
    assert alpha[0, 0] == 0
    assert alpha.max() == 255
    small = loaded(piece.thumbnail or b"")
    assert (piece.thumbnail_type, small.format) == ("image/png", "PNG")
    assert small.getpixel((0, 0))[3] == 0  # type: ignore[index]


def test_an_edit_changes_the_white_region_and_leaves_the_rest() -> None:
    source = picture(320, 240)
    mask = Image.new("L", (160, 120), 0)
    ImageDraw.Draw(mask).rectangle((80, 0, 159, 119), fill=255)
    piece = one(action="edit", inputs={"image_url": (saved(source),), "mask_url": (saved(mask),)})
    result = loaded(piece.data)
    assert (piece.content_type, result.size) == ("image/jpeg", (320, 240))
    kept = np.abs(np.asarray(result, dtype=int) - np.asarray(source, dtype=int))[:, :150]
    assert kept.max() <= 12
    assert kept.mean() < 1
    right = (170, 0, 320, 240)
    assert difference(result.crop(right), source.crop(right)) > 20


def test_an_edit_of_a_see_through_picture_leaves_the_rest_exactly() -> None:
    source = picture(200, 200).convert("RGBA")
    source.putalpha(Image.new("L", source.size, 120))
    mask = Image.new("L", source.size, 0)
    mask.paste(255, (0, 100, 200, 200))
    piece = one(action="edit", inputs={"image": (saved(source),), "mask": (saved(mask),)})
    result = loaded(piece.data)
    assert piece.content_type == "image/png"
    assert np.array_equal(np.asarray(result)[:100], np.asarray(source)[:100])
    assert not np.array_equal(np.asarray(result)[100:], np.asarray(source)[100:])


def test_a_black_mask_changes_nothing() -> None:
    source = picture()
    masked = {"image_url": (saved(source),), "mask_url": (saved(Image.new("L", (9, 9), 0)),)}
    assert difference(loaded(one(action="edit", inputs=masked).data), source) < 1


def test_a_cutout_keeps_the_subject_and_removes_the_background() -> None:
    noisy = np.asarray(picture(300, 240), dtype=int) + np.random.default_rng(1).integers(-6, 7, (240, 300, 3))
    source = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
    piece = one(action="cutout", prompt="", inputs={"image_url": (saved(source),)})
    image = loaded(piece.data)
    alpha = np.asarray(image)[..., 3]
    assert (piece.content_type, image.size) == ("image/png", (300, 240))
    assert alpha[:20].max() == 0
    assert alpha[120, 150] == 255
    assert abs((alpha > 127).mean() - np.pi * 60**2 / (300 * 240)) < 0.03
    assert len(np.unique(alpha)) > 8


def test_upscaling_multiplies_the_size_and_keeps_the_picture() -> None:
    source = picture(150, 90)
    piece = one(action="upscale-image", factor=4, inputs={"image_url": (saved(source),)})
    image = loaded(piece.data)
    assert image.size == (piece.width, piece.height) == (600, 360)
    assert difference(image.resize(source.size), source) < 3


def test_upscaling_beyond_the_limit_is_refused() -> None:
    large = saved(Image.new("RGB", (1000, 1000)), "JPEG")
    with pytest.raises(Unreadable, match="10000x10000 is more than the sandbox makes"):
        one(action="upscale-image", factor=10, inputs={"image_url": (large,)})


@pytest.mark.parametrize(
    "style", ["impressionism", "cubism", "watercolor", "pixel art", "sketch", "anime", "unheard of"]
)
def test_a_restyle_transforms_the_inputs_pixels_in_the_asked_shape(style: str) -> None:
    source = picture(320, 240)
    inputs = {"image_url": (saved(source),)}
    piece = one(
        action="restyle-image",
        prompt="",
        width=256,
        height=144,
        params={"target_style": style},
        inputs=inputs,
    )
    result = loaded(piece.data)
    fitted = source.crop((0, 30, 320, 210)).resize((256, 144))
    assert result.size == (256, 144)
    assert difference(result, fitted) > 1.5
    blurred = [image.convert("L").resize((16, 9), Image.Resampling.BOX) for image in (result, fitted)]
    assert style == "sketch" or np.corrcoef([np.asarray(image).ravel() for image in blurred])[0, 1] > 0.5


def test_styles_differ_from_each_other() -> None:
    inputs = {"image_url": (saved(picture(320, 240)),)}
    made = [
        loaded(one(action="restyle-image", prompt="", params={"style": style}, inputs=inputs).data)
        for style in ("impressionism", "cubism")
    ]
    assert difference(*made) > 5


def test_a_vector_file_is_made_of_paths_and_holds_its_words_as_text() -> None:
    piece = one(action="svg", prompt='a fox & <script>alert("x")</script> \x00', model="Recraft <Vector>")
    root = ElementTree.fromstring(piece.data)
    assert piece.content_type == "image/svg+xml"
    assert (root.get("width"), root.get("height")) == ("256", "192") == (str(piece.width), str(piece.height))
    assert len(list(root.iter(f"{SVG}path"))) > 20
    assert {element.tag.removeprefix(SVG) for element in root.iter()}.isdisjoint(
        {"script", "image", "foreignObject"}
    )
    assert root.findtext(f"{SVG}title") == 'a fox & <script>alert("x")</script>'
    assert root.findtext(f"{SVG}desc", "").startswith("ZOOOP sandbox · Recraft <Vector>")
    assert loaded(piece.thumbnail or b"").format == "JPEG"


def test_tracing_gives_paths_in_the_pictures_colours_and_size() -> None:
    source = picture(320, 240)
    piece = one(action="vectorise", prompt="", inputs={"image_url": (saved(source),)})
    root = ElementTree.fromstring(piece.data)
    fills = [path.get("fill", "") for path in root.iter(f"{SVG}path")]
    told = [
        [int(fill[i : i + 2], 16) for i in (1, 3, 5)]
        for fill in fills
        if re.fullmatch("#[0-9A-Fa-f]{6}", fill)
    ]
    assert root.get("viewBox") == "0 0 320 240"
    for colour in ((40, 90, 200), (230, 120, 40)):
        assert min(max(abs(a - b) for a, b in zip(colour, fill, strict=True)) for fill in told) < 24
    assert piece == one(action="vectorise", prompt="", inputs={"image_url": (saved(source),)})


@pytest.mark.parametrize("action", ["edit", "cutout", "upscale-image", "restyle-image", "vectorise"])
@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({}, "needs a picture"),
        ({"image_url": (b"",)}, "empty"),
        ({"image_url": (b"no picture at all",)}, "no picture, clip or sound"),
        ({"image_url": (saved(picture())[:300],)}, "no picture that can be read"),
    ],
)
def test_without_a_readable_picture_there_is_a_reason(
    action: str, inputs: dict[str, tuple[bytes, ...]], reason: str
) -> None:
    with pytest.raises(Unreadable, match=reason):
        one(action=action, inputs=inputs)


def test_an_unknown_action_and_a_count_of_none_are_errors() -> None:
    with pytest.raises(ValueError, match="unknown action 'paint'"):
        one(action="paint")
    with pytest.raises(ValueError, match="at least one"):
        one(action="picture", count=0)


def test_any_prompt_can_be_drawn_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for prompt in (
            "",
            "\ud800",
            "💃" * 30,
            "x" * 4000,
            "portrait of a woman, pop art, 8-bit",
            "星空下的灯塔和船",
        ):
            for action in ("picture", "svg"):
                one(action=action, prompt=prompt, width=64, height=64)
