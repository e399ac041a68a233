"""Tables, mix-ups, pictures, steps, details and plots, one by one."""

from __future__ import annotations

import base64
import io
import subprocess
import sys

import pytest
import torch
from PIL import Image
from report_facts import MakeFacts, picture

from clipgrip.report.build import build_report
from clipgrip.report.classes import class_rows, spread_sentences
from clipgrip.report.details import tables
from clipgrip.report.figures import count_bars, share_line
from clipgrip.report.mixups import confident_errors, mixups
from clipgrip.report.pictures import SIDE, errors, galleries, thumbnail
from clipgrip.report.reading import Reading
from clipgrip.report.steps import steps
from clipgrip.report.trends import plots, round_rows
from clipgrip.sentences import quoted
from clipgrip.words import Words

SAY = Words("en")


def test_the_worst_found_class_stands_first(make_facts: MakeFacts) -> None:
    rows = class_rows(Reading(make_facts()))
    assert [row.found for row in rows] == sorted(row.found or 0.0 for row in rows)
    assert sorted(row.position for row in rows) == list(range(8))
    assert all(row.change == pytest.approx((row.found or 0) - (row.before or 0)) for row in rows)


def test_without_a_test_the_class_with_fewest_answers_stands_first(make_facts: MakeFacts) -> None:
    rows = class_rows(Reading(make_facts(test_per_class=0)))
    assert [row.answers for row in rows] == sorted(row.answers for row in rows)
    assert all(row.found is None and row.change is None and row.tests is None for row in rows)


def test_classes_short_of_k_are_flagged(make_facts: MakeFacts) -> None:
    facts = make_facts()
    short = {row.name for row in class_rows(Reading(facts)) if row.is_short}
    assert short == set(facts.metrics["rounds"][-1]["short_classes"])


@pytest.mark.parametrize(
    ("before", "after", "meaning"),
    [
        ([0.2, 0.8], [0.6, 0.8], "helped the weak classes most"),
        ([0.2, 0.8], [0.1, 0.9], "cost the weak classes"),
        ([0.2, 0.6], [0.2, 0.9], "less than the strong ones"),
        ([0.2, 0.8], [0.3, 0.9], "about as much"),
    ],
)
def test_robin_hood_is_told_in_words(
    make_facts: MakeFacts, before: list[float], after: list[float], meaning: str
) -> None:
    facts = make_facts(("OK", "NG"))
    facts.metrics["zero_shot"]["test"]["per_class"] = before
    facts.metrics["final"]["test"]["per_class"] = after
    assert meaning in spread_sentences(Reading(facts), SAY)[0]


def test_classes_without_test_images_do_not_spoil_the_means(make_facts: MakeFacts) -> None:
    facts = make_facts()
    facts.metrics["zero_shot"]["test"]["per_class"][0] = None
    facts.metrics["final"]["test"]["per_class"][0] = None
    assert "nan" not in spread_sentences(Reading(facts), SAY)[0]
    facts.metrics["zero_shot"]["test"]["per_class"] = [None] * 8
    assert spread_sentences(Reading(facts), SAY) == []


def test_mixups_count_the_test_images(make_facts: MakeFacts) -> None:
    result = mixups(Reading(make_facts()))
    assert result.kind == "confusion"
    assert sum(cell.count for row in result.matrix for cell in row) == result.total == 200
    assert (
        sum(cell.count for row in result.matrix for cell in row if not cell.is_right)
        == result.moved
    )
    assert [pair.count for pair in result.pairs] == sorted(
        (pair.count for pair in result.pairs), reverse=True
    )
    assert result.pairs[0].length == 1.0


def test_without_a_test_the_flows_are_those_of_the_unlabeled_images(make_facts: MakeFacts) -> None:
    result = mixups(Reading(make_facts(test_per_class=0, labeled=100)))
    assert result.kind == "flows"
    assert result.matrix == []
    assert result.total == 220


def test_confident_errors_are_wrong_and_the_surest_first(make_facts: MakeFacts) -> None:
    facts = make_facts()
    assert facts.test is not None
    places = confident_errors(Reading(facts))
    confidence, called = facts.test.probs.max(1)
    assert all(called[p] != facts.test.labels[p] for p in places)
    assert confidence[places].tolist() == sorted(confidence[places].tolist(), reverse=True)
    assert [p.path for p in errors(Reading(facts))] == [facts.test.paths[p] for p in places]


def test_no_picture_is_shown_twice_and_labeled_images_are_not_asked_about(
    make_facts: MakeFacts,
) -> None:
    run = Reading(make_facts(labeled=60))
    labeled = set(run.facts.paths[:60])
    for gallery in galleries(run, range(8)):
        shown = [picture.path for picture in gallery.surest + gallery.doubtful]
        assert len(shown) == len(set(shown))
        assert not labeled & set(shown)
        assert min((p.confidence for p in gallery.surest), default=1) >= max(
            (p.confidence for p in gallery.doubtful), default=0
        )


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK", "I;16", "1"])
def test_any_picture_becomes_a_small_jpeg(mode: str) -> None:
    image = picture(3, 400).convert("L") if mode == "I;16" else picture(3, 400)
    uri = thumbnail(image.convert(mode) if mode != "I;16" else Image.new("I;16", (400, 300)))
    small = Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))
    assert small.format == "JPEG"
    assert max(small.size) == SIDE


