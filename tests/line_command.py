"""``clipgrip-line`` as people call it, in the process of a test."""

from __future__ import annotations

import pytest
from projects import Told

from clipgrip_line.cli import main


def line(capsys: pytest.CaptureFixture[str], *arguments: object) -> Told:
    """``clipgrip-line ARGUMENTS`` in this process."""
    capsys.readouterr()
    try:
        code = main(list(map(str, arguments)))
    except SystemExit as end:
        code = int(str(end.code))
    told = capsys.readouterr()
    return Told(code, told.out, told.err)
