"""The campaign counts what it claims to count. The whole of it runs with ``python -m benchmarks.faults``."""

from __future__ import annotations

import ast
import random
from pathlib import Path
from typing import Any

import pytest

from benchmarks.faults import bombs, calls, figures, flips, pictures, works
from benchmarks.faults.__main__ import PARTS
from benchmarks.faults.equal import differing
from benchmarks.faults.figures import BEGIN, END, PAGE, Figures, table
from benchmarks.faults.place import Ended
from benchmarks.faults.trials import NO_MORE, Case, Outcome, Trial, tried
from clipgrip.cli.tree import PANELS, Branch
from clipgrip.errors import ClipgripError


def test_pictures_are_read_or_refused() -> None:
    for case in pictures.cases(None, True):  # type: ignore[arg-type]
        assert tried(case, 0).bad == ()


@pytest.mark.parametrize("name", [name for name, (_, use) in bombs.BOMBS.items() if use is bombs.picture])  # fmt: skip
def test_a_bomb_of_a_picture_is_refused(name: str) -> None:
    assert pictures.look(bombs.BOMBS[name][0]()) in ("too-large", "corrupt")


def test_an_escaped_error_is_counted_with_its_place() -> None:
    def broken(_: random.Random, __: int) -> Outcome:
        raise ZeroDivisionError("by nought")

    trial = tried(Case("part", "kind", 3, broken), 0)
    assert len(trial.bad) == 3
    assert "ZeroDivisionError at test_faults.py" in trial.bad[0]


def test_a_try_is_the_same_whichever_came_before() -> None:
    heard: list[float] = []

    def attempt(chance: random.Random, number: int) -> Outcome:
        heard.append(chance.random())
        return Outcome("odd" if number % 2 else "", "seen")

    case = Case("part", "kind", 4, attempt)
    assert tried(case, 7).bad == ("1: odd", "3: odd")
    assert tried(case, 7).seen == {"seen": 4}
    assert heard[:4] == heard[4:]
    assert len(set(heard)) == 4


def test_where_there_is_nothing_more_to_try_nothing_more_is_counted() -> None:
    def attempt(_: random.Random, number: int) -> Outcome:
        return NO_MORE if number == 3 else Outcome(seen="refused")

    trial = tried(Case("calls", "kind", 200, attempt), 0)
    assert (trial.trials, trial.asked, trial.seen) == (3, 200, {"refused": 3})
    kept = Figures(0)
    kept.keep(trial)
    assert kept.holds(Case("calls", "kind", 200, attempt))
    assert kept.holds(Case("calls", "kind", 2000, attempt))
    assert not kept.holds(Case("calls", "kind", 2, attempt))


def test_a_traceback_or_another_exit_code_is_no_sentence() -> None:
    assert Ended(0, "done").is_sentence
    assert Ended(2, "clipgrip: no.").is_sentence
    assert not Ended(2, "Traceback (most recent call last)").is_sentence
    assert not Ended(1, "").is_sentence
    assert not Ended(-9, "").is_sentence


def test_differences_are_found_wherever_they_stand() -> None:
    one, other = {"a": [{"b": 1}, {"b": 2}], "c": 3}, {"a": [{"b": 1}, {"b": 4}], "c": 3}
    assert list(differing(one, other)) == [".a.b"]
    assert list(differing(one, {"a": []})) == [""]
    assert list(differing(one, one)) == []
    assert works.timeless({"made": 1, "a": [{"at": 2, "b": 3}]}) == {"a": [{"b": 3}]}


def test_a_flip_that_changes_what_is_read_is_bad_and_the_file_is_put_back(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123")

    def read() -> Any:
        if path.read_bytes()[0] != ord("0"):
            raise ClipgripError("damaged")
        return path.read_bytes()

    trial = tried(Case("flips", "kind", 200, flips.Flip(lambda: path, read)), 0)
    assert trial.seen.keys() == {flips.NAMED}
    assert 0 < trial.seen[flips.NAMED] < 200
    assert len(trial.bad) == 200 - trial.seen[flips.NAMED]
    assert path.read_bytes() == b"0123"


def test_every_command_that_writes_is_tried() -> None:
    known = set()
    for entry in (one for panel in PANELS for one in panel.entries):
        inner = entry.entries if isinstance(entry, Branch) else ()
        known |= {f"{entry.name} {one.name}" for one in inner} or {entry.name}
    tried_ones = {" ".join(work.words[:2]) for work in works.WORKS}
    tried_ones |= {work.words[0] for work in works.WORKS}
    reading = {"doctor", "review", "demo", "models list", "models remove", "audit read", "versions"}
    assert known - tried_ones == reading | {"watch status"}
    assert works.DEMO.words[0] == "demo"  # killed only: it takes longest


def test_every_part_is_in_the_campaign() -> None:
    folder = Path(figures.__file__).parent
    with_cases = {
        path.stem
        for path in folder.glob("*.py")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name == "cases"
    }
    assert with_cases == set(PARTS)


def test_figures_are_kept_by_kind_and_shown_with_date_and_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", "utf-8")
    monkeypatch.setattr(figures, "PAGE", page)
    monkeypatch.setattr("benchmarks.record.RESULTS", tmp_path)
    kept = Figures(3)
    kept.keep(Trial("kills", "`run` killed", 100, ("5: lost",), {"killed": 99}, 9.0))
    kept.keep(Trial("equal", "`run` twice", 3))
    kept.write(["equal", "kills"])
    text = page.read_text("utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "seed 3: 103 trials, 1 bad." in text
    assert text.index("`run` twice | 3 | 0") < text.index("`run` killed | 100 | 1 | 99 killed |")
    again = Figures.read(3, tmp_path)
    nothing = calls.judged
    assert again.holds(Case("equal", "`run` twice", 3, nothing))  # type: ignore[arg-type]
    assert not again.holds(Case("equal", "`run` twice", 2, nothing))  # type: ignore[arg-type]
    assert not again.holds(Case("kills", "`run` killed", 100, nothing))  # type: ignore[arg-type]
    assert Figures.read(4, tmp_path).kept == {}


def test_the_page_shows_what_is_kept() -> None:
    text = PAGE.read_text("utf-8")
    assert 0 < text.index(BEGIN) < text.index(END)
    kept = Figures.read(0).kept
    assert kept, "no figures are kept: python -m benchmarks.faults --write"
    rows = table(list(kept.values()), 0).splitlines()[4:]
    assert [row for row in rows if row not in text] == []
    assert [kind for kind, one in kept.items() if one["bad"]] == []
