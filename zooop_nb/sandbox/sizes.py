"""Compute the size of a picture or clip, in pixels, from the requested aspect ratio and resolution.

The documentation names values such as `2k`, `1024` and `720p` without defining them. They are interpreted as
is common in the industry: the long side for pictures, the short side for video.
"""

import re
from collections.abc import Mapping
from fractions import Fraction

_LONG_SIDES = {"0.5k": 512, "1k": 1024, "2k": 2048, "3k": 3072, "4k": 4096}
_SHORT_SIDES = {"1k": 1080, "2k": 1440, "4k": 2160}
_DEFAULT_ASPECT = {"image": Fraction(1), "video": Fraction(16, 9)}
_EXACT = r"(\d+)\s*[x*]\s*(\d+)"
_RATIO_IDS = ("aspect_ratio.ratio", "aspect_ratio")


def size(type: str, params: Mapping[str, object]) -> tuple[int, int]:
    """Return width and height in pixels for a model's `type` and merged params; both even, as codecs need."""
    resolution = _resolution(params)
    if exact := re.fullmatch(_EXACT, resolution):
        return int(exact[1]), int(exact[2])
    ratio = _ratio(params) or _DEFAULT_ASPECT.get(type, Fraction(1))
    if lines := re.fullmatch(r"(\d+)p", resolution):
        return _from_short(int(lines[1]), ratio)
    if type == "video":
        return _from_short(_SHORT_SIDES.get(resolution, 720), ratio)
    if resolution.isdigit():
        return _from_long(int(resolution), ratio)
    return _from_long(_LONG_SIDES.get(resolution, 1024), ratio)


def asks_shape(params: Mapping[str, object]) -> bool:
    """Return whether the params fix the aspect ratio of the result."""
    return _ratio(params) is not None or re.fullmatch(_EXACT, _resolution(params)) is not None


def _resolution(params: Mapping[str, object]) -> str:
    return str(params.get("resolution", "")).lower()


def _ratio(params: Mapping[str, object]) -> Fraction | None:
    for id in _RATIO_IDS:
        if ratio := re.fullmatch(r"(\d+):(\d+)", str(params.get(id, ""))):
            return Fraction(int(ratio[1]), int(ratio[2]))
    return None


def _from_long(side: int, ratio: Fraction) -> tuple[int, int]:
    return (side, _even(side / ratio)) if ratio >= 1 else (_even(side * ratio), side)


def _from_short(side: int, ratio: Fraction) -> tuple[int, int]:
    return (_even(side * ratio), side) if ratio >= 1 else (side, _even(side / ratio))


def _even(pixels: Fraction) -> int:
    return 2 * max(1, round(pixels / 2))
