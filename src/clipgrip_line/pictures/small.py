"""A picture for people's eyes: JPEG, small enough for a screen, whatever the camera wrote."""

from __future__ import annotations

import io

from clipgrip_line.pictures.images import decode
from clipgrip_line.pictures.unusable import UndecodableImage


def small_jpeg(data: bytes, longest: int) -> bytes | None:
    """Its longer side at most ``longest`` pixels; None where the bytes are no picture."""
    try:
        picture = decode(data, at_least=longest)
    except UndecodableImage:
        return None
    picture.thumbnail((longest, longest))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88)
    return out.getvalue()
