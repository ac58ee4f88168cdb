"""Restyling: transformations of a picture's own pixels, by name of the style.

They are classic filters and understand nothing of the picture: impressionism paints strokes in its colours,
cubism cuts it into flat facets, and so on. Unknown styles fall back to posterised colours with drawn edges.
"""

import random
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from zooop_nb.sandbox.media.work import Work

_LONGEST = 1024
"""Largest size at which filters work; the result is then enlarged, which suits brush strokes."""

_FACETS = 150

Filter = Callable[[Image.Image, random.Random], Image.Image]


def _impressionism(image: Image.Image, rng: random.Random) -> Image.Image:
    pixels = image.filter(ImageFilter.GaussianBlur(2)).load()
    assert pixels is not None
    canvas = ImageEnhance.Color(image.filter(ImageFilter.GaussianBlur(max(image.size) / 90))).enhance(1.25)
    draw = ImageDraw.Draw(canvas)
    for size, tally in ((0.024, 1800), (0.014, 3800)):
        reach = max(2.0, size * max(image.size))
        for _ in range(tally):
            x, y = rng.randrange(image.width), rng.randrange(image.height)
            r, g, b = pixels[x, y]  # type: ignore[misc]
            change = rng.randint(-22, 22)
            dx, dy = reach * rng.uniform(0.5, 1.0), reach * rng.uniform(-0.5, 0.5)
            draw.line(
                (x - dx, y - dy, x + dx, y + dy),
                (r + change, g + change, b + change // 2),
                max(1, round(reach * 0.55)),
            )
    return canvas.filter(ImageFilter.SMOOTH)


@lru_cache(maxsize=2)
def _facets(width: int, height: int, seed: int) -> tuple[NDArray[np.intp], Image.Image]:
    """Return the facet of each pixel and the lines between facets; cached for the frames of a clip."""
    rng = random.Random(seed)
    seeds = np.array(
        [(rng.uniform(0, width), rng.uniform(0, height)) for _ in range(_FACETS)], dtype=np.float32
    )
    slants = np.array([rng.uniform(0.55, 1.8) for _ in range(_FACETS)], dtype=np.float32)
    xs, ys = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    # Distances stretched along one diagonal give long, angular facets instead of a honeycomb.
    along = (xs[..., None] + ys[..., None]) - seeds.sum(axis=1)
    across = (xs[..., None] - ys[..., None]) - (seeds[:, 0] - seeds[:, 1])
    facet = np.argmin(np.abs(along) * slants + np.abs(across) / slants, axis=2)
    edge = np.zeros((height, width), dtype=bool)
    edge[:, 1:] |= facet[:, 1:] != facet[:, :-1]
    edge[1:, :] |= facet[1:, :] != facet[:-1, :]
    return facet, Image.fromarray((edge * 150).astype(np.uint8), "L")


def _cubism(image: Image.Image, rng: random.Random) -> Image.Image:
    scale = 240 / max(image.size)
    width, height = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    facet, lines = _facets(width, height, rng.getrandbits(32))
    cells = facet.ravel()
    small = np.asarray(image.resize((width, height), Image.Resampling.BOX), dtype=np.float64)
    tally = np.bincount(cells, minlength=_FACETS)[:, None].clip(1)
    means = np.stack([np.bincount(cells, small[..., c].ravel(), _FACETS) for c in range(3)], axis=1) / tally
    middles = np.bincount(cells, np.indices(facet.shape)[1].ravel(), _FACETS) / tally[:, 0]
    slope = np.clip(np.arange(width)[None, :] - middles[facet], -30, 30)
    shaded = means[facet] * 0.8 + small * 0.2 + slope[..., None] * 0.9
    flat = Image.fromarray(np.clip(shaded, 0, 255).astype(np.uint8), "RGB").resize(
        image.size, Image.Resampling.BICUBIC
    )
    flat = ImageEnhance.Color(flat).enhance(1.2)
    flat.paste(
        Image.new("RGB", image.size, (44, 36, 34)), mask=lines.resize(image.size, Image.Resampling.BICUBIC)
    )
    return flat


def _watercolour(image: Image.Image, rng: random.Random) -> Image.Image:
    third = image.resize((max(1, image.width // 3), max(1, image.height // 3)), Image.Resampling.BOX)
    patches = ImageOps.posterize(third.filter(ImageFilter.ModeFilter(5)), 4).resize(
        image.size, Image.Resampling.BICUBIC
    )
    soft = patches.filter(ImageFilter.GaussianBlur(2.2))
    edges = ImageOps.invert(image.convert("L").filter(ImageFilter.FIND_EDGES)).filter(
        ImageFilter.GaussianBlur(1.2)
    )
    noise = (
        np.random.default_rng(rng.getrandbits(32)).normal(246, 5, (image.height, image.width)).clip(0, 255)
    )
    paper = Image.fromarray(noise.astype(np.uint8), "L").filter(ImageFilter.GaussianBlur(1)).convert("RGB")
    lighter = ImageChops.screen(soft, Image.new("RGB", image.size, (46, 46, 46)))
    inked = ImageChops.multiply(
        lighter, Image.blend(edges, Image.new("L", image.size, 255), 0.55).convert("RGB")
    )
    return ImageChops.multiply(inked, paper)


def _pixel(image: Image.Image, _: random.Random) -> Image.Image:
    scale = 96 / max(image.size)
    small = image.resize(
        (max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.BOX
    )
    flat = (
        ImageEnhance.Color(small)
        .enhance(1.3)
        .quantize(20, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    )
    return flat.convert("RGB").resize(image.size, Image.Resampling.NEAREST)


def _sketch(image: Image.Image, _: random.Random) -> Image.Image:
    grey = image.convert("L")
    upside = ImageOps.invert(grey).filter(ImageFilter.GaussianBlur(max(2, max(image.size) / 90)))
    base, burn = np.asarray(grey, dtype=np.float32), np.asarray(upside, dtype=np.float32)
    dodge = np.clip(base * 255 / np.maximum(255 - burn, 1), 0, 255) ** 2.4 / 255**1.4
    lines = Image.fromarray(dodge.astype(np.uint8), "L")
    return ImageOps.colorize(lines, (48, 44, 48), (250, 247, 240))


def _drawn(image: Image.Image, _: random.Random) -> Image.Image:
    flat = ImageEnhance.Color(ImageOps.posterize(image.filter(ImageFilter.MedianFilter(5)), 3)).enhance(1.25)
    edges = image.convert("L").filter(ImageFilter.GaussianBlur(1)).filter(ImageFilter.FIND_EDGES)
    ink = edges.point([min(255, max(0, value - 14) * 6) for value in range(256)]).filter(
        ImageFilter.GaussianBlur(0.6)
    )
    lit = ImageChops.screen(flat, Image.new("RGB", image.size, (22, 22, 22)))
    lit.paste(Image.new("RGB", image.size, (32, 28, 36)), mask=ink)
    return lit


def _pop(image: Image.Image, _: random.Random) -> Image.Image:
    tones = ImageOps.posterize(ImageOps.autocontrast(image.convert("L")), 2)
    ramp = ((44, 32, 110), (228, 46, 116), (255, 148, 60), (255, 236, 110))
    tables = [[ramp[value >> 6][c] for value in range(256)] for c in range(3)]
    return Image.merge("RGB", [tones.point(table) for table in tables])


def _grey(image: Image.Image, _: random.Random) -> Image.Image:
    return ImageEnhance.Contrast(ImageOps.autocontrast(image.convert("L"), 1)).enhance(1.2).convert("RGB")


def _sepia(image: Image.Image, _: random.Random) -> Image.Image:
    return ImageOps.colorize(image.convert("L"), (42, 26, 18), (252, 238, 208), (164, 122, 82))


def _neon(image: Image.Image, _: random.Random) -> Image.Image:
    base = ImageOps.colorize(
        ImageOps.autocontrast(image.convert("L")), (10, 6, 38), (90, 240, 255), (206, 32, 142)
    )
    edges = image.convert("L").filter(ImageFilter.FIND_EDGES).filter(ImageFilter.GaussianBlur(2))
    glow = ImageOps.colorize(edges, (0, 0, 0), (255, 120, 240))
    return ImageChops.screen(base, glow)


STYLES: dict[str, tuple[tuple[str, ...], Filter]] = {
    "impressionism": (
        ("impressionism", "impressionist", "impressionistic", "monet", "oil painting", "印象", "油画"),
        _impressionism,
    ),
    "cubism": (("cubism", "cubist", "picasso", "立体主义", "立体派"), _cubism),
    "watercolour": (("watercolour", "watercolor", "aquarelle", "水彩", "水墨"), _watercolour),
    "pixel-art": (("pixel art", "pixel", "8-bit", "像素"), _pixel),
    "sketch": (("sketch", "pencil", "line art", "drawing", "素描", "线稿"), _sketch),
    "drawn": (
        ("anime", "cartoon", "comic", "manga", "ghibli", "ukiyo-e", "ukiyo", "动漫", "卡通", "漫画"),
        _drawn,
    ),
    "pop-art": (("pop art", "pop", "warhol", "波普"), _pop),
    "black-and-white": (("black and white", "noir", "monochrome", "黑白"), _grey),
    "sepia": (("sepia", "vintage", "retro", "复古", "怀旧"), _sepia),
    "neon": (("cyberpunk", "neon", "synthwave", "赛博朋克", "霓虹"), _neon),
}
"""Name -> trigger words and filter."""

FALLBACK = "drawn"


def find_style(text: str) -> str | None:
    """Return the first style that a text names, if any."""
    plain = f" {text.lower().replace('_', ' ').replace('-', ' ')} "
    for name, (names, _) in STYLES.items():
        if any((f" {word.replace('-', ' ')} " if word.isascii() else word) in plain for word in names):
            return name
    return None


def named_style(work: Work) -> str | None:
    """Return the style named in a work's params, or else in its prompt, or None."""
    for name, value in work.params.items():
        if "style" in name and isinstance(value, str) and (style := find_style(value)):
            return style
    return find_style("".join(letter if letter.isalnum() or letter == "-" else " " for letter in work.prompt))


def restyle(image: Image.Image, style: str, seed: int) -> Image.Image:
    """Return the picture in a style as RGB, of the same size."""
    size = image.size
    if max(size) > _LONGEST:
        scale = _LONGEST / max(size)
        image = image.resize(
            (max(1, round(size[0] * scale)), max(1, round(size[1] * scale))), Image.Resampling.LANCZOS
        )
    _, apply = STYLES[style]
    made = apply(image.convert("RGB"), random.Random(seed))
    return made if made.size == size else made.resize(size, Image.Resampling.LANCZOS)
