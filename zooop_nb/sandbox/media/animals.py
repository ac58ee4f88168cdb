"""Animals that a prompt may name, as shapes: feet at the origin, about one unit high, y downwards."""

import math

from zooop_nb.sandbox.media.colour import RGB, mix
from zooop_nb.sandbox.media.shape import Shape, curve, ellipse, polygon

INK: RGB = (44, 40, 46)
SNOW: RGB = (250, 248, 242)
NIGHT: RGB = (30, 30, 44)


def _animal(
    coat: RGB,
    chest: RGB,
    ears: str,
    ear_colour: RGB,
    patch: RGB | None = None,
    tail: tuple[RGB, RGB] | None = None,
    limbs: RGB | None = None,
) -> list[Shape]:
    shapes: list[Shape] = []
    if tail is not None:
        for step in range(6):
            angle = 0.25 + step * 0.24
            x, y = 0.2 + 0.3 * math.sin(angle) + step * 0.018, -0.08 - step * 0.075
            shapes.append(ellipse(x, y, 0.1, 0.075, tail[step % 2], turn=-0.5))
    limb = limbs or coat
    shapes += [
        ellipse(0, -0.24, 0.27, 0.26, coat),
        ellipse(0, -0.2, 0.16, 0.19, chest),
        ellipse(-0.14, -0.04, 0.11, 0.06, limb),
        ellipse(0.14, -0.04, 0.11, 0.06, limb),
        ellipse(-0.2, -0.25, 0.065, 0.14, limb, turn=0.35),
        ellipse(0.2, -0.25, 0.065, 0.14, limb, turn=-0.35),
    ]
    for side in (-1, 1):
        if ears == "long":
            shapes.append(ellipse(side * 0.11, -1.0, 0.065, 0.22, ear_colour, turn=side * 0.15))
            shapes.append(
                ellipse(
                    side * 0.11, -0.98, 0.03, 0.16, mix(ear_colour, (240, 150, 160), 0.6), turn=side * 0.15
                )
            )
        elif ears == "pointed":
            shapes.append(
                polygon([(side * 0.29, -0.98), (side * 0.06, -0.84), (side * 0.28, -0.68)], ear_colour)
            )
            shapes.append(polygon([(side * 0.26, -0.91), (side * 0.13, -0.83), (side * 0.26, -0.74)], chest))
        elif ears == "hanging":
            shapes.append(ellipse(side * 0.27, -0.66, 0.085, 0.2, ear_colour, turn=-side * 0.3))
        else:
            shapes.append(ellipse(side * 0.22, -0.87, 0.1, 0.1, ear_colour))
            shapes.append(ellipse(side * 0.22, -0.86, 0.05, 0.05, mix(ear_colour, chest, 0.45)))
    shapes.append(ellipse(0, -0.66, 0.31, 0.26, coat))
    for side in (-1, 1):
        if patch is not None:
            shapes.append(ellipse(side * 0.135, -0.68, 0.095, 0.11, patch, turn=side * 0.5))
        eye = INK if patch is None or sum(patch) > 380 else (20, 18, 22)
        if patch is not None and sum(patch) < 200:
            shapes.append(ellipse(side * 0.125, -0.68, 0.05, 0.05, SNOW))
        shapes.append(ellipse(side * 0.125, -0.68, 0.036, 0.042, eye))
        shapes.append(ellipse(side * 0.125 + 0.012, -0.695, 0.013, 0.013, SNOW))
    shapes += [
        ellipse(0, -0.545, 0.12, 0.085, chest),
        curve([(-0.045, -0.59), (0.045, -0.59), (0.0, -0.54)], INK),
        curve([(-0.05, -0.515), (0, -0.5), (0.05, -0.515), (0, -0.485)], INK),
    ]
    return shapes


def red_panda(_: RGB) -> list[Shape]:
    rust, cream, dark = (196, 86, 44), (250, 232, 208), (70, 40, 34)
    return _animal(rust, dark, "round", cream, cream, (rust, mix(rust, cream, 0.55)), dark)


def panda(_: RGB) -> list[Shape]:
    return _animal((246, 244, 238), (246, 244, 238), "round", INK, INK, None, INK)


def fox(_: RGB) -> list[Shape]:
    return _animal(
        (226, 116, 48), (252, 238, 220), "pointed", (190, 84, 36), None, ((226, 116, 48), (226, 116, 48))
    )


def tiger(_: RGB) -> list[Shape]:
    coat = (236, 148, 56)
    stripes = [
        polygon([(x, -0.92), (x + 0.05, -0.92), (x * 0.7 + 0.02, -0.78)], INK) for x in (-0.13, -0.03, 0.07)
    ]
    return _animal(coat, (252, 240, 220), "round", coat, None, (coat, INK)) + stripes


