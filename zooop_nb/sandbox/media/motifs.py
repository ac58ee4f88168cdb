"""Objects that a prompt may name, each drawn with a handful of shapes.

A motif has its foot at the origin (0, 0) and is about one unit high, y downwards. It takes an accent colour,
the one named in the prompt if any, and returns its shapes from back to front.
"""

import math
from collections.abc import Callable

from zooop_nb.sandbox.media import animals
from zooop_nb.sandbox.media.animals import INK, NIGHT, SNOW
from zooop_nb.sandbox.media.colour import RGB, mix
from zooop_nb.sandbox.media.shape import Shape, box, curve, ellipse, polygon

Motif = Callable[[RGB], list[Shape]]


def _pine(colour: RGB) -> list[Shape]:
    leaf = mix(colour, (38, 92, 74), 0.8)
    shapes = [box(-0.04, -0.16, 0.04, 0.0, (92, 64, 48))]
    for step, (low, high, half) in enumerate(((-0.1, -0.5, 0.28), (-0.34, -0.74, 0.22), (-0.58, -1.0, 0.16))):
        shapes.append(polygon([(-half, low), (0, high), (half, low)], mix(leaf, SNOW, step * 0.07)))
    return shapes


def _tree(colour: RGB) -> list[Shape]:
    leaf = mix(colour, (96, 150, 84), 0.6)
    return [
        polygon([(-0.05, 0), (-0.03, -0.5), (0.03, -0.5), (0.05, 0)], (98, 68, 52)),
        ellipse(-0.17, -0.58, 0.2, 0.18, mix(leaf, INK, 0.14)),
        ellipse(0.18, -0.6, 0.2, 0.18, mix(leaf, INK, 0.08)),
        ellipse(0, -0.76, 0.24, 0.22, leaf),
        ellipse(-0.07, -0.82, 0.1, 0.08, mix(leaf, SNOW, 0.25), 0.7),
    ]


def _bamboo(colour: RGB) -> list[Shape]:
    stem = mix(colour, (110, 168, 84), 0.8)
    shapes = []
    for x, top in ((-0.16, -0.95), (0.0, -1.15), (0.15, -0.85)):
        joints = 6
        for joint in range(joints):
            low, high = top * joint / joints, top * (joint + 1) / joints
            shapes.append(box(x - 0.03, high + 0.012, x + 0.03, low, mix(stem, SNOW, 0.05 * joint)))
        shapes.append(ellipse(x + 0.14, top * 0.8, 0.14, 0.03, mix(stem, INK, 0.12), turn=-0.5))
        shapes.append(ellipse(x - 0.12, top * 0.62, 0.12, 0.028, mix(stem, INK, 0.05), turn=0.55))
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
        shapes.append(ellipse(x, y, 0.13, 0.085, mix(colour, SNOW, 0.12 * (step % 2)), turn=angle))
    return [*shapes, ellipse(0, -0.7, 0.1, 0.1, (250, 206, 90))]


def _mushroom(colour: RGB) -> list[Shape]:
    cap = mix(colour, (206, 62, 54), 0.6)
    dots = [
        ellipse(x, y, r, r * 0.8, SNOW)
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
        shapes.append(box(x - half, top, x + half, 0, mix(wall, INK, 0.1)))
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
            polygon([(-wide, low), (-narrow, high), (narrow, high), (wide, low)], (SNOW, stripe)[step % 2])
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
        polygon([(-0.03, -0.8), (-0.3, -0.26), (-0.03, -0.26)], mix(colour, SNOW, 0.3)),
        polygon([(-0.48, -0.2), (0.5, -0.2), (0.32, 0.0), (-0.32, 0.0)], mix(colour, (122, 74, 56), 0.5)),
    ]


def _balloon(colour: RGB) -> list[Shape]:
    shapes = [polygon([(-0.13, -0.3), (-0.06, -0.14), (0.06, -0.14), (0.13, -0.3)], INK, 0.35)]
    for step, half in enumerate((0.36, 0.24, 0.11)):
        shade = (colour, mix(colour, SNOW, 0.55), colour)[step]
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
        polygon([(-0.16, -0.42), (-0.34, -0.12), (-0.14, -0.16)], mix(colour, INK, 0.2)),
        polygon([(0.16, -0.42), (0.34, -0.12), (0.14, -0.16)], mix(colour, INK, 0.2)),
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
        ellipse(0, -0.58, 0.085, 0.085, mix(colour, INK, 0.3)),
        ellipse(0, -0.58, 0.06, 0.06, (150, 206, 236)),
    ]


