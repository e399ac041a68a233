"""A stress test with its files: complete, repeatable, and going on where it was stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from projects import Dying, Log, Place, rows

from clipgrip.bench.stress import StressInput, finished_rows, prepared, stress
from clipgrip.errors import DataError, RunError
from clipgrip.runs.outputs import json_text
from clipgrip.sealed import DIGEST, sealed
from clipgrip.stress.trial import block, blocks

TRIALS = len(block(0, "none", 0.0)) * len(blocks(1))


@pytest.fixture
def given(place: Place, tiny_clip: Path, quick: pytest.MonkeyPatch) -> StressInput:
    labels = place.table("truth.csv", list(place.truth))
    return StressInput(place.images, place.classes, labels, place.test, str(tiny_clip))


def read(out: Path) -> tuple[bytes, bytes]:
    return (out / "results.json").read_bytes(), (out / "results.csv").read_bytes()


def test_all_trials_are_in_both_files(given: StressInput, tmp_path: Path) -> None:
    log = Log()
    results = stress(given, tmp_path / "out", 1, log)
    assert (results["pool"], results["test"], results["classes"]) == (24, 8, 4)
    assert len(results["rows"]) == TRIALS == len(rows(tmp_path / "out" / "results.csv"))
    assert json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))["rows"] == results["rows"]  # fmt: skip
    assert log.stages[-1] == ("stress", TRIALS, TRIALS)


def test_stopped_it_goes_on_to_the_same_bytes_and_finished_it_tries_nothing(
    given: StressInput, tmp_path: Path
) -> None:
    stress(given, tmp_path / "whole", 1, log := Log())
    halfway = len(log.stages) - TRIALS // 2

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stress(given, tmp_path / "out", 1, Dying(halfway, stop))
    stress(given, tmp_path / "out", 1, log := Log())
    assert read(tmp_path / "out") == read(tmp_path / "whole")
    assert 0 < sum(stage == "stress" for stage, *_ in log.stages) < TRIALS
    stress(given, tmp_path / "out", 1, log := Log())
    assert not any(stage == "stress" for stage, *_ in log.stages)
    assert read(tmp_path / "out") == read(tmp_path / "whole")


def test_results_of_rules_that_went_stay_in_the_folder_and_are_named(
    given: StressInput, tmp_path: Path
) -> None:
    """A folder of an older build of this version holds rows of rules and losses that no longer ship."""
    whole = stress(given, tmp_path / "out", 1, Log())
    assert whole["gone"] == []
    path = tmp_path / "out" / "results.json"
    found = json.loads(path.read_text("utf-8"))
    first = found["rows"][0]
    old = found["rows"] + [{**first, "rule": "margin"}, {**first, "loss": "symmetric"}]
    facts = {name: value for name, value in found.items() if name not in ("rows", DIGEST)}
    path.write_bytes(json_text(sealed({**facts, "rows": old})).encode())
    again = stress(given, tmp_path / "out", 2, Log())
    assert again["gone"] == ["margin, cross-entropy", "own-best-class, symmetric"]
    assert len(again["rows"]) == 2 * TRIALS == len(rows(tmp_path / "out" / "results.csv"))
    assert json.loads(path.read_text("utf-8"))["rows"][: len(old)] == old


def test_without_test_images_some_of_the_labeled_are_kept_apart(given: StressInput) -> None:
    alone = StressInput(given.images, given.classes, given.labels, None, given.backbone)
    bench, facts = prepared(alone, Log())
    assert (facts["pool"], facts["test"]) == (22, 10)
    assert not {tuple(v.tolist()) for v in bench.pool} & {tuple(v.tolist()) for v in bench.test}


def changed(given: StressInput, **values: Any) -> StressInput:
    return StressInput(**{**given.__dict__, **values})


def test_another_test_or_other_files_in_the_folder_are_not_written_over(
    given: StressInput, tmp_path: Path
) -> None:
    stress(given, tmp_path / "out", 1, Log())
    before = read(tmp_path / "out")
    with pytest.raises(RunError, match="another stress test"):
        stress(changed(given, template="the {}."), tmp_path / "out", 1, Log())
    assert read(tmp_path / "out") == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "results.csv").write_text("mine")
    with pytest.raises(RunError, match="holds no stress test"):
        stress(given, tmp_path / "mine", 1, Log())
    assert (tmp_path / "mine" / "results.csv").read_text() == "mine"


def test_too_few_labels_are_refused(given: StressInput, place: Place, tmp_path: Path) -> None:
    few = place.table("few.csv", list(place.truth)[:2])
    with pytest.raises(DataError, match="too few to plant noise in"):
        stress(changed(given, labels=few, test=None), tmp_path / "out", 1, Log())
    assert not (tmp_path / "out").exists()


def test_results_that_changed_on_the_disk_are_not_gone_on_with(
    given: StressInput, tmp_path: Path
) -> None:
    results = stress(given, tmp_path / "out", 1, Log())
    path = tmp_path / "out" / "results.json"
    assert finished_rows(path.parent, results["settings"]) == results["rows"]
    text = path.read_text("utf-8")
    path.write_text(text.replace('"seed": 0', '"seed": 8', 1), "utf-8")
    with pytest.raises(RunError, match="or damaged"):
        stress(given, tmp_path / "out", 1, Log())
