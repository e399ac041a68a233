"""The optional package pyarrow; all code that reads or writes Parquet or Arrow gets it here."""

from __future__ import annotations

from typing import Any

from clipgrip.errors import MissingPackage
from clipgrip.sentences import mark

TO_READ = mark('Parquet and Arrow need pyarrow. Install it with: pip install "clipgrip[parquet]"')
TO_WRITE = mark(
    'Parquet needs pyarrow. Install it with: pip install "clipgrip[parquet]"; or name a .csv file.'
)


def arrow(purpose: str = TO_READ) -> tuple[Any, Any]:
    """The modules pyarrow and pyarrow.parquet; MissingPackage with the sentence ``purpose`` without them."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingPackage(purpose) from error
    return pyarrow, pyarrow.parquet
