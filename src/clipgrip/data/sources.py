"""Where the bytes of an image come from: a file, memory, a cell of Parquet, a tar file, an object store, or a picture
beside its embedding.
"""

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
        """The bytes."""
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
    """A row of a file of embeddings, with the picture that shows it where there is one."""

    path: str
    row: int
    picture: str = ""
    """Absolute path; empty where there is no picture."""
    picture_sha256: str = ""
    """Of the picture as it was first read."""

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


Lasting = FileSource | ParquetSource | TarSource | StoreSource | EmbeddingSource
KINDS: dict[str, type[Lasting]] = {
    "file": FileSource,
    "parquet": ParquetSource,
    "tar": TarSource,
    "store": StoreSource,
    "embedding": EmbeddingSource,
}
"""Sources that last, by the names that runs keep them under."""


def picture_at(path: str) -> FileSource | StoreSource:
    """The source of a path or a URL."""
    return FileSource(path) if url_of(path) is None else StoreSource(path)


def source_text(source: ImageSource) -> str:
    """A source that lasts as JSON; empty for one that does not."""
    for kind, made in KINDS.items():
        if isinstance(source, made):
            return json.dumps([kind, *values_of(source)], default=os.fspath)
    return ""


def values_of(source: Lasting) -> list[Any]:
    """What a source that lasts is made of."""
    return [getattr(source, one.name) for one in fields(source)]


def source_of(text: str) -> Lasting:
    """The source that `source_text` wrote."""
    kind, *values = json.loads(text)
    return KINDS[kind](*values)


def is_there(source: ImageSource) -> bool:
    """Whether the file of an image is there; whether it still holds the same, or a store has it, is not asked."""
    if isinstance(source, EmbeddingSource):
        return bool(source.picture) and os.path.isfile(openable(source.picture))
    if not isinstance(source, FileSource | ParquetSource | TarSource) or url_of(source.path):
        return True
    return os.path.isfile(openable(source.path))


def has_picture(source: ImageSource) -> bool:
    """Whether there ever was a picture to show."""
    return not isinstance(source, EmbeddingSource) or bool(source.picture)


def is_member(source: ImageSource) -> bool:
    """Whether an image lies within a file of many, so that no file has its path."""
    return isinstance(source, ParquetSource | TarSource)


def is_gone(source: ImageSource) -> bool:
    """Whether an image had a file to show that is not there any more."""
    return has_picture(source) and not is_there(source)


def _picture(array: NDArray[Any]) -> Image.Image:
    array = np.asarray(array)
    colour = array.ndim == 3 and array.shape[2] in (3, 4) and array.dtype == np.uint8
    grey = array.ndim == 2 and array.dtype in (np.uint8, np.uint16)
    if not (colour or grey) or 0 in array.shape:
        raise DataError(
            mark(
                "an image array has shape {shape} and type {dtype}; allowed are (height, width), (height, width, 3) "
                "and (height, width, 4) of uint8, or (height, width) of uint16."
            ),
            shape=array.shape,
            dtype=array.dtype,
        )
    return Image.fromarray(np.ascontiguousarray(array))


def reason_of(error: OSError | DataError) -> str:
    """Why it could not be read; a sentence where it was made here, else what the system says."""
    if isinstance(error, DataError):
        return error.sentence
    made = [one for one in error.args if isinstance(one, Sentence)]
    return made[0] if made else system_words(error)
