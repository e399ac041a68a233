"""From a pilot to a decision on the command line: plan, audit or review, report, and each input that is refused."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from projects import CLASSES, Place, Told, command, rows

from clipgrip.data.tables import write_csv
from clipgrip.review.rounds import next_round
from clipgrip.review.session import ReviewSession
from clipgrip.review.store import Answer, open_review
from clipgrip.runs.audit_store import promises
from clipgrip.runs.store import open_store
from clipgrip.sealed import sealed

GOOD = "good part"


@pytest.fixture
def folder(finished: Path, quick: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def report(capsys: pytest.CaptureFixture[str], folder: Path, *more: object) -> Told:
    return command(capsys, "report", folder, "--for", "board", *more)


def audited(capsys: pytest.CaptureFixture[str], folder: Path, place: Place) -> None:
    """The whole way of clipgrip audit draw and automate, by sheet."""
    sheet = folder.parent / "audit.csv"
    command(capsys, "audit", folder, "--n", 12, "--out", sheet)
    cells = rows(sheet)
    filled = [[*list(row.values())[:3], place.truth[row["path"]]] for row in cells]
    write_csv(sheet, list(cells[0])[:4], filled)
    loose = ("--max-error", 0.9, "--confidence", 0.5, "--by", "Sato")
    told = command(capsys, "automate", folder, "--answers", sheet, *loose)
    assert told.code == 0, told.err


def reviewed(folder: Path, place: Place, *, cannot_tell: int = 1, most: int = 99) -> None:
    """Two people answer the draw of the review, three seconds an image; the last they cannot tell."""
    at = datetime.now(UTC)
    with open_review(folder, create=True) as store:
        session = ReviewSession(folder, store)
        ids = {name: id_ for id_, name in session.snapshot.classes.names.items()}
        shown = session.snapshot.round.draw.rows.tolist()[:most]
        for n, row in enumerate(shown):
            image = session.snapshot.view.rows[row]
            unsure = n >= len(shown) - cannot_tell
            session.answer(
                [
                    Answer(
                        token=f"t{n}",
                        image=image.sha256,
                        verdict="unsure" if unsure else "class",
                        klass=None if unsure else ids[place.truth[image.path]],
                        purpose="audit",
                        person=("Sato", "Tanaka")[n % 2],
                        at=(at + timedelta(seconds=n)).isoformat(timespec="milliseconds"),
                        seconds=3.0,
                        round=1,
                    )
                ]
            )


def pilot(capsys: pytest.CaptureFixture[str], folder: Path, *more: object) -> Told:
    place = folder.parent / "pilot.json"
    words = ("--precision", 0.4, "--accuracy", "0.5:0.1", "--rule", "estimate", "--ok-class", GOOD)
    return command(capsys, "pilot", folder, "--out", place, *words, *more)


def test_without_an_audit_the_accuracy_is_the_tests_and_no_verdict_is_given(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = report(capsys, folder)
    assert told.code == 0, told.err
    assert str(folder / "board.html") in told.out
    page = (folder / "board.html").read_text("utf-8")
    assert "Without an audit, from the test: 8 images" in page
    assert "gives no verdict" in page
    assert (folder / "board.xlsx").read_bytes()[:2] == b"PK"


def test_an_audit_by_sheet_is_what_the_report_speaks_of(
    place: Place, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pilot(capsys, folder, "--automated", 0.1, "--max-error", 0.9).code == 0
    audited(capsys, folder, place)
    told = report(capsys, folder, "--pilot", folder.parent / "pilot.json")
    assert told.code == 0, told.err
    page = (folder / "board.html").read_text("utf-8")
    assert "From an audit: 12 images drawn at random from 24" in page
    assert "Answered by Sato" in page
    assert "in force, before the first answer" in page
    assert "no audit has proven a share yet" in page
    assert "Decided by the model is unknown" in page  # 50 % sure is not enough


def test_a_review_brings_measured_seconds_and_its_own_audit(
    place: Place, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pilot(capsys, folder).code == 0
    reviewed(folder, place)
    words = ("--assume", "images_per_year=100000", "--assume", "hourly_cost=3500")
    told = report(capsys, folder, "--pilot", folder.parent / "pilot.json", *words)
    assert told.code == 0, told.err
    page = (folder / "board.html").read_text("utf-8")
    assert "From an audit: 24 images drawn at random from 24" in page
    assert "People could not tell the class of 1 drawn image:" in page
    assert "Sato, Tanaka" in page
    assert "3.0 s" in page
    assert "Seconds per image measured over 24 answers" in page
    assert "review.db" in page
    japanese = report(capsys, folder, "--lang", "ja", "--ok-class", GOOD)
    assert japanese.code == 0, japanese.err
    assert "見逃し" in (folder / "board.html").read_text("utf-8")


def test_after_another_round_the_report_speaks_of_the_newest_answers(
    place: Place, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reviewed(folder, place, most=10)
    done = next_round(folder, "Sato")
    told = report(capsys, folder)
    assert told.code == 0, told.err
    page = (folder / "board.html").read_text("utf-8")
    assert f"Run {done.run[:12]}" in page
    assert "From an audit: 10 images drawn at random from 24" in page
    assert (folder / "board.xlsx").is_file()


def test_after_another_round_an_audit_by_sheet_is_of_the_newest_answers(
    place: Place, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = folder.parent / "old.csv"
    assert command(capsys, "audit", folder, "--n", 4, "--out", old).code == 0
    reviewed(folder, place, most=10)
    done = next_round(folder, "Sato")
    audited(capsys, folder, place)
    newest = folder / done.folder
    with open_store(newest) as store:
        (said,) = promises(store, done.run)
    assert said.facts["pool"] == 24 - 10  # people decided the others
    assert len(rows(newest / "automation.csv")) == 24 - 10
    assert not (folder / "automation.csv").exists()
    told = command(capsys, "automate", folder, "--answers", old)
    assert told.code == 2
    assert "predictions changed since" in told.err
    assert "round-2" in told.err


def test_criteria_that_come_after_the_answers_give_no_verdict(
    place: Place, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audited(capsys, folder, place)
    later = json.loads(_made_later(pilot, capsys, folder))
    assert later["version"] == 1
    report(capsys, folder, "--pilot", folder.parent / "pilot.json")
    page = (folder / "board.html").read_text("utf-8")
    assert "after the first answer" in page
    assert 'class="word"' not in page


def _made_later(pilot: Any, capsys: pytest.CaptureFixture[str], folder: Path) -> str:
    """A pilot whose date lies a day ahead."""
    assert pilot(capsys, folder).code == 0
    place = folder.parent / "pilot.json"
    content = json.loads(place.read_text("utf-8"))
    content["made"] = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="seconds")
    place.write_text(json.dumps(sealed(content)), "utf-8")
    return place.read_text("utf-8")


def test_a_pilot_counts_classes_and_images_and_is_written_once(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = pilot(capsys, folder, "--by", "Sato", "--lang", "ja")
    assert told.code == 0, told.err
    place = folder.parent / "pilot.json"
    content = json.loads(place.read_text("utf-8"))
    assert content["pilot"]["classes"] == list(CLASSES)
    assert content["pilot"]["images"] == 24
    assert "試行の計画" in place.with_suffix(".html").read_text("utf-8")
    again = pilot(capsys, folder)
    assert again.code == 2
    assert "stays as it is" in again.err
    assert pilot(capsys, folder, "--revise", "line 3 was added").code == 0
    assert (folder.parent / "pilot-2.json").is_file()
    assert (folder.parent / "pilot-2.html").is_file()


def test_a_pilot_is_planned_from_a_folder_or_from_numbers(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place_of := tmp_path / "one.json").parent.mkdir(exist_ok=True)
    words = ("--precision", 0.3, "--out", place_of)
    assert command(capsys, "pilot", place.images, "--classes", place.classes, *words).code == 0
    assert json.loads(place_of.read_text("utf-8"))["pilot"]["images"] == 32
    numbers = ("--classes", place.classes, "--images", 4000, "--out", tmp_path / "two.json")
    told = command(capsys, "pilot", *numbers, "--share", "good part=0.7", "--seconds", 6)
    assert told.code == 0, told.err
    assert "at 6 seconds for an answer (assumed)" in told.out
    assert "audit draw RUN --count 402\n" in told.out, "nothing is to be promised"
    promised = ("--automated", 0.5, "--max-error", 0.05, "--out", tmp_path / "three.json")
    told = command(capsys, "pilot", "--classes", place.classes, "--images", 4000, *promised)
    images = told.out.split()[1]
    assert f"answer {images} of 4000 images" in told.out
    assert f"clipgrip audit draw RUN --count {images} --max-error 0.05\n" in told.out
    assert f"or plan {images} answers" in told.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--images", 100), "needs the class names"),
        (("--classes", "CLASSES"), "needs the number of images"),
        (("--classes", "CLASSES", "--images", 100), "Give a larger --precision, such as 0.1"),
        (("--classes", "CLASSES", "--images", 900, "--accuracy", "high"), "is no number"),
        (("--classes", "CLASSES", "--images", 900, "--share", "dent"), "CLASS=SHARE"),
        (("--classes", "CLASSES", "--images", 900, "--misses", "0.1"), "--ok-class"),
        (("--classes", "CLASSES", "--images", 900, "--revise", "why"), "nothing to revise"),
        (("--classes", "CLASSES", "--images", 900, "--lang", "fr"), "Known: en, ja"),
    ],
)  # fmt: skip
def test_a_pilot_that_makes_no_sense_is_refused(
    words: tuple[object, ...],
    message: str,
    place: Place,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [place.classes if word == "CLASSES" else word for word in words]
    told = command(capsys, "pilot", *given, "--out", tmp_path / "pilot.json")
    assert told.code == 2
    assert message in told.err
    assert "Traceback" not in told.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--for", "bord"), 'Did you mean "board"'),
        (("--assume", "purchase=1"), "Add --for board"),
        (("--for", "board", "--groups", "x.csv"), "--groups belongs"),
        (("--for", "board", "--assume", "speed=1"), "no assumption"),
        (("--for", "board", "--ok-class", "god part"), 'Did you mean "good part"'),
        (("--for", "board", "--pilot", "gone.json"), "cannot be read"),
        (("--for", "board", *(w for c in CLASSES for w in ("--ok-class", c))), "nothing could be"),
    ],
)  # fmt: skip
def test_a_report_that_cannot_be_made_is_refused(
    words: tuple[object, ...], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, "report", folder, *words)
    assert told.code == 2
    assert message in told.err
    assert not (folder / "board.html").exists()


def test_a_folder_without_a_run_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = report(capsys, tmp_path)
    assert told.code == 2
    assert "holds no run" in told.err


def test_a_report_takes_the_name_of_a_page_and_its_sheet_is_called_alike(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path
) -> None:
    assert report(capsys, folder, "--out", tmp_path / "to-print.html").code == 0
    assert (tmp_path / "to-print.html").is_file()
    assert (tmp_path / "to-print.xlsx").is_file()
    told = command(capsys, "report", folder, "--out", tmp_path / "team.html")
    assert f"report       {tmp_path / 'team.html'}" in told.out
    assert (tmp_path / "team.html").is_file()
    command(capsys, "report", folder, "--out", tmp_path / "v1.2")  # a folder may hold a dot
    assert (tmp_path / "v1.2" / "report.html").is_file()
    for wrong in ("to-print.xlsx", "board.pdf"):
        told = report(capsys, folder, "--out", tmp_path / wrong)
        assert told.code == 2
        assert "Give a name that ends in .html, or a folder." in told.err
    assert not (tmp_path / "board.pdf").exists()