def cat(colour: RGB) -> list[Shape]:
    return _animal(
        colour,
        mix(colour, SNOW, 0.7),
        "pointed",
        mix(colour, INK, 0.15),
        None,
        (colour, mix(colour, INK, 0.2)),
    )


def dog(colour: RGB) -> list[Shape]:
    coat = mix(colour, (214, 168, 116), 0.5)
    return _animal(coat, mix(coat, SNOW, 0.7), "hanging", mix(coat, INK, 0.35))


def bear(colour: RGB) -> list[Shape]:
    coat = mix(colour, (126, 84, 58), 0.75)
    return _animal(coat, mix(coat, SNOW, 0.45), "round", coat)


def rabbit(colour: RGB) -> list[Shape]:
    coat = mix(colour, SNOW, 0.75)
    return _animal(coat, SNOW, "long", coat)


def penguin(_: RGB) -> list[Shape]:
    beak = (244, 160, 52)
    return [
        ellipse(-0.12, -0.03, 0.12, 0.04, beak),
        ellipse(0.12, -0.03, 0.12, 0.04, beak),
        ellipse(-0.29, -0.42, 0.06, 0.24, NIGHT, turn=0.25),
        ellipse(0.29, -0.42, 0.06, 0.24, NIGHT, turn=-0.25),
        ellipse(0, -0.45, 0.3, 0.43, NIGHT),
        ellipse(0, -0.36, 0.21, 0.32, SNOW),
        ellipse(-0.1, -0.68, 0.1, 0.1, SNOW),
        ellipse(0.1, -0.68, 0.1, 0.1, SNOW),
        ellipse(-0.09, -0.69, 0.03, 0.035, INK),
        ellipse(0.09, -0.69, 0.03, 0.035, INK),
        polygon([(-0.06, -0.63), (0.06, -0.63), (0, -0.54)], beak),
    ]


def bird(colour: RGB) -> list[Shape]:
    wing = mix(colour, INK, 0.3)
    return [
        polygon([(-0.3, -0.5), (-0.58, -0.56), (-0.52, -0.38)], wing),
        ellipse(0, -0.5, 0.32, 0.17, colour),
        ellipse(0.28, -0.62, 0.14, 0.13, colour),
        polygon([(0.4, -0.65), (0.54, -0.6), (0.4, -0.57)], (244, 170, 60)),
        ellipse(0.31, -0.64, 0.025, 0.025, INK),
        curve([(-0.18, -0.5), (0.12, -0.54), (0.02, -0.76), (-0.3, -0.92)], wing),
    ]


def fish(colour: RGB) -> list[Shape]:
    fin = mix(colour, INK, 0.25)
    return [
        curve([(-0.28, -0.35), (-0.56, -0.56), (-0.5, -0.35), (-0.56, -0.14)], fin),
        curve([(-0.1, -0.5), (0.1, -0.66), (0.16, -0.48)], fin),
        ellipse(0.05, -0.35, 0.38, 0.19, colour),
        ellipse(0.08, -0.3, 0.28, 0.1, mix(colour, SNOW, 0.45)),
        ellipse(0.3, -0.4, 0.045, 0.045, SNOW),
        ellipse(0.31, -0.4, 0.024, 0.024, INK),
    ]


def whale(colour: RGB) -> list[Shape]:
    coat = mix(colour, (58, 98, 148), 0.7)
    return [
        curve([(0.42, -0.3), (0.7, -0.62), (0.56, -0.34), (0.72, -0.3), (0.5, -0.18)], coat),
        curve(
            [
                (-0.6, -0.2),
                (-0.5, -0.46),
                (-0.1, -0.54),
                (0.3, -0.42),
                (0.55, -0.22),
                (0.2, -0.02),
                (-0.4, 0.0),
            ],
            coat,
        ),
        curve(
            [(-0.58, -0.16), (-0.1, -0.16), (0.3, -0.12), (0.1, -0.01), (-0.4, 0.01)], mix(coat, SNOW, 0.7)
        ),
        ellipse(-0.36, -0.26, 0.028, 0.03, SNOW),
        curve([(-0.2, -0.55), (-0.32, -0.74), (-0.18, -0.82), (-0.06, -0.74)], (220, 240, 250), 0.8),
    ]


def butterfly(colour: RGB) -> list[Shape]:
    shapes = []
    for side in (-1, 1):
        shapes += [
            ellipse(side * 0.24, -0.66, 0.26, 0.19, colour, turn=-side * 0.6),
            ellipse(side * 0.18, -0.36, 0.17, 0.15, mix(colour, SNOW, 0.35), turn=side * 0.5),
            ellipse(side * 0.28, -0.69, 0.1, 0.08, mix(colour, SNOW, 0.65), turn=-side * 0.6),
        ]
    return [*shapes, ellipse(0, -0.52, 0.04, 0.26, INK)]
