"""Where a run lies. Other settings get another folder; nothing is overwritten."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

from clipgrip.errors import RunError
from clipgrip.runs.store import NAME, open_store

DEFAULT_PARENT = Path("clipgrip-runs")


def choose_folder(
    out: Path | None, images: Path, identity: str, note: Callable[[str], None]
) -> Path:
    """``out`` (or clipgrip-runs/NAME) where it is free or holds this run; else ``out-2``, ``out-3`` and so on.

    RunError where ``out`` is a folder with other things in it.
    """
    wanted = out or DEFAULT_PARENT / (images.resolve().stem or "images")
    for folder in _numbered(wanted):
        if not folder.exists() or holds(folder, identity) or _is_empty(folder):
            if folder != wanted:
                note(f"{wanted} holds a run with other settings or data; this one is in {folder}.")
            _make(folder)
            return folder
        if not (folder / NAME).is_file():
            raise RunError(
                f"{folder} is there already and holds no run of clipgrip. Give --out a folder that is new or empty."
            )
    raise AssertionError


def holds(folder: Path, identity: str) -> bool:
    """Whether that run lies in the folder."""
    if not (folder / NAME).is_file():
        return False
    with open_store(folder) as store:
        return store.run(identity) is not None


def _numbered(wanted: Path) -> itertools.chain[Path]:
    more = (wanted.with_name(f"{wanted.name}-{number}") for number in itertools.count(2))
    return itertools.chain([wanted], more)


def _is_empty(folder: Path) -> bool:
    ours = {".clipgrip.lock"}
    return folder.is_dir() and all(path.name in ours for path in folder.iterdir())


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"{folder} cannot be made: {error.strerror}. Choose another --out."
        ) from None
