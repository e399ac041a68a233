"""Single values in a file of embeddings, as NumPy, pandas and Arrow write them, as text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from clipgrip.errors import DataError

TEST, POOL = ("true", "1", "test", "yes"), ("", "false", "0", "pool", "train", "no")
"""How a file says that a row is there to measure on, and that it is not."""


def label_of(value: Any, names: tuple[str, ...]) -> str:
    """A class name; of a number the name at that position, or the number where nobody names the classes."""
    text = text_of(value)
    if isinstance(value, str | np.str_ | bytes) or not text:
        return text
    if text.startswith("-"):
        return ""
    return names[int(text)] if text.isdigit() and int(text) < len(names) else text


def rows_of_test(values: Iterable[Any], where: str) -> tuple[bool, ...]:
    """Which rows are there to measure on. DataError: a value says neither that nor the contrary."""
    texts = [text_of(value).casefold() for value in values]
    for row, text in enumerate(texts):
        if text not in (*TEST, *POOL):
            raise DataError(
                '{path}: test of row {row} is "{value}". Write 1 or true for an image to measure on, 0 or false '
                "for any other.",
                path=where,
                row=row,
                value=text,
            )
    return tuple(text in TEST for text in texts)


def text_of(value: Any) -> str:
    """A value as people write it: whole numbers without a point, nothing for None and NaN."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    if value is None or value != value:
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    return str(value).strip()


def numbered(label: str, names: tuple[str, ...]) -> str:
    """A label, or the class at its place where it is no name but a position."""
    is_place = label not in names and label.isdigit() and int(label) < len(names)
    return names[int(label)] if is_place else label