def _robot(colour: RGB) -> list[Shape]:
    body = mix(colour, (176, 186, 198), 0.6)
    shapes = [box(-0.015, -1.06, 0.015, -0.9, INK), ellipse(0, -1.07, 0.045, 0.045, (240, 90, 80))]
    for side in (-1, 1):
        shapes += [
            box(side * 0.13 - 0.06, -0.16, side * 0.13 + 0.06, 0, mix(body, INK, 0.3)),
            ellipse(side * 0.33, -0.34, 0.06, 0.18, mix(body, INK, 0.2)),
        ]
    shapes += [
        box(-0.27, -0.54, 0.27, -0.12, body),
        box(-0.12, -0.44, 0.12, -0.26, mix(body, INK, 0.35)),
        box(-0.25, -0.92, 0.25, -0.58, mix(body, SNOW, 0.25)),
    ]
    for side in (-1, 1):
        shapes += [
            ellipse(side * 0.11, -0.77, 0.07, 0.07, NIGHT),
            ellipse(side * 0.11, -0.77, 0.038, 0.038, (110, 230, 240)),
        ]
    return [*shapes, box(-0.1, -0.665, 0.1, -0.645, NIGHT)]


def _car(colour: RGB) -> list[Shape]:
    wheels = [
        ellipse(x, -0.1, r, r, shade)
        for x in (-0.32, 0.34)
        for r, shade in ((0.11, INK), (0.055, (180, 184, 190)))
    ]
    return [
        curve([(-0.34, -0.34), (-0.2, -0.58), (0.16, -0.58), (0.36, -0.34)], mix(colour, INK, 0.15)),
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
        ellipse(-0.17, -0.42, 0.045, 0.17, mix(colour, INK, 0.15), turn=0.25),
        ellipse(0.17, -0.42, 0.045, 0.17, mix(colour, INK, 0.15), turn=-0.25),
        curve([(-0.13, -0.6), (0.13, -0.6), (0.19, -0.2), (-0.19, -0.2)], colour),
        ellipse(0, -0.79, 0.165, 0.175, hair),
        ellipse(0, -0.75, 0.125, 0.135, skin),
        curve([(-0.14, -0.79), (0, -0.93), (0.14, -0.79), (0, -0.84)], hair),
        ellipse(-0.05, -0.75, 0.015, 0.018, INK),
        ellipse(0.05, -0.75, 0.015, 0.018, INK),
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
        ellipse(-0.2, -0.68, 0.07, 0.05, SNOW, 0.6, turn=-0.6),
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
        box(-0.012, -1.0, 0.012, -0.84, INK),
        ellipse(0, -0.52, 0.32, 0.29, paper),
        ellipse(0, -0.52, 0.17, 0.29, mix(paper, (255, 220, 140), 0.35)),
        box(-0.14, -0.85, 0.14, -0.79, (222, 176, 78)),
        box(-0.14, -0.25, 0.14, -0.19, (222, 176, 78)),
        box(-0.02, -0.19, 0.02, 0.0, (222, 176, 78)),
    ]


def _cup(colour: RGB) -> list[Shape]:
    return [
        ellipse(0.34, -0.28, 0.14, 0.14, colour),
        ellipse(0.34, -0.28, 0.075, 0.075, mix(colour, INK, 0.45)),
        curve([(-0.34, -0.5), (0.34, -0.5), (0.26, -0.06), (0, 0), (-0.26, -0.06)], colour),
        ellipse(0, -0.49, 0.31, 0.07, mix(colour, (92, 58, 40), 0.75)),
        *[
            curve([(x, -0.6), (x - 0.06, -0.72), (x + 0.02, -0.86), (x + 0.07, -0.72)], SNOW, 0.45)
            for x in (-0.12, 0.06)
        ],
    ]


MOTIFS: tuple[tuple[str, tuple[str, ...], Motif], ...] = (
    ("red panda", ("red panda", "小熊猫", "小熊貓"), animals.red_panda),
    ("panda", ("panda", "熊猫", "熊貓"), animals.panda),
    ("fox", ("fox", "狐"), animals.fox),
    ("tiger", ("tiger", "虎"), animals.tiger),
    ("cat", ("cat", "kitten", "猫", "貓"), animals.cat),
    ("dog", ("dog", "puppy", "corgi", "狗", "犬"), animals.dog),
    ("bear", ("bear", "熊"), animals.bear),
    ("rabbit", ("rabbit", "bunny", "hare", "兔"), animals.rabbit),
    ("penguin", ("penguin", "企鹅", "企鵝"), animals.penguin),
    ("bird", ("bird", "owl", "parrot", "鸟", "鳥"), animals.bird),
    ("whale", ("whale", "dolphin", "鲸", "鯨"), animals.whale),
    ("fish", ("fish", "goldfish", "koi", "鱼", "魚"), animals.fish),
    ("butterfly", ("butterfly", "butterflies", "蝴蝶"), animals.butterfly),
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
"""Name, trigger words (English and Chinese) and drawing function. An entry comes before those whose words
its own words contain (小熊猫 before 熊猫 before 猫), because the first match wins."""
