"""Who puts a model to work that knows nothing of the classes is told, as whoever ran it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from projects import Place, command

from clipgrip.advice.model import headline, reasons, remedies
from clipgrip.runs.knowledge import doubts, is_guessing
from clipgrip.runs.store import StoredRun, open_store
from clipgrip.words import ENGLISH

GUESSES = "take its answers for guesses"


@pytest.fixture
def stored(finished: Path) -> StoredRun:
    with open_store(finished) as store:
        run = store.run()
    assert run is not None
    return run


def knowing(stored: StoredRun, *kinds: str, **data: int) -> StoredRun:
    facts = json.loads(json.dumps(stored.facts))
    facts["knowledge"] = [{"kind": kind} for kind in kinds]
    facts["data"] |= {"test": 0, **data}
    return replace(stored, facts={**facts, "labels": None})


def test_a_run_guesses_unless_test_images_say_more(stored: StoredRun) -> None:
    assert is_guessing(knowing(stored, "demo"))
    assert not is_guessing(knowing(stored))
    assert not is_guessing(knowing(stored, "one-class"))
    assert not is_guessing(knowing(stored, "demo", test=40))


def test_where_labels_taught_and_none_was_held_out_nothing_is_known_either_way(
    stored: StoredRun,
) -> None:
    facts = dict(knowing(stored, "demo").facts)
    measured = {"n": 20, "interval": [0.3, 0.7], "commonest": 10}
    for labels, kinds in (
        (None, ["demo"]),
        ({"held_out": None}, ["demo", "untested"]),
        ({"held_out": measured}, ["demo"]),
        ({"held_out": measured | {"interval": [0.6, 0.9]}}, []),
    ):
        found = doubts({**facts, "final": {}, "labels": labels})
        assert [one.kind for one in found] == kinds
        assert ("Nothing shows yet" in headline(ENGLISH, found)) == ("untested" in kinds)
        assert all("untested" not in text for text in reasons(found, ENGLISH))
        first = remedies(found, 4, ENGLISH, given=4)[:1]
        assert any("Label one more image of each class" in text for text in first) == (
            "untested" in kinds
        )
    assert is_guessing(replace(stored, facts={**facts, "final": {}, "labels": {"held_out": None}}))


@pytest.mark.parametrize("out", ["answers.csv", "answers.parquet"])
def test_predict_says_that_answers_are_guesses_until_an_audit_said_more(
    out: str,
    finished: Path,
    place: Place,
    quick: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    quick.chdir(tmp_path)
    images = place.images
    quick.setattr("clipgrip.runs.knowledge.is_guessing", lambda run: True)
    told = command(capsys, "predict", finished, images, "--out", out)
    assert (told.code, GUESSES in told.err) == (0, True), told.err
    quick.setattr("clipgrip.runs.audit_store.was_promised", lambda run: True)
    told = command(capsys, "predict", finished, images, "--out", f"second-{out}")
    assert (told.code, GUESSES in told.err) == (0, False), told.err
