"""Things that a prompt may name, each as a handful of shapes.

A motif stands on the origin: its foot at (0, 0), about one unit high, y downwards. It takes a colour that
the prompt may have named and returns its shapes, the hindmost first.
"""

import math
from collections.abc import Callable

from zooop_nb.sandbox.media.colour import NAMED, RGB, mix
from zooop_nb.sandbox.media.shape import Shape, box, curve, ellipse, polygon

Motif = Callable[[RGB], list[Shape]]

_INK: RGB = (44, 40, 46)
_SNOW: RGB = (250, 248, 242)
_NIGHT: RGB = (30, 30, 44)


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
        eye = _INK if patch is None or sum(patch) > 380 else (20, 18, 22)
        if patch is not None and sum(patch) < 200:
            shapes.append(ellipse(side * 0.125, -0.68, 0.05, 0.05, _SNOW))
        shapes.append(ellipse(side * 0.125, -0.68, 0.036, 0.042, eye))
        shapes.append(ellipse(side * 0.125 + 0.012, -0.695, 0.013, 0.013, _SNOW))
    shapes += [
        ellipse(0, -0.545, 0.12, 0.085, chest),
        curve([(-0.045, -0.59), (0.045, -0.59), (0.0, -0.54)], _INK),
        curve([(-0.05, -0.515), (0, -0.5), (0.05, -0.515), (0, -0.485)], _INK),
    ]
    return shapes


def _red_panda(_: RGB) -> list[Shape]:
    rust, cream, dark = (196, 86, 44), (250, 232, 208), (70, 40, 34)
    return _animal(rust, dark, "round", cream, cream, (rust, mix(rust, cream, 0.55)), dark)


def _panda(_: RGB) -> list[Shape]:
    return _animal((246, 244, 238), (246, 244, 238), "round", _INK, _INK, None, _INK)


def _fox(_: RGB) -> list[Shape]:
    return _animal(
        (226, 116, 48), (252, 238, 220), "pointed", (190, 84, 36), None, ((226, 116, 48), (226, 116, 48))
    )


def _tiger(_: RGB) -> list[Shape]:
    coat = (236, 148, 56)
    stripes = [
        polygon([(x, -0.92), (x + 0.05, -0.92), (x * 0.7 + 0.02, -0.78)], _INK) for x in (-0.13, -0.03, 0.07)
    ]
    return _animal(coat, (252, 240, 220), "round", coat, None, (coat, _INK)) + stripes


def _cat(colour: RGB) -> list[Shape]:
    return _animal(
        colour,
        mix(colour, _SNOW, 0.7),
        "pointed",
        mix(colour, _INK, 0.15),
        None,
        (colour, mix(colour, _INK, 0.2)),
    )


def _dog(colour: RGB) -> list[Shape]:
    coat = mix(colour, (214, 168, 116), 0.5)
    return _animal(coat, mix(coat, _SNOW, 0.7), "hanging", mix(coat, _INK, 0.35))


def _bear(colour: RGB) -> list[Shape]:
    coat = mix(colour, (126, 84, 58), 0.75)
    return _animal(coat, mix(coat, _SNOW, 0.45), "round", coat)


def _rabbit(colour: RGB) -> list[Shape]:
    coat = mix(colour, _SNOW, 0.75)
    return _animal(coat, _SNOW, "long", coat)


def _penguin(_: RGB) -> list[Shape]:
    beak = (244, 160, 52)
    return [
        ellipse(-0.12, -0.03, 0.12, 0.04, beak),
        ellipse(0.12, -0.03, 0.12, 0.04, beak),
        ellipse(-0.29, -0.42, 0.06, 0.24, _NIGHT, turn=0.25),
        ellipse(0.29, -0.42, 0.06, 0.24, _NIGHT, turn=-0.25),
        ellipse(0, -0.45, 0.3, 0.43, _NIGHT),
        ellipse(0, -0.36, 0.21, 0.32, _SNOW),
        ellipse(-0.1, -0.68, 0.1, 0.1, _SNOW),
        ellipse(0.1, -0.68, 0.1, 0.1, _SNOW),
        ellipse(-0.09, -0.69, 0.03, 0.035, _INK),
        ellipse(0.09, -0.69, 0.03, 0.035, _INK),
        polygon([(-0.06, -0.63), (0.06, -0.63), (0, -0.54)], beak),
    ]


