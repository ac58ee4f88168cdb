"""Describe a picture from its pixels only, in English or Chinese.

Nothing is recognised: no objects, people or places. Colours are named after quantising, light and contrast
are measured, and the visual weight is where the picture differs most from its median colour. The camera is
taken from the file's EXIF data or left out.

API documentation: `POST /v1/describe-image`.
"""

import colorsys
import io
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, ImageFilter

from zooop_nb.sandbox.media.colour import RGB, main_colours
from zooop_nb.sandbox.media.pixels import opened, see_through

_COLOURS = {
    "black": "黑色", "dark grey": "深灰色", "grey": "灰色", "light grey": "浅灰色",
    "white": "白色", "red": "红色", "orange": "橙色", "brown": "棕色", "beige": "米色",
    "yellow": "黄色", "olive": "橄榄绿", "green": "绿色", "dark green": "深绿色", "teal": "青色",
    "light blue": "浅蓝色", "blue": "蓝色", "navy": "藏青色", "purple": "紫色",
    "lavender": "淡紫色", "pink": "粉色", "magenta": "品红色",
}  # fmt: skip
_PLACES = {
    ("upper", "left"): ("upper left", "左上方"),
    ("upper", "centre"): ("upper centre", "上方中央"),
    ("upper", "right"): ("upper right", "右上方"),
    ("middle", "left"): ("left", "左侧"),
    ("middle", "centre"): ("centre", "中央"),
    ("middle", "right"): ("right", "右侧"),
    ("lower", "left"): ("lower left", "左下方"),
    ("lower", "centre"): ("lower centre", "下方中央"),
    ("lower", "right"): ("lower right", "右下方"),
}
_TERMS = {
    "landscape": "横幅", "portrait": "竖幅", "square": "方形",
    "dark": "偏暗", "mid-toned": "明暗适中", "bright": "明亮",
    "low": "低", "moderate": "中等", "high": "高",
    "muted": "柔和低饱和", "natural": "自然", "vivid": "鲜艳",
    "warm": "暖", "cool": "冷", "neutral": "中性",
    "left": "偏左", "right": "偏右", "top": "偏上", "bottom": "偏下", "even": "分布均匀",
}  # fmt: skip


@dataclass(frozen=True)
class _Seen:
    width: int
    height: int
    colours: tuple[tuple[str, float], ...]
    """Colour names with their shares of the area, the largest first."""
    orientation: str
    brightness: str
    contrast: str
    saturation: str
    warmth: str
    light: str
    place: tuple[str, str]
    concentrated: bool
    symmetrical: bool
    flat: bool
    detail: str
    transparent: bool


def describe(data: bytes, language: str) -> dict[str, str | None]:
    """See `zooop_nb.sandbox.media.describe`."""
    image = opened(data)
    seen = _look(image)
    chinese = language.lower().replace("_", "-").partition("-")[0] == "zh"
    told = _in_chinese(seen) if chinese else _in_english(seen)
    camera = _camera(data, chinese)
    parts = [told[name] for name in ("subject", "composition", "style", "lighting", "palette", "mood")]
    whole = ("。".join(parts) + "。") if chinese else ". ".join(parts) + "."
    return {**told, "camera": camera, "overallDescription": whole}


