"""What was acknowledged is on the disk: over kill -9, over a disk that refuses, over a change that fails."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from waiting import LONG

from clipgrip_line.errors import LineError
from clipgrip_line.service.ledger import NAME, Ledger, NotKept, renew
from clipgrip_line.service.schema import MIGRATIONS

WRITES = """
import sys
from pathlib import Path
from clipgrip_line.service.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
n = 0
while True:
    n += 1
    ledger.do(lambda db: db.execute("INSERT INTO setting VALUES (?, '')", (f"{sys.argv[2]}-{n}",)) and None)
    print(n, flush=True)
"""


def test_nothing_that_was_acknowledged_is_lost_by_a_kill(tmp_path: Path) -> None:
    acknowledged = 0
    for life in range(3):
        command = [sys.executable, "-c", WRITES, str(tmp_path), str(life)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(20 + 7 * life):
                assert process.stdout.readline()
                acknowledged += 1
            process.send_signal(signal.SIGKILL)
            acknowledged += len(process.stdout.readlines())
    db = sqlite3.connect(tmp_path / NAME)
    (kept,) = db.execute("SELECT count(*) FROM setting").fetchone()
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    assert acknowledged <= kept <= acknowledged + 3


def test_one_change_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    good = "INSERT INTO setting VALUES ('a', '')"

    def bad(db: sqlite3.Connection) -> Any:
        db.execute("INSERT INTO setting VALUES ('b', '')")
        raise LineError("no")

    futures = [ledger.write(lambda db: db.execute(good)), ledger.write(bad)]
    assert futures[0].exception() is None
    assert isinstance(futures[1].exception(), LineError)
    assert ledger.reader.execute("SELECT name FROM setting").fetchall() == [("a",)]
    ledger.close()


def test_a_disk_that_refuses_is_said_and_the_next_change_is_kept(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)

    def full(db: sqlite3.Connection) -> Any:
        raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(NotKept, match="full"):
        ledger.do(full)
    assert "full" in ledger.failing
    ledger.do(lambda db: db.execute("INSERT INTO setting VALUES ('a', '')"))
    assert ledger.failing == ""
    ledger.close()


def _together(ledger: Ledger, *changes: Any) -> list[Any]:
    """What became of changes that are written in one group: the writer is held until all of them wait."""
    gate = threading.Event()
    first = ledger.write(lambda db: gate.wait(LONG) and None)
    futures = [ledger.write(change) for change in changes]
    gate.set()
    first.result(LONG)
    return [one.exception(LONG) or one.result() for one in futures]


def _put(name: str) -> Any:
    return lambda db: db.execute("INSERT INTO setting VALUES (?, '')", (name,)).rowcount


def _full(_: sqlite3.Connection) -> Any:
    raise sqlite3.OperationalError("database or disk is full")


def test_a_change_that_the_database_refuses_spoils_no_neighbour_of_its_group(
    tmp_path: Path,
) -> None:
    ledger = Ledger(tmp_path)
    one, wrong, double, two = _together(ledger, _put("a"), _full, _put("a"), _put("b"))
    assert (one, two) == (1, 1)
    assert isinstance(wrong, NotKept)
    assert isinstance(double, sqlite3.IntegrityError), "an error of its own stays its own"
    assert ledger.reader.execute("SELECT name FROM setting").fetchall() == [("a",), ("b",)]
    ledger.close()


def test_changes_that_fail_by_themselves_leave_their_neighbours_as_they_are(
    tmp_path: Path,
) -> None:
    def half(db: sqlite3.Connection) -> Any:
        db.execute("INSERT INTO setting VALUES ('half', '')")
        raise LineError("no")

    ledger = Ledger(tmp_path)
    one, wrong, double, two = _together(ledger, _put("a"), half, _put("a"), _put("b"))
    assert (one, two) == (1, 1)
    assert isinstance(wrong, LineError)
    assert isinstance(double, sqlite3.IntegrityError)
    assert ledger.reader.execute("SELECT name FROM setting").fetchall() == [("a",), ("b",)]
    assert ledger.failing == ""
    ledger.close()


def test_a_full_disk_refuses_every_change_of_a_group(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    assert {type(one) for one in _together(ledger, _full, _full, _full)} == {NotKept}
    assert "full" in ledger.failing
    assert ledger.reader.execute("SELECT count(*) FROM setting").fetchone() == (0,)
    ledger.close()


def test_a_damaged_or_newer_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / NAME).write_bytes(b"no database, but long enough to be one" * 200)
    with pytest.raises(LineError, match="move it away"):
        Ledger(tmp_path / "a")
    Ledger(tmp_path / "b").close()
    db = sqlite3.connect(tmp_path / "b" / NAME)
    db.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    db.close()
    with pytest.raises(LineError, match="newer"):
        Ledger(tmp_path / "b")


def test_a_change_whose_asker_went_away_is_written_and_the_next_ones_too(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    gone = ledger.write(lambda db: db.execute("INSERT INTO setting VALUES ('a', '')") and None)
    gone.cancel()
    ledger.do(lambda db: db.execute("INSERT INTO setting VALUES ('b', '')") and None)
    assert ledger.reader.execute("SELECT name FROM setting").fetchall() == [("a",), ("b",)]
    ledger.close()


def test_who_only_reads_writes_nothing_into_the_database(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "line.db")) as db:
        before = db.execute("PRAGMA data_version").fetchone()
        renew(tmp_path / "line.db")
        assert db.execute("PRAGMA data_version").fetchone() == before
