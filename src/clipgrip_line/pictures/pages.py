"""Which of the pictures in a TIFF is the picture: small previews may stand before it, copies and pages behind it."""

from __future__ import annotations

from typing import Any

from clipgrip_line.pictures.unusable import UndecodableImage
from clipgrip_line.sentences import Sentence

_KIND, _PARTS, _DNG = 254, 330, 50706
_SMALLER = 1
"""The bit of the first tag that calls a picture a smaller copy of another."""
MOST_LOOKED_AT = 16


def past_preview(image: Any) -> Any:
    """The TIFF at its first picture that is no smaller copy of another, or where all are called so at the largest.

    Raises:
        UndecodableImage: a camera's raw file, of which there is nothing but a preview to see.
    """
    if not _is_smaller(image):
        return image
    if _PARTS in image.tag_v2 or _DNG in image.tag_v2:
        width, height = image.size
        raise UndecodableImage(
            "unsupported",
            Sentence(
                "a camera's raw file, of which only a preview of {width} x {height} pixels can be read; develop it to "
                "TIFF or JPEG",
                width=width,
                height=height,
            ),
        )
    areas = [image.size[0] * image.size[1]]
    for page in range(1, MOST_LOOKED_AT):
        try:
            image.seek(page)
        except EOFError:
            break
        if not _is_smaller(image):
            return image
        areas.append(image.size[0] * image.size[1])
    image.seek(areas.index(max(areas)))
    return image


def has_pages(image: Any) -> bool:
    """Whether another picture follows that is no smaller copy."""
    image.seek(image.tell() + 1)
    return not _is_smaller(image)


def _is_smaller(image: Any) -> bool:
    return bool(int(image.tag_v2.get(_KIND, 0)) & _SMALLER)
