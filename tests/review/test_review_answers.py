"""What all answers together say about an image."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from review_helpers import said

from clipgrip.review.answers import LONGEST, effective, opinions, pace
from clipgrip.review.states import ImageState
from clipgrip.review.store import Answer, StoredClass

A, B = "a" * 64, "b" * 64
CAT, DOG, FOX, OLD = 1, 2, 3, 4
ALL = effective([StoredClass(n, str(n), str(n)) for n in (CAT, DOG, FOX, OLD)])


def state(*answers: Answer, counts_as: dict[int, int | None] = ALL) -> tuple[str, int | None]:
    found = opinions(answers, counts_as).get(A)
    return ("none", None) if found is None else (found.state.word, found.klass)


def test_the_last_word_of_each_person_counts() -> None:
    assert state(said(A, CAT)) == ("decided", CAT)
    assert state(said(A, CAT), said(A, DOG)) == ("decided", DOG)
    assert state(said(A, CAT), said(A, DOG, "Ito")) == ("disagree", None)
    assert state(said(A, CAT), said(A, DOG, "Ito"), said(A, DOG)) == ("decided", DOG)


def test_who_cannot_tell_leaves_the_word_to_those_who_can() -> None:
    assert state(said(A, None)) == ("unsure", None)
    assert state(said(A, None), said(A, CAT, "Ito")) == ("decided", CAT)
    assert state(said(A, CAT), said(A, None)) == ("unsure", None)


def test_a_second_opinion_is_there_when_two_people_have_spoken() -> None:
    ask = said(A, None, verdict="ask")
    assert state(ask) == ("asked", None)
    assert state(said(A, CAT), ask) == ("asked", None)
    assert state(said(A, CAT), ask, said(A, CAT, "Ito")) == ("decided", CAT)
    assert state(said(A, CAT), ask, said(A, DOG, "Ito")) == ("disagree", None)


def test_settling_ends_what_was_said_before_and_not_what_comes_after() -> None:
    before = said(A, CAT), said(A, DOG, "Ito"), said(A, FOX, "Abe", purpose="settle")
    assert state(*before) == ("decided", FOX)
    assert opinions(before, ALL)[A].people == ("Abe",)
    assert state(*before, said(A, CAT)) == ("disagree", None)


def test_a_merged_class_counts_as_the_other_also_along_a_chain() -> None:
    classes = [
        StoredClass(CAT, "cat", "cat", "merged", DOG),
        StoredClass(DOG, "dog", "dog", "merged", FOX),
        StoredClass(FOX, "fox", "fox"),
        StoredClass(OLD, "old", "old", "gone"),
        StoredClass(5, "older", "older", "merged", OLD),
    ]
    counts_as = effective(classes)
    assert counts_as == {CAT: FOX, DOG: FOX, FOX: FOX, OLD: None, 5: None}
    assert state(said(A, CAT), said(A, DOG, "Ito"), counts_as=counts_as) == ("decided", FOX)


def test_an_image_whose_class_is_gone_is_to_be_answered_again() -> None:
    gone = {**ALL, OLD: None}
    assert state(said(A, OLD), counts_as=gone) == ("none", None)
    assert state(said(A, CAT), said(A, OLD), counts_as=gone) == ("none", None)
    settled = said(A, CAT), said(A, DOG, "Ito"), said(A, OLD, "Abe", purpose="settle")
    assert state(*settled, counts_as=gone) == ("none", None)
    assert state(*settled, said(A, FOX, "Abe"), counts_as=gone) == ("decided", FOX)


def test_an_audited_image_stays_audited_also_when_its_class_is_gone() -> None:
    gone = {**ALL, OLD: None}
    audited = said(A, OLD, purpose="audit")
    found = opinions([audited], gone)[A]
    assert (found.state.word, found.klass, found.audit) == ("open", None, True)
    assert opinions([audited, said(A, CAT, "Ito", purpose="settle")], gone)[A].audit


PEOPLE = st.sampled_from(["Sato", "Ito", "Abe"])
SAID = st.builds(
    lambda image, klass, person, purpose, ask: said(
        image,
        None if ask else klass,
        person,
        purpose=purpose,
        **({"verdict": "ask"} if ask else {}),
    ),
    st.sampled_from([A, B]),
    st.sampled_from([CAT, DOG, FOX, OLD, None]),
    PEOPLE,
    st.sampled_from(["review", "audit", "settle", "import"]),
    st.booleans(),
)
HISTORY = st.lists(SAID, max_size=8)


@settings(deadline=None)
@given(HISTORY, st.sets(st.sampled_from([DOG, FOX, OLD])), st.randoms(use_true_random=False))
def test_answers_about_other_images_change_nothing(history, gone, random) -> None:
    counts_as = ALL | dict.fromkeys(gone)
    alone = {i: opinions([a for a in history if a.image == i], counts_as).get(i) for i in (A, B)}
    groups = {i: [a for a in history if a.image == i] for i in (A, B)}
    order = [a.image for a in history]
    random.shuffle(order)
    mixed = [groups[image].pop(0) for image in order]
    assert {i: opinions(mixed, counts_as).get(i) for i in (A, B)} == alone


@settings(deadline=None)
@given(HISTORY, PEOPLE, st.sampled_from([CAT, DOG]))
def test_a_settled_image_is_decided_whatever_was_said_before(history, person, klass) -> None:
    settled = [*history, said(A, klass, person, purpose="settle")]
    assert state(*settled) == ("decided", klass)


@settings(deadline=None)
@given(HISTORY, st.sets(st.sampled_from([DOG, FOX, OLD])))
def test_a_state_and_its_class_go_together(history, gone) -> None:
    for found in opinions(history, ALL | dict.fromkeys(gone)).values():
        assert (found.klass is not None) == (found.state == ImageState.DECIDED)
        assert found.klass not in gone
        assert found.audit or found.state != ImageState.OPEN
        assert found.people == tuple(person for person, _ in found.by_person)


@settings(deadline=None)
@given(HISTORY)
def test_saying_the_same_again_changes_nothing(history) -> None:
    plain = [replace(a, purpose="review") for a in history]
    again = [one for a in plain for one in (a, a)]
    assert opinions(again, ALL) == opinions(plain, ALL)


def test_pace_leaves_out_who_was_away_and_what_was_not_measured() -> None:
    looks = [1.0, 2.0, 3.0, 4.0, 5.0, 4000.0, None]
    found = pace(said(A, CAT, seconds=look) for look in looks)
    assert found is not None
    assert (found.measured, found.low, found.middle, found.high) == (5, 2.0, 3.0, 4.0)
    assert found.total == pytest.approx(15 + LONGEST)
    assert pace([said(A, CAT, seconds=None)]) is None
