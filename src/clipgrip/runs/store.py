"""runs.db: the input of a run, and each round as soon as it is done."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from clipgrip.data.classes import ClassNames
from clipgrip.data.manifest import Manifest
from clipgrip.data.rows import DIGITS, Cells, Hashes, Ints, Rows
from clipgrip.errors import RunError
from clipgrip.runs.database import open_database
from clipgrip.runs.migrations import MIGRATIONS, SEALED
from clipgrip.runs.packed_labels import PACKED, NamedLabels, packed, unpacked
from clipgrip.runs.seal import Seals
from clipgrip.sentences import Sentence, mark
from clipgrip.training.state import TrainingState

NAME = "runs.db"
NO_RUN = mark("{run} holds no run. Give the folder that clipgrip run wrote.")


@dataclass(frozen=True)
class StoredRun:
    """A run as it is stored."""

    id: str
    created: str
    finished: str | None
    settings: dict[str, Any]
    data_fingerprint: str
    backbone_fingerprint: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class StoredRound:
    """A finished round: its learned values, and pseudolabels as (content hash, class, confidence)."""

    number: int
    k: int
    changed: float
    learned: dict[str, Tensor]
    facts: dict[str, Any]
    pseudolabels: NamedLabels
    """Any triples are accepted."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "pseudolabels", NamedLabels.of(self.pseudolabels))


