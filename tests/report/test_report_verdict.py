"""The verdict claims what the numbers carry and no more."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from report_facts import MakeFacts

from clipgrip.metrics import Share
from clipgrip.report.audited import Audited, beside_the_test
from clipgrip.report.build import build_report
from clipgrip.report.reading import Reading
from clipgrip.report.verdict import Verdict, verdict
from clipgrip.trust.honesty import honesty
from clipgrip.words import Words


def judge(make_facts: MakeFacts, **values: object) -> Verdict:
    return verdict(Reading(make_facts(**values)), Words("en"))


def said(result: Verdict) -> str:
    figures = [
        text for figure in result.figures for text in (figure.label, figure.value, figure.note)
    ]
    return "\n".join([result.headline, result.done, result.strategy, *figures, *result.points])


def test_a_clear_gain_is_called_one(make_facts: MakeFacts) -> None:
    result = judge(make_facts)
    assert result.tone == "good"
    assert [bar.kind for bar in result.bars] == ["before", "after"]
    assert all(bar.low <= bar.value <= bar.high for bar in result.bars)


def test_a_loss_is_called_one(make_facts: MakeFacts) -> None:
    result = judge(make_facts, skills=(3.0, 1.7))
    assert result.tone == "bad"
    assert "keep the untuned answers" in result.headline


def test_a_difference_that_may_be_chance_is_not_called_a_gain(make_facts: MakeFacts) -> None:
    result = judge(make_facts, test_per_class=1, skills=(1.7, 2.0))
    assert result.tone == "flat"
    assert "That may be chance." in said(result)
    assert "8 test images are few" in said(result)


def test_without_a_test_no_accuracy_is_claimed(make_facts: MakeFacts) -> None:
    result = judge(make_facts, test_per_class=0)
    text = said(result)
    assert result.tone == "open"
    assert result.bars == []
    assert "unknown" in text
    assert "uncalibrated" in text
    assert "this is not the accuracy" in text
    assert "±9.0 points, 200 to ±6.4" in text


def test_classes_without_answers_are_named(make_facts: MakeFacts) -> None:
    facts = make_facts(test_per_class=0)
    facts.metrics["final"]["pool"]["per_class"][2] = 0
    assert "No image was given to: dent." in said(verdict(Reading(facts), Words("en")))
    assert "Classes with answers" in said(verdict(Reading(facts), Words("en")))
    facts.metrics["data"]["unlabeled"] = 0  # people answered all of them
    told = said(verdict(Reading(facts), Words("en")))
    assert not any(one in told for one in ("was given to", "Classes with answers", "settled"))


def test_restless_answers_are_called_so(make_facts: MakeFacts) -> None:
    assert "have settled" in said(judge(make_facts, test_per_class=0))
    assert "have not settled: 34.0%" in said(judge(make_facts, test_per_class=0, rounds=1))


def test_untuned_clip_is_not_compared_with_itself(make_facts: MakeFacts) -> None:
    result = judge(make_facts, strategy="zero-shot")
    assert result.tone == "plain"
    assert len(result.bars) == 1
    assert "Change by tuning" not in said(result)


def test_the_paradigm_is_spelled_out(make_facts: MakeFacts) -> None:
    assert "no labels (UL)" in said(judge(make_facts))
    assert "people had labeled 16 of the images" in said(judge(make_facts, labeled=16))
    some = said(judge(make_facts, labeled=200, unseen=3))
    assert "labels for some classes only (TRZSL)" in some
    assert "harmonic mean of both" in some


def test_paired_counts_are_those_of_the_test_images(make_facts: MakeFacts) -> None:
    facts = make_facts()
    assert facts.test is not None
    fixed, broken = Reading(facts).paired
    right = [
        (p.argmax(1) == facts.test.labels).sum().item()
        for p in (facts.test.zero_shot, facts.test.probs)
    ]
    assert fixed - broken == right[1] - right[0]


def test_images_that_are_gone_are_counted_in_both_languages(make_facts: MakeFacts) -> None:
    facts = make_facts()
    facts.metrics["data"] |= {"pool": 150, "test": 30}
    assert "gone" not in said(verdict(Reading(facts), Words("en")))
    less = replace(facts, lost=50, unseen=2)
    text = said(verdict(Reading(less), Words("en")))
    assert "50 of the 180 images of the run are gone or cannot be read" in text
    assert "2 of the 180 images have no file any more" in text
    assert "画像180枚のうち50枚" in build_report(less, "ja")


def test_test_rows_without_a_label_count_nowhere(make_facts: MakeFacts) -> None:
    facts = make_facts()
    assert facts.test is not None
    facts.test.labels[:] = -1
    assert Reading(facts).paired == (0, 0)
    assert Reading(facts).effect == 0
    assert Reading(facts).test_counts == torch.zeros(8, dtype=torch.long).tolist()


def test_weak_classes_are_named_worst_first(make_facts: MakeFacts) -> None:
    facts = make_facts(("a", "b", "c", "d"))
    facts.metrics["final"]["test"]["per_class"] = [0.4, None, 0.1, 0.5]
    assert "Found less than half of the time: c, a." in said(verdict(Reading(facts), Words("en")))


@pytest.mark.parametrize("answers", ["final", "zero-shot"])
def test_calibration_is_told_with_its_diagram_and_by_whom_it_was_judged(
    make_facts: MakeFacts, answers: str
) -> None:
    facts = make_facts()
    assert facts.test is not None
    found = honesty(facts.test.probs, facts.test.labels)
    assert found is not None
    facts.metrics["calibration"] = {"answers": answers, "judged_by": "test", **found.to_dict()}
    text = said(verdict(Reading(facts), Words("en")))
    assert f"{100 * found.checked.before['ece_equal_mass']:.1f}%" in text
    assert ("learned from" in text) == (answers == "zero-shot")
    for language in ("en", "ja"):
        page = build_report(facts, language)  # type: ignore[arg-type]
        assert 'id="confidence"' in page
        assert f"{found.checked.after['brier']:.3f}" in page
    facts.metrics["calibration"] = None
    assert 'id="confidence"' not in build_report(facts)


def test_an_estimate_is_never_an_accuracy_and_brings_its_warning(make_facts: MakeFacts) -> None:
    facts = make_facts(test_per_class=0)
    facts.metrics["estimate"] = {"accuracy": 0.72, "interval": [0.56, 0.88]}
    result = verdict(Reading(facts), Words("en"))
    (guess,) = [point for point in result.points if "72%" in point]
    for words in ("Estimated", "56.0% to 88.0%", "no measurement", "200 images"):
        assert words in guess
    assert result.figures[0].value == "unknown"
    assert "72%" not in result.headline


@pytest.mark.parametrize(("kept", "words"), [(2, "those of round 2"), (0, "untuned CLIP's")])
def test_a_run_that_went_back_says_so_first_in_both_languages(
    make_facts: MakeFacts, kept: int, words: str
) -> None:
    facts = make_facts(rounds=4)
    reason = "one class swallows others; the answers leave classes out"
    facts.metrics["stopped"] = {"round": 4, "reason": reason, "kept": kept}
    first, *rest = verdict(Reading(facts), Words("en")).points
    assert "went astray in round 4: one class takes over images of others, some classes" in first
    assert words in first
    assert not any("settled" in point for point in rest)
    assert "ラウンド4で学習が崩れました" in build_report(facts, "ja")


TAUGHT = {
    "given": 8,
    "per_class": [1] * 8,
    "text_weight": 1.0,
    "uses_unlabeled": True,
    "held_out": None,
}


def test_a_run_that_went_back_to_its_labels_is_not_called_untuned(make_facts: MakeFacts) -> None:
    facts = make_facts(rounds=4, labeled=8)
    facts.metrics["stopped"] = {"round": 4, "reason": "one class swallows others", "kept": 0}
    facts.metrics["labels"] = {**TAUGHT, "contradicted": []}
    first = verdict(Reading(facts), Words("en")).points[0]
    assert "the answers are those that the labels alone give" in first
    assert "untuned CLIP's" not in first


def test_what_labels_say_stands_beside_a_test_as_well(make_facts: MakeFacts) -> None:
    facts = make_facts(labeled=8)
    fit = {"right": 6, "n": 8}
    facts.metrics["labels"] = {**TAUGHT, "fit": fit, "contradicted": []}
    points = " ".join(verdict(Reading(facts), Words("en")).points)
    assert "of the 8 labels that it learned, 6 are answered" in points.lower()


def test_a_headline_of_the_test_says_what_the_audit_found_beside_it() -> None:
    found = Audited(Share(40, 50), "steel", Share(20, 50))
    (english,) = beside_the_test(found, Words("en"))
    assert "of the test images" in english
    assert "50 images drawn at random from those without a label: 80.0% right" in english
    (japanese,) = beside_the_test(found, Words("ja"))
    assert "50枚" in japanese
    assert beside_the_test(None, Words("en")) == []
