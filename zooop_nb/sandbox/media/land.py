"""Skies and landscapes: their trigger words, their colours, and the shapes they are drawn with."""

import math
import random
from dataclasses import dataclass

from zooop_nb.sandbox.media.colour import RGB, mix
from zooop_nb.sandbox.media.shape import Shape, curve, polygon


@dataclass(frozen=True)
class Sky:
    """The light of a time of day or a weather."""

    words: tuple[str, ...]
    stops: tuple[RGB, RGB, RGB]
    """Gradient colours, from the zenith to the horizon."""
    light: RGB
    height: float
    """Vertical position of sun or moon, as a fraction of the picture from the top; above 1 it is hidden."""
    stars: int = 0
    clouds: int = 3


@dataclass(frozen=True)
class Land:
    """A kind of ground, in four layers from far to near."""

    words: tuple[str, ...]
    far: RGB
    near: RGB
    form: str
    """The shape of its layers: `hills`, `mountains`, `dunes`, `waves`, `forest`, `city`."""


SKIES = (
    Sky(
        ("night", "midnight", "moon", "moonlit", "dark", "starry", "夜", "月", "暗"),
        ((14, 18, 48), (38, 44, 96), (94, 84, 140)),
        (250, 244, 216),
        0.2,
        70,
        1,
    ),
    Sky(
        ("space", "galaxy", "cosmos", "nebula", "planet", "宇宙", "太空", "星空"),
        ((10, 8, 32), (44, 22, 84), (120, 54, 128)),
        (255, 206, 160),
        0.26,
        110,
        0,
    ),
    Sky(
        ("neon", "cyberpunk", "synthwave", "霓虹", "赛博"),
        ((22, 12, 56), (104, 28, 116), (246, 92, 140)),
        (255, 198, 108),
        0.48,
        26,
        0,
    ),
    Sky(
        ("sunset", "dusk", "evening", "twilight", "日落", "黄昏", "傍晚", "夕阳"),
        ((70, 58, 122), (226, 110, 104), (255, 196, 122)),
        (255, 236, 178),
        0.5,
        0,
        3,
    ),
    Sky(
        ("dawn", "sunrise", "morning", "日出", "清晨", "早晨"),
        ((122, 160, 206), (246, 190, 178), (255, 230, 190)),
        (255, 246, 214),
        0.46,
        0,
        3,
    ),
    Sky(
        ("storm", "rain", "rainy", "fog", "foggy", "mist", "misty", "雨", "雾", "风暴"),
        ((92, 106, 124), (146, 158, 170), (204, 210, 212)),
        (228, 230, 226),
        0.3,
        0,
        5,
    ),
    Sky(
        ("winter", "snow", "snowy", "ice", "frozen", "冬", "雪", "冰"),
        ((150, 184, 214), (206, 224, 236), (246, 240, 238)),
        (255, 252, 240),
        0.3,
        0,
        2,
    ),
    Sky(
        ("day", "noon", "summer", "sunny", "夏", "晴", "白天"),
        ((72, 148, 214), (148, 202, 234), (232, 242, 232)),
        (255, 244, 190),
        0.2,
        0,
        4,
    ),
)
LANDS = (
    Land(
        (
            "sea",
            "ocean",
            "beach",
            "lake",
            "river",
            "water",
            "waves",
            "coast",
            "underwater",
            "海",
            "湖",
            "河",
            "水",
        ),
        (84, 164, 190),
        (22, 84, 122),
        "waves",
    ),
    Land(
        ("forest", "jungle", "woods", "rainforest", "森林", "丛林", "树林"),
        (134, 174, 158),
        (26, 70, 62),
        "forest",
    ),
    Land(
        ("city", "street", "skyline", "downtown", "tokyo", "urban", "城市", "街", "都市"),
        (132, 134, 172),
        (34, 38, 70),
        "city",
    ),
    Land(("desert", "dune", "sand", "mars", "沙漠", "沙"), (238, 190, 138), (182, 104, 70), "dunes"),
    Land(
        ("mountain", "alps", "peak", "cliff", "valley", "himalaya", "山"),
        (158, 174, 204),
        (52, 72, 104),
        "mountains",
    ),
    Land(
        ("meadow", "field", "garden", "spring", "grass", "hill", "park", "草", "花园", "春", "田"),
        (172, 204, 156),
        (70, 128, 84),
        "hills",
    ),
    Land(("autumn", "fall", "maple", "秋", "枫"), (226, 170, 110), (140, 70, 46), "hills"),
)
PLAIN_LANDS = (
    Land((), (170, 190, 190), (58, 96, 108), "hills"),
    Land((), (178, 176, 206), (74, 68, 112), "mountains"),
    Land((), (240, 196, 160), (160, 92, 92), "dunes"),
    Land((), (150, 194, 200), (36, 98, 116), "waves"),
)


