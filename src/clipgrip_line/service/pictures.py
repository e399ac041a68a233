"""Pictures for people's eyes: JPEG, small enough for a tablet, whatever the camera wrote."""

from __future__ import annotations

import io
from functools import lru_cache

from clipgrip_line.pictures.images import decode
from clipgrip_line.pictures.unusable import UndecodableImage
from clipgrip_line.service.service import Service

LONGEST = 1400
"""Pixels of the longer side."""


def shown(service: Service, image: str) -> bytes | None:
    """The picture as JPEG; None where it is not kept (any more)."""
    data = service.observers.picture(image) or _stored(service, image)
    return None if data is None else _jpeg(data)


def _stored(service: Service, image: str) -> bytes | None:
    row = service.ledger.reader.execute(
        "SELECT data FROM picture WHERE image = ?", (image,)
    ).fetchone()
    return None if row is None else bytes(row[0])


@lru_cache(maxsize=16)
def _jpeg(data: bytes) -> bytes | None:
    try:
        picture = decode(data, at_least=LONGEST)
    except UndecodableImage:
        return None
    picture.thumbnail((LONGEST, LONGEST))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88)
    return out.getvalue()
