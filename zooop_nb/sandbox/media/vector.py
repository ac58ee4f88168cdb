"""Vector files: drawn from the prompt as paths, or traced from a picture with vtracer."""

import io
import re
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import vtracer  # type: ignore[import-untyped]
from PIL import Image

from zooop_nb.sandbox.media import inputs
from zooop_nb.sandbox.media.colour import RGB, main_colours
from zooop_nb.sandbox.media.picture import paint
from zooop_nb.sandbox.media.pixels import mark, opened, ribbon, ribbon_place, thumbnail
from zooop_nb.sandbox.media.scene import Scene, compose
from zooop_nb.sandbox.media.shape import Shape
from zooop_nb.sandbox.media.work import Piece, Work

_TRACED = 640
"""The longest side at which pictures are traced; the paths are scaled to the picture's size."""

_UNPRINTABLE = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that are not allowed in XML."""


def render(work: Work, index: int) -> Piece:
    """Render `svg` (a composition of the prompt) or `vectorise` (the input picture)."""
    return _traced(work) if work.action == "vectorise" else _drawn(work, index)


def _drawn(work: Work, index: int) -> Piece:
    references = [opened(data) for data in inputs.pictures(work)]
    colours = [colour for reference in references[:2] for colour, _ in main_colours(reference, 5)]
    width, height = work.width, work.height
    scene = compose(work, index, width=width, height=height, colours=colours or None)
    body: list[str] = []
    defs: list[str] = []
    if not work.alpha:
        body.append(_sky(scene, width, height, defs))
    for shape in scene.subject if work.alpha else scene.shapes:
        body.append(_path(shape, min(width, height), defs))
    scale = min(1.0, 512 / max(width, height))
    preview = paint(scene, max(1, round(width * scale)), max(1, round(height * scale)))
    data = _document(work, width, height, f"<defs>{''.join(defs)}</defs>{''.join(body)}")
    return Piece(data, "image/svg+xml", *thumbnail(preview), width, height)


def _traced(work: Work) -> Piece:
    source = opened(inputs.picture(work))
    small = source.copy()
    small.thumbnail((_TRACED, _TRACED), Image.Resampling.LANCZOS)
    # Reduce to flat colours first: the tracer treats a smooth gradient (a sky) as one area of one colour.
    flat = (
        small.convert("RGB")
        .quantize(48, Image.Quantize.MAXCOVERAGE, 2, dither=Image.Dither.NONE)
        .convert("RGB")
    )
    if small.mode == "RGBA":
        flat.putalpha(small.getchannel("A"))
    buffer = io.BytesIO()
    flat.save(buffer, "PNG", compress_level=1)
    svg = vtracer.convert_raw_image_to_svg(
        buffer.getvalue(),
        img_format="png",
        filter_speckle=6,
        color_precision=8,
        layer_difference=0,
        path_precision=1,
    )
    paths = []
    for path in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}path"):
        told = {name: path.get(name) for name in ("d", "fill", "transform")}
        paths.append(
            f"<path {' '.join(f'{name}={quoteattr(value)}' for name, value in told.items() if value)}/>"
        )
    across, down = source.width / small.width, source.height / small.height
    body = f'<g transform="scale({across:.5g} {down:.5g})">{"".join(paths)}</g>'
    data = _document(work, source.width, source.height, body)
    return Piece(data, "image/svg+xml", *thumbnail(source), source.width, source.height)


def _document(work: Work, width: int, height: int, body: str) -> bytes:
    said = _clean(work.prompt).strip()
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    told = escape(": ".join(filter(None, (_clean(mark(work)), said))))
    lines = (
        '<?xml version="1.0" encoding="UTF-8"?>\n',
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(said[:120] or work.action)}</title><desc>{told}</desc>",
        body,
        _ribbon(work, width, height),
        "</svg>\n",
    )
    return "".join(lines).encode()


def _clean(text: str) -> str:
    return _UNPRINTABLE.sub("", text)


def _ribbon(work: Work, width: int, height: int) -> str:
    plate = ribbon(work, width, height)
    if plate is None:
        return ""
    x, y = ribbon_place(width, height, plate)
    points = max(10.0, min(width, height) * 0.026)
    place = f'x="{x + plate.width / 2:g}" y="{y + plate.height / 2 + points * 0.35:.1f}" text-anchor="middle"'
    font = f'font-family="sans-serif" font-size="{points:.1f}" fill="#ffffff"'
    fitted = f'textLength="{plate.width - points:.1f}" lengthAdjust="spacingAndGlyphs"'
    return (
        f'<path d="M{x} {y}h{plate.width}v{plate.height}h{-plate.width}z" fill="#10121c" fill-opacity="0.6"/>'
        f"<text {place} {font} {fitted}>{escape(_clean(mark(work)))}</text>"
    )


def _hex(colour: RGB) -> str:
    return "#" + "".join(f"{min(255, max(0, part)):02x}" for part in colour)


def _sky(scene: Scene, width: int, height: int, defs: list[str]) -> str:
    stops = "".join(f'<stop offset="{place:g}" stop-color="{_hex(colour)}"/>' for place, colour in scene.sky)
    defs.append(f'<linearGradient id="sky" x1="0" y1="0" x2="0" y2="1">{stops}</linearGradient>')
    full = f"M0 0H{width}V{height}H0z"
    sky = f'<path d="{full}" fill="url(#sky)"/>'
    if scene.glow is None:
        return sky
    x, y, radius, colour = scene.glow
    unit = min(width, height)
    circle = f'cx="{x * unit:.1f}" cy="{y * unit:.1f}" r="{radius * unit:.1f}"'
    defs.append(
        f'<radialGradient id="glow" gradientUnits="userSpaceOnUse" {circle}>'
        f'<stop offset="0" stop-color="{_hex(colour)}" stop-opacity="0.55"/>'
        f'<stop offset="1" stop-color="{_hex(colour)}" stop-opacity="0"/></radialGradient>'
    )
    return f'{sky}<path d="{full}" fill="url(#glow)"/>'


def _path(shape: Shape, unit: int, defs: list[str]) -> str:
    def at(point: tuple[float, float]) -> str:
        return f"{point[0] * unit:.1f} {point[1] * unit:.1f}"

    start = f"M{at(shape.outline[0])}"
    if shape.curved:
        d = start + "".join(f"C{at(one)} {at(two)} {at(end)}" for one, two, end in shape.beziers()) + "z"
    else:
        d = start + "".join(f"L{at(point)}" for point in shape.outline[1:]) + "z"
    fill = _hex(shape.fill)
    if shape.fade is not None:
        name = f"fade{len(defs)}"
        defs.append(
            f'<linearGradient id="{name}" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="{fill}"/>'
            f'<stop offset="1" stop-color="{_hex(shape.fade)}"/></linearGradient>'
        )
        fill = f"url(#{name})"
    opacity = "" if shape.opacity >= 1 else f' fill-opacity="{shape.opacity:.2f}"'
    return f'<path d="{d}" fill="{fill}"{opacity}/>'
