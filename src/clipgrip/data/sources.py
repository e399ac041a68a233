"""Where the bytes of an image come from: a file, memory, Parquet, tar, a store, or the picture of an embedding."""

from __future__ import annotations

import io
import json
import os
from dataclasses import dataclass, fields
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipgrip.data.stores import read_object, read_range, url_of
from clipgrip.errors import DataError
from clipgrip.files import openable, read_file, system_words
from clipgrip.sentences import Sentence, mark

MAX_BYTES = 1 << 30
"""The largest image file that is read."""
LARGER = mark("{path}: an image in it is larger than {most} MiB")
NO_SUCH_IMAGE = mark("{path}: the file changed and has no such image any more")


@runtime_checkable
class ImageSource(Protocol):
    """Something that gives the encoded bytes of one image, as often as asked."""

    def read(self) -> bytes:
        """The encoded bytes; raises OSError when they cannot be had."""
        ...


@dataclass(frozen=True, slots=True)
class FileSource:
    """An image file. The path keeps its original bytes, whatever their encoding."""

    path: str

    def read(self) -> bytes:
        """The bytes of the file.

        OSError: the file is gone, may not be read, is no regular file, or is larger than `MAX_BYTES`.
        """
        return read_file(self.path, MAX_BYTES)


@dataclass(frozen=True, slots=True)
class BytesSource:
    """An image in memory, already encoded."""

    data: bytes

    @classmethod
    def of(cls, image: Image.Image | NDArray[Any]) -> BytesSource:
        """Encode a Pillow image or an array ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)`` as PNG.

        No pixel changes, except that modes PNG lacks (CMYK, HSV, floats) become RGB. An orientation noted in the image
        is kept. DataError: the array has another shape or type than uint8 (or uint16 for greyscale).
        """
        picture = image if isinstance(image, Image.Image) else _picture(image)
        if picture.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I"):
            picture = picture.convert("RGBA" if picture.mode in ("PA", "RGBa", "La") else "RGB")
        out = io.BytesIO()
        exif = picture.info.get("exif", b"")
        picture.save(out, "PNG", compress_level=1, exif=exif if isinstance(exif, bytes) else b"")
        return cls(out.getvalue())

    def read(self) -> bytes:
        """The encoded bytes."""
        return self.data


@dataclass(frozen=True, slots=True)
class ParquetSource:
    """An image in a cell of a Parquet file: plain binary, or ``{bytes, path}``."""

    path: str
    group: int
    row: int
    column: str

    def read(self) -> bytes:
        """The bytes of the cell; empty for an empty cell.

        Raises:
            OSError: the file is gone or damaged.
            MissingPackage: pyarrow is not installed.
        """
        from clipgrip.data.parquet import read_cell

        return read_cell(self.path, self.group, self.row, self.column)


@dataclass(frozen=True, slots=True)
class EmbeddingSource:
    """A row of a file of embeddings, with the picture that shows it to people, if there is one."""

    path: str
    row: int
    picture: str = ""
    """Absolute path; empty where there is no picture."""
    picture_sha256: str = ""
    """SHA-256 of the picture when it was first read."""

    def read(self) -> bytes:
        """The bytes of the picture. OSError: there is none, or as `FileSource.read`."""
        if not self.picture:
            raise OSError(Sentence("an embedding without a picture"))
        return (read_object if url_of(self.picture) else read_file)(self.picture, MAX_BYTES)


@dataclass(frozen=True, slots=True)
class TarSource:
    """An image in a plain tar file, on a disk or in a store."""

    path: str
    offset: int
    size: int

    def read(self) -> bytes:
        """The bytes; OSError when the file is gone or shorter now."""
        if self.size > MAX_BYTES:
            raise OSError(Sentence(LARGER, path=self.path, most=MAX_BYTES >> 20))
        data = read_range(self.path, self.offset, self.size)
        if len(data) < self.size:
            raise OSError(Sentence(NO_SUCH_IMAGE, path=self.path))
        return data


@dataclass(frozen=True, slots=True)
class StoreSource:
    """An image in an object store, by its URL."""

    path: str

    def read(self) -> bytes:
        """The bytes; OSError when they cannot be had or are more than `MAX_BYTES`."""
        return read_object(self.path, MAX_BYTES)


StoredSource = FileSource | ParquetSource | TarSource | StoreSource | EmbeddingSource
KINDS: dict[str, type[StoredSource]] = {
    "file": FileSource,
    "parquet": ParquetSource,
    "tar": TarSource,
    "store": StoreSource,
    "embedding": EmbeddingSource,
}
"""Sources that a run can store, by their names in runs.db; images in memory cannot be stored."""


def picture_at(path: str) -> FileSource | StoreSource:
    """The source for a path or a URL."""
    return FileSource(path) if url_of(path) is None else StoreSource(path)


def source_to_json(source: ImageSource) -> str:
    """A source as JSON for runs.db; empty for one that cannot be stored."""
    for kind, made in KINDS.items():
        if isinstance(source, made):
            return json.dumps([kind, *source_fields(source)], default=os.fspath)
    return ""


def source_fields(source: StoredSource) -> list[Any]:
    """The values of the source's fields, in order."""
    return [getattr(source, one.name) for one in fields(source)]


def source_from_json(text: str) -> StoredSource:
    """The inverse of `source_to_json`."""
    kind, *values = json.loads(text)
    return KINDS[kind](*values)


def is_there(source: ImageSource) -> bool:
    """Whether the image's file exists. Its content is not compared, and a store is not asked."""
    if isinstance(source, EmbeddingSource):
        return bool(source.picture) and os.path.isfile(openable(source.picture))
    if not isinstance(source, FileSource | ParquetSource | TarSource) or url_of(source.path):
        return True
    return os.path.isfile(openable(source.path))


def has_picture(source: ImageSource) -> bool:
    """Whether there is a picture to show; embeddings may come without one."""
    return not isinstance(source, EmbeddingSource) or bool(source.picture)


def is_member(source: ImageSource) -> bool:
    """Whether an image lies in a file with others, so that its path is no file."""
    return isinstance(source, ParquetSource | TarSource)


def is_gone(source: ImageSource) -> bool:
    """Whether the image's picture no longer exists."""
    return has_picture(source) and not is_there(source)


def _picture(array: NDArray[Any]) -> Image.Image:
    array = np.asarray(array)
    colour = array.ndim == 3 and array.shape[2] in (3, 4) and array.dtype == np.uint8
    grey = array.ndim == 2 and array.dtype in (np.uint8, np.uint16)
    if not (colour or grey) or 0 in array.shape:
        raise DataError(
            "an image array has shape {shape} and type {dtype}; allowed are (height, width), (height, width, 3) "
            "and (height, width, 4) of uint8, or (height, width) of uint16.",
            shape=array.shape,
            dtype=array.dtype,
        )
    return Image.fromarray(np.ascontiguousarray(array))


def reason_of(error: OSError | DataError) -> str:
    """Why an image could not be read: our own sentence, else the system's words."""
    if isinstance(error, DataError):
        return error.sentence
    made = [one for one in error.args if isinstance(one, Sentence)]
    return made[0] if made else system_words(error)