def _bird(colour: RGB) -> list[Shape]:
    wing = mix(colour, _INK, 0.3)
    return [
        polygon([(-0.3, -0.5), (-0.58, -0.56), (-0.52, -0.38)], wing),
        ellipse(0, -0.5, 0.32, 0.17, colour),
        ellipse(0.28, -0.62, 0.14, 0.13, colour),
        polygon([(0.4, -0.65), (0.54, -0.6), (0.4, -0.57)], (244, 170, 60)),
        ellipse(0.31, -0.64, 0.025, 0.025, _INK),
        curve([(-0.18, -0.5), (0.12, -0.54), (0.02, -0.76), (-0.3, -0.92)], wing),
    ]


def _fish(colour: RGB) -> list[Shape]:
    fin = mix(colour, _INK, 0.25)
    return [
        curve([(-0.28, -0.35), (-0.56, -0.56), (-0.5, -0.35), (-0.56, -0.14)], fin),
        curve([(-0.1, -0.5), (0.1, -0.66), (0.16, -0.48)], fin),
        ellipse(0.05, -0.35, 0.38, 0.19, colour),
        ellipse(0.08, -0.3, 0.28, 0.1, mix(colour, _SNOW, 0.45)),
        ellipse(0.3, -0.4, 0.045, 0.045, _SNOW),
        ellipse(0.31, -0.4, 0.024, 0.024, _INK),
    ]


def _whale(colour: RGB) -> list[Shape]:
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
            [(-0.58, -0.16), (-0.1, -0.16), (0.3, -0.12), (0.1, -0.01), (-0.4, 0.01)], mix(coat, _SNOW, 0.7)
        ),
        ellipse(-0.36, -0.26, 0.028, 0.03, _SNOW),
        curve([(-0.2, -0.55), (-0.32, -0.74), (-0.18, -0.82), (-0.06, -0.74)], (220, 240, 250), 0.8),
    ]


def _butterfly(colour: RGB) -> list[Shape]:
    shapes = []
    for side in (-1, 1):
        shapes += [
            ellipse(side * 0.24, -0.66, 0.26, 0.19, colour, turn=-side * 0.6),
            ellipse(side * 0.18, -0.36, 0.17, 0.15, mix(colour, _SNOW, 0.35), turn=side * 0.5),
            ellipse(side * 0.28, -0.69, 0.1, 0.08, mix(colour, _SNOW, 0.65), turn=-side * 0.6),
        ]
    return [*shapes, ellipse(0, -0.52, 0.04, 0.26, _INK)]


def _pine(colour: RGB) -> list[Shape]:
    leaf = mix(colour, (38, 92, 74), 0.8)
    shapes = [box(-0.04, -0.16, 0.04, 0.0, (92, 64, 48))]
    for step, (low, high, half) in enumerate(((-0.1, -0.5, 0.28), (-0.34, -0.74, 0.22), (-0.58, -1.0, 0.16))):
        shapes.append(polygon([(-half, low), (0, high), (half, low)], mix(leaf, _SNOW, step * 0.07)))
    return shapes


def _tree(colour: RGB) -> list[Shape]:
    leaf = mix(colour, (96, 150, 84), 0.6)
    return [
        polygon([(-0.05, 0), (-0.03, -0.5), (0.03, -0.5), (0.05, 0)], (98, 68, 52)),
        ellipse(-0.17, -0.58, 0.2, 0.18, mix(leaf, _INK, 0.14)),
        ellipse(0.18, -0.6, 0.2, 0.18, mix(leaf, _INK, 0.08)),
        ellipse(0, -0.76, 0.24, 0.22, leaf),
        ellipse(-0.07, -0.82, 0.1, 0.08, mix(leaf, _SNOW, 0.25), 0.7),
    ]


