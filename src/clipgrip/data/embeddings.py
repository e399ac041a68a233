"""Embeddings that somebody brings in a file: what its arrays mean, and what is wrong with them.

| array or column | shape | what it is |
|---|---|---|
| any name, such as ``image_embeds`` | (N, D) | a bank: one vector for each image; several banks are several encoders |
| ``ids`` or ``id`` | (N,) | the name of each image; else its path, else the number of its row |
| ``paths`` or ``path`` | (N,) | a picture to show, relative to the file; empty where there is none |
| ``labels`` or ``label`` | (N,) | class names, or positions in class_names; empty or -1: unlabeled |
| ``test`` | (N,) | true: an image to measure on, whose label is the truth; never learned from |
| ``class_names`` | (C,) | not in a table |
| ``class_embeds`` | (C, D) | text embeddings, or one image of each class; not in a table |
| ``logit_scale`` | () | the factor on the cosine, 100 unless given; not in a table |
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from clipgrip.data.embedfiles import read_arrays, read_several
from clipgrip.data.embedlarge import floats
from clipgrip.data.embedlayout import (
    COUNTS,
    LOGIT_SCALE,
    ROWS,
    Bank,
    banks_in,
    check_rows,
    class_embeds_in,
    ids_in,
    label_of,
    one_each_in,
    one_value,
    others_in,
    rows_of_test,
    scale_in,
    text_first,
    text_of,
)
from clipgrip.data.embedplaces import State, embedding_files, is_store_folder, state_of
from clipgrip.data.embedtables import Arrays
from clipgrip.data.packed import folder_named
from clipgrip.data.rows import DIGITS, Hashes
from clipgrip.data.stores import joined, local_of, url_of
from clipgrip.errors import DataError
from clipgrip.files import AnyPath, openable
from clipgrip.sentences import Sentence, mark

CLASS_NAMES = ("class_names", "classes", "class", "names", "name", "labels", "label")
"""How the names of class embeddings are called in a file of their own."""
NO_CLASS_EMBEDS = mark(
    "{path}: no class embeddings in it. Give class_embeds (C, D), or a single array of numbers with one row for each "
    "class. Found: {found}."
)
CHANGED = mark(
    "{path} was changed while it was read. Run the same command again, and leave the file alone meanwhile."
)


@dataclass(frozen=True, eq=False)
class Embeddings:
    """The content of a file, checked. N images, in the order of its rows."""

    path: str
    banks: dict[str, Bank] = field(repr=False)
    """By name, the text's first; as they are, not brought to unit length."""
    ids: tuple[str, ...] = field(repr=False)
    pictures: tuple[str, ...] = field(repr=False)
    """Absolute paths; empty where there is none."""
    labels: tuple[str, ...] = field(repr=False)
    """Class names, or positions where nobody names the classes; empty: unlabeled. None at all where none is given."""
    test: tuple[bool, ...] = field(repr=False)
    class_names: tuple[str, ...] = ()
    class_embeds: NDArray[np.float32] | None = field(default=None, repr=False)
    logit_scale: float = LOGIT_SCALE
    others: tuple[tuple[str, frozenset[str]], ...] = field(default=(), repr=False)
    """Columns of a table that are not read, with the first of their texts."""
    state: State = ()
    """Of the files as they were read."""

    @property
    def names(self) -> tuple[str, ...]:
        """The classes: those of the file, else those of its labels in their order."""
        if self.class_names:
            return self.class_names
        found = {label for label in self.labels if label}
        numbers = all(label.isdigit() for label in found)
        return tuple(sorted(found, key=int) if numbers else sorted(found))

    @cached_property
    def hashes(self) -> Hashes:
        """(N,) SHA-256 of each image's vectors: its identity, whatever it is called and wherever it stands."""
        names = sorted(self.banks)
        head = json.dumps([[name, self.banks[name].shape[1]] for name in names]).encode()
        begun, found = hashlib.sha256(head), np.zeros(len(self.ids), f"S{DIGITS}")
        for start in range(0, len(found), ROWS):
            parts = [floats(self.banks[name][start : start + ROWS]) for name in names]
            for number, vectors in enumerate(zip(*parts, strict=True), start):
                one = begun.copy()
                for vector in vectors:
                    one.update(vector.astype("<f4", copy=False))
                found[number] = one.hexdigest().encode()
        return found


_READ: WeakValueDictionary[State, Embeddings] = WeakValueDictionary()


