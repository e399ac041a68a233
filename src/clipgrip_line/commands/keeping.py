"""How many pictures are kept for the next round: options of watch, serve and collect."""

from __future__ import annotations

import argparse
import re

from clipgrip_line.parsing import number_within, refused
from clipgrip_line.sentences import mark

SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)
TOO_SMALL = mark('"{text}" is less than 1 MB. Give a size with its unit, like 500MB or 2GB, or 0.')
LEAST = 1 << 20
"""Bytes; no picture of a camera fits into less."""
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def add_keeping(parser: argparse.ArgumentParser) -> None:
    """The options of what is kept."""
    parser.add_argument(
        "--keep",
        type=size_of,
        default=size_of("500MB"),
        metavar="SIZE",
        help="disk for pictures kept for the next round, see collect; 0: none [default: 500MB]",
    )
    parser.add_argument(
        "--keep-share",
        type=share,
        default=0.05,
        metavar="SHARE",
        help="share of all pictures kept as doubtful, and as many at random [default: 0.05]",
    )


def size_of(text: str) -> int:
    """Bytes of ``500MB``."""
    found = SIZE.fullmatch(text.strip())
    if found is None:
        raise refused(mark('"{text}" is no size. Give one like 500MB, 2GB or 0.'), text=text)
    size = int(float(found[1]) * UNITS[found[2].lower()])
    if 0 < size < LEAST:  # 500 is 500 bytes, and nothing would ever be kept
        raise refused(TOO_SMALL, text=text)
    return size


def share(text: str) -> float:
    """A number from 0 to 1."""
    return number_within(text, 0.0, 1.0, mark("a share from 0 to 1"))
