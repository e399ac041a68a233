"""A table of many lines as Parquet: a third of the CSV's size, and read in a second."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from typing import Any

from clipgrip.files import utf8

GROUP = 131_072
"""Lines of a row group."""


def parquet_bytes(
    columns: Sequence[str], numbers: Collection[str], lines: Iterable[Sequence[str]]
) -> bytes | None:
    """The file, with ``numbers`` as such; None where pyarrow is not installed."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return None
    schema = pa.schema(
        [(name, pa.float64() if name in numbers else pa.string()) for name in columns]
    )
    rest, out = iter(lines), io.BytesIO()
    with pq.ParquetWriter(out, schema) as writer:
        while part := list(islice(rest, GROUP)):
            values = (
                [_number(cell) if name in numbers else utf8(cell) for cell in column]
                for name, column in zip(columns, zip(*part, strict=True), strict=True)
            )
            arrays: list[Any] = [
                pa.array(column, one.type) for one, column in zip(schema, values, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    return out.getvalue()


def _number(cell: str) -> float | None:
    return float(cell) if cell else None
