"""Columns on a terminal, where wide letters take two."""

from __future__ import annotations

from rich.cells import cell_len


def padded(text: str, width: int) -> str:
    """The text with blanks behind it, as wide as the column."""
    return text + " " * max(0, width - cell_len(text))
