"""From a prompt to a composition: sky, land and the things that the prompt names, as shapes.

Both the drawn pictures and the vector files are made from it. It reads words (English and Chinese) by a
small vocabulary; a word it does not know still changes the composition, by its hash. It understands
nothing.
"""

import hashlib
import json
import math
import random
import re
from dataclasses import dataclass

from zooop_nb.sandbox.media.colour import RGB, from_hue, luminance, mix
from zooop_nb.sandbox.media.motifs import MOTIFS, Motif, named_colour
from zooop_nb.sandbox.media.shape import Shape, curve, ellipse, polygon
from zooop_nb.sandbox.media.work import Work


@dataclass(frozen=True)
class Scene:
    width: float
    """In units of the shorter side, which is 1."""
    height: float
    sky: tuple[tuple[float, RGB], ...]
    """Stops of the vertical gradient: how far down (0 to 1), and the colour."""
    glow: tuple[float, float, float, RGB] | None
    """The light about sun or moon: x, y, radius, colour."""
    shapes: tuple[Shape, ...]
    """From the hindmost to the nearest."""
    subject: tuple[Shape, ...]
    """Those of the shapes that are the things named; a sticker shows them alone."""


@dataclass(frozen=True)
class _Sky:
    words: tuple[str, ...]
    stops: tuple[RGB, RGB, RGB]
    light: RGB
    height: float
    """Of sun or moon, as a share of the picture; above 1 it is hidden."""
    stars: int = 0
    clouds: int = 3


@dataclass(frozen=True)
class _Land:
    words: tuple[str, ...]
    far: RGB
    near: RGB
    form: str


