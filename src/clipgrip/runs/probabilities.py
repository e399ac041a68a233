"""Writes the probabilities of all classes for all images, as CSV, Parquet or NPZ by the ending of the name."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from clipgrip.data.arrow import TO_WRITE, arrow
from clipgrip.data.rows import Row
from clipgrip.data.tables import csv_bytes
from clipgrip.errors import ConfigError
from clipgrip.files import utf8
from clipgrip.written import check_output, write_output

ENDINGS = (".csv", ".parquet", ".npz")
PATH = "path"
WRITTEN_BY = "all probabilities"


def check_probabilities_place(path: Path) -> None:
    """Check before any work that the file can be written after it.

    Raises:
        ConfigError: the ending is none of `ENDINGS`.
        MissingPackage: Parquet, and pyarrow is not installed.
        RunError: the folder may not be written, or the name belongs to another file.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise ConfigError(
            '--all-probabilities "{path}" has no known ending. Allowed: {endings}.',
            path=path,
            endings=", ".join(ENDINGS),
        )
    if ending == ".parquet":
        arrow(TO_WRITE)
    check_output(path, WRITTEN_BY, option="--all-probabilities")


def write_probabilities(
    path: Path, parts: Sequence[tuple[Sequence[Row], Float[Tensor, "_ C"]]], names: Sequence[str]
) -> None:
    """A line for each file in the order of the paths, as in predictions.csv; a column for each class.

    ``parts`` are rows with their probabilities (N, C). CSV and Parquet have the columns ``path`` and the class names (a
    class called ``path`` becomes ``path (class)``); NPZ has the arrays ``paths`` (N,), ``classes`` (C,) and
    ``probabilities`` (N, C) as float32. OSError: the file cannot be written; what was there before is as it was.
    """
    lines = sorted(
        (shown, part, n)
        for part, (rows, _) in enumerate(parts)
        for n, row in enumerate(rows)
        for shown in row.paths
    )
    tables = [probs.detach().cpu().numpy().astype(np.float32) for _, probs in parts]
    values = np.array([tables[part][n] for _, part, n in lines], dtype=np.float32)
    values = values.reshape(len(lines), len(names))
    paths = [utf8(shown) for shown, _, _ in lines]
    write_output(path, _WRITERS[path.suffix.lower()](paths, list(names), values), WRITTEN_BY)


def _csv(paths: list[str], names: list[str], values: Any) -> bytes:
    rows = ((path, *(str(p) for p in line)) for path, line in zip(paths, values, strict=True))
    return csv_bytes((PATH, *_columns(names)), rows)


def _parquet(paths: list[str], names: list[str], values: Any) -> bytes:
    pa, parquet = arrow(TO_WRITE)
    arrays = [pa.array(paths, pa.string()), *(pa.array(column) for column in values.T)]
    out = io.BytesIO()
    parquet.write_table(pa.Table.from_arrays(arrays, names=[PATH, *_columns(names)]), out)
    return out.getvalue()


def _npz(paths: list[str], names: list[str], values: Any) -> bytes:
    out = io.BytesIO()
    shown, classes = np.array(paths, dtype=np.str_), np.array(names, dtype=np.str_)
    np.savez_compressed(out, paths=shown, classes=classes, probabilities=values)
    return out.getvalue()


def _columns(names: list[str]) -> list[str]:
    shown = list(names)
    for n in [n for n, name in enumerate(names) if name == PATH]:
        while shown[n] in (PATH, *names):
            shown[n] += " (class)"
    return shown


_WRITERS = {".csv": _csv, ".parquet": _parquet, ".npz": _npz}
