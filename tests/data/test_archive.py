"""A ZIP that would unpack to mountains is refused by its directory."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

from clipgrip.data.archive import check_archive
from clipgrip.errors import DataError


def check(data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        check_archive(archive, len(data))


def packed(count: int, size: int = 1000) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(count):
            archive.writestr(f"a/{number}.bmp", bytes(size))
    return out.getvalue()


def test_an_ordinary_archive_passes() -> None:
    check(packed(50))
    check(packed(1, 2_000_000))
    check(packed(0))


def test_entries_within_each_other_are_refused() -> None:
    data = bytearray(packed(2))
    second = data.rindex(b"PK\x01\x02")
    data[second + 42 : second + 46] = struct.pack("<I", 0)
    with pytest.raises(DataError, match="overlap"):
        check(bytes(data))


def test_a_mountain_out_of_little_is_refused() -> None:
    data = bytearray(packed(1))
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = struct.pack("<I", 2**31)
    with pytest.raises(DataError, match=r"would unpack to 2\.1 GB"):
        check(bytes(data))