def _bamboo(colour: RGB) -> list[Shape]:
    stem = mix(colour, (110, 168, 84), 0.8)
    shapes = []
    for x, top in ((-0.16, -0.95), (0.0, -1.15), (0.15, -0.85)):
        joints = 6
        for joint in range(joints):
            low, high = top * joint / joints, top * (joint + 1) / joints
            shapes.append(box(x - 0.03, high + 0.012, x + 0.03, low, mix(stem, _SNOW, 0.05 * joint)))
        shapes.append(ellipse(x + 0.14, top * 0.8, 0.14, 0.03, mix(stem, _INK, 0.12), turn=-0.5))
        shapes.append(ellipse(x - 0.12, top * 0.62, 0.12, 0.028, mix(stem, _INK, 0.05), turn=0.55))
    return shapes


def _flower(colour: RGB) -> list[Shape]:
    stem = (84, 140, 80)
    shapes = [
        polygon([(-0.018, 0), (-0.014, -0.6), (0.014, -0.6), (0.018, 0)], stem),
        ellipse(0.11, -0.2, 0.12, 0.04, stem, turn=-0.5),
        ellipse(-0.11, -0.28, 0.12, 0.04, stem, turn=0.5),
    ]
    for step in range(7):
        angle = step * math.tau / 7
        x, y = 0.17 * math.cos(angle), -0.7 + 0.17 * math.sin(angle)
        shapes.append(ellipse(x, y, 0.13, 0.085, mix(colour, _SNOW, 0.12 * (step % 2)), turn=angle))
    return [*shapes, ellipse(0, -0.7, 0.1, 0.1, (250, 206, 90))]


def _mushroom(colour: RGB) -> list[Shape]:
    cap = mix(colour, (206, 62, 54), 0.6)
    dots = [
        ellipse(x, y, r, r * 0.8, _SNOW)
        for x, y, r in ((-0.2, -0.58, 0.06), (0.05, -0.72, 0.07), (0.24, -0.56, 0.05))
    ]
    return [
        curve([(-0.1, 0), (-0.12, -0.4), (0.12, -0.4), (0.1, 0)], (246, 232, 210)),
        curve([(-0.42, -0.42), (-0.28, -0.74), (0.0, -0.86), (0.28, -0.74), (0.42, -0.42), (0, -0.36)], cap),
        *dots,
    ]


def _house(colour: RGB) -> list[Shape]:
    wall = mix(colour, (248, 236, 214), 0.7)
    glass = (255, 218, 130)
    return [
        box(0.18, -0.86, 0.28, -0.6, (120, 84, 74)),
        box(-0.38, -0.5, 0.38, 0, wall),
        polygon([(-0.48, -0.48), (0, -0.9), (0.48, -0.48)], mix(colour, (150, 70, 58), 0.6)),
        box(-0.08, -0.28, 0.08, 0, (116, 78, 60)),
        box(-0.3, -0.38, -0.15, -0.22, glass),
        box(0.15, -0.38, 0.3, -0.22, glass),
    ]


def _castle(colour: RGB) -> list[Shape]:
    wall = mix(colour, (176, 170, 178), 0.7)
    shapes = []
    for x, top, half in ((-0.36, -0.7, 0.12), (0.36, -0.7, 0.12), (0.0, -0.86, 0.15)):
        shapes.append(box(x - half, top, x + half, 0, mix(wall, _INK, 0.1)))
        shapes.append(
            polygon(
                [(x - half - 0.04, top), (x, top - 0.3), (x + half + 0.04, top)],
                mix(colour, (92, 72, 130), 0.5),
            )
        )
        shapes.append(box(x - 0.03, top + 0.12, x + 0.03, top + 0.24, (255, 218, 130)))
    return [
        *shapes,
        box(-0.36, -0.4, 0.36, 0, wall),
        curve([(-0.09, 0), (-0.09, -0.2), (0, -0.28), (0.09, -0.2), (0.09, 0)], (92, 66, 58)),
    ]