def _ridge(
    rng: random.Random, form: str, width: float, base: float, swell: float
) -> list[tuple[float, float]]:
    """Return the upper edge of a layer of land, from left to right."""
    points: list[tuple[float, float]] = []
    if form == "city":
        x = -0.05
        while x < width + 0.05:
            wide, high = rng.uniform(0.05, 0.13), rng.uniform(0.1, 1.0) * swell * 2.4
            points += [(x, base - high), (x + wide, base - high)]
            x += wide + rng.choice((0.0, 0.0, 0.012))
        return points
    if form == "mountains":
        x, up = -0.1, False
        while x < width + 0.3:
            points.append(
                (x, base - (rng.uniform(0.9, 2.0) * swell if up else rng.uniform(-0.1, 0.35) * swell))
            )
            x, up = x + rng.uniform(0.09, 0.22), not up
        return points
    waves = [(rng.uniform(0.6, 2.2), rng.uniform(0, math.tau), rng.uniform(0.4, 1.0)) for _ in range(3)]
    stretch, damp = (3.2, 0.16) if form == "waves" else (1.0, 1.0)
    steps = max(24, round(width * 22))
    for step in range(steps + 1):
        x = -0.05 + (width + 0.1) * step / steps
        rise = sum(part * math.sin(x * pace * 2.6 * stretch + shift) for pace, shift, part in waves) / 2
        points.append((x, base - rise * swell * damp))
    return points


def layer(
    rng: random.Random, land: Land, depth: float, width: float, height: float, colour: RGB, haze: RGB
) -> list[Shape]:
    """Return one layer of a land with its trees, windows or snow; `depth` is 0 (farthest) to 1 (nearest)."""
    base = height * (0.6 + 0.3 * depth)
    swell = height * (0.075 if land.form != "city" else 0.1) * (1.15 - 0.55 * depth)
    ridge = _ridge(rng, land.form, width, base, swell)
    edge = [(width + 0.2, height + 0.05), (-0.2, height + 0.05)]
    shapes = [polygon([*ridge, *edge], colour, fade=mix(colour, haze, 0.3 * (1 - depth)))]
    if land.form == "forest":
        for _ in range(round((9 + 7 * depth) * width)):
            x, y = rng.choice(ridge)
            x, tall = x + rng.uniform(-0.03, 0.03), rng.uniform(0.07, 0.14) * (0.6 + depth) * height
            half = tall * 0.24
            for low, high in ((0.02, 0.62), (-0.28, 1.0)):
                shapes.append(
                    polygon(
                        [(x - half, y - tall * -low), (x, y - tall * high), (x + half, y - tall * -low)],
                        colour,
                    )
                )
                half *= 0.8
    if land.form == "city" and depth > 0.3:
        light = mix((255, 216, 130), colour, 0.25)
        for (left, top), (right, _) in zip(ridge[::2], ridge[1::2], strict=True):
            y = top + 0.02
            while y < base - 0.01:
                x = left + 0.015
                while x < right - 0.02:
                    if rng.random() < 0.3:
                        shapes.append(
                            polygon(
                                [(x, y), (x + 0.009, y), (x + 0.009, y + 0.012), (x, y + 0.012)], light, 0.85
                            )
                        )
                    x += 0.022
                y += 0.03
    if land.form == "mountains" and depth < 0.5:
        snow, cap = mix(colour, (255, 255, 255), 0.62), 0.3
        for before, peak, after in zip(ridge, ridge[1:], ridge[2:], strict=False):
            if peak[1] < min(before[1], after[1]):
                west, east = (
                    (peak[0] + (foot[0] - peak[0]) * cap, peak[1] + (foot[1] - peak[1]) * cap)
                    for foot in (before, after)
                )
                middle = (
                    peak[0] + (east[0] - west[0]) * 0.1,
                    peak[1] + (max(west[1], east[1]) - peak[1]) * 0.6,
                )
                shapes.append(polygon([peak, east, middle, west], snow))
    return shapes


def cloud(rng: random.Random, x: float, y: float, size: float, colour: RGB) -> list[Shape]:
    """Return a cloud: a flat base and a row of bumps, highest in the middle, with a soft underside."""
    bumps = rng.randint(4, 6)
    outline = [(x - size, y)]
    for bump in range(bumps):
        left, right = x - size + 2 * size * bump / bumps, x - size + 2 * size * (bump + 1) / bumps
        tall = size * (0.12 + 0.3 * math.sin(math.pi * (bump + 0.5) / bumps)) * rng.uniform(0.8, 1.15)
        middle, radius = (left + right) / 2, (right - left) * 0.62
        for step in range(1, 8):
            angle = math.pi * (1 - step / 8)
            outline.append(
                (middle + radius * math.cos(angle), y - tall + size * 0.1 - radius * 0.7 * math.sin(angle))
            )
    outline.append((x + size, y))
    under = [(x - size * 0.96, y), (x, y - size * 0.02), (x + size * 0.96, y), (x, y + size * 0.09)]
    return [
        curve(under, colour, 0.35),
        polygon(outline, colour, 0.72, fade=mix(colour, (255, 255, 255), 0.25)),
    ]
