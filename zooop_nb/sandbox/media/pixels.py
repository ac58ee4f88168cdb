"""Raster pictures in and out: opening what was handed over, fitting, marking, and writing files.

Written files hold no dates and no encoder's name, so that equal works give equal bytes.
"""

import io

from PIL import Image, ImageDraw, ImageFont, ImageOps, PngImagePlugin

from zooop_nb.sandbox.media.work import Piece, Unreadable, Work

THUMBNAIL = 512
"""The longest side of a thumbnail, in pixels."""

MOST_PIXELS = 80_000_000
"""The largest picture that is read or written: beyond it, one order would take the machine's memory."""

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")


def opened(data: bytes) -> Image.Image:
    """The picture, upright, whole in memory, as RGB, or as RGBA where it has transparency."""
    if not data:
        raise Unreadable("the picture is empty (0 bytes)")
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as file:
            if file.width * file.height > MOST_PIXELS:
                raise Unreadable(
                    f"{file.width}x{file.height} is more than the sandbox reads ({MOST_PIXELS} pixels)"
                )
            file.load()
            upright = ImageOps.exif_transpose(file)
            return upright.convert("RGBA" if file.has_transparency_data else "RGB")
    except Unreadable:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as reason:
        raise Unreadable(f"the bytes are no picture that can be read: {reason}") from reason


def cover(image: Image.Image, width: int, height: int) -> Image.Image:
    """The picture filling `width` x `height`, its overhang cut evenly; unchanged where the size is right."""
    if image.size == (width, height):
        return image
    return ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)


def see_through(image: Image.Image) -> bool:
    """Whether any pixel lets something through."""
    return image.mode == "RGBA" and image.getchannel("A").getextrema() != (255, 255)


def mark(work: Work) -> str:
    """The words that say where a file came from."""
    return f"ZOOOP sandbox · {work.model}" if work.model else "ZOOOP sandbox"


def ribbon(work: Work, width: int, height: int) -> Image.Image | None:
    """The mark as a small see-through plate for a picture of this size; None where it could not be read."""
    # The font that comes with Pillow knows Latin letters only; a name in others stays whole in the metadata.
    text = mark(work) if mark(work).replace("·", "").isascii() else "ZOOOP sandbox"
    points = max(10.0, min(width, height) * 0.026)
    room = width * 0.94
    for shown in (text, "ZOOOP sandbox", "ZOOOP"):
        font = ImageFont.load_default(points)
        length = ImageDraw.Draw(Image.new("L", (1, 1))).textlength(shown, font=font)
        plate_width, plate_height = round(length + points * 1.2), round(points * 1.75)
        if plate_width <= room and plate_height <= height * 0.5:
            plate = Image.new("RGBA", (plate_width, plate_height), (0, 0, 0, 0))
            draw = ImageDraw.Draw(plate)
            draw.rounded_rectangle(
                (0, 0, plate_width - 1, plate_height - 1), plate_height // 3, (16, 18, 28, 150)
            )
            draw.text((plate_width / 2, plate_height / 2), shown, (255, 255, 255, 235), font, anchor="mm")
            return plate
    return None


def ribbon_place(width: int, height: int, plate: Image.Image) -> tuple[int, int]:
    """Where the ribbon lies: its left upper corner, near the picture's left lower one."""
    margin = max(2, round(min(width, height) * 0.02))
    return margin, height - plate.height - margin


def stamp(image: Image.Image, work: Work) -> Image.Image:
    """Put the ribbon onto the picture, in place."""
    plate = ribbon(work, *image.size)
    if plate is not None:
        place = ribbon_place(*image.size, plate)
        if image.mode == "RGBA":
            image.alpha_composite(plate, place)
        else:
            image.paste(plate, place, plate)
    return image


def thumbnail(image: Image.Image) -> tuple[bytes, str]:
    """A small copy of the picture and its type: as pictures are delivered, JPEG, or PNG with transparency."""
    small = image.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR, reducing_gap=2.0)
    buffer = io.BytesIO()
    if see_through(small):
        small.save(buffer, "PNG", compress_level=4)
        return buffer.getvalue(), "image/png"
    small.convert("RGB").save(buffer, "JPEG", quality=78)
    return buffer.getvalue(), "image/jpeg"


def jpeg(image: Image.Image, comment: str, *, faithful: bool = False) -> bytes:
    """A JPEG file; `faithful` keeps what was handed over within a JPEG's smallest error."""
    buffer = io.BytesIO()
    quality, subsampling = (98, 0) if faithful else (90, 2)
    image.save(buffer, "JPEG", quality=quality, subsampling=subsampling, comment=comment.encode())
    return buffer.getvalue()


def png(image: Image.Image, comment: str) -> bytes:
    """A PNG file, lossless."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt("Source", comment)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=info, compress_level=4)
    return buffer.getvalue()


def picture_piece(image: Image.Image, work: Work, *, faithful: bool = False) -> Piece:
    """The picture as it is delivered: opaque as JPEG, with transparency as PNG.

    API documentation: "Image output URLs".
    """
    if see_through(image):
        data, content_type = png(image, mark(work)), "image/png"
    else:
        data, content_type = jpeg(image.convert("RGB"), mark(work), faithful=faithful), "image/jpeg"
    return Piece(data, content_type, *thumbnail(image), image.width, image.height)
