"""What to label first: a sheet that a run reads once it is filled, and each input that is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from projects import CLASSES, Place, Told, command, rows

from clipgrip.data.tables import write_csv
from clipgrip.review.store import Answer, open_review
from clipgrip.trust.knowledge import Finding


@pytest.fixture
def here(quick: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    quick.chdir(tmp_path)
    return tmp_path


def fill(sheet: Path, truth: dict[str, str], most: int = 99) -> list[dict[str, str]]:
    """Label the first ``most`` images, as a person would."""
    cells = rows(sheet)
    for row in cells[:most]:
        row["label"] = truth[row["path"]]
    write_csv(sheet, list(cells[0]), [list(row.values()) for row in cells])
    return cells


def test_a_filled_sheet_of_typical_images_is_the_labels_of_a_run(
    place: Place, tiny_clip: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, "suggest", place.images, "--budget", 7, "--backbone", tiny_clip)
    assert told.code == 0, told.err
    assert "7 of 32 images to label: suggest.csv" in told.out
    assert "--labels suggest.csv --candidates all" in told.out
    sheet = rows(here / "suggest.csv")
    assert list(sheet[0]) == ["path", "label", "why"]
    assert {row["label"] for row in sheet} == {""}
    assert len({row["path"] for row in sheet} & set(place.truth)) == 7
    assert all(row["why"].startswith("typical: stands for ") for row in sheet)
    fill(here / "suggest.csv", place.truth, 6)
    start = ["run", place.images, "--classes", place.classes, "--backbone", tiny_clip, "--json"]
    more = ["--labels", "suggest.csv", "--candidates", "all", "--rounds", 1, "--out", "out"]
    told = command(capsys, *start, *more)
    assert told.code == 0, told.err
    data = json.loads(told.out)["data"]
    assert (data["labeled"], data["seen"], data["not_used"]) == (6, [], 0)


def test_with_class_names_the_doubtful_images_come_and_neither_known_nor_test_ones(
    place: Place, tiny_clip: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = place.labels("SSL")
    arguments = ["suggest", place.images, "--classes", place.classes, "--labels", labels]
    arguments += ["--test", place.test, "--backbone", tiny_clip, "--budget", 5]
    told = command(capsys, *arguments, "--template", "{} part")
    assert told.code == 0, told.err
    assert f"classes: {', '.join(CLASSES)}" in told.out
    assert f"--test {place.test} --template '{{}} part' --backbone {tiny_clip} --lab" in told.out
    assert "8 known labels stand below them" in told.out
    sheet = rows(here / "suggest.csv")
    assert [row["label"] == "" for row in sheet] == [True] * 5 + [False] * 8
    assert all(row["why"].startswith("the model is ") for row in sheet[:5])
    known = {row["path"]: row["label"] for row in rows_of(labels)}
    assert {row["path"]: row["label"] for row in sheet[5:]} == known
    paths = [row["path"] for row in sheet]
    assert len(set(paths)) == len(paths)
    assert set(paths).isdisjoint(place.test_paths)


def test_a_model_that_knows_nothing_is_asked_for_no_doubt(
    place: Place,
    tiny_clip: Path,
    finished: Path,
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "clipgrip.labeling.suggest.knowledge_of", lambda *_: (Finding("alike", {}),)
    )
    start = ["suggest", place.images, "--classes", place.classes, "--backbone", tiny_clip]
    told = command(capsys, *start, "--out", "guessed.csv")
    assert "its doubts mean nothing: typical images are chosen" in told.err
    guessed = rows(here / "guessed.csv")
    command(capsys, "suggest", place.images, "--backbone", tiny_clip, "--out", "typical.csv")
    assert guessed == rows(here / "typical.csv")
    monkeypatch.setattr("clipgrip.labeling.suggest.labels_teach", lambda _: True)
    told = command(capsys, *start, "--out", "taught.csv")
    assert "typical" not in told.err
    assert rows(here / "taught.csv")[0]["why"].startswith("the model is ")
    monkeypatch.setattr("clipgrip.labeling.suggest.doubts", lambda _: (Finding("alike", {}),))
    told = command(capsys, "suggest", finished, "--out", "after.csv")
    assert "typical images are chosen" in told.err
    assert rows(here / "after.csv")[0]["why"].startswith("typical: ")


def rows_of(table: Path | None) -> list[dict[str, str]]:
    assert table is not None
    return rows(table)


def test_after_a_run_the_next_labels_leave_what_is_audited_or_reviewed(
    place: Place, finished: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(finished, here / "run"))
    command(capsys, "audit", run, "--n", 6)
    told = command(capsys, "suggest", run, "--budget", 50, "--out", "next.csv")
    assert told.code == 0, told.err
    assert "6 images were drawn for an audit and are kept apart" in told.out
    assert "18 of 24 images to label: next.csv" in told.out
    assert "the others look like these, are labeled already, or are kept apart" in told.out
    assert "the same clipgrip run command with --labels next.csv" in told.out
    drawn = {row["path"] for row in rows(here / "audit.csv")}
    suggested = [row["path"] for row in rows(here / "next.csv")]
    assert set(suggested).isdisjoint({*drawn, *place.test_paths})
    answered_on_the_page(run, suggested[0])
    told = command(capsys, "suggest", run, "--budget", 50, "--out", "more.csv")
    assert "1 image was answered on the review page" in told.out
    assert [row["path"] for row in rows(here / "more.csv")] != suggested
    assert suggested[0] not in {row["path"] for row in rows(here / "more.csv")}


def answered_on_the_page(run: Path, path: str) -> None:
    from clipgrip.runs.store import open_store

    with open_store(run) as store:
        found = store.run()
        assert found is not None
        manifest = store.manifest(found.id)
    image = next(row.sha256 for row in manifest.rows if path in row.paths)
    with open_review(run, create=True) as review:
        review.add_answers(
            [Answer("t", image, "unsure", None, "review", "Sato", "2026-01-01", 1.0, 1)]
        )


def test_answers_of_an_audit_are_kept_apart_when_its_sheet_is_gone(
    place: Place, finished: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(finished, here / "run"))
    command(capsys, "audit", run, "--n", 6)
    cells = rows(here / "audit.csv")
    for row in cells:
        row["answer"] = place.truth[row["path"]]
    write_csv(here / "audit.csv", list(cells[0]), [list(row.values()) for row in cells])
    assert command(capsys, "automate", run, "--answers", "audit.csv").code == 0
    (here / "audit.csv").unlink()
    told = command(capsys, "suggest", run, "--budget", 50)
    assert "6 images were drawn for an audit" in told.out


def test_another_sheet_of_an_audit_is_named_and_one_of_other_images_is_remarked(
    place: Place, finished: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(capsys, "audit", finished, "--n", 4, "--out", "a.csv")
    command(capsys, "audit", finished, "--n", 7, "--seed", 1, "--out", "b.csv")
    drawn = {row["path"] for name in "ab" for row in rows(here / f"{name}.csv")}
    told = command(
        capsys, "suggest", finished, "--audit", "a.csv", "--audit", "b.csv", "--budget", 50
    )
    assert f"{len(drawn)} images were drawn for an audit" in told.out
    other = rows(here / "a.csv")[:1]
    other[0]["path"] = "elsewhere.png"
    write_csv(here / "audit.csv", list(other[0]), [list(other[0].values())])
    told = command(capsys, "suggest", finished, "--out", "c.csv")
    assert (told.code, "drawn for an audit" in told.out) == (0, False)
    assert "none of its 1 image is among these" in told.err


def test_a_table_of_images_brings_its_labels_and_a_wrong_file_is_remarked(
    place: Place, tiny_clip: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(place.images, here / "images")
    (here / "images" / "notes.txt").write_text("no image")
    told = command(capsys, "suggest", "images", "--backbone", tiny_clip, "--budget", 3)
    assert told.code == 0
    assert "1 remark on files. The first: notes.txt" in told.err
    listed = [(f"images/{path}", name) for path, name in list(place.truth.items())[:9:2]]
    write_csv(here / "list.csv", ("path", "label"), [*listed, ("images/part 20.png", "")])
    told = command(capsys, "suggest", "list.csv", "--backbone", tiny_clip, "--out", "next.csv")
    assert "1 of 6 images to label" in told.out
    assert [row["label"] for row in rows(here / "next.csv")] == ["", *(name for _, name in listed)]


def refused(told: Told, *words: str) -> None:
    assert told.code == 2, told
    assert "Traceback" not in told.err
    assert told.out == ""
    for word in words:
        assert word in told.err


def test_wrong_input_ends_with_a_sentence_and_writes_nothing(
    place: Place, tiny_clip: Path, finished: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "empty").mkdir()
    (here / "kept.csv").write_text("path,label\n")
    (here / "plain.csv").write_text("path,label\nx.png,\n")
    start = ["suggest", place.images, "--backbone", tiny_clip]
    refused(command(capsys, "suggest", "imagse"), "imagse", "no such file or folder")
    refused(command(capsys, "suggest", "empty"), "no usable image")
    refused(command(capsys, *start, "--out", "kept.csv"), "kept.csv exists", "another --out")
    refused(command(capsys, *start, "--out", "plain.csv/s.csv"), "plain.csv is a file")
    refused(command(capsys, *start, "--labels", place.test), "--labels needs the class names")
    refused(command(capsys, *start, "--audit", "plain.csv"), "not the sheet of one audit")
    refused(command(capsys, *start, "--classes", "gone.txt"), "gone.txt", "cannot be read")
    refused(command(capsys, "suggest", place.images, "--backbone", "nanno"), 'Did you mean "nano"')
    refused(command(capsys, "suggest", finished, "--classes", place.classes), "has its own classes")
    assert command(capsys, *start, "--budget", 0).code == 2
    assert {path.name for path in here.iterdir()} == {"empty", "kept.csv", "plain.csv"}


def test_a_quiet_run_says_nothing_twice_and_names_a_contradictory_label(
    place: Place, tiny_clip: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, label = next(iter(place.truth.items()))
    other = next(name for name in place.truth.values() if name != label)
    table = here / "two.csv"
    table.write_text(f"path,label\n{path},{label}\n{path},{other}\n", "utf-8")
    run = ("run", place.images, "--classes", place.classes, "--labels", table)
    more = ("--candidates", "all", "--backbone", tiny_clip, "--rounds", 1, "--out", here / "out")
    told = command(capsys, *run, *more, "-q")
    assert told.code == 0, told.err
    lines = [line.strip() for line in (told.err + told.out).splitlines() if line.strip()]
    assert [line for line in told.err.splitlines() if line and line in told.out] == []
    assert len(lines) == len(set(lines))
    assert f"contradict each other and counts as unlabeled: {path} (" in told.err
