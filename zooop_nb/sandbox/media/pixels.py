"""Raster pictures: opening input files, fitting, marking, and writing files.

Written files contain no dates and no encoder name, so that equal works give identical bytes.
"""

import io

from PIL import Image, ImageDraw, ImageFont, ImageOps, PngImagePlugin

from zooop_nb.sandbox.media.work import Piece, Unreadable, Work

THUMBNAIL = 512
"""The longest side of a thumbnail, in pixels."""

MOST_PIXELS = 80_000_000
"""Largest picture that is read or written, in pixels; more could exhaust the machine's memory."""

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")


def opened(data: bytes) -> Image.Image:
    """Return the picture, upright and fully loaded, as RGB, or RGBA if it has transparency.

    Raises `Unreadable`.
    """
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
    """Scale the picture to fill `width` x `height` and crop it evenly; unchanged if it has that size."""
    if image.size == (width, height):
        return image
    return ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)


def see_through(image: Image.Image) -> bool:
    """Return whether any pixel is transparent, even partly."""
    return image.mode == "RGBA" and image.getchannel("A").getextrema() != (255, 255)


def mark(work: Work) -> str:
    """Return the text that identifies a file as the sandbox's, with the model's name."""
    return f"ZOOOP sandbox · {work.model}" if work.model else "ZOOOP sandbox"


def ribbon(work: Work, width: int, height: int) -> Image.Image | None:
    """Return the mark as a small translucent label for a picture of this size; None if too small to read."""
    # Pillow's built-in font has Latin letters only; a name in another script is complete in the metadata.
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
    """Return the upper left corner of the ribbon, which is placed at the picture's lower left."""
    margin = max(2, round(min(width, height) * 0.02))
    return margin, height - plate.height - margin


def stamp(image: Image.Image, work: Work) -> Image.Image:
    """Put the ribbon onto the picture, in place, and return it."""
    plate = ribbon(work, *image.size)
    if plate is not None:
        place = ribbon_place(*image.size, plate)
        if image.mode == "RGBA":
            image.alpha_composite(plate, place)
        else:
            image.paste(plate, place, plate)
    return image


def thumbnail(image: Image.Image) -> tuple[bytes, str]:
    """Return a small copy of the picture and its content type: JPEG, or PNG if it has transparency."""
    small = image.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR, reducing_gap=1.0)
    buffer = io.BytesIO()
    if see_through(small):
        small.save(buffer, "PNG", compress_level=4)
        return buffer.getvalue(), "image/png"
    small.convert("RGB").save(buffer, "JPEG", quality=78)
    return buffer.getvalue(), "image/jpeg"


def jpeg(image: Image.Image, comment: str, *, faithful: bool = False) -> bytes:
    """Return a JPEG file; `faithful` uses high quality, to stay as close to the input as JPEG allows."""
    buffer = io.BytesIO()
    quality, subsampling = (98, 0) if faithful else (90, 2)
    image.save(buffer, "JPEG", quality=quality, subsampling=subsampling, comment=comment.encode())
    return buffer.getvalue()


def png(image: Image.Image, comment: str) -> bytes:
    """Return a PNG file, lossless."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt("Source", comment)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=info, compress_level=4)
    return buffer.getvalue()


def picture_piece(image: Image.Image, work: Work, *, faithful: bool = False) -> Piece:
    """Return the picture as delivered: JPEG if opaque, PNG with transparency.

    API documentation: "Image output URLs".
    """
    if see_through(image):
        data, content_type = png(image, mark(work)), "image/png"
    else:
        data, content_type = jpeg(image.convert("RGB"), mark(work), faithful=faithful), "image/jpeg"
    return Piece(data, content_type, *thumbnail(image), image.width, image.height)
