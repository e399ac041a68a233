"""Names that do not fit are said by a run, shown in its report, and other words are previewed before they are taken."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from projects import CLASSES, Place, command, rows

from clipgrip.data.classes import ClassNames
from clipgrip.runs.naming import doubted_names
from clipgrip.trust.naming import NameFit, Naming


def judged(*_: Any) -> Naming:
    """As if the first text pointed at nothing and the second at the third's images."""
    first = NameFit(0, 0.1, "nothing", rows=(0, 1))
    second = NameFit(1, 0.2, "other", 2, 3, (2, 3))
    return Naming((first, second, NameFit(2, 0.9, "fits"), NameFit(3, None, "unknown")), (4, 5))


@pytest.fixture
def made(
    place: Place, tiny_clip: Path, quick: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> Path:
    """A zero-shot run whose first two names are doubted."""
    quick.chdir(tmp_path)
    quick.setattr("clipgrip.runs.naming.naming", judged)
    quick.setattr("clipgrip.runs.rewording.naming", judged)
    quick.setattr("clipgrip.runs.pipeline.knowledge", lambda *_: ())
    start = ["run", place.images, "--classes", place.classes, "--backbone", tiny_clip]
    told = command(capsys, *start, "--strategy", "zero-shot", "--out", "out")
    assert told.code == 0, told.err
    assert (
        "names        2 of 4 class texts do not seem to fit their images: “scratch”, “dent”"
        in told.out
    )
    assert "clipgrip names out" in told.out
    assert "2 of 4 class texts" in told.err  # before anything was learned
    return tmp_path / "out"


def test_a_run_keeps_and_shows_the_names_it_doubts(made: Path) -> None:
    metrics = json.loads((made / "metrics.json").read_text("utf-8"))
    assert [one["name"] for one in metrics["names"]["classes"]] == list(CLASSES)
    assert [one["group"] for one in doubted_names(metrics)] == [None, "good part"]
    assert all(len(one) == 64 for one in metrics["names"]["nameless"])
    page = (made / "report.html").read_text("utf-8")
    assert '<section id="names">' in page
    assert page.split('<section id="names">')[1].split("</section>")[0].count("<img") == 6


class Reworded:
    """Names as ``judged``, and with any other text fits of the first and the fourth that are these."""

    def __init__(self, first: float, fourth: float | None = None) -> None:
        self.fits = (first, fourth)
        self.asked = 0

    def __call__(self, *_: Any) -> Naming:
        self.asked += 1
        now = judged()
        if self.asked == 1:
            return now
        first, fourth = self.fits
        names = (NameFit(0, first, "nothing"), *now.names[1:3], NameFit(3, fourth, "unknown"))
        return Naming(names, now.nameless)


def test_words_are_proposed_and_nothing_of_the_run_changes(
    made: Path, quick: pytest.MonkeyPatch, capsys: Any
) -> None:
    quick.setattr("clipgrip.runs.rewording.naming", Reworded(0.3))
    before = {path.name: path.read_bytes() for path in made.iterdir() if path.suffix != ".lock"}
    told = command(capsys, "names", made)
    assert told.code == 0, told.err
    for words in ("0.10  scratch", "fits no group", "dent: The text fits the images labeled “good part”",
                  "scratch: “a scratch on the surface”", "answers would move.", "column prompt"):  # fmt: skip
        assert words in told.out
    after = {path.name: path.read_bytes() for path in made.iterdir() if path.suffix != ".lock"}
    assert {name: after[name] for name in before} == before


def test_two_texts_that_point_at_each_other_s_images_are_tried_the_other_way_round(
    made: Path, quick: pytest.MonkeyPatch, capsys: Any
) -> None:
    fits = iter((0.1, 0.2, 0.3, *[0.0] * 99))

    def swapped(*_: Any) -> Naming:
        """As the texts are, for each of the two pairs the other way round better, then worse."""
        fit = next(fits)
        return Naming(tuple(NameFit(c, fit, "other", c ^ 1, 2) for c in range(4)))

    quick.setattr("clipgrip.runs.rewording.naming", swapped)
    found = json.loads(command(capsys, "names", made, "--json").out)["proposed"]
    assert found[0]["texts"] == {"scratch": "dent", "dent": "scratch"}
    assert found[1]["texts"] == {"good part": "steel", "steel": "good part"}


def test_own_words_are_tried_alone_and_together_and_written_for_the_next_run(
    made: Path, tmp_path: Path, capsys: Any
) -> None:
    wishes = ["--try", "scratch=a thin line", "--try", "dent=a round hollow"]
    told = command(capsys, "names", made, *wishes, "--json", "--out", "new.csv")
    assert told.code == 0, told.err
    found = json.loads(told.out)
    assert [one["texts"] for one in found["tried"]] == [
        {"scratch": "a thin line"},
        {"dent": "a round hollow"},
        {"scratch": "a thin line", "dent": "a round hollow"},
    ]
    for one in found["tried"]:
        assert one["moved"] == sum(pair["n"] for pair in one["pairs"]) <= one["of"]
    assert (found["proposed"], found["judged"]) == ([], True)
    assert [row["prompt"] for row in rows(tmp_path / "new.csv")][:2] == [
        "a thin line",
        "a round hollow",
    ]
    assert ClassNames.read(tmp_path / "new.csv").display == CLASSES
    again = command(capsys, "names", made, *wishes, "--out", "new.csv")
    assert (again.code, "new.csv exists" in again.err) == (2, True)


def test_it_speaks_japanese(made: Path, capsys: Any) -> None:
    told = command(capsys, "names", made, "--lang", "ja", "--try", "scratch=a thin line")
    assert "入力した言葉" in told.out
    assert "would move" not in told.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--try", "scratch"], "CLASS=TEXT"),
        (["--try", "scratch="], "CLASS=TEXT"),
        (["--try", "scrach=a line"], "scratch"),
        (["--try", "scratch=dent"], "dent"),
        (["--out", "x.csv"], "--try"),
        (["--try", "scratch=a line", "--out", "x.txt"], ".csv"),
        (["--lang", "fr"], "--lang"),
    ],
)
def test_what_cannot_be_tried_is_said_in_a_sentence(
    made: Path, options: list[str], words: str, capsys: Any
) -> None:
    told = command(capsys, "names", made, *options)
    assert told.code == 2
    assert words in told.err
    assert "Traceback" not in told.err


