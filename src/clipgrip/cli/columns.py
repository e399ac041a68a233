"""Columns on a terminal, where wide letters take two."""

from __future__ import annotations

import re

from rich.cells import cell_len

STAYS = r"[!-~]+|[ァ-ヶー]+"
"""A word, a path or a number is not broken."""
NOT_FIRST = r"[、。，．・：；？！）」』】〉》ー々ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ]*"
NOT_LAST = r"[（「『【〈《\[]*"
PIECE = re.compile(rf"\s*{NOT_LAST}(?:{STAYS}|\S){NOT_FIRST}")


def padded(text: str, width: int, *, right: bool = False) -> str:
    """The text with blanks behind it, as wide as the column; ``right``: with blanks before it."""
    blanks = " " * max(0, width - cell_len(text))
    return blanks + text if right else text + blanks


def wrapped(text: str, width: int) -> list[str]:
    """The lines of a text whose letters are written without blanks; no line begins with a mark that ends a word."""
    lines = [""]
    for piece in PIECE.findall(text):
        if lines[-1] and cell_len(lines[-1] + piece) > width:
            lines.append("")
        lines[-1] += piece if lines[-1] else piece.lstrip()
    return lines
