"""The option of every command that reads a person's text files."""

from __future__ import annotations

from typing import Annotated

import typer

from clipgrip.data.text import check_encoding


def _checked(name: str | None) -> str | None:
    return None if name is None else check_encoding(name)


Encoding = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        callback=_checked,
        help="Encoding of the text files, such as cp932, gbk or cp1252.  [default: UTF-8, else cp932]",
        show_default=False,
    ),
]
