"""Colours as RGB triples of 0 to 255: colour names in prompts, and the main colours of a picture."""

import colorsys

from PIL import Image

RGB = tuple[int, int, int]

NAMED: dict[str, RGB] = {
    "red": (214, 64, 60),
    "orange": (238, 138, 54),
    "yellow": (245, 205, 80),
    "green": (92, 160, 92),
    "teal": (44, 146, 142),
    "blue": (66, 122, 204),
    "purple": (134, 92, 186),
    "violet": (134, 92, 186),
    "pink": (240, 140, 172),
    "brown": (134, 92, 62),
    "black": (38, 38, 46),
    "white": (244, 242, 236),
    "grey": (140, 144, 152),
    "gray": (140, 144, 152),
    "gold": (224, 178, 74),
    "golden": (224, 178, 74),
    "silver": (188, 194, 204),
    "crimson": (178, 34, 58),
    "turquoise": (72, 196, 190),
    "红": (214, 64, 60),
    "橙": (238, 138, 54),
    "黄": (245, 205, 80),
    "绿": (92, 160, 92),
    "青": (44, 146, 142),
    "蓝": (66, 122, 204),
    "紫": (134, 92, 186),
    "粉": (240, 140, 172),
    "棕": (134, 92, 62),
    "黑": (38, 38, 46),
    "白": (244, 242, 236),
    "灰": (140, 144, 152),
    "金": (224, 178, 74),
}
"""Colour names, English and Chinese -> the colour."""


def mix(one: RGB, other: RGB, share: float) -> RGB:
    """Blend `share` (0 to 1) of `other` into `one`."""
    r, g, b = (round(a + (z - a) * share) for a, z in zip(one, other, strict=True))
    return r, g, b


def from_hue(hue: float, saturation: float, value: float) -> RGB:
    """Return a colour from hue, saturation and value, each 0 to 1."""
    r, g, b = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return round(r * 255), round(g * 255), round(b * 255)


def luminance(colour: RGB) -> float:
    """Return the perceived brightness of a colour, 0 to 1."""
    return (0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]) / 255


def main_colours(image: Image.Image, count: int = 6) -> list[tuple[RGB, float]]:
    """Return the picture's main colours with their shares of its visible area, the largest first."""
    small = image.copy()
    small.thumbnail((96, 96), Image.Resampling.BOX)
    if small.mode == "RGBA":
        visible = [(r, g, b) for r, g, b, a in zip(*[iter(small.tobytes())] * 4, strict=True) if a > 127]
        if not visible:
            return []
        small = Image.new("RGB", (len(visible), 1))
        small.putdata(visible)
    reduced = small.convert("RGB").quantize(count, Image.Quantize.MEDIANCUT, kmeans=2)
    palette = reduced.getpalette() or []
    tallies = sorted(reduced.getcolors() or [], reverse=True)
    total = sum(tally for tally, _ in tallies)
    found: list[tuple[RGB, float]] = []
    for tally, index in tallies:
        assert isinstance(index, int)
        r, g, b = palette[index * 3 : index * 3 + 3]
        found.append(((r, g, b), tally / total))
    return found