def _lighthouse(colour: RGB) -> list[Shape]:
    stripe = mix(colour, (206, 62, 54), 0.5)
    shapes = [polygon([(0.1, -0.9), (0.9, -1.1), (0.9, -0.68)], (255, 240, 180), 0.3)]
    for step in range(5):
        low, high = -0.16 * step, -0.16 * (step + 1)
        wide, narrow = 0.17 - 0.018 * step, 0.17 - 0.018 * (step + 1)
        shapes.append(
            polygon([(-wide, low), (-narrow, high), (narrow, high), (wide, low)], (_SNOW, stripe)[step % 2])
        )
    return [
        *shapes,
        box(-0.08, -0.96, 0.08, -0.8, (255, 226, 140)),
        polygon([(-0.11, -0.95), (0, -1.08), (0.11, -0.95)], stripe),
    ]


def _boat(colour: RGB) -> list[Shape]:
    return [
        box(-0.015, -0.92, 0.015, -0.18, (104, 74, 58)),
        curve([(0.03, -0.9), (0.34, -0.5), (0.36, -0.24), (0.03, -0.24)], (252, 246, 234)),
        polygon([(-0.03, -0.8), (-0.3, -0.26), (-0.03, -0.26)], mix(colour, _SNOW, 0.3)),
        polygon([(-0.48, -0.2), (0.5, -0.2), (0.32, 0.0), (-0.32, 0.0)], mix(colour, (122, 74, 56), 0.5)),
    ]


def _balloon(colour: RGB) -> list[Shape]:
    shapes = [polygon([(-0.13, -0.3), (-0.06, -0.14), (0.06, -0.14), (0.13, -0.3)], _INK, 0.35)]
    for step, half in enumerate((0.36, 0.24, 0.11)):
        shade = (colour, mix(colour, _SNOW, 0.55), colour)[step]
        shapes.append(
            curve(
                [
                    (0, -1.05),
                    (half * 0.8, -0.94),
                    (half, -0.68),
                    (half * 0.45, -0.36),
                    (0, -0.28),
                    (-half * 0.45, -0.36),
                    (-half, -0.68),
                    (-half * 0.8, -0.94),
                ],
                shade,
            )
        )
    return [*shapes, box(-0.08, -0.15, 0.08, 0, (134, 92, 62))]


def _rocket(colour: RGB) -> list[Shape]:
    return [
        curve([(-0.09, -0.16), (0, 0.16), (0.09, -0.16)], (250, 170, 60)),
        polygon([(-0.16, -0.42), (-0.34, -0.12), (-0.14, -0.16)], mix(colour, _INK, 0.2)),
        polygon([(0.16, -0.42), (0.34, -0.12), (0.14, -0.16)], mix(colour, _INK, 0.2)),
        curve(
            [
                (0, -1.08),
                (0.17, -0.76),
                (0.17, -0.36),
                (0.11, -0.14),
                (-0.11, -0.14),
                (-0.17, -0.36),
                (-0.17, -0.76),
            ],
            (244, 244, 248),
        ),
        curve([(0, -1.08), (0.14, -0.84), (0, -0.8), (-0.14, -0.84)], colour),
        ellipse(0, -0.58, 0.085, 0.085, mix(colour, _INK, 0.3)),
        ellipse(0, -0.58, 0.06, 0.06, (150, 206, 236)),
    ]


def _robot(colour: RGB) -> list[Shape]:
    body = mix(colour, (176, 186, 198), 0.6)
    shapes = [box(-0.015, -1.06, 0.015, -0.9, _INK), ellipse(0, -1.07, 0.045, 0.045, (240, 90, 80))]
    for side in (-1, 1):
        shapes += [
            box(side * 0.13 - 0.06, -0.16, side * 0.13 + 0.06, 0, mix(body, _INK, 0.3)),
            ellipse(side * 0.33, -0.34, 0.06, 0.18, mix(body, _INK, 0.2)),
        ]
    shapes += [
        box(-0.27, -0.54, 0.27, -0.12, body),
        box(-0.12, -0.44, 0.12, -0.26, mix(body, _INK, 0.35)),
        box(-0.25, -0.92, 0.25, -0.58, mix(body, _SNOW, 0.25)),
    ]
    for side in (-1, 1):
        shapes += [
            ellipse(side * 0.11, -0.77, 0.07, 0.07, _NIGHT),
            ellipse(side * 0.11, -0.77, 0.038, 0.038, (110, 230, 240)),
        ]
    return [*shapes, box(-0.1, -0.665, 0.1, -0.645, _NIGHT)]


