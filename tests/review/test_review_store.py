"""review.db: nothing that was acknowledged is lost, nothing is changed, and errors are sentences."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from review_helpers import said

from clipgrip.errors import RunError
from clipgrip.review.store import (
    NAME,
    Change,
    ReviewRound,
    ReviewStore,
    StoredClass,
    has_review,
    open_review,
)

WRITER = """
import sys
from pathlib import Path
from clipgrip.review.store import Answer, open_review

with open_review(Path(sys.argv[1])) as store:
    for n in range(100000):
        token = f"{sys.argv[2]}-{n}"
        store.add_answers([Answer(token, "a" * 64, "class", 1, "review", "Sato", "now", 1.0, 1)])
        print(token, flush=True)
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "runs.db").touch()
    return tmp_path


@pytest.fixture
def store(place: Path) -> Iterator[ReviewStore]:
    with open_review(place, create=True) as store:
        store.write_classes([StoredClass(1, "cat", "cat"), StoredClass(2, "dog", "dog")], BEGIN)
        yield store


BEGIN = Change("begin", "", "now", {})


def test_a_token_that_is_sent_twice_is_kept_once(store: ReviewStore) -> None:
    first = said("a" * 64, 1)
    assert store.add_answers([first, said("b" * 64, 2)]) == 2
    changed = said("a" * 64, 2, token=first.token)
    assert store.add_answers([changed, said("c" * 64, None)]) == 1
    assert [(a.image[0], a.klass) for a in store.answers()] == [("a", 1), ("b", 2), ("c", None)]


def test_answers_of_one_call_are_kept_together_or_not_at_all(store: ReviewStore) -> None:
    with pytest.raises(RunError):
        store.add_answers([said("a" * 64, 1), said("b" * 64, 77)])  # no class 77
    assert store.answers() == []


def test_an_answer_that_is_taken_back_stays_on_record(store: ReviewStore) -> None:
    first, second = said("a" * 64, 1), said("a" * 64, 2)
    store.add_answers([first, second])
    assert store.undo(second.token, "Ito", "later")
    assert not store.undo(second.token, "Ito", "later")
    assert not store.undo("never-sent", "Ito", "later")
    assert [a.token for a in store.answers()] == [first.token]
    assert [a.token for a in store.answers(undone=True)] == [first.token, second.token]
    assert store.undone() == [(second.token, "Ito", "later")]


def test_no_method_changes_or_deletes_an_answer(store: ReviewStore) -> None:
    seen: list[str] = []
    store._db.set_trace_callback(seen.append)
    given = said("a" * 64, 1)
    store.add_answers([given])
    store.undo(given.token, "Ito", "later")
    store.write_classes([StoredClass(1, "kitten", "kitten")], BEGIN)
    store.add_round(ReviewRound(1, ".", "r", "now"))
    store.record(BEGIN)
    words = [statement.split()[0] for statement in seen]
    assert "INSERT" in words
    assert not {"UPDATE", "DELETE", "REPLACE"} & set(words)


def test_rounds_changes_classes_and_the_secret_come_back_as_they_were(place: Path) -> None:
    with open_review(place, create=True) as store:
        secret = store.secret()
        store.write_classes([StoredClass(1, "猫", "cat"), StoredClass(2, "犬", "dog")], BEGIN)
        store.write_classes([StoredClass(1, "猫", "cat", "merged", 2)], BEGIN)
        done = ReviewRound(2, "round-2", "run", "now", {"labels": 3})
        store.add_round(done)
        store.add_round(ReviewRound(2, "elsewhere", "other", "now"))
    with open_review(place) as store:
        assert store.secret() == secret
        assert len(secret) == 32
        assert [one.state for one in store.classes()] == ["merged", "active"]
        assert store.rounds() == [done]
        assert len(store.changes()) == 2
    assert has_review(place)


def test_two_threads_and_two_connections_write_at_once(store: ReviewStore, place: Path) -> None:
    def write(into: ReviewStore, name: str) -> None:
        for n in range(25):
            into.add_answers([said("a" * 64, 1, token=f"{name}-token-{n}")])

    with open_review(place) as other:
        jobs = [(store, "one"), (store, "two"), (other, "three")]
        threads = [threading.Thread(target=write, args=job) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    numbers = [a.number for a in store.answers()]
    assert numbers == list(range(1, 76))


def test_what_a_newer_clipgrip_wrote_is_refused(store: ReviewStore, place: Path) -> None:
    with sqlite3.connect(place / NAME) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with (
        pytest.raises(RunError, match=r"review\.db has schema 99.*Update clipgrip"),
        open_review(place),
    ):
        pass


def test_a_folder_without_a_run_or_a_review_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"holds no run.*--out"), open_review(tmp_path, create=True):
        pass
    (tmp_path / "runs.db").touch()
    with pytest.raises(RunError, match="Begin with clipgrip review"), open_review(tmp_path):
        pass
    assert not has_review(tmp_path)


def test_the_folder_of_a_later_round_says_where_the_review_lies(
    store: ReviewStore, place: Path
) -> None:
    inner = place / "round-2"
    inner.mkdir()
    (inner / "runs.db").touch()
    with pytest.raises(RunError, match=f"Give {place} instead"), open_review(inner, create=True):
        pass
    assert not has_review(inner)


def test_errors_of_the_disk_are_sentences_and_what_was_stored_stays(
    store: ReviewStore, place: Path
) -> None:
    store.add_answers([said("a" * 64, 1)])
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")  # as a full disk
    with pytest.raises(RunError, match=r"cannot be written.*Make space"):
        store.add_answers([said("b" * 64, 1, person="x" * 100000)])
    assert len(store.answers()) == 1


def test_a_damaged_file_is_a_sentence(place: Path) -> None:
    (place / NAME).write_bytes(b"no database" * 1000)
    with pytest.raises(RunError, match="damaged"), open_review(place):
        pass


def test_a_killed_writer_loses_nothing_that_it_acknowledged(
    store: ReviewStore, place: Path
) -> None:
    chance = random.Random(0)
    acknowledged: set[str] = set()
    for life in range(20):
        command = [sys.executable, "-c", WRITER, os.fspath(place), f"life{life}"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        acknowledged.add(child.stdout.readline().strip())
        time.sleep(chance.uniform(0, 0.05))
        child.send_signal(signal.SIGKILL)
        acknowledged |= {line.strip() for line in child.stdout if line.endswith("\n")}
        child.wait()
        child.stdout.close()
    stored = {answer.token for answer in store.answers()}
    assert len(acknowledged) >= 20
    assert acknowledged <= stored
    assert len(stored) <= len(acknowledged) + 20  # at most the one that was being acknowledged
    assert store._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
