"""The layout of a file of embeddings: which array is what, and the checks of each."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from clipgrip.data.embedlarge import as_float32
from clipgrip.data.embedtables import IDS, Arrays, is_table
from clipgrip.errors import DataError, among
from clipgrip.sentences import Sentence, mark

LOGIT_SCALE = 100.0
ONE_EACH = {
    "ids": IDS,
    "paths": ("path", "file", "filename", "file_name", "filepath", "image_path", "image", "img"),
    "labels": ("label", "class"),
    "test": (),
}
"""Arrays with one value for each image, and other names of a table's column, in upper or lower case."""
OF_CLASSES = ("class_names", "class_embeds", "logit_scale")
LOOKED_AT = 1000
"""Rows of an unread column that are searched for class names and splits."""
ROWS = 65_536
"""Rows that are checked at once."""

TEST, POOL = ("true", "1", "test", "yes"), ("", "false", "0", "pool", "train", "no")
"""Values of the column ``test``: an image to measure on, or to learn from."""
RESERVED = frozenset(name for one, others in ONE_EACH.items() for name in (one, *others[:1]))
"""Names of these arrays, which no bank may have."""

Bank = Float[np.ndarray, "N D"]
"""In float32; a mapped one keeps the type that it has in its file."""

NO_BANK = mark(
    "{path}: no image embeddings in it. Give an array of numbers with one row for each image, such as "
    "image_embeds (N, D). Found: {found}."
)
UNKNOWN = mark(
    '{path}: the array "{name}" has the shape {shape} and the type {kind}, which is none of those that are read. '
    "Allowed are banks of embeddings, (N, D) of float16, float32 or float64 under any name, and {known}.{nearest}"
)
COUNTS = mark(
    '{path}: "{name}" has {found} rows, and "{first}" has {wanted}. Each needs one row for each image, in the same '
    "order."
)
NO_NUMBER = mark(
    '{path}: the row of "{image}" in "{name}" holds NaN or infinite values. Embed this image anew, or leave it out.'
)
ZERO = mark(
    '{path}: the row of "{image}" in "{name}" is all zeros, so it has no direction. Embed this image anew, or leave '
    "it out."
)
TWICE = mark(
    '{path}: the id "{image}" stands twice, in the rows {first} and {second}. Give each image an id of its own.'
)
NAMELESS = mark(
    "{path}: row {row} has no id. Give every image one, or leave the ids away altogether."
)
NO_CLASS_NUMBER = mark(
    '{path}: the row of the class "{name}" in class_embeds holds NaN or infinite values, or only zeros. Embed its '
    "text anew."
)
ONE_VALUE = mark(
    '{path}: "{name}" has the shape {shape}; allowed is one value for each {what}, in one dimension.'
)
CLASS_SHAPE = mark(
    "{path}: class_embeds has the shape {shape}; allowed is (C, D), one row for each class, as wide as one of the "
    "banks: {banks}."
)
CLASS_COUNT = mark(
    "{path}: class_embeds has {found} rows, and there are {wanted} class names. Give one row for each class, in the "
    "order of the names."
)
SCALE = mark("{path}: logit_scale = {value} is not allowed. Give one number above 0, such as 100.")


def arrays_per_image(arrays: Arrays, where: str) -> dict[str, tuple[str, NDArray[Any]]]:
    """For each name of `ONE_EACH` that there is: the name of the array in the file, and its values.

    DataError: it has other than one dimension.
    """
    table, called = is_table(where), dict[str, str]()
    for name, array in arrays.items():
        plain = name.casefold() if table else name
        if plain in RESERVED or (table and array.ndim != 2):
            called.setdefault(plain, name)
    found = {}
    for name, others in ONE_EACH.items():
        own = next((called[one] for one in (name, *others) if one in called), None)
        if own is not None:
            found[name] = own, one_dimensional(arrays[own], own, Sentence("image"), where)
    return found


def unread_columns(
    arrays: Arrays, read: Collection[str], where: str
) -> tuple[tuple[str, frozenset[str]], ...]:
    """Names of a table's other one-dimensional columns, with the texts of their first rows."""
    if not is_table(where):
        return ()
    columns = {name: array for name, array in arrays.items() if array.ndim == 1}
    return tuple(
        (name, frozenset(text_of(value) for value in array[:LOOKED_AT]))
        for name, array in columns.items()
        if name not in read and name not in OF_CLASSES
    )


def one_dimensional(values: NDArray[Any], name: str, what: str, where: str) -> NDArray[Any]:
    """``values`` themselves; DataError unless they have one dimension."""
    if values.ndim != 1:
        raise DataError(ONE_VALUE, path=where, name=name, shape=values.shape, what=what)
    return values


