"""Files of precomputed embeddings: what their arrays mean, and what is wrong with them.

| array or column | shape | what it is |
|---|---|---|
| any name, such as ``image_embeds`` | (N, D) | a bank: one vector for each image; several banks are several encoders |
| ``ids`` or ``id`` | (N,) | the name of each image; else its path, else the number of its row |
| ``paths`` or ``path`` | (N,) | a picture to show, relative to the file; empty where there is none |
| ``labels`` or ``label`` | (N,) | class names, or positions in class_names; empty or -1: unlabeled |
| ``test`` | (N,) | true: an image to measure on, whose label is its true class; never learned from |
| ``class_names`` | (C,) | the classes in their order; not in a table |
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

from clipgrip.data.embedfiles import (
    State,
    embedding_files,
    is_store_folder,
    read_arrays,
    read_several,
    state_of,
)
from clipgrip.data.embedlarge import as_float32
from clipgrip.data.embedlayout import (
    COUNTS,
    LOGIT_SCALE,
    ROWS,
    Bank,
    arrays_per_image,
    banks_in,
    check_rows,
    class_embeds_in,
    ids_in,
    label_of,
    mask_of_test,
    one_dimensional,
    scale_in,
    text_first,
    text_of,
    unread_columns,
)
from clipgrip.data.embedtables import Arrays
from clipgrip.data.packed import parent_folder
from clipgrip.data.rows import DIGITS, Hashes
from clipgrip.data.stores import join_url, local_of, url_of
from clipgrip.errors import DataError
from clipgrip.files import AnyPath, openable
from clipgrip.sentences import Sentence, mark

CLASS_NAMES = ("class_names", "classes", "class", "names", "name", "labels", "label")
"""Names of the array of class names in a file that holds class embeddings alone."""
NO_CLASS_EMBEDS = mark(
    "{path}: no class embeddings in it. Give class_embeds (C, D), or a single array of numbers with one row for each "
    "class. Found: {found}."
)
CHANGED = mark(
    "{path} was changed while it was read. Run the same command again, and leave the file alone meanwhile."
)


@dataclass(frozen=True, eq=False)
class Embeddings:
    """The checked content of a file, or of several as one: N images in the order of the rows."""

    path: str
    banks: dict[str, Bank] = field(repr=False)
    """Image embeddings by name, not normalised; the bank that fits the class embeddings comes first."""
    ids: tuple[str, ...] = field(repr=False)
    pictures: tuple[str, ...] = field(repr=False)
    """Absolute paths; empty where there is none."""
    labels: tuple[str, ...] = field(repr=False)
    """(N,) class names, or positions where the file names no classes, empty for unlabeled; () without labels."""
    test: tuple[bool, ...] = field(repr=False)
    class_names: tuple[str, ...] = ()
    class_embeds: NDArray[np.float32] | None = field(default=None, repr=False)
    logit_scale: float = LOGIT_SCALE
    others: tuple[tuple[str, frozenset[str]], ...] = field(default=(), repr=False)
    """Names of the columns that are not read, with the texts of their first rows."""
    state: State = ()
    """Identifies the content of the files when they were read, for `check_unchanged`."""

    @property
    def names(self) -> tuple[str, ...]:
        """The class names of the file, else those among its labels, sorted."""
        if self.class_names:
            return self.class_names
        found = {label for label in self.labels if label}
        numbers = all(label.isdigit() for label in found)
        return tuple(sorted(found, key=int) if numbers else sorted(found))

    @cached_property
    def hashes(self) -> Hashes:
        """(N,) SHA-256 of each image's vectors in all banks: its identity, whatever its id or row."""
        names = sorted(self.banks)
        head = json.dumps([[name, self.banks[name].shape[1]] for name in names]).encode()
        begun, found = hashlib.sha256(head), np.zeros(len(self.ids), f"S{DIGITS}")
        for start in range(0, len(found), ROWS):
            parts = [as_float32(self.banks[name][start : start + ROWS]) for name in names]
            for number, vectors in enumerate(zip(*parts, strict=True), start):
                one = begun.copy()
                for vector in vectors:
                    one.update(vector.astype("<f4", copy=False))
                found[number] = one.hexdigest().encode()
        return found


_READ: WeakValueDictionary[State, Embeddings] = WeakValueDictionary()


def read_embeddings(path: AnyPath) -> Embeddings:
    """The embeddings of a file, or of several as one. They are read once for as long as any caller keeps them.

    Raises:
        DataError: it cannot be read, or its arrays are not laid out as this module says.
        MissingPackage: a table, and pyarrow is not installed; or a store, and what it needs is not.
    """
    place = url_of(path) or os.path.abspath(local_of(path))
    files = embedding_files(path) or [place]
    key = place, state_of(files)
    found = _READ.get(key)
    if found is None:
        made = embeddings_of(read_several(files), place, name=_shown_name(files, place))
        found = _READ[key] = replace(made, state=key)
    return found


def check_unchanged(found: Embeddings) -> None:
    """DataError where a file changed since it was read: mapped rows would not be those that were hashed."""
    if found.state != (found.path, state_of(embedding_files(found.path) or [found.path])):
        raise DataError(CHANGED, path=found.path)


def _shown_name(files: list[str], place: str) -> str:
    """The name of the file or files in errors; its ending also tells `embedlayout` whether it is a table."""
    name, ending = os.path.basename(place.rstrip("/")), os.path.splitext(files[0])[1]
    if len(files) == 1 or name.endswith(ending):
        return os.path.basename(files[0]) if len(files) == 1 else name
    return f"{name}/*{ending}"


def embeddings_of(arrays: Arrays, path: AnyPath, name: str = "") -> Embeddings:
    """`read_embeddings` for arrays in memory; pictures are relative to ``path``, and errors call it ``name``."""
    where = name or os.path.basename(os.fspath(path))
    named = arrays_per_image(arrays, where)
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
    class_names = tuple(
        map(text_of, one_dimensional(called, "class_names", Sentence("class"), where))
    )
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
        mask_of_test(given.get("test", ()), where),
        class_names,
        class_embeds,
        scale_in(arrays.get("logit_scale", LOGIT_SCALE), where),
        unread_columns(arrays, {called for called, _ in named.values()}, where),
    )


def root_of(place: str) -> str:
    """The folder that ids and pictures are relative to: the place itself, or that of its file."""
    is_folder = is_store_folder(place) or os.path.isdir(openable(place))
    return place.rstrip("/") if is_folder else parent_folder(place)


def _picture(folder: str, path: str) -> str:
    if not path:
        return ""
    written = path.replace("\\", "/")
    return (
        join_url(folder, written)
        if url_of(folder)
        else os.path.normpath(os.path.join(folder, written))
    )


def is_embeddings(path: AnyPath) -> bool:
    """Whether a place holds embeddings: by the endings of its files, and for Parquet by their columns."""
    return bool(embedding_files(path))


def embeddings_at(place: AnyPath) -> Embeddings | None:
    """`read_embeddings` where the place holds embeddings, else None."""
    return read_embeddings(place) if is_embeddings(place) else None


def read_class_embeds(
    path: AnyPath, beside: Embeddings | None = None
) -> tuple[NDArray[np.float32], tuple[str, ...], float | None]:
    """Class embeddings (C, D) from a file of their own, with their names and logit scale where it holds them.

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
