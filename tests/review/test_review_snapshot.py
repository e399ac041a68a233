"""A snapshot is one moment: it never changes, and step by step it comes to what a fresh computation gives."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from review_helpers import answer, said

from clipgrip.review import classes as edits
from clipgrip.review.class_table import ClassTable
from clipgrip.review.layers import THIN, Layers
from clipgrip.review.overview import overview, terms_of
from clipgrip.review.queues import audit
from clipgrip.review.session import ReviewSession
from clipgrip.review.snapshot import ReviewSnapshot, read_snapshot
from clipgrip.review.states import ImageState, ImageStates
from clipgrip.review.store import NAME, StoredClass, open_review

STATES = ("state", "klass", "audit", "file_label")


def same(one: ReviewSnapshot, other: ReviewSnapshot) -> bool:
    """Whether two snapshots say the same of every image."""
    pairs = ((getattr(one.states, name), getattr(other.states, name)) for name in STATES)
    values = (one.answers, dict(one.opinions)) == (other.answers, dict(other.opinions))
    return values and all(np.array_equal(a, b) for a, b in pairs)


def test_a_page_that_is_being_made_stays_of_one_moment_while_people_answer(
    session: ReviewSession,
) -> None:
    before = session.snapshot
    open_before = overview(before, terms_of(0.02, 0.95)).open
    answer(session, 5, 1)
    session.undo(answer(session, 6, 2).token, "Sato")
    edits.merge(session, 2, 4, "Sato")
    assert (before.answers, dict(before.opinions)) == ((), {})
    assert overview(before, terms_of(0.02, 0.95)).open == open_before
    assert overview(session.snapshot, terms_of(0.02, 0.95)).open == open_before - 1
    assert [one.name for one in before.classes.active] == ["scratch", "dent", "good part", "steel"]
    assert len(session.snapshot.answers) == 1


def test_the_states_of_a_snapshot_cannot_be_written(session: ReviewSession) -> None:
    for name in STATES:
        with pytest.raises(ValueError, match="read-only"):
            getattr(session.snapshot.states, name)[0] = 1


def test_answer_by_answer_it_comes_to_what_is_computed_afresh(session: ReviewSession) -> None:
    draw, drawn = random.Random(0), audit(session.snapshot)[:6].tolist()
    tokens: list[str] = []
    for _ in range(120):
        kind, person = draw.random(), draw.choice(("Sato", "Ito", ""))
        if kind < 0.15 and tokens:
            session.undo(draw.choice(tokens), person)
            continue
        row = draw.choice(drawn) if kind < 0.4 else draw.randrange(12)
        audited = bool(session.snapshot.states.audit[row]) or row in drawn
        purpose = "settle" if kind > 0.9 else "audit" if audited else "review"
        klass = draw.choice((1, 2, None, None))
        tokens.append(answer(session, row, klass, person, purpose=purpose).token)
        assert same(session.snapshot, read_snapshot(session.folder, session.store))
    assert {*session.snapshot.states.state.tolist()} >= {
        ImageState.OPEN,
        ImageState.DECIDED,
        ImageState.DISAGREE,
        ImageState.UNSURE,
    }


def test_a_report_on_a_review_that_never_showed_a_page_writes_nothing_into_it(
    folder: Path,
) -> None:
    with open_review(folder, create=True):
        pass
    before = (folder / NAME).read_bytes()
    with open_review(folder) as store:
        snapshot = read_snapshot(folder, store)
        assert (store.rounds(), store.classes()) == ([], [])
    assert (folder / NAME).read_bytes() == before
    assert (snapshot.round.number, len(snapshot.classes.active)) == (1, 4)


def test_answers_of_one_call_are_kept_together_or_not_at_all(session: ReviewSession) -> None:
    image = session.snapshot.view.rows[3].sha256
    assert session.answer([said(image, 1), said(image, 2, "Ito"), said(image, 2)]) == 3
    assert ImageState(session.snapshot.states.state[3]) == ImageState.DECIDED
    assert session.snapshot.states.klass[3] == 2
    assert session.snapshot.by_image[image] == session.snapshot.answers


# -- the small parts -------------------------------------------------------------------------------------------------


def test_a_state_has_one_word_for_pages_and_files() -> None:
    words = ["open", "decided", "disagree", "unsure", "asked", "given"]
    assert [state.word for state in ImageState] == words
    assert [int(state) for state in ImageState] == list(range(6))


def test_before_any_answer_only_labels_from_files_count() -> None:
    states = ImageStates.unanswered(np.array([-1, 2, -1]))
    assert states.state.tolist() == [ImageState.OPEN, ImageState.GIVEN, ImageState.OPEN]
    assert states.klass.tolist() == [-1, 2, -1]
    assert states.labeled.tolist() == [False, True, False]
    assert (states.count(ImageState.OPEN), states.audit.any()) == (2, False)


def test_a_column_is_a_position_among_the_active_classes() -> None:
    table = ClassTable(
        (
            StoredClass(1, "a", "a", "gone"),
            StoredClass(2, "b", "b", "merged", 4),
            StoredClass(3, "c", "c"),
            StoredClass(4, "d", "d"),
        )
    )
    assert table.ids.tolist() == [3, 4]
    assert table.columns(np.array([4, 3, 2, -1])).tolist() == [1, 0, -1, -1]
    assert table.class_names.display == ("c", "d")
    assert [table.of_first_run(n) for n in range(4)] == [None, 4, 3, 4]
    assert table.counts(np.array([3, 3, -1, 2])) == {3: 2, 4: 0}
    assert table.names[1] == "a"


@given(st.lists(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 3) | st.none())))
def test_layers_are_a_mapping_that_earlier_ones_do_not_notice(changes) -> None:
    layers, plain, kept = Layers[int](), dict[str, int](), []
    for values in changes:
        layers = layers.changed(values)
        plain = {key: value for key, value in (plain | values).items() if value is not None}
        kept.append((layers, plain))
        assert len(layers) == len(plain)
    assert all(dict(one) == other for one, other in kept)


def test_layers_become_one_before_changing_them_takes_long() -> None:
    layers = Layers[int]({"first": 1})
    for n in range(2 * THIN):
        layers = layers.changed({str(n): n, "first": None})
        assert len(layers._above) <= THIN
    assert dict(layers) == {str(n): n for n in range(2 * THIN)}
