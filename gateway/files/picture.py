"""Looks at one picture: a program of its own, run by `pictures.py`, which may crash, hang or be killed by the kernel.

A picture comes by stdin; a line of JSON and the bytes of its thumbnail leave by stdout. It imports nothing of ours, as
it is started by its path and knows no other.
"""

import io
import json
import os
import sys
import warnings

PIXELS = 40_000_000  # as many as the largest phones make; in memory four bytes each
EDGE = 480  # pixels of a thumbnail's longer side
FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/webp": "WEBP", "image/avif": "AVIF"}
TURNED = (5, 6, 7, 8)  # EXIF orientations in which width and height change places
ORIENTATION = 0x0112


def look(data: bytes, type: str) -> tuple[dict[str, object], bytes]:
    """What is said of the picture, and its thumbnail. `says` is fine, unreadable or bomb."""
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = PIXELS  # looked at when the header is read, and for each frame
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        with Image.open(io.BytesIO(data), formats=(FORMATS[type],)) as picture:
            width, height = picture.size
            if picture.getexif().get(ORIENTATION) in TURNED:
                width, height = height, width
            picture.thumbnail((EDGE, EDGE), reducing_gap=2.0)  # decodes all of it, a JPEG at a fraction of its size
            small = ImageOps.exif_transpose(picture).convert("RGBA" if picture.has_transparency_data else "RGB")
        small.info.clear()
        out = io.BytesIO()
        small.save(out, "WEBP", quality=80, method=4, exif=b"", xmp=b"", icc_profile=b"")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return {"says": "bomb"}, b""
    except Exception:  # whatever a decoder says about bytes that a stranger made
        return {"says": "unreadable"}, b""
    return {"says": "fine", "width": width, "height": height}, out.getvalue()


def bound(megabytes: int, seconds: int) -> None:
    """From here on the kernel ends this process when it wants more."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes no files
    os.nice(5)  # live traffic goes first


if __name__ == "__main__":
    bound(1024, 10)
    said, thumbnail = look(sys.stdin.buffer.read(), sys.argv[1])
    sys.stdout.buffer.write(json.dumps(said).encode() + b"\n" + thumbnail)
    sys.stdout.buffer.flush()
