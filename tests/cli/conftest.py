"""A folder to call commands in."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from projects import Place


@pytest.fixture
def here(place: Place, tmp_path: Path, quick: pytest.MonkeyPatch) -> Path:
    """A copy of the images, class list and labels of ``place``, which is the current folder."""
    folder = tmp_path / "here"
    shutil.copytree(place.folder, folder)
    quick.chdir(folder)
    return folder