def banks_in(arrays: Arrays, where: str) -> dict[str, Bank]:
    """The matrices of floating-point numbers. DataError: there is none, or an array of a .npz is nothing known.

    Unknown columns of a table are ignored, as in any list of images.
    """
    banks: dict[str, Bank] = {}
    for name, array in arrays.items():
        if name in OF_CLASSES or name in RESERVED:
            continue
        if array.ndim == 2 and array.dtype.kind == "f" and array.shape[1]:
            banks[name] = array if isinstance(array, np.memmap) else as_float32(array)
        elif not is_table(where):
            raise DataError(
                UNKNOWN,
                path=where,
                name=name,
                shape=array.shape,
                kind=array.dtype,
                **among(name, (*ONE_EACH, *OF_CLASSES)),
            )
    if not banks or not len(next(iter(banks.values()))):
        found = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "nothing"
        raise DataError(NO_BANK, path=where, found=found)
    return banks


def ids_in(given: NDArray[Any] | None, pictures: list[str], n: int, where: str) -> tuple[str, ...]:
    if given is not None:
        ids = [text_of(value) for value in given]
    elif all(pictures):
        ids = pictures
    else:
        ids = [f"{number:0{max(6, len(str(n)))}d}" for number in range(n)]
    if "" in ids:
        raise DataError(NAMELESS, path=where, row=ids.index(""))
    check_apart(ids, ids, where)
    return tuple(ids)


def check_apart(keys: Sequence[str], ids: Sequence[str], where: str) -> None:
    """DataError for the first id with a key that an earlier one has: paths can be written in several ways."""
    if len(set(keys)) == len(keys):
        return
    first: dict[str, int] = {}
    for row, key in enumerate(keys):
        if (before := first.setdefault(key, row)) != row:
            raise DataError(TWICE, path=where, image=ids[row], first=before, second=row)


def check_rows(bank: Bank, name: str, ids: tuple[str, ...], where: str) -> None:
    """DataError for the first row that has no direction: NaN, infinite, or all zeros."""
    for start in range(0, len(bank), ROWS):
        part = as_float32(bank[start : start + ROWS])
        for wrong, text in (
            (~np.isfinite(part).all(axis=1), NO_NUMBER),
            (~part.any(axis=1), ZERO),
        ):
            if wrong.any():
                image = ids[start + int(np.flatnonzero(wrong)[0])]
                raise DataError(text, path=where, image=image, name=name)


def class_embeds_in(
    arrays: Arrays, banks: dict[str, Bank], names: tuple[str, ...], where: str
) -> NDArray[np.float32] | None:
    given = arrays.get("class_embeds")
    if given is None:
        return None
    if given.ndim != 2 or given.dtype.kind != "f" or not _fitting(banks, given.shape[1]):
        widths = ", ".join(f"{name} {bank.shape}" for name, bank in banks.items())
        raise DataError(CLASS_SHAPE, path=where, shape=given.shape, banks=widths)
    if names and len(names) != len(given):
        raise DataError(CLASS_COUNT, path=where, found=len(given), wanted=len(names))
    return class_rows(given, names, where)


def class_rows(given: NDArray[Any], names: Iterable[str], where: str) -> NDArray[np.float32]:
    """(C, D) as float32; DataError for the first row that has no direction."""
    vectors = as_float32(given)
    called = dict(enumerate(names))
    for row, vector in enumerate(vectors):
        if not np.isfinite(vector).all() or not vector.any():
            raise DataError(NO_CLASS_NUMBER, path=where, name=called.get(row, str(row)))
    return vectors


def _fitting(banks: dict[str, Bank], width: int) -> str | None:
    """The name of the first bank of this width, or None."""
    return next((name for name, bank in banks.items() if bank.shape[1] == width), None)


def text_first(banks: dict[str, Bank], width: int) -> dict[str, Bank]:
    first = _fitting(banks, width) or next(iter(banks))
    return {first: banks[first], **banks}


def scale_in(value: Any, where: str) -> float:
    array = np.asarray(value)
    number = float(array.reshape(-1)[0]) if array.size == 1 and array.dtype.kind in "fiu" else 0.0
    if not (math.isfinite(number) and number > 0):
        raise DataError(SCALE, path=where, value=value)
    return number


def label_of(value: Any, names: tuple[str, ...]) -> str:
    """The class name that a value stands for: a number is a position in ``names``, or stays a number without them."""
    text = text_of(value)
    if isinstance(value, str | np.str_ | bytes) or not text:
        return text
    if text.startswith("-"):
        return ""
    return names[int(text)] if text.isdigit() and int(text) < len(names) else text


def mask_of_test(values: Iterable[Any], where: str) -> tuple[bool, ...]:
    """(N,) whether each row is to measure on. DataError: a value is neither of `TEST` nor of `POOL`."""
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
    """A value as people write it: whole numbers without a decimal point, empty for None and NaN."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    if value is None or value != value:
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    return str(value).strip()


def name_of_position(label: str, names: tuple[str, ...]) -> str:
    """The class at the position that ``label`` is, unless it is a name itself."""
    is_place = label not in names and label.isdigit() and int(label) < len(names)
    return names[int(label)] if is_place else label
