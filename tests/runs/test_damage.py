"""One flipped bit: the answer is the same, or a sentence names the file. Never another answer without a word."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from projects import command

from clipgrip.data.classes import ClassNames
from clipgrip.data.manifest import Manifest
from clipgrip.data.rows import Row
from clipgrip.data.sources import FileSource
from clipgrip.errors import ClipgripError, RunError
from clipgrip.review.schema import MIGRATIONS as REVIEW
from clipgrip.review.store import Answer, Change, ReviewRound, ReviewStore, StoredClass, open_review
from clipgrip.runs import audit_store, checkpoint, migrations
from clipgrip.runs.seal import NOTHING
from clipgrip.runs.store import RunStore, StoredRound, StoredRun, open_store
from clipgrip.serving.predictor import Predictor
from clipgrip.training.state import TrainingState

FLIPS = 400


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def fill_run(store: RunStore) -> None:
    rows = tuple(
        Row(f"{n:064x}", (f"a{n}.png",), n % 3 - 1, "pool", FileSource(f"/a{n}.png"))
        for n in range(12)
    )
    store.begin(
        StoredRun("abc", "2026", None, {"seed": 3}, "d", "b", {"z": 1}),
        Manifest(rows, ClassNames.of(["x", "y"])),
    )
    for number in (1, 2, 3):
        pairs = tuple((row.sha256, 1, 0.25 * number) for row in rows)
        learned = {"ctx": torch.randn(4, 6)}
        store.add_round("abc", StoredRound(number, 2, 0.1, learned, {"n": number}, pairs))
    store.keep_training("abc", 4, TrainingState(7, {"m": torch.randn(3)}))
    store.finish("abc", "2027")
    audit_store.add_answers(store, "abc", "one", [(rows[0].sha256, 1)], by="Ito", at="now")
    audit_store.add_promise(
        store, "abc", audit_store.StoredPromise("one", "Ito", "now", {"pool": 3})
    )


def read_run(folder: Path) -> Any:
    with open_store(folder) as store:
        run = store.run()
        training = store.training("abc", 4)
        return (
            run,
            store.manifest("abc") if run else None,
            [
                (one.number, one.k, one.changed, one.learned["ctx"].tolist(), one.facts)
                for one in store.rounds("abc")
            ],
            [one.pseudolabels for one in store.rounds("abc")],
            training and (training.step, training.tensors["m"].tolist()),
            audit_store.stored_answers(store, "abc", "one"),
            audit_store.promises(store, "abc"),
        )


def fill_review(store: ReviewStore) -> None:
    store.secret()
    store.write_classes(
        [StoredClass(n, f"class {n}", "x") for n in (1, 2)], Change("b", "", "", {})
    )
    store.add_round(ReviewRound(1, ".", "abc", "now", {"labels": 3}))
    for n in range(30):
        store.add_answers(
            [Answer(f"t{n}", "a" * 64, "class", 1 + n % 2, "audit", "Ito", "now", 1.5, 1)]
        )
    store.undo("t3", "Ito", "then")


def read_review(folder: Path) -> Any:
    with open_review(folder) as store:
        return store.answers(), store.undone(), store.classes(), store.rounds(), store.changes()


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    with open_store(tmp_path, create=True) as store:
        fill_run(store)
    return tmp_path


@pytest.fixture
def review_folder(run_folder: Path) -> Path:
    with open_review(run_folder, create=True) as store:
        fill_review(store)
    return run_folder


def quiet_flips(path: Path, read: Callable[[], Any]) -> tuple[int, int]:
    """How many flips gave another answer without a word, and how many were named in a sentence."""
    data, known, chance = path.read_bytes(), read(), random.Random(7)
    quiet = named = 0
    for _ in range(FLIPS):
        for beside in path.parent.glob(f"{path.name}-*"):
            beside.unlink()
        path.write_bytes(flipped(data, chance.randrange(8 * len(data))))
        try:
            quiet += read() != known
        except ClipgripError as error:
            named += path.name in str(error)
            quiet += path.name not in str(error)
    return quiet, named


def test_no_flipped_bit_of_a_runs_database_changes_what_is_read(run_folder: Path) -> None:
    quiet, named = quiet_flips(run_folder / "runs.db", lambda: read_run(run_folder))
    assert quiet == 0
    assert named > 20


def test_no_flipped_bit_of_a_reviews_database_changes_what_is_read(review_folder: Path) -> None:
    quiet, named = quiet_flips(review_folder / "review.db", lambda: read_review(review_folder))
    assert quiet == 0
    assert named > 20


def test_no_flipped_bit_of_the_class_embeddings_changes_the_answers(
    finished: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copytree(finished, tmp_path / "run")) / checkpoint.CLASS_EMBEDS
    prompt, data = (path.parent / checkpoint.NAME).read_bytes(), path.read_bytes()
    known = checkpoint.read_class_embeds(path, prompt)
    assert known is not None
    chance, refused = random.Random(1), 0
    for _ in range(FLIPS):
        path.write_bytes(flipped(data, chance.randrange(8 * len(data))))
        found = checkpoint.read_class_embeds(path, prompt)
        refused += found is None
        assert found is None or torch.equal(found, known)
    assert refused > 300


def test_a_damaged_file_of_class_embeddings_is_named_and_does_not_stop(
    finished: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = Path(shutil.copytree(finished, tmp_path / "run")) / checkpoint.CLASS_EMBEDS
    known = Predictor.open(path.parent).class_embeds
    path.write_bytes(flipped(path.read_bytes(), 8 * (path.stat().st_size - 3) + 5))
    found = Predictor.open(path.parent).class_embeds
    torch.testing.assert_close(found, known, atol=1e-6, rtol=0)
    assert f"{path} is damaged" in caplog.text


def test_a_file_of_class_embeddings_of_an_older_version_is_read(
    finished: Path, tmp_path: Path
) -> None:
    import hashlib

    from safetensors.torch import save

    prompt = (finished / checkpoint.NAME).read_bytes()
    older = save({"class_embeds": torch.ones(2, 3)}, {"prompt": hashlib.sha256(prompt).hexdigest()})
    (tmp_path / "c").write_bytes(older)
    found = checkpoint.read_class_embeds(tmp_path / "c", prompt)
    assert found is not None
    assert torch.equal(found, torch.ones(2, 3))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE run SET facts = '{\"z\": 2}'",
        "UPDATE image SET label = 1 WHERE label = 0",
        "UPDATE image SET paths = '{' WHERE label = 0",
        "DELETE FROM image WHERE label = 0",
        "UPDATE round SET changed = 0.2 WHERE number = 2",
        "DELETE FROM pseudolabel WHERE round = 3",
        "UPDATE class SET position = position + 10",
        "UPDATE audit_answer SET label = 0",
        "UPDATE promise SET facts = '[]'",
        "DELETE FROM training",
    ],
)
def test_what_was_changed_past_clipgrip_is_named(run_folder: Path, change: str) -> None:
    with closing(sqlite3.connect(run_folder / "runs.db")) as db, db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute(change)
    with pytest.raises(RunError, match=r"runs\.db is damaged.*Restore it"):
        read_run(run_folder)


@pytest.mark.parametrize("version", range(1, len(migrations.MIGRATIONS)))
def test_runs_of_every_older_schema_open_and_are_sealed_from_then_on(
    tmp_path: Path, version: int
) -> None:
    with closing(sqlite3.connect(tmp_path / "runs.db")) as db, db:
        for script in migrations.MIGRATIONS[:version]:
            db.executescript(script)
        db.execute(f"PRAGMA user_version = {version}")
        db.execute("INSERT INTO run VALUES ('abc', '2026', NULL, '{}', 'd', 'b', '{}')")
    for _ in range(2):
        with open_store(tmp_path) as store:
            assert store.run() is not None
            seals = dict(store.db.execute("SELECT * FROM seal"))
    assert set(seals) == set(migrations.SEALED)
    assert seals["run"] != NOTHING == seals["image"]


def test_a_review_of_the_older_schema_opens_and_is_sealed(tmp_path: Path) -> None:
    (tmp_path / "runs.db").touch()
    with closing(sqlite3.connect(tmp_path / "review.db")) as db, db:
        db.executescript(REVIEW[0])
        db.execute("PRAGMA user_version = 1")
        db.execute("INSERT INTO class VALUES (1, 'a', 'a', 'active', NULL)")
    with open_review(tmp_path) as store:
        assert [one.name for one in store.classes()] == ["a"]
    with closing(sqlite3.connect(tmp_path / "review.db")) as db, db:
        db.execute("UPDATE class SET name = 'b'")
    with pytest.raises(RunError, match=r"review\.db is damaged"), open_review(tmp_path):
        pass


JSONS = ("", "{", "[]", "null", "3", '"x"', '{"seed": "x"}', '{"a": 1}')


@pytest.mark.parametrize("column", ["settings", "facts"])
@pytest.mark.parametrize("text", JSONS)
def test_damaged_json_is_one_sentence_also_where_an_older_version_sealed_nothing(
    finished: Path,
    tmp_path: Path,
    quick: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    column: str,
    text: str,
) -> None:
    folder = Path(shutil.copytree(finished, tmp_path / "run"))
    with closing(sqlite3.connect(folder / "runs.db")) as db, db:
        db.execute(f"UPDATE run SET {column} = ?", (text,))
    for sealed in (True, False):
        if not sealed:
            with closing(sqlite3.connect(folder / "runs.db")) as db, db:
                db.execute("DELETE FROM seal")
        for name in ("report", "audit"):
            told = command(
                capsys, name, folder, *(["--out", tmp_path / "a.csv"] * (name == "audit"))
            )
            assert told.code == 2, told
            assert "Traceback" not in told.err
            assert "runs.db" in told.err


def test_a_promise_that_is_read_was_written(run_folder: Path) -> None:
    assert json.dumps(read_run(run_folder)[-1][0].facts) == '{"pool": 3}'
