"""What a report says of the refinement that each round learned from."""

from __future__ import annotations

from typing import Any

import pytest
from report_facts import MakeFacts

from clipgrip.pseudolabel.refine import reasons
from clipgrip.report.build import build_report
from clipgrip.report.reading import Reading
from clipgrip.report.refining import WHY, never_refined, refining, would_divide
from clipgrip.words import Words


def told(method: str, *why: reasons.Reason) -> dict[str, Any]:
    """As a round keeps it."""
    return {"method": method, "why": [{"text": one.text, "values": one.values} for one in why]}


PER_CLASS = reasons.Reason(reasons.PER_CLASS, n=25)
JOINED = told("joined", reasons.Reason(reasons.NONE_LOSES), PER_CLASS)
ALONE = told("zero-shot", reasons.Reason(reasons.WOULD_DIVIDE), PER_CLASS)


def run_of(make_facts: MakeFacts, *rounds: dict[str, Any] | None) -> Reading:
    facts = make_facts(rounds=len(rounds))
    facts.metrics["method"] = {"select": "everything"}
    for entry, refined in zip(facts.metrics["rounds"], rounds, strict=True):
        if refined:
            entry["refined"] = refined
    return Reading(facts)


def test_rounds_that_were_refined_alike_share_a_sentence(make_facts: MakeFacts) -> None:
    run = run_of(make_facts, JOINED, JOINED, ALONE)
    assert refining(run, Words("en")) == [
        "Rounds 1 to 2: similar images improved the answers (no class lost many of its images by it; "
        "on average 25 images for each class).",
        "Round 3: the answers were left as they were (groups of similar images would have divided up a class that gets "
        "very many of the answers; on average 25 images for each class).",
    ]
    assert not never_refined(run)
    assert would_divide(run)


def test_answers_that_were_never_improved_are_not_called_improved(make_facts: MakeFacts) -> None:
    run = run_of(make_facts, ALONE, ALONE)
    assert never_refined(run)
    page = build_report(run.facts, "en")
    assert "could not safely improve the answers" in page
    assert "the answers were improved by what the images have in common" not in page
    assert "label some of the other classes" in page
    japanese = build_report(run.facts, "ja")
    assert "判定を安全に改善できなかった" in japanese
    assert "ほかのクラスにいくつかラベルを付けて" in japanese


@pytest.mark.parametrize("refined", [None, told("zero-shot"), {"method": "later", "why": [{}]}])
def test_runs_that_do_not_tell_say_nothing(
    make_facts: MakeFacts, refined: dict[str, Any] | None
) -> None:
    run = run_of(make_facts, refined, refined)
    assert refining(run, Words("en")) == []
    assert not never_refined(run)
    assert "the answers were improved by what the images have in common" in build_report(run.facts)


def test_every_reason_has_plain_words_in_both_languages() -> None:
    texts = [v for k, v in vars(reasons).items() if k.isupper() and isinstance(v, str)]
    assert set(WHY) == {*texts}
    for say in (Words("en"), Words("ja")):
        for text in WHY.values():
            assert say(text, n=3, absent=1, classes=4)
        assert all(say(text) for text in reasons.DONE.values())