def read_embeddings(path: AnyPath) -> Embeddings:
    """The embeddings of a file, or of several as one; while somebody holds them, they are not read again.

    Raises:
        DataError: it cannot be read, or is not laid out so that clipgrip knows what is what.
        MissingPackage: a table, and pyarrow is not installed; or a store, and what it needs is not.
    """
    place = url_of(path) or os.path.abspath(local_of(path))
    files = embedding_files(path) or [place]
    key = place, state_of(files)
    found = _READ.get(key)
    if found is None:
        made = embeddings_of(read_several(files), place, name=_whose(files, place))
        found = _READ[key] = replace(made, state=key)
    return found


def check_unchanged(found: Embeddings) -> None:
    """DataError where a file changed since it was read: what lies in it is not what was hashed."""
    if found.state != (found.path, state_of(embedding_files(found.path) or [found.path])):
        raise DataError(CHANGED, path=found.path)


def _whose(files: list[str], place: str) -> str:
    """What errors speak of; its ending says whether it is a table."""
    name, ending = os.path.basename(place.rstrip("/")), os.path.splitext(files[0])[1]
    if len(files) == 1 or name.endswith(ending):
        return os.path.basename(files[0]) if len(files) == 1 else name
    return f"{name}/*{ending}"


def embeddings_of(arrays: Arrays, path: AnyPath, name: str = "") -> Embeddings:
    """The same of arrays that are read already; ``path`` is where pictures begin, ``name`` what errors speak of."""
    where = name or os.path.basename(os.fspath(path))
    named = one_each_in(arrays, where)
    banks = banks_in(arrays, where)
    first = next(iter(banks))
    n = len(banks[first])
    for name, array in (*banks.items(), *named.values()):
        if len(array) != n:
            raise DataError(COUNTS, path=where, name=name, found=len(array), first=first, wanted=n)
    given = {name: array for name, (_, array) in named.items()}
    pictures = [text_of(value) for value in given.get("paths", [""] * n)]
    ids = ids_in(given.get("ids"), pictures, n, where)
    for name, bank in banks.items():
        check_rows(bank, name, ids, where)
    called = np.asarray(arrays.get("class_names", []))
    class_names = tuple(map(text_of, one_value(called, "class_names", Sentence("class"), where)))
    class_embeds = class_embeds_in(arrays, banks, class_names, where)
    labels = tuple(label_of(value, class_names) for value in given.get("labels", ()))
    place = url_of(path) or os.path.abspath(os.fspath(path))
    folder = root_of(place)
    return Embeddings(
        place,
        banks if class_embeds is None else text_first(banks, class_embeds.shape[1]),
        ids,
        tuple(_picture(folder, one) for one in pictures),
        labels,
        rows_of_test(given.get("test", ()), where),
        class_names,
        class_embeds,
        scale_in(arrays.get("logit_scale", LOGIT_SCALE), where),
        others_in(arrays, {called for called, _ in named.values()}, where),
    )


def root_of(place: str) -> str:
    """The folder that ids and pictures of embeddings are relative to."""
    is_folder = is_store_folder(place) or os.path.isdir(openable(place))
    return place.rstrip("/") if is_folder else folder_named(place)


def _picture(folder: str, path: str) -> str:
    if not path:
        return ""
    written = path.replace("\\", "/")
    return (
        joined(folder, written)
        if url_of(folder)
        else os.path.normpath(os.path.join(folder, written))
    )


def is_embeddings(path: AnyPath) -> bool:
    """Whether a place is a file of embeddings, or several: by the ending, of Parquet files by the columns."""
    return bool(embedding_files(path))


def embeddings_at(place: AnyPath) -> Embeddings | None:
    """What a place of embeddings holds; None of any other."""
    return read_embeddings(place) if is_embeddings(place) else None


def read_class_embeds(
    path: AnyPath, beside: Embeddings | None = None
) -> tuple[NDArray[np.float32], tuple[str, ...], float | None]:
    """Class embeddings (C, D) that stand in a file of their own, their names and the scale where it says them.

    DataError: as `read_embeddings`, or they are as wide as none of the banks ``beside`` them.
    """
    where, arrays = os.path.basename(os.fspath(path)), read_arrays(path)
    matrices = [name for name, array in arrays.items() if array.ndim == 2]
    name = "class_embeds" if "class_embeds" in arrays else next(iter(matrices), "")
    if not name or (len(matrices) > 1 and name != "class_embeds"):
        found = ", ".join(f"{one} {array.shape}" for one, array in arrays.items())
        raise DataError(NO_CLASS_EMBEDS, path=where, found=found or "nothing")
    called = next((arrays[one] for one in CLASS_NAMES if one in arrays), ())
    names = tuple(map(text_of, called))
    banks = {} if beside is None else beside.banks
    given = {"class_embeds": arrays[name]}
    vectors = class_embeds_in(given, banks or {name: arrays[name]}, names, where)
    assert vectors is not None
    scale = scale_in(arrays["logit_scale"], where) if "logit_scale" in arrays else None
    return vectors, names, scale