def colour_name(colour: RGB) -> str:
    """Return the everyday English name of a colour."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(part / 255 for part in colour))
    degrees = hue * 360
    if value < 0.16:
        return "black"
    if saturation < 0.12:
        greys = ((0.4, "dark grey"), (0.68, "grey"), (0.88, "light grey"), (1.1, "white"))
        return next(name for limit, name in greys if value < limit)
    if 15 <= degrees < 70 and saturation < 0.35 and value > 0.7:
        return "beige"
    if degrees < 15 or degrees >= 345:
        return "pink" if saturation < 0.5 and value > 0.7 else "red" if value > 0.4 else "brown"
    if degrees < 45:
        return "orange" if value > 0.62 and saturation > 0.4 else "brown"
    if degrees < 70:
        return "yellow" if value > 0.6 else "olive"
    if degrees < 165:
        return "green" if value > 0.35 else "dark green"
    if degrees < 195:
        return "teal"
    if degrees < 255:
        return "navy" if value < 0.4 else "light blue" if value > 0.7 and saturation < 0.5 else "blue"
    if degrees < 290:
        return "lavender" if value > 0.7 and saturation < 0.35 else "purple"
    return "magenta" if saturation > 0.55 and degrees < 330 else "pink" if value > 0.5 else "purple"


def _level(value: float, low: float, high: float, names: tuple[str, str, str]) -> str:
    return names[0] if value < low else names[1] if value < high else names[2]


def _look(image: Image.Image) -> _Seen:
    shares: dict[str, float] = {}
    for colour, share in main_colours(image, 8):
        name = colour_name(colour)
        shares[name] = shares.get(name, 0.0) + share
    named = tuple(sorted(shares.items(), key=lambda pair: -pair[1]))
    small = image.convert("RGBA")
    small.thumbnail((256, 256), Image.Resampling.BOX)
    flat = Image.new("RGBA", small.size, (255, 255, 255, 255))
    flat.alpha_composite(small)
    rgb = flat.convert("RGB")
    pixels = np.asarray(rgb, dtype=np.float64) / 255
    grey = pixels @ np.array([0.299, 0.587, 0.114])
    saturation = float((pixels.max(axis=2) - pixels.min(axis=2)).mean())
    warmth = float((pixels[..., 0] - pixels[..., 2]).mean())
    height, width = grey.shape

    weight = np.asarray(rgb.filter(ImageFilter.GaussianBlur(3)), dtype=np.float64) / 255
    weight = np.abs(weight - np.median(weight.reshape(-1, 3), axis=0)).sum(axis=2) ** 2 + 1e-6
    ys, xs = np.mgrid[0:height, 0:width]
    x = float((weight * (xs + 0.5)).sum() / weight.sum() / width)
    y = float((weight * (ys + 0.5)).sum() / weight.sum() / height)
    spread = float(
        np.sqrt(
            (weight * (((xs + 0.5) / width - x) ** 2 + ((ys + 0.5) / height - y) ** 2)).sum() / weight.sum()
        )
    )

    half_w, half_h = max(1, width // 2), max(1, height // 2)
    tilts = {
        "left": grey[:, :half_w].mean() - grey[:, -half_w:].mean(),
        "right": grey[:, -half_w:].mean() - grey[:, :half_w].mean(),
        "top": grey[:half_h].mean() - grey[-half_h:].mean(),
        "bottom": grey[-half_h:].mean() - grey[:half_h].mean(),
    }
    side = max(tilts, key=lambda name: float(tilts[name]))
    steps = np.abs(np.diff(grey, axis=1)) if width > 1 else np.zeros((1, 1))
    ratio = image.width / image.height
    return _Seen(
        image.width,
        image.height,
        named,
        "square" if 0.95 <= ratio <= 1.05 else "landscape" if ratio > 1 else "portrait",
        _level(float(grey.mean()), 0.34, 0.66, ("dark", "mid-toned", "bright")),
        _level(float(grey.std()), 0.12, 0.24, ("low", "moderate", "high")),
        _level(saturation, 0.14, 0.36, ("muted", "natural", "vivid")),
        _level(warmth, -0.05, 0.05, ("cool", "neutral", "warm")),
        side if tilts[side] > 0.08 else "even",
        (
            _level(y, 0.42, 0.58, ("upper", "middle", "lower")),
            _level(x, 0.42, 0.58, ("left", "centre", "right")),
        ),
        spread < 0.3,
        bool(np.abs(grey - grey[:, ::-1]).mean() < 0.03),
        bool((steps < 0.004).mean() > 0.6),
        _level(float((steps > 0.06).mean()), 0.03, 0.15, ("low", "moderate", "high")),
        see_through(image),
    )


def _in_english(seen: _Seen) -> dict[str, str]:
    names = [name for name, share in seen.colours if share >= 0.05][:3] or ["no visible colour"]
    place = _PLACES[seen.place][0]
    palette = "Mainly " + " and ".join(names[:2] if len(names) < 3 else [", ".join(names[:2]), names[2]])
    gathered = "gathered in" if seen.concentrated else "spread widely about"
    focus = f"its visual weight {gathered} the {place}"
    return {
        "subject": f"An image in {seen.warmth} tones, dominated by {names[0]} areas, heaviest in the {place}"
        + (", on a transparent background" if seen.transparent else ""),
        "composition": f"{seen.orientation.capitalize()}, {seen.width} by {seen.height} pixels, {focus}"
        + (", left and right mirroring each other" if seen.symmetrical else ""),
        "style": (
            "Flat areas of colour with little texture, as in graphic work"
            if seen.flat
            else "Continuous tones with texture, as in a photograph or a painting"
        )
        + f", {seen.detail} in fine detail",
        "lighting": f"{seen.brightness.capitalize()} overall with {seen.contrast} contrast, "
        + ("brightness evenly distributed" if seen.light == "even" else f"brighter towards the {seen.light}"),
        "palette": f"{palette}; {seen.saturation} saturation, {seen.warmth} in temperature",
        "mood": f"{seen.saturation.capitalize()} {seen.warmth} tones, {_feeling(seen)[0]}",
    }


def _in_chinese(seen: _Seen) -> dict[str, str]:
    names = [_COLOURS[name] for name, share in seen.colours if share >= 0.05][:3] or ["无可见颜色"]
    place = _PLACES[seen.place][1]
    term = _TERMS.__getitem__
    return {
        "subject": f"画面呈{term(seen.warmth)}色调，以{names[0]}区域为主，重心位于{place}"
        + ("，背景透明" if seen.transparent else ""),
        "composition": f"{term(seen.orientation)}构图，{seen.width}×{seen.height}像素，"
        + f"视觉重心{'集中' if seen.concentrated else '分散'}在{place}"
        + ("，左右对称" if seen.symmetrical else ""),
        "style": ("平涂色块，纹理较少，近似平面图形" if seen.flat else "色调连续，带有纹理，近似照片或绘画")
        + f"，细节程度{term(seen.detail)}",
        "lighting": f"整体{term(seen.brightness)}，对比度{term(seen.contrast)}，亮部{term(seen.light)}",
        "palette": f"主要为{'、'.join(names)}，饱和度{term(seen.saturation)}，色温{term(seen.warmth)}",
        "mood": f"{term(seen.saturation)}的{term(seen.warmth)}色调，{_feeling(seen)[1]}",
    }


def _feeling(seen: _Seen) -> tuple[str, str]:
    """Return the mood conventionally associated with the light and colours; it ignores the content."""
    if seen.brightness == "dark":
        return ("dramatic", "富有戏剧性") if seen.contrast == "high" else ("quiet and sombre", "沉静")
    if seen.saturation == "vivid":
        return ("lively", "活泼") if seen.contrast != "low" else ("cheerful and soft", "明快柔和")
    if seen.contrast == "low":
        return "calm", "平静"
    return ("fresh", "清新") if seen.warmth == "cool" else ("gentle", "温和")


def _camera(data: bytes, chinese: bool) -> str | None:
    """Return camera, focal length and aperture from the file's EXIF data; None if they contain none."""
    with Image.open(io.BytesIO(data)) as file:
        exif = file.getexif()
    lens = exif.get_ifd(ExifTags.IFD.Exif)
    model = str(exif.get(ExifTags.Base.Model) or "").strip("\0 ")
    told = [model] if model else []
    focal, aperture = lens.get(ExifTags.Base.FocalLength), lens.get(ExifTags.Base.FNumber)
    if focal:
        told.append(f"{float(focal):g} mm")
    if aperture:
        told.append(f"f/{float(aperture):g}")
    if not told:
        return None
    return ("拍摄设备（EXIF）：" if chinese else "According to its EXIF data: ") + ", ".join(told)
