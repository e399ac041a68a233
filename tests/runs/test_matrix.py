"""Nine combinations of paradigm and strategy, zero-shot and supervised tuning, through one pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from projects import CLASSES, SEEN, Place, picture, project, rows

from clipgrip.errors import DataError
from clipgrip.runs.outcome import Outcome
from clipgrip.runs.pipeline import run

pytestmark = pytest.mark.usefixtures("quick")

KEYS = {
    *("clipgrip", "run", "created", "settings", "versions", "machine", "data", "paradigm"),
    *("backbone", "method", "method_id", "tuned", "seconds", "zero_shot", "rounds", "final"),
    *("stopped", "calibration", "estimate", "labels", "knowledge", "names"),
}
POOL, SSL_LABELS, TRZSL_LABELS = 24, 8, 12


def metrics(outcome: Outcome) -> dict[str, Any]:
    """What a program reads from metrics.json; NaN and Infinity are no JSON."""

    def refuse(token: str) -> float:
        raise AssertionError(f"{token} in metrics.json")

    text = (outcome.folder / "metrics.json").read_text("utf-8")
    return dict(json.loads(text, parse_constant=refuse))


def started(
    place: Place, model: Path, out: Path, paradigm: str, strategy: str, **more: Any
) -> Outcome:
    labels = place.labels(paradigm)
    return run(project(place, model, out, labels=labels, strategy=strategy, **more))


@pytest.mark.parametrize("strategy", ["fpl", "ifpl", "grip"])
@pytest.mark.parametrize(
    ("paradigm", "labeled", "candidates"),
    [("UL", 0, CLASSES), ("SSL", SSL_LABELS, CLASSES), ("TRZSL", TRZSL_LABELS, CLASSES[2:])],
)
def test_labels_decide_the_paradigm_and_the_strategy_decides_k(
    place: Place,
    tiny_clip: Path,
    tmp_path: Path,
    paradigm: str,
    labeled: int,
    candidates: tuple[str, ...],
    strategy: str,
) -> None:
    outcome = started(place, tiny_clip, tmp_path / "run", paradigm, strategy, k=2)
    told = metrics(outcome)
    unlabeled = POOL - labeled
    ks = {"fpl": [2], "ifpl": [2, 2, 2], "grip": [1, 1, 2]}
    assert told["paradigm"] == paradigm
    assert (told["data"]["labeled"], told["data"]["unlabeled"]) == (labeled, unlabeled)
    assert [done["k"] for done in told["rounds"]] == ks[strategy]
    chosen = {row["label"] for row in rows(outcome.folder / "pseudolabels.csv")}
    assert chosen == set(candidates)
    assert set(told) == KEYS
    for summary in (told["zero_shot"], told["final"], *told["rounds"]):
        assert summary["test"]["n"] == 8
        assert ("harmonic_mean" in summary["test"]) == (paradigm == "TRZSL")
        assert ("seen" in summary["test"]) == ("unseen" in summary["test"]) == (paradigm == "TRZSL")
    assert told["data"]["seen"] == (list(SEEN) if paradigm == "TRZSL" else [])


@pytest.mark.parametrize("preset", ["default", "paper"])
def test_zero_shot_learns_nothing_and_supervised_tuning_uses_only_labels(
    place: Place, tiny_clip: Path, tmp_path: Path, preset: str
) -> None:
    plain = metrics(started(place, tiny_clip, tmp_path / "zero", "UL", "zero-shot", preset=preset))
    tuned = started(place, tiny_clip, tmp_path / "coop", "SSL", "supervised", preset=preset)
    assert plain["rounds"] == []
    assert plain["final"] == plain["zero_shot"]
    (only,) = metrics(tuned)["rounds"]
    assert (only["k"], only["chosen"]) == (0, 0)
    assert rows(tuned.folder / "pseudolabels.csv") == []


def test_supervised_tuning_without_labels_is_refused_before_anything_is_written(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="needs labels"):
        started(place, tiny_clip, tmp_path / "run", "UL", "supervised")
    assert not (tmp_path / "run").exists()


def test_pseudolabels_never_reach_a_labeled_image(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    labeled = place.labels("SSL")
    assert labeled is not None
    outcome = started(place, tiny_clip, tmp_path / "run", "SSL", "grip")
    said = {row["path"] for row in rows(labeled)}
    assert not said & {row["path"] for row in rows(outcome.folder / "pseudolabels.csv")}


def test_all_classes_may_be_candidates_although_only_some_have_labels(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    outcome = started(place, tiny_clip, tmp_path / "run", "TRZSL", "fpl", candidates="all")
    assert metrics(outcome)["paradigm"] == "SSL"


def test_a_list_of_seen_classes_makes_it_trzsl_although_each_class_has_labels(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "seen.txt").write_text("dent\n\n")
    outcome = started(place, tiny_clip, tmp_path / "run", "SSL", "fpl", seen=tmp_path / "seen.txt")
    assert metrics(outcome)["data"]["seen"] == ["dent"]


def test_no_test_image_is_learned_from_by_path_or_by_content(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    """The test images lie among the images, and a copy of one under another name."""
    import shutil

    shutil.copytree(place.folder, tmp_path / "place")
    own = Place(tmp_path / "place", place.truth)
    tested = place.test_paths[0]
    shutil.copy(own.images / tested, own.images / "copy of a test image.png")
    outcome = run(project(own, tiny_clip, tmp_path / "run", strategy="ifpl", k=99))
    used = {row["path"] for row in rows(outcome.folder / "pseudolabels.csv")}
    assert used == set(place.truth) - set(place.test_paths)
    tests = {row.sha256 for row in outcome.embeds.test_rows}
    assert not tests & {row.sha256 for row in outcome.embeds.pool_rows}
    issues = {row["path"]: row["reason"] for row in rows(outcome.folder / "issues.csv")}
    assert issues == {"copy of a test image.png": "duplicate-of-test"}


def test_each_file_is_answered_or_listed_exactly_once(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    import shutil

    shutil.copytree(place.folder, tmp_path / "place")
    own = Place(tmp_path / "place", place.truth)
    names = ["<b>bold</b> & 'x'.png", "傷 キズ.png", "two\nlines.png", "=1+1.png", "[red]a[/x].png"]
    for number, name in enumerate(names):
        if "/" in name:
            (own.images / name).parent.mkdir()
        picture(100 + number).save(own.images / name)
    (own.images / "notes.txt").write_text("no image")
    (own.images / "cut.png").write_bytes((own.images / names[0]).read_bytes()[:500])
    (own.images / "twin.png").write_bytes((own.images / names[1]).read_bytes())
    outcome = run(project(own, tiny_clip, tmp_path / "run"))
    answered = [row["path"].removeprefix("'") for row in rows(outcome.folder / "predictions.csv")]
    assert sorted(answered) == sorted([*place.truth, *names, "twin.png"])
    issues = {row["path"]: row["reason"] for row in rows(outcome.folder / "issues.csv")}
    assert issues == {"notes.txt": "not-an-image", "cut.png": "corrupt", "傷 キズ.png": "duplicate"}
    for name in ("predictions.csv", "pseudolabels.csv", "issues.csv"):
        data = (outcome.folder / name).read_bytes()
        assert data.startswith(b"\xef\xbb\xbf")
        assert data.endswith(b"\r\n")
    assert "\r\n'=1+1.png," in (outcome.folder / "predictions.csv").read_bytes().decode("utf-8-sig")


def test_what_a_run_wrote_among_the_images_is_no_file_of_theirs(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    import shutil

    shutil.copytree(place.folder, tmp_path / "place")
    own = Place(tmp_path / "place", place.truth)
    out = own.images / "results"
    run(project(own, tiny_clip, out))
    first = (out / "issues.csv").read_bytes()
    again = run(project(own, tiny_clip, out))
    assert again.folder == out
    assert (out / "issues.csv").read_bytes() == first


def test_two_classes_leave_the_third_answer_empty(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "two.txt").write_text("cat\ndog\n")
    outcome = run(
        project(place, tiny_clip, tmp_path / "run", classes=tmp_path / "two.txt", test=None)
    )
    assert {row["label_3"] for row in rows(outcome.folder / "predictions.csv")} == {""}
    assert metrics(outcome)["final"]["test"] is None
