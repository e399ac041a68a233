"""What X may be where it is images, wherever they are; what is none is refused before anything is read."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import IOBase
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipgrip.backbone.encode import Item
from clipgrip.data.discover import Images, discover
from clipgrip.data.entries import PATH_COLUMNS
from clipgrip.data.sources import BytesSource, FileSource, ImageSource
from clipgrip.errors import DataError
from clipgrip.runs.embedding import source_item

SHOWN = 5
ALLOWED = (
    "Give a folder, or a list of paths, Pillow images or arrays (height, width, 3) of uint8; a pandas Series of paths, "
    f"or a DataFrame with one of the columns {', '.join(PATH_COLUMNS)}."
)


def is_tensor(value: Any) -> bool:
    """Whether it is one of torch's; an open file can be detached too."""
    return callable(getattr(value, "detach", None)) and hasattr(value, "cpu")


def warn_of_other_rows(X: Any, y: Any) -> None:
    """A UserWarning where pandas would pair X and y otherwise than place by place, as is done here."""
    if not (hasattr(X, "iloc") and hasattr(y, "iloc")) or X.index.equals(y.index):
        return
    if len(X) == len(y) and X.index.is_unique and X.index.isin(y.index).all():
        warnings.warn(
            "X and y have the same index in another order. They are paired by place, as in scikit-learn, and not by "
            "index. Give y.loc[X.index] where the index says what belongs together.",
            stacklevel=3,
        )


def images_of(X: Any) -> Images:
    """A folder as it is, all else as a list with one item for each image.

    DataError: X is a single image, holds embeddings or missing paths, or is nothing of all that.
    """
    if isinstance(X, str | os.PathLike):
        if not os.fspath(X):
            raise DataError(f"X is an empty text, which names no folder. {ALLOWED}")
        return X
    if hasattr(X, "columns") and hasattr(X, "iloc"):
        X = _path_column(X)
    if isinstance(X, Image.Image):
        raise DataError("X is one image, not a list of images. Give [image].")
    if is_tensor(X):
        X = X.detach().cpu().numpy()
    if isinstance(X, np.ndarray):
        return _of_array(X)
    if isinstance(X, bytes | dict | set) or not hasattr(X, "__len__"):
        raise DataError(
            f"X is of type {type(X).__name__}, which holds no images in an order. {ALLOWED}"
        )
    return [_item(number, item) for number, item in enumerate(X)]


def _path_column(table: Any) -> Any:
    folded = {str(name).casefold(): name for name in reversed(list(table.columns))}
    known = [folded[name] for name in PATH_COLUMNS if name in folded]
    if not known and len(table.columns) == 1:
        known = [table.columns[0]]
    if not known:
        shown = ", ".join(map(str, list(table.columns)[:SHOWN]))
        raise DataError(
            f"X is a DataFrame with the columns {shown}, none of which has paths. {ALLOWED}"
        )
    return table[known[0]]


def _of_array(array: NDArray[Any]) -> list[Any]:
    if array.dtype.kind in "OUT":
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim == 1:
            return [_item(number, item) for number, item in enumerate(array.tolist())]
    elif array.ndim == 2 and array.dtype.kind == "f":
        raise DataError(
            f"X is an array {array.shape} of {array.dtype}: one image is [image], and embeddings (N, D) are taken by "
            'GripClassifier(..., backbone="embeddings").'
        )
    elif array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4)):
        raise DataError(
            f"X is one image of shape {array.shape}, not a list of images. Give [image]."
        )
    elif array.ndim in (3, 4):
        return list(array)
    raise DataError(f"X is an array of shape {array.shape} and type {array.dtype}. {ALLOWED}")


def _item(number: int, item: Any) -> Any:
    if is_tensor(item):
        item = item.detach().cpu().numpy()
    if isinstance(item, str | os.PathLike) and os.fspath(item):
        return item
    is_file = isinstance(item, IOBase)  # can be read as a source, but once only
    if isinstance(item, Image.Image | np.ndarray | ImageSource) and not is_file:
        return item
    shown = repr(item) if len(repr(item)) <= 40 else type(item).__name__
    raise DataError(f"image {number} is {shown}, which is no image. {ALLOWED}")


@dataclass(frozen=True)
class Named:
    """Images in the order they were given, each with its name in messages and tables."""

    names: list[str]
    sources: list[ImageSource] = field(repr=False)

    @classmethod
    def of(cls, images: Images, encoding: str | None = None) -> Named:
        """A folder in the order of its sorted paths."""
        if isinstance(images, str | os.PathLike):
            entries = discover(images, (), encoding).entries
            return cls([entry.path for entry in entries], [entry.source for entry in entries])
        pairs = [_source(number, image) for number, image in enumerate(images)]
        return cls([name for name, _ in pairs], [source for _, source in pairs])

    def items(self) -> list[Item]:
        """What is embedded. DataError: a file is gone or may not be read."""
        items = []
        for name, source in zip(self.names, self.sources, strict=True):
            try:
                items.append(source_item(source))
            except OSError as error:
                raise DataError(
                    f"{name} cannot be read: {error.strerror}. Check the path."
                ) from None
        return items

    def undecodable(self, items: Sequence[Item], why: dict[str, DataError]) -> DataError:
        """The error that names the first of those that are no images."""
        bad = [
            f"{name} ({why[item[0]]})"
            for name, item in zip(self.names, items, strict=True)
            if item[0] in why
        ]
        more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
        return DataError(
            f"{len(bad)} of {len(items)} images cannot be decoded: {', '.join(bad[:SHOWN])}{more}. "
            "Leave them out, or use clipgrip predict, which lists them and goes on."
        )


def _source(number: int, image: Any) -> tuple[str, ImageSource]:
    if isinstance(image, str | os.PathLike):
        return os.fspath(image), FileSource(os.path.abspath(os.fspath(image)))
    if isinstance(image, ImageSource):
        return f"image {number}", image
    return f"image {number}", BytesSource.of(image)
