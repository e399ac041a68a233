"""Reads the bytes of a manifest's images; all code does it here, so that every read is checked against the hash.

A file may change after it was hashed. Its new picture must never get the old content's hash or label, in the cache, on
a page or in an export.
"""

from __future__ import annotations

import hashlib

from PIL import Image

from clipgrip.data.images import UndecodableImage, decode
from clipgrip.data.rows import Row
from clipgrip.data.sources import EmbeddingSource, ImageSource, reason_of
from clipgrip.sentences import Sentence


def read_image(source: ImageSource, sha256: str) -> bytes:
    """The bytes with this content hash. UndecodableImage: they cannot be read, or the file has changed."""
    sha256 = picture_hash(source, sha256)
    data = read_new(source)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise UndecodableImage(
            "changed",
            Sentence(
                "is no longer the file that the model saw; bring the old one back, or run again to use "
                "the new one"
            ),
        )
    return data


def picture_hash(source: ImageSource, sha256: str) -> str:
    """The SHA-256 of an image's encoded picture: its content hash, or for an embedding that of its picture.

    UndecodableImage: the image is an embedding without a picture.
    """
    if not isinstance(source, EmbeddingSource):
        return sha256
    if not source.picture_sha256:
        raise UndecodableImage("no-picture", Sentence("is an embedding without a picture"))
    return source.picture_sha256


def read_row(row: Row) -> bytes:
    """The bytes of a row's image; UndecodableImage as `read_image`."""
    return read_image(row.source, row.sha256)


def open_picture(source: ImageSource, sha256: str, *, at_least: int | None = None) -> Image.Image:
    """The decoded picture of this content; UndecodableImage as `read_image` and `decode`."""
    return decode(read_image(source, sha256), at_least=at_least)


def open_row(row: Row, *, at_least: int | None = None) -> Image.Image:
    """The decoded picture of a row; UndecodableImage as `open_picture`."""
    return open_picture(row.source, row.sha256, at_least=at_least)


def read_new(source: ImageSource) -> bytes:
    """The bytes of an image whose hash is not known yet. UndecodableImage: they cannot be read."""
    try:
        return source.read()
    except OSError as error:
        reason = reason_of(error)
        raise UndecodableImage(
            "unreadable", Sentence("cannot be read ({reason})", reason=reason)
        ) from error
