"""The board reads what kind of promise was given, and a promise about other images counts for no criterion."""

from __future__ import annotations

from dataclasses import replace

import pytest
from board_facts import AFTER, board_facts, criteria, version
from report_facts import SURFACES

from clipgrip.report.board.facts import Automation
from clipgrip.report.board.figures import PROMISED, figures
from clipgrip.report.board.results import Results
from clipgrip.report.board.verdict import board_verdict, criterion_note
from clipgrip.trust.terms import KINDS
from clipgrip.words import LANGUAGES, Language, Words

OF_WHAT = {
    "delivered": ("of all labels within the scope", "抜き取り確認で直したものを含め"),
    "decided": ("at most 2.0% of them wrong", "うち誤りは2.0%以下"),
    "source": ("a new image of the same source", "同じ条件で撮影した新しい画像"),
    "apart": ("at most 2.0% are misses, and at most 2.0% overkill", "見逃しは2.0%以下、過検出は2.0%以下"),
}  # fmt: skip
"""What a reader must be able to tell, in English and Japanese."""


def promised(about: str) -> Automation:
    return Automation(1630, 770, 0.02, 0.95, 310, 1, AFTER, "Sato", "runs.db", about)


def test_each_kind_of_promise_has_its_sentence() -> None:
    assert set(PROMISED) == {*KINDS, "apart"} == set(OF_WHAT)


@pytest.mark.parametrize("about", OF_WHAT)
def test_the_board_reads_of_what_the_promise_is(about: str) -> None:
    results = Results(board_facts(automation=promised(about)))
    for language, words in zip(LANGUAGES, OF_WHAT[about], strict=True):
        notes = [one.note for one in figures(results, Words(language)) if "1,630" in one.note]
        assert len(notes) == 1
        assert words in notes[0]
        assert all(one in notes[0] for one in ("2,400", "95%"))


@pytest.mark.parametrize(
    ("about", "judged"), [("delivered", "yes"), ("decided", "yes"), ("source", "unknown")]
)
def test_a_promise_about_new_images_of_a_source_says_nothing_of_these(
    about: str, judged: str
) -> None:
    facts = board_facts(
        automation=promised(about), versions=[version(SURFACES, automated="0.6:0.4")]
    )
    (row,) = board_verdict(Results(facts), Words("en")).rows
    assert row.judgement == judged


def test_misses_and_overkill_apart_are_all_errors_only_where_there_is_one_class_of_each() -> None:
    """One defect taken for another is neither, and a wrong label all the same."""
    facts = board_facts(
        automation=promised("apart"), versions=[version(SURFACES, automated="0.6:0.4")]
    )
    assert len(facts.class_names) > 2
    (row,) = board_verdict(Results(facts), Words("en")).rows
    assert row.judgement == "unknown"
    pair = replace(facts, class_names=("good", "bad"), evidence=None)
    criterion = next(one for one in criteria() if one.name == "automated")
    assert Results(pair)._found(criterion).value == pytest.approx(1630 / 2400)


def test_a_criterion_says_what_may_be_wrong_and_in_which_case_it_is_judged() -> None:
    say, by_name = Words("en"), {one.name: one for one in criteria()}
    note = criterion_note(by_name["automated"], True, say)
    assert note == "at most 2.0% of its labels wrong, those put right in the audit among them"
    assert criterion_note(by_name["payback"], True, say) == "judged in the cautious case"
    assert criterion_note(by_name["payback"], False, say) == "judged in the middle case"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_criterion_has_a_note_of_its_own(language: Language) -> None:
    say = Words(language)
    notes = [criterion_note(one, proven, say) for one in criteria() for proven in (True, False)]
    assert all(notes)
    assert len(set(notes)) == len(criteria()) + 1, "only payback differs by the rule"