def _car(colour: RGB) -> list[Shape]:
    wheels = [
        ellipse(x, -0.1, r, r, shade)
        for x in (-0.32, 0.34)
        for r, shade in ((0.11, _INK), (0.055, (180, 184, 190)))
    ]
    return [
        curve([(-0.34, -0.34), (-0.2, -0.58), (0.16, -0.58), (0.36, -0.34)], mix(colour, _INK, 0.15)),
        polygon([(-0.25, -0.36), (-0.16, -0.52), (-0.02, -0.52), (-0.02, -0.36)], (196, 226, 238)),
        polygon([(0.03, -0.36), (0.03, -0.52), (0.14, -0.52), (0.27, -0.36)], (196, 226, 238)),
        curve(
            [
                (-0.6, -0.12),
                (-0.58, -0.3),
                (-0.3, -0.38),
                (0.32, -0.38),
                (0.58, -0.3),
                (0.62, -0.12),
                (0, -0.08),
            ],
            colour,
        ),
        *wheels,
    ]


def _person(colour: RGB) -> list[Shape]:
    skin, hair = (232, 184, 150), (70, 48, 44)
    return [
        box(-0.1, -0.22, -0.02, 0, (60, 64, 88)),
        box(0.02, -0.22, 0.1, 0, (60, 64, 88)),
        ellipse(-0.17, -0.42, 0.045, 0.17, mix(colour, _INK, 0.15), turn=0.25),
        ellipse(0.17, -0.42, 0.045, 0.17, mix(colour, _INK, 0.15), turn=-0.25),
        curve([(-0.13, -0.6), (0.13, -0.6), (0.19, -0.2), (-0.19, -0.2)], colour),
        ellipse(0, -0.79, 0.165, 0.175, hair),
        ellipse(0, -0.75, 0.125, 0.135, skin),
        curve([(-0.14, -0.79), (0, -0.93), (0.14, -0.79), (0, -0.84)], hair),
        ellipse(-0.05, -0.75, 0.015, 0.018, _INK),
        ellipse(0.05, -0.75, 0.015, 0.018, _INK),
    ]


def _heart(colour: RGB) -> list[Shape]:
    outline = [
        (0.0, -0.05),
        (-0.36, -0.44),
        (-0.36, -0.72),
        (-0.18, -0.84),
        (0.0, -0.7),
        (0.18, -0.84),
        (0.36, -0.72),
        (0.36, -0.44),
    ]
    return [
        curve(outline, mix(colour, (224, 66, 92), 0.5)),
        ellipse(-0.2, -0.68, 0.07, 0.05, _SNOW, 0.6, turn=-0.6),
    ]


def _star(colour: RGB) -> list[Shape]:
    outline = []
    for step in range(10):
        reach, angle = (0.46, 0.2)[step % 2], step * math.pi / 5 - math.pi / 2
        outline.append((reach * math.cos(angle), -0.5 + reach * math.sin(angle)))
    return [polygon(outline, mix(colour, (255, 214, 96), 0.6))]


def _lantern(colour: RGB) -> list[Shape]:
    paper = mix(colour, (228, 66, 48), 0.6)
    return [
        ellipse(0, -0.52, 0.5, 0.46, mix(paper, (255, 220, 140), 0.6), 0.22),
        box(-0.012, -1.0, 0.012, -0.84, _INK),
        ellipse(0, -0.52, 0.32, 0.29, paper),
        ellipse(0, -0.52, 0.17, 0.29, mix(paper, (255, 220, 140), 0.35)),
        box(-0.14, -0.85, 0.14, -0.79, (222, 176, 78)),
        box(-0.14, -0.25, 0.14, -0.19, (222, 176, 78)),
        box(-0.02, -0.19, 0.02, 0.0, (222, 176, 78)),
    ]


