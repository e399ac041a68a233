"""Checks of a ZIP before it is unpacked: ZIP bombs and overlapping entries are refused."""

from __future__ import annotations

import zipfile
from itertools import pairwise

from clipgrip.errors import DataError

MOST_TIMES = 200
"""How many times its own size a ZIP may unpack to; images are compressed already and hardly shrink."""
ALWAYS_BYTES = 256 << 20
"""What any ZIP may unpack to, however small it is: a blank bitmap shrinks a thousandfold."""
_HEADER_BYTES = 30
"""The shortest header of an entry, before its name."""


def check_archive(archive: zipfile.ZipFile, size: int) -> None:
    """DataError where a ZIP of ``size`` bytes would unpack to far more, or its entries overlap."""
    entries = sorted(archive.infolist(), key=lambda entry: entry.header_offset)
    for entry, following in pairwise(entries):
        end = entry.header_offset + _HEADER_BYTES + entry.compress_size
        if end > following.header_offset:
            raise DataError(
                "the ZIP is damaged or made to deceive: {filename} and {following} overlap. Pack "
                "the folders again.",
                filename=entry.filename,
                following=following.filename,
            )
    total = sum(entry.file_size for entry in entries)
    if total > max(ALWAYS_BYTES, MOST_TIMES * size):
        raise DataError(
            "the ZIP of {size} MB would unpack to {total} GB, which no images do. Pack the "
            "folders again, or give them in parts.",
            size=f"{size / 1e6:.1f}",
            total=f"{total / 1e9:.1f}",
        )
