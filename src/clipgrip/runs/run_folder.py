"""Chooses the folder of a run: runs with other settings get other folders, so nothing is overwritten."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

from clipgrip.backbone.engine import AUTO, EXACT
from clipgrip.config import Settings
from clipgrip.errors import RunError
from clipgrip.files import system_words
from clipgrip.runs import lock
from clipgrip.runs.identity import settings_of
from clipgrip.runs.store import NAME, open_store
from clipgrip.sentences import Sentence
from clipgrip.written import RECORD, check_folder

PROJECT = "project.toml"
DEFAULT_PARENT = Path("clipgrip-runs")


def wanted_folder(out: Path | None, images: Path) -> Path:
    """The folder of a run unless another run is in it: ``out``, or one named after the images."""
    return out or DEFAULT_PARENT / (images.resolve().stem or "images")


def choose_folder(wanted: Path, identity: str, note: Callable[[str], None]) -> Path:
    """Make the first of ``wanted``, ``wanted-2``, ``wanted-3`` ... that is free or holds this run.

    RunError: one on the way is a folder with other content.
    """
    for folder in _numbered_folders(wanted):
        check_place(folder)
        if _is_free(folder) or holds(folder, identity):
            if folder != wanted:
                note(
                    Sentence(
                        "{wanted} holds a run with other settings, data or method; this one is in {folder}.",
                        wanted=wanted,
                        folder=folder,
                    )
                )
            _make(folder)
            return folder
    raise AssertionError


def check_place(folder: Path) -> None:
    """RunError where the folder cannot be written, or contains anything else than a run of clipgrip."""
    check_folder(folder, NAME, Sentence("run of clipgrip"), beside=(lock.NAME,))


def holds(folder: Path, identity: str) -> bool:
    """Whether the folder holds this run, or a database in which no run was stored before a stop."""
    with open_store(folder) as store:
        return store.run(identity) is not None or store.run() is None


def with_stored_engine(settings: Settings, folder: Path) -> Settings:
    """Replace the engine ``auto`` by that of the run in the folder, so that resuming it encodes no image again.

    The 8-bit engine is not taken over: it has to be asked for.
    """
    if settings.engine != AUTO or not (folder / NAME).is_file():
        return settings
    with open_store(folder) as store:
        stored = store.run()
        engine = settings_of(stored).engine if stored else AUTO
    return settings.model_copy(update={"engine": engine}) if engine in EXACT else settings


def is_ours(root: str, path: str) -> bool:
    """Whether a file among the images belongs to a run or project of clipgrip."""
    file = Path(root, path)
    return file.name in (PROJECT, RECORD) or (file.parent / NAME).is_file()


def _numbered_folders(wanted: Path) -> itertools.chain[Path]:
    more = (wanted.with_name(f"{wanted.name}-{number}") for number in itertools.count(2))
    return itertools.chain([wanted], more)


def _is_free(folder: Path) -> bool:
    if not folder.exists():
        return True
    return folder.is_dir() and all(path.name in (lock.NAME, RECORD) for path in folder.iterdir())


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            "{folder} cannot be made: {reason}. Choose another --out.",
            folder=folder,
            reason=system_words(error),
        ) from None