_SKIES = (
    _Sky(
        ("night", "midnight", "moon", "moonlit", "dark", "starry", "夜", "月", "暗"),
        ((14, 18, 48), (38, 44, 96), (94, 84, 140)),
        (250, 244, 216),
        0.2,
        70,
        1,
    ),
    _Sky(
        ("space", "galaxy", "cosmos", "nebula", "planet", "宇宙", "太空", "星空"),
        ((10, 8, 32), (44, 22, 84), (120, 54, 128)),
        (255, 206, 160),
        0.26,
        110,
        0,
    ),
    _Sky(
        ("neon", "cyberpunk", "synthwave", "霓虹", "赛博"),
        ((22, 12, 56), (104, 28, 116), (246, 92, 140)),
        (255, 198, 108),
        0.48,
        26,
        0,
    ),
    _Sky(
        ("sunset", "dusk", "evening", "twilight", "日落", "黄昏", "傍晚", "夕阳"),
        ((70, 58, 122), (226, 110, 104), (255, 196, 122)),
        (255, 236, 178),
        0.5,
        0,
        3,
    ),
    _Sky(
        ("dawn", "sunrise", "morning", "日出", "清晨", "早晨"),
        ((122, 160, 206), (246, 190, 178), (255, 230, 190)),
        (255, 246, 214),
        0.46,
        0,
        3,
    ),
    _Sky(
        ("storm", "rain", "rainy", "fog", "foggy", "mist", "misty", "雨", "雾", "风暴"),
        ((92, 106, 124), (146, 158, 170), (204, 210, 212)),
        (228, 230, 226),
        0.3,
        0,
        5,
    ),
    _Sky(
        ("winter", "snow", "snowy", "ice", "frozen", "冬", "雪", "冰"),
        ((150, 184, 214), (206, 224, 236), (246, 240, 238)),
        (255, 252, 240),
        0.3,
        0,
        2,
    ),
    _Sky(
        ("day", "noon", "summer", "sunny", "夏", "晴", "白天"),
        ((72, 148, 214), (148, 202, 234), (232, 242, 232)),
        (255, 244, 190),
        0.2,
        0,
        4,
    ),
)
_LANDS = (
    _Land(
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
    _Land(
        ("forest", "jungle", "woods", "rainforest", "森林", "丛林", "树林"),
        (134, 174, 158),
        (26, 70, 62),
        "forest",
    ),
    _Land(
        ("city", "street", "skyline", "downtown", "tokyo", "urban", "城市", "街", "都市"),
        (132, 134, 172),
        (34, 38, 70),
        "city",
    ),
    _Land(("desert", "dune", "sand", "mars", "沙漠", "沙"), (238, 190, 138), (182, 104, 70), "dunes"),
    _Land(
        ("mountain", "alps", "peak", "cliff", "valley", "himalaya", "山"),
        (158, 174, 204),
        (52, 72, 104),
        "mountains",
    ),
    _Land(
        ("meadow", "field", "garden", "spring", "grass", "hill", "park", "草", "花园", "春", "田"),
        (172, 204, 156),
        (70, 128, 84),
        "hills",
    ),
    _Land(("autumn", "fall", "maple", "秋", "枫"), (226, 170, 110), (140, 70, 46), "hills"),
)
_PLAIN_LANDS = (
    _Land((), (170, 190, 190), (58, 96, 108), "hills"),
    _Land((), (178, 176, 206), (74, 68, 112), "mountains"),
    _Land((), (240, 196, 160), (160, 92, 92), "dunes"),
    _Land((), (150, 194, 200), (36, 98, 116), "waves"),
)
_FLYING = frozenset({"bird", "butterfly", "balloon", "rocket", "star", "heart", "lantern"})
_SWIMMING = frozenset({"fish", "whale", "boat"})
_STOPS = frozenset(
    (
        "the",
        "and",
        "with",
        "for",
        "from",
        "into",
        "that",
        "this",
        "its",
        "over",
        "under",
        "very",
        "make",
        "image",
        "picture",
        "video",
    )
)


def digest(work: Work, index: int) -> int:
    """A number that follows from all that should change an output, and from nothing else.

    The addresses of media stand in the params too; they change with every upload, so the media's bytes count
    instead.
    """
    told = {
        name: value
        for name, value in work.params.items()
        if name not in work.inputs and "://" not in json.dumps(value, default=str, ensure_ascii=False)
    }
    essence = hashlib.sha256(
        json.dumps(
            [work.prompt, told, work.seed, work.model, work.voice, index],
            sort_keys=True,
            default=str,
        ).encode()
    )
    for name in sorted(work.inputs):
        for data in work.inputs[name]:
            essence.update(name.encode() + hashlib.sha256(data).digest())
    return int.from_bytes(essence.digest()[:8], "big")


def words(text: str) -> list[str]:
    """The prompt's words in lower case, each also without a plural s."""
    found = re.findall(r"[a-z]+", text.lower())
    return found + [word[:-1] for word in found if len(word) > 3 and word.endswith("s")]


def called(names: tuple[str, ...], spoken: list[str], text: str) -> bool:
    """Whether any of the names stands in the text: English as whole words, Chinese anywhere."""
    return any((name in text) if " " in name or not name.isascii() else (name in spoken) for name in names)


def _named_motifs(spoken: list[str], text: str) -> list[tuple[str, Motif]]:
    rest, chosen = text, []
    for name, names, draw in MOTIFS:
        if called(names, spoken if len(rest) == len(text) else words(rest), rest):
            chosen.append((name, draw))
            for word in names:
                rest = re.sub(rf"\b{word}\b", " ", rest) if word.isascii() else rest.replace(word, " ")
    return chosen[:3]


def _ridge(
    rng: random.Random, form: str, width: float, base: float, swell: float
) -> list[tuple[float, float]]:
    """The upper edge of a layer of land, from left to right."""
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


def _layer(
    rng: random.Random, land: _Land, depth: float, width: float, height: float, colour: RGB, haze: RGB
) -> list[Shape]:
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


def _cloud(rng: random.Random, x: float, y: float, size: float, colour: RGB) -> list[Shape]:
    """One outline: a flat foot and a row of bumps, the middle ones highest."""
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


def compose(work: Work, index: int, *, width: int, height: int, colours: list[RGB] | None = None) -> Scene:
    """The composition of a work's prompt for a picture of this shape.

    `colours` are a reference's main colours, lightest use first; they tint sky and land.
    """
    rng = random.Random(digest(work, index))
    flavour = " ".join(
        value
        for name, value in work.params.items()
        if isinstance(value, str) and "://" not in value and "negative" not in name
    )
    text = f"{work.prompt} {flavour}".lower()
    spoken = words(text)
    unit = min(width, height)
    across, down = width / unit, height / unit

    skies = [sky for sky in _SKIES if called(sky.words, spoken, text)]
    sky = skies[0] if skies else rng.choice(_SKIES[3:5] + _SKIES[7:])
    lands = [land for land in _LANDS if called(land.words, spoken, text)]
    land = lands[0] if lands else rng.choice(_PLAIN_LANDS)
    named = named_colour(words(work.prompt), work.prompt.lower())
    tints = [colour for colour in (named or colours or []) if 0.1 < luminance(colour) < 0.95]
    accent = named[0] if named else (tints[0] if tints else from_hue(rng.random(), 0.55, 0.92))

    hue_shift = from_hue(rng.random(), 0.5, 0.8)
    stops = [mix(stop, hue_shift, 0.07) for stop in sky.stops]
    if colours:
        by_light = sorted(colours, key=luminance)
        stops = [
            mix(stop, by_light[min(place, len(by_light) - 1)], 0.6)
            for place, stop in zip((1, len(by_light) // 2, len(by_light) - 1), stops, strict=True)
        ]
    elif tints:
        stops = [mix(stop, tints[0], share) for stop, share in zip(stops, (0.28, 0.22, 0.12), strict=True)]
    far, near = land.far, land.near
    if tints:
        far, near = mix(far, tints[-1], 0.35), mix(near, tints[-1], 0.3)
    night = luminance(stops[0]) < 0.3
    if night:
        far, near = mix(far, stops[1], 0.5), mix(near, stops[0], 0.5)
    haze = stops[2]

    shapes: list[Shape] = []
    for _ in range(sky.stars):
        size = rng.choice((0.0016, 0.0022, 0.0034))
        shapes.append(
            ellipse(
                rng.uniform(0, across),
                rng.uniform(0, down * 0.55),
                size,
                size,
                (255, 250, 236),
                rng.uniform(0.4, 0.95),
            )
        )
    light_x, light_y = across * rng.uniform(0.2, 0.8), down * (sky.height + rng.uniform(-0.05, 0.05))
    radius = rng.uniform(0.06, 0.1)
    shapes += [
        ellipse(light_x, light_y, radius * far_out, radius * far_out, sky.light, 0.13)
        for far_out in (1.9, 1.4)
    ]
    shapes.append(ellipse(light_x, light_y, radius, radius, sky.light))
    if sky.stars > 60:
        shapes += [
            ellipse(
                light_x + radius * dx,
                light_y + radius * dy,
                radius * r,
                radius * r,
                mix(sky.light, (150, 150, 160), 0.3),
                0.5,
            )
            for dx, dy, r in ((-0.3, -0.2, 0.22), (0.25, 0.3, 0.16), (0.35, -0.35, 0.1))
        ]
    for _ in range(sky.clouds):
        shapes += _cloud(
            rng,
            rng.uniform(0, across),
            down * rng.uniform(0.1, 0.42),
            rng.uniform(0.14, 0.3),
            mix(haze, (255, 255, 255), 0.15 if night else 0.6),
        )

    # A word the vocabulary lacks becomes a soft disc in the sky, its place and hue following from the word.
    known = {name for _, names, _ in MOTIFS for name in names} | {
        w for group in (*_SKIES, *_LANDS) for w in group.words
    }
    strange = [
        word
        for word in dict.fromkeys(re.findall(r"[a-z]{3,}|[^\x00-\x7f]", work.prompt.lower()))
        if word not in known and word not in _STOPS
    ]
    for word in strange[:9]:
        own = random.Random(word)
        size = own.uniform(0.02, 0.075)
        shapes.append(
            ellipse(
                across * own.random(),
                down * own.uniform(0.08, 0.6),
                size,
                size,
                from_hue(own.random(), 0.4, 1.0),
                0.26,
            )
        )

    layers = 4
    for layer in range(layers):
        depth = layer / (layers - 1)
        colour = mix(mix(far, near, depth), haze, 0.42 * (1 - depth))
        shapes += _layer(rng, land, depth, across, down, colour, haze)
        if land.form == "waves" and layer:
            for _ in range(7):
                x, y = (
                    rng.gauss(light_x, 0.12 + 0.06 * layer),
                    down * (0.6 + 0.3 * depth) + rng.uniform(0.01, 0.1),
                )
                shapes.append(
                    ellipse(x, y, rng.uniform(0.02, 0.07), 0.0032, mix(sky.light, colour, 0.2), 0.5)
                )

    subject: list[Shape] = []
    motifs = _named_motifs(spoken, text)
    for place, (name, draw) in enumerate(motifs):
        share = (place + 0.5) / len(motifs)
        x = across * (0.5 + (share - 0.5) * 0.85) + rng.uniform(-0.03, 0.03)
        scale = rng.uniform(0.46, 0.54) if len(motifs) == 1 else rng.uniform(0.36, 0.42)
        foot = down * 0.93
        if name in _FLYING:
            foot = down * rng.uniform(0.64, 0.72)
        elif name in _SWIMMING and land.form == "waves":
            foot = down * 0.84
        mirrored = rng.random() < 0.5
        if name not in _FLYING:
            subject.append(ellipse(x, foot, scale * 0.36, scale * 0.045, mix(near, (0, 0, 0), 0.6), 0.3))
        subject += [shape.placed(x, foot, scale, mirrored=mirrored) for shape in draw(accent)]
    shapes += subject

    if not motifs:
        for _ in range(3):
            x, y = rng.uniform(0.1, across - 0.1), down * rng.uniform(0.2, 0.42)
            span = rng.uniform(0.018, 0.03)
            wings = [(-span, -span * 0.5), (0.0, 0.0), (span, -span * 0.5), (0.0, span * 0.25)]
            ink = mix(near, (20, 20, 30), 0.5)
            shapes.append(curve([(x + px, y + py) for px, py in wings], ink, 0.8))
    for _ in range(9 if not night else 14):
        x, tall = rng.uniform(0, across), rng.uniform(0.04, 0.1)
        lean, ink = rng.uniform(-0.03, 0.03), mix(near, (10, 14, 24), 0.35)
        if land.form not in ("waves", "city"):
            shapes.append(polygon([(x - 0.006, down), (x + lean, down - tall), (x + 0.006, down)], ink))

    glow = (light_x, light_y, 0.75, sky.light)
    return Scene(
        across,
        down,
        ((0.0, stops[0]), (0.38, stops[1]), (0.72, stops[2])),
        glow,
        tuple(shapes),
        tuple(subject),
    )