def test_no_name_is_judged_where_the_model_knows_nothing(
    place: Place, tiny_clip: Path, quick: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    from clipgrip.trust.knowledge import Finding

    quick.chdir(tmp_path)
    quick.setattr("clipgrip.runs.pipeline.knowledge", lambda *_: (Finding("pointless", {}),))
    start = ["run", place.images, "--classes", place.classes, "--backbone", tiny_clip]
    told = command(capsys, *start, "--strategy", "zero-shot", "--json", "--out", "out")
    assert json.loads(told.out)["names"] is None
    found = json.loads(command(capsys, "names", "out", "--json").out)
    assert found["left_out"] > 0  # of a model of random numbers: one class would swallow the others
    quick.setattr("clipgrip.report.rewording.NEARLY_ALL", 1.0)
    listed = command(capsys, "names", "out")
    assert listed.code == 0
    assert "take its answers for guesses" in listed.out
    assert "below 0.50" not in listed.out
    assert "a scratch on the surface" in listed.out  # words may be what helps


def test_where_labels_alone_decide_it_says_that_no_name_moves_an_answer(
    made: Path, quick: pytest.MonkeyPatch, capsys: Any
) -> None:
    before = command(capsys, "names", made, "--try", "scratch=a thin line")
    assert "labels alone decide" not in before.out
    assert "Your words, and what the untuned model would answer with them:" in before.out
    quick.setattr("clipgrip.runs.naming.labels_alone_decide", lambda _: True)
    assert "In this run the labels alone decide" in command(capsys, "names", made).out
    assert json.loads(command(capsys, "names", made, "--json").out)["labels_decide"]


def test_words_that_would_make_it_worse_are_not_proposed(
    made: Path, quick: pytest.MonkeyPatch, capsys: Any
) -> None:
    asked: list[int] = []

    def worse_with_other_words(*_: Any) -> Naming:
        """After the texts as they are: the first text fits better, all others worse."""
        asked.append(0)
        first = {1: 0.1, 2: 0.3}.get(len(asked), 0.05)
        return Naming((NameFit(0, first, "nothing"), *(NameFit(c, 0.9, "fits") for c in (1, 2, 3))))

    quick.setattr("clipgrip.runs.rewording.naming", worse_with_other_words)
    quick.setattr("clipgrip.runs.rewording.TextTrial.templates", lambda _: ())
    found = json.loads(command(capsys, "names", made, "--json").out)
    assert [one["fit"] for one in found["proposed"]] == [{"scratch": 0.3}]
    assert found["left_out"] == len(asked) - 2 >= 1
    asked.clear()
    told = command(capsys, "names", made).out
    assert "would bring no gain." in told
    assert "Fit 0.10 before, 0.30 after." in told
    assert "Fit 0.10 before, 0.05 after." not in told


@pytest.mark.parametrize(("labeled", "after"), [(0, 0.104), (30, 0.3)])
def test_words_that_bring_no_gain_are_not_proposed(
    made: Path, quick: pytest.MonkeyPatch, capsys: Any, labeled: int, after: float
) -> None:
    """Where they leave the fit as it is read, or the model knows nothing and as many labels are right as before."""
    from clipgrip.runs.rewording import TextTrial
    from clipgrip.trust.knowledge import Finding

    def with_labels(trial: TextTrial, texts: Any) -> Any:
        return replace(moved(trial, texts), labeled=labeled, right=(4, 4) if labeled else None)

    moved = TextTrial._changes
    quick.setattr(TextTrial, "_changes", with_labels)
    quick.setattr("clipgrip.runs.rewording.naming", Reworded(after))
    if labeled:
        quick.setattr("clipgrip.runs.knowledge.doubts", lambda _: (Finding("pointless", {}),))
    told = command(capsys, "names", made).out
    assert "4 before, 4 after" not in told
    assert "answers would move." not in told
    assert "were tried and are not listed: they would bring no gain." in told


def test_where_to_keep_other_words_names_the_run(made: Path, capsys: Any) -> None:
    assert "on the page Class names of clipgrip review out." in command(capsys, "names", "out").out