def _cup(colour: RGB) -> list[Shape]:
    return [
        ellipse(0.34, -0.28, 0.14, 0.14, colour),
        ellipse(0.34, -0.28, 0.075, 0.075, mix(colour, _INK, 0.45)),
        curve([(-0.34, -0.5), (0.34, -0.5), (0.26, -0.06), (0, 0), (-0.26, -0.06)], colour),
        ellipse(0, -0.49, 0.31, 0.07, mix(colour, (92, 58, 40), 0.75)),
        *[
            curve([(x, -0.6), (x - 0.06, -0.72), (x + 0.02, -0.86), (x + 0.07, -0.72)], _SNOW, 0.45)
            for x in (-0.12, 0.06)
        ],
    ]


MOTIFS: tuple[tuple[str, tuple[str, ...], Motif], ...] = (
    ("red panda", ("red panda", "小熊猫", "小熊貓"), _red_panda),
    ("panda", ("panda", "熊猫", "熊貓"), _panda),
    ("fox", ("fox", "狐"), _fox),
    ("tiger", ("tiger", "虎"), _tiger),
    ("cat", ("cat", "kitten", "猫", "貓"), _cat),
    ("dog", ("dog", "puppy", "corgi", "狗", "犬"), _dog),
    ("bear", ("bear", "熊"), _bear),
    ("rabbit", ("rabbit", "bunny", "hare", "兔"), _rabbit),
    ("penguin", ("penguin", "企鹅", "企鵝"), _penguin),
    ("bird", ("bird", "owl", "parrot", "鸟", "鳥"), _bird),
    ("whale", ("whale", "dolphin", "鲸", "鯨"), _whale),
    ("fish", ("fish", "goldfish", "koi", "鱼", "魚"), _fish),
    ("butterfly", ("butterfly", "butterflies", "蝴蝶"), _butterfly),
    ("robot", ("robot", "android", "机器人", "機器人"), _robot),
    ("rocket", ("rocket", "spaceship", "spacecraft", "火箭", "飞船"), _rocket),
    ("balloon", ("balloon", "气球", "氣球"), _balloon),
    ("lighthouse", ("lighthouse", "灯塔", "燈塔"), _lighthouse),
    ("castle", ("castle", "palace", "temple", "城堡", "宫"), _castle),
    ("house", ("house", "cottage", "cabin", "home", "hut", "屋", "房子"), _house),
    ("boat", ("boat", "ship", "sailboat", "yacht", "船"), _boat),
    ("car", ("car", "taxi", "汽车", "車", "车"), _car),
    ("flower", ("flower", "rose", "tulip", "sunflower", "lotus", "花"), _flower),
    ("mushroom", ("mushroom", "蘑菇"), _mushroom),
    ("bamboo", ("bamboo", "竹"), _bamboo),
    ("pine", ("pine", "fir", "松"), _pine),
    ("tree", ("tree", "oak", "树", "樹"), _tree),
    ("lantern", ("lantern", "灯笼", "燈籠"), _lantern),
    ("cup", ("cup", "coffee", "tea", "mug", "咖啡", "茶"), _cup),
    ("heart", ("heart", "love", "爱心", "愛"), _heart),
    ("star", ("star", "星"), _star),
    (
        "person",
        ("person", "man", "woman", "girl", "boy", "child", "people", "portrait", "人", "女孩", "男孩"),
        _person,
    ),
)
"""Name, the words that call for it (English and Chinese), and what draws it. Earlier ones win over later ones
whose words they contain (小熊猫 before 熊猫 before 猫)."""


def named_colour(words: list[str], text: str) -> list[RGB]:
    """The colours that a prompt names, in its order; "red panda" names an animal, not a colour."""
    plain = text.replace("red panda", "panda")
    found = [
        (plain.find(name), colour)
        for name, colour in NAMED.items()
        if (name in words or not name.isascii()) and name in plain
    ]
    return [colour for _, colour in sorted(found)]
