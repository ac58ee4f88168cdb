"""Compose a prompt into a scene: sky, land and the objects that the prompt names, as shapes.

Both drawn pictures and vector files are made from scenes. Prompts (English and Chinese) are matched against a
small vocabulary, without any understanding; an unknown word still changes the composition, through its hash.
"""

import random
import re
from dataclasses import dataclass

from zooop_nb.sandbox.media.colour import RGB, from_hue, luminance, mix
from zooop_nb.sandbox.media.land import LANDS, PLAIN_LANDS, SKIES, cloud, layer
from zooop_nb.sandbox.media.motifs import MOTIFS, Motif
from zooop_nb.sandbox.media.reading import called, digest, flavour, named_colours, words
from zooop_nb.sandbox.media.shape import Shape, curve, ellipse, polygon
from zooop_nb.sandbox.media.work import Work


@dataclass(frozen=True)
class Scene:
    width: float
    """In units of the shorter side, which is 1."""
    height: float
    sky: tuple[tuple[float, RGB], ...]
    """Stops of the vertical gradient: position from the top (0 to 1) and colour."""
    glow: tuple[float, float, float, RGB] | None
    """The glow around sun or moon: x, y, radius, colour."""
    shapes: tuple[Shape, ...]
    """From back to front."""
    subject: tuple[Shape, ...]
    """The shapes of the objects that the prompt names; a sticker shows only these."""


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


def _named_motifs(spoken: list[str], text: str) -> list[tuple[str, Motif]]:
    rest, chosen = text, []
    for name, names, draw in MOTIFS:
        if called(names, spoken if len(rest) == len(text) else words(rest), rest):
            chosen.append((name, draw))
            for word in names:
                rest = re.sub(rf"\b{word}\b", " ", rest) if word.isascii() else rest.replace(word, " ")
    return chosen[:3]


def compose(work: Work, index: int, *, width: int, height: int, colours: list[RGB] | None = None) -> Scene:
    """Compose a work's prompt for a picture of this size.

    `colours` are the main colours of the references, each reference's largest first; they tint sky and land.
    """
    rng = random.Random(digest(work, index))
    text = f"{work.prompt} {flavour(work)}".lower()
    spoken = words(text)
    unit = min(width, height)
    across, down = width / unit, height / unit

    skies = [sky for sky in SKIES if called(sky.words, spoken, text)]
    sky = skies[0] if skies else rng.choice(SKIES[3:5] + SKIES[7:])
    lands = [land for land in LANDS if called(land.words, spoken, text)]
    land = lands[0] if lands else rng.choice(PLAIN_LANDS)
    named = named_colours(words(work.prompt), work.prompt.lower())
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
        shapes += cloud(
            rng,
            rng.uniform(0, across),
            down * rng.uniform(0.1, 0.42),
            rng.uniform(0.14, 0.3),
            mix(haze, (255, 255, 255), 0.15 if night else 0.6),
        )

    # Each unknown word becomes a soft disc in the sky, with a position and hue derived from the word.
    known = {name for _, names, _ in MOTIFS for name in names} | {
        w for group in (*SKIES, *LANDS) for w in group.words
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
    for number in range(layers):
        depth = number / (layers - 1)
        colour = mix(mix(far, near, depth), haze, 0.42 * (1 - depth))
        shapes += layer(rng, land, depth, across, down, colour, haze)
        if land.form == "waves" and number:
            for _ in range(7):
                x, y = (
                    rng.gauss(light_x, 0.12 + 0.06 * number),
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