def test_a_tiny_picture_is_not_blown_up() -> None:
    uri = thumbnail(picture(1, 28))
    assert Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).size == (28, 28)


def test_steps_fit_the_run(make_facts: MakeFacts) -> None:
    commands = [step.command for step in steps(Reading(make_facts(test_per_class=0)), SAY)]
    assert commands[0] == "clipgrip review runs/2026-11-03-a7f3"
    assert all("--images" not in command for command in commands)
    assert any("predict runs/2026-11-03-a7f3 NEW_IMAGES" in command for command in commands)
    assert any("--backbone openai/clip-vit-base-patch32" in command for command in commands)
    other = [
        step.command
        for step in steps(Reading(make_facts(backbone="local/clip", strategy="zero-shot")), SAY)
    ]
    assert not any("--backbone" in command for command in other)
    assert any("--strategy grip" in command for command in other)


def test_where_the_answers_are_guesses_the_steps_are_what_helps_in_its_order(
    make_facts: MakeFacts,
) -> None:
    """Found as a plant engineer: the page called the answers guesses, and went on to sort new images by them."""
    facts = make_facts(test_per_class=0)
    facts.metrics["knowledge"] = [{"kind": "demo"}]
    titles = [step.title for step in steps(Reading(facts), SAY)]
    assert titles == [
        "Take a larger model",
        "Give a few labels",
        "Describe the classes better",
        "Measure the accuracy",
    ]
    facts.metrics["knowledge"] = [{"kind": "codes", "names": ["A-1"]}, {"kind": "pointless"}]
    assert steps(Reading(facts), SAY)[0].title == "Describe the classes better"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_a_folder_with_quotes_and_spaces_is_one_argument() -> None:
    name = 'it\'s $(a) "b" `c`'
    assert subprocess.check_output(["sh", "-c", f"printf %s {quoted(name)}"], text=True) == name


def test_details_hold_settings_versions_and_scores(make_facts: MakeFacts) -> None:
    found = {table.title: table for table in tables(Reading(make_facts()), SAY)}
    assert ("text around a class name (template)", "a photo of a {}.") in found["Settings"].rows
    assert ("torch", "2.13.0") in found["Versions"].rows
    assert found["Scores on the test images"].head == ("", "Before tuning", "After tuning")
    assert all(len(row) == 3 for row in found["Scores on the test images"].rows)
    assert "Scores on the test images" not in [
        table.title for table in tables(Reading(make_facts(test_per_class=0)), SAY)
    ]


def test_a_single_round_is_a_table_and_no_plot(make_facts: MakeFacts) -> None:
    run = Reading(make_facts(strategy="fpl"))
    assert plots(run, SAY) == []
    assert len(round_rows(run, SAY)) == 1


def test_accuracy_is_plotted_only_with_a_test(make_facts: MakeFacts) -> None:
    assert len(plots(Reading(make_facts()), SAY)) == 4
    assert len(plots(Reading(make_facts(test_per_class=0)), SAY)) == 3


def test_plots_keep_text_as_text_and_refer_only_to_themselves() -> None:
    svg = share_line("a", ["1", "2"], [0.5, 1.0], intervals=[[0.4, 0.6], [0.9, 1.0]], level=0.3)
    assert svg.startswith("<svg")
    assert ">100.0%</text>" in svg
    assert "xmlns" not in svg
    assert "metadata" not in svg
    assert 'id="a-' in svg


@pytest.mark.parametrize("values", [[0, 0], [1, 1], [0, 10**9], list(range(300))])
def test_any_counts_can_be_plotted(values: list[int]) -> None:
    assert "<svg" in count_bars("b", [str(i) for i in range(len(values))], values)


@pytest.mark.parametrize("values", [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], torch.rand(300).tolist()])
def test_any_shares_can_be_plotted(values: list[float]) -> None:
    assert "<svg" in share_line("c", [str(i) for i in range(len(values))], values, level=0.5)


def test_a_run_that_took_all_images_softly_does_not_speak_of_the_surest(
    make_facts: MakeFacts,
) -> None:
    facts = make_facts()
    facts.metrics["method"] = {"select": "everything"}
    page = build_report(facts)
    assert "tuned anew on all images, each with its probabilities" in page
    for words in ("surest images of each class", "trusts the surest", "k per class", "Short of k"):
        assert words not in page
    facts.metrics["method"] = {"select": "balanced"}
    assert "surest images of each class" in build_report(facts)
