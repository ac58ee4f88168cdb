"""The primitive of all drawn pictures and vector files: a filled outline.

Coordinates are in units of the picture's shorter side, y downwards.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from zooop_nb.sandbox.media.colour import RGB

Point = tuple[float, float]


@dataclass(frozen=True)
class Shape:
    outline: tuple[Point, ...]
    fill: RGB
    opacity: float = 1.0
    curved: bool = False
    """Whether the outline is a closed Catmull-Rom curve through its points, instead of a polygon."""
    fade: RGB | None = None
    """The colour at the lower edge of a vertical gradient that starts with `fill`."""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the outline's points."""
        xs, ys = [p[0] for p in self.outline], [p[1] for p in self.outline]
        return min(xs), min(ys), max(xs), max(ys)

    def placed(self, x: float, y: float, scale: float, *, mirrored: bool = False) -> "Shape":
        """Return the shape scaled by `scale`, with its origin at (x, y)."""
        turn = -scale if mirrored else scale
        outline = tuple((x + px * turn, y + py * scale) for px, py in self.outline)
        return Shape(outline, self.fill, self.opacity, self.curved, self.fade)

    def beziers(self) -> list[tuple[Point, Point, Point]]:
        """Return a curved outline as cubic Béziers: two control points and an end point each."""
        points = self.outline
        count = len(points)
        curves = []
        for i in range(count):
            before, start, end, after = (points[(i + k) % count] for k in (-1, 0, 1, 2))
            one = (start[0] + (end[0] - before[0]) / 6, start[1] + (end[1] - before[1]) / 6)
            two = (end[0] - (after[0] - start[0]) / 6, end[1] - (after[1] - start[1]) / 6)
            curves.append((one, two, end))
        return curves

    def flattened(self, steps: int = 6) -> list[Point]:
        """Return the outline as a polygon, with each curve divided into `steps` segments."""
        if not self.curved:
            return list(self.outline)
        points: list[Point] = []
        start = self.outline[0]
        for one, two, end in self.beziers():
            for step in range(1, steps + 1):
                t = step / steps
                a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
                points.append(
                    (
                        a * start[0] + b * one[0] + c * two[0] + d * end[0],
                        a * start[1] + b * one[1] + c * two[1] + d * end[1],
                    )
                )
            start = end
        return points


def ellipse(
    x: float, y: float, rx: float, ry: float, fill: RGB, opacity: float = 1.0, turn: float = 0.0
) -> Shape:
    """Return an ellipse centred on (x, y), rotated by `turn` radians."""
    cos, sin = math.cos(turn), math.sin(turn)
    outline = []
    for step in range(12):
        angle = step * math.pi / 6
        px, py = rx * math.cos(angle), ry * math.sin(angle)
        outline.append((x + px * cos - py * sin, y + px * sin + py * cos))
    return Shape(tuple(outline), fill, opacity, curved=True)


def polygon(points: Sequence[Point], fill: RGB, opacity: float = 1.0, fade: RGB | None = None) -> Shape:
    """Return a polygon."""
    return Shape(tuple(points), fill, opacity, curved=False, fade=fade)


def curve(points: Sequence[Point], fill: RGB, opacity: float = 1.0, fade: RGB | None = None) -> Shape:
    """Return a closed curve through the points."""
    return Shape(tuple(points), fill, opacity, curved=True, fade=fade)


def box(left: float, top: float, right: float, bottom: float, fill: RGB, opacity: float = 1.0) -> Shape:
    """Return an axis-aligned rectangle."""
    return polygon([(left, top), (right, top), (right, bottom), (left, bottom)], fill, opacity)