class RunStore:
    """One open database. Each method is one transaction."""

    def __init__(self, db: sqlite3.Connection, seals: Seals) -> None:
        self._db, self.seals = db, seals

    @property
    def db(self) -> sqlite3.Connection:
        """The connection, for modules with further tables in the same file (`audit_store`)."""
        return self._db

    def run(self, run_id: str | None = None) -> StoredRun | None:
        """The run of that id, or the newest one; None where there is none."""
        where, values = (
            ("WHERE id = ?", (run_id,)) if run_id else ("ORDER BY created DESC LIMIT 1", ())
        )
        self.seals.check("run")
        row = self._db.execute(f"SELECT * FROM run {where}", values).fetchone()
        if row is None:
            return None
        identity, created, finished, settings, data, backbone, facts = row
        loaded = parsed(settings), data, backbone, parsed(facts)
        return StoredRun(identity, created, finished, *loaded)

    def begun_run(self, folder: Path) -> StoredRun:
        """The newest run of the folder that this is the store of; RunError where there is none."""
        run = self.run()
        if run is None:
            raise RunError(NO_RUN, run=folder)
        return run

    def finished_run(self, folder: Path) -> StoredRun:
        """The newest run of the folder that this is the store of; RunError where it is not finished."""
        run = self.run()
        if run is None or run.finished is None:
            raise RunError(
                "the run in {folder} is not finished. Run the same clipgrip run command again to finish "
                "it.",
                folder=folder,
            )
        return run

    def begin(self, run: StoredRun, manifest: Manifest) -> StoredRun:
        """Store a new run with its classes and images; returns it as it is read from now on."""
        settings, facts = (json.dumps(value, sort_keys=True) for value in (run.settings, run.facts))
        values = (
            run.id,
            run.created,
            None,
            settings,
            run.data_fingerprint,
            run.backbone_fingerprint,
            facts,
        )
        classes = zip(manifest.classes.display, manifest.classes.prompts, strict=True)
        with self._db:
            self._db.execute("INSERT INTO run VALUES (?, ?, ?, ?, ?, ?, ?)", values)
            self._db.executemany(
                "INSERT INTO class VALUES (?, ?, ?, ?)",
                ((run.id, i, name, prompt) for i, (name, prompt) in enumerate(classes)),
            )
            self._db.executemany(
                "INSERT INTO image VALUES (?, ?, ?, ?, ?, ?)",
                ((run.id, *_storable(cells)) for cells in manifest.rows.cells()),
            )
            self.seals.grow("run", "id = ?", (run.id,))
            self.seals.grow("class", "run = ?", (run.id,))
            self.seals.grow("image", "run = ?", (run.id,))
        return self.run(run.id) or run

    def classes(self, run_id: str) -> ClassNames:
        self.seals.check("class")
        classes = self._db.execute(
            "SELECT name, prompt FROM class WHERE run = ? ORDER BY position", (run_id,)
        ).fetchall()
        names, prompts = zip(*classes, strict=True)
        return ClassNames(names, prompts)

    def manifest(self, run_id: str) -> Manifest:
        self.seals.check("image")
        images = self._db.execute(
            "SELECT sha256, paths, label, split, source FROM image WHERE run = ?", (run_id,)
        )
        return Manifest(Rows.of_cells(images), self.classes(run_id))

    def pool(self, run_id: str) -> tuple[Hashes, Ints]:
        """Content hashes and labels of the pool, sorted by hash."""
        self.seals.check("image")
        query = "SELECT sha256, label FROM image WHERE run = ? AND split = 'pool' ORDER BY sha256"
        kind = [("sha256", f"S{DIGITS}"), ("label", np.int64)]
        found = np.fromiter(self._db.execute(query, (run_id,)), kind)
        return found["sha256"].copy(), found["label"].copy()

    def rows(self, run_id: str, hashes: Collection[str]) -> Rows:
        """The images with these content hashes."""
        query = "SELECT sha256, paths, label, split, source FROM image WHERE run = ? AND sha256 = ?"
        found = (self._db.execute(query, (run_id, one)).fetchone() for one in sorted(hashes))
        return Rows.of_cells(values for values in found if values is not None)

    def add_round(self, run_id: str, done: StoredRound) -> None:
        """Store a finished round with its pseudolabels; a training in progress is deleted."""
        values = (run_id, done.number, done.k, done.changed, save_tensors(done.learned))
        with self._db:
            self._db.execute(
                "INSERT INTO round VALUES (?, ?, ?, ?, ?, ?)",
                (*values, json.dumps(done.facts, sort_keys=True)),
            )
            self._db.execute("DELETE FROM training WHERE run = ?", (run_id,))
            self.seals.grow("round", "run = ? AND number = ?", (run_id, done.number))
            self._add_pseudolabels(run_id, done)
            self.seals.renew("training")

    def rounds(self, run_id: str) -> list[StoredRound]:
        self.seals.check("round", "pseudolabel", "pseudolabels")
        rows = self._db.execute(
            "SELECT number, k, changed, prompt, facts FROM round WHERE run = ? ORDER BY number",
            (run_id,),
        ).fetchall()
        return [
            StoredRound(
                number,
                k,
                changed,
                load_tensors(prompt),
                parsed(facts),
                self._labels(run_id, number),
            )
            for number, k, changed, prompt, facts in rows
        ]

    def training(self, run_id: str, number: int) -> TrainingState | None:
        """The stored state of the training of round ``number``; None without one."""
        self.seals.check("training")
        row = self._db.execute(
            "SELECT step, state FROM training WHERE run = ? AND round = ?", (run_id, number)
        ).fetchone()
        return None if row is None else TrainingState(row[0], load_tensors(row[1]))

    def keep_training(self, run_id: str, number: int, state: TrainingState) -> None:
        """Store the state of a training in progress, replacing the previous one."""
        values = (run_id, number, state.step, save_tensors(state.tensors))
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO training VALUES (?, ?, ?, ?)", values)
            self.seals.renew("training")

    def finish(self, run_id: str, when: str) -> None:
        """Store when the run was finished, unless that is stored already."""
        with self._db:
            self._db.execute(
                "UPDATE run SET finished = ? WHERE id = ? AND finished IS NULL", (when, run_id)
            )

    def _add_pseudolabels(self, run_id: str, done: StoredRound) -> None:
        """Store a row for each pseudolabel, or one packed row from `PACKED` on."""
        if len(done.pseudolabels) >= PACKED:
            values = (run_id, done.number, packed(done.pseudolabels))
            self._db.execute("INSERT INTO pseudolabels VALUES (?, ?, ?)", values)
            self.seals.grow("pseudolabels", "run = ? AND round = ?", values[:2])
            return
        self._db.executemany(
            "INSERT INTO pseudolabel VALUES (?, ?, ?, ?, ?)",
            ((run_id, done.number, *pseudolabel) for pseudolabel in done.pseudolabels),
        )
        self.seals.grow("pseudolabel", "run = ? AND round = ?", (run_id, done.number))

    def _labels(self, run_id: str, number: int) -> NamedLabels:
        query = "SELECT packed FROM pseudolabels WHERE run = ? AND round = ?"
        if found := self._db.execute(query, (run_id, number)).fetchone():
            return unpacked(found[0])
        query = "SELECT sha256, label, confidence FROM pseudolabel WHERE run = ? AND round = ? ORDER BY sha256"
        return NamedLabels.of(self._db.execute(query, (run_id, number)).fetchall())


@contextmanager
def open_store(folder: Path, *, create: bool = False) -> Iterator[RunStore]:
    """Open the store in a run's folder. RunError: it does not exist, unless ``create``, or is damaged."""
    if not create:
        check_run(folder)
    with open_database(folder / NAME, MIGRATIONS, SEALED) as (db, seals):
        yield RunStore(db, seals)


def check_run(folder: Path) -> None:
    """RunError where the folder holds no run."""
    if not (folder / NAME).is_file():
        raise RunError(
            "{folder} holds no run (no {name} in it). Give the folder that clipgrip run wrote (its "
            "--out).",
            folder=folder,
            name=NAME,
        )


def parsed(text: str) -> Any:
    """JSON as it was stored.

    Raises:
        sqlite3.DatabaseError: the text is no JSON, so the database is damaged.
    """
    try:
        return json.loads(text)
    except (ValueError, TypeError) as error:
        raise sqlite3.DatabaseError(
            Sentence("a text in it is no JSON ({error})", error=error)
        ) from None


def _storable(cells: Cells) -> Cells:
    """``cells`` themselves. RunError: an image lies only in memory, so that it cannot be stored."""
    if not cells[-1]:
        raise RunError(mark("images in memory cannot be kept in a run. Save them as files first."))
    return cells
