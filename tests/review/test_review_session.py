"""The session: whom the audit protects, what is refused, what changed classes do."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from projects import Place, project
from review_helpers import answer, id_of, said, truth

from clipgrip.config import Settings
from clipgrip.data.classes import ClassNames
from clipgrip.errors import ClipgripError, DataError, PromptError
from clipgrip.fewshot.joint import joined_probs
from clipgrip.prompts.classifier import zero_shot
from clipgrip.review import classes as edits
from clipgrip.review.overview import overview, terms_of
from clipgrip.review.queues import QUEUES, audit
from clipgrip.review.rounds import manifest_of
from clipgrip.review.session import ReviewSession
from clipgrip.review.states import ImageState
from clipgrip.review.store import open_review
from clipgrip.runs.embedding import load_model
from clipgrip.runs.pipeline import run
from clipgrip.runs.store import open_store
from clipgrip.runs.untuned_model import UntunedModel


def offered(session: ReviewSession, *names: str) -> set[int]:
    return {row for name in names for row in QUEUES[name](session.snapshot, None, "Abe").tolist()}


def state(session: ReviewSession, row: int) -> str:
    return ImageState(session.snapshot.states.state[row]).word


def test_the_images_are_the_pool_of_the_run_and_never_its_test(
    session: ReviewSession, parts: Place
) -> None:
    assert {row.path for row in session.snapshot.view.rows} == set(parts.truth) - set(
        parts.test_paths
    )
    assert [c.name for c in session.snapshot.classes.stored] == [
        "scratch",
        "dent",
        "good part",
        "steel",
    ]
    assert [c.id for c in session.snapshot.classes.stored] == [1, 2, 3, 4]


def test_labels_from_files_are_given_and_are_not_asked(session: ReviewSession) -> None:
    given = np.flatnonzero(session.snapshot.states.state == ImageState.GIVEN).tolist()
    assert len(given) == 2
    assert set(session.snapshot.states.klass[given]) == {id_of(session, "scratch")}
    assert not offered(session, "doubtful", "surest", "audit") & set(given)


def test_given_labels_stay_with_their_class_when_it_is_renamed_or_another_takes_its_name(
    session: ReviewSession,
) -> None:
    given = np.flatnonzero(session.snapshot.states.state == ImageState.GIVEN)
    edits.edit(session, 1, "キズ", "a long scratch", "Sato")
    edits.add(session, "scratch", "something else", "Sato")
    assert (session.snapshot.states.state[given] == ImageState.GIVEN).all()
    assert set(session.snapshot.states.klass[given]) == {1}


def test_the_review_answers_as_the_run_did(session: ReviewSession) -> None:
    outcome = session.snapshot.view.outcome
    of_run = {
        row.sha256: probs
        for row, probs in zip(outcome.embeds.pool_rows, outcome.answers.pool, strict=True)
    }
    expected = torch.stack([of_run[row.sha256] for row in session.snapshot.view.rows])
    torch.testing.assert_close(session.snapshot.view.probs, expected, atol=1e-6, rtol=0)
    assert session.snapshot.view.as_run


def test_audited_images_are_offered_in_no_review_queue_and_reach_no_label(
    session: ReviewSession,
) -> None:
    rows = audit(session.snapshot)[:8].tolist()
    for n, row in enumerate(rows):
        answer(session, row, None if n == 3 else 1 + n % 4, purpose="audit")
    assert not offered(session, "doubtful", "surest", "helpful", "asked", "second") & set(rows)
    assert not set(audit(session.snapshot).tolist()) & set(rows)
    hashes = {session.snapshot.view.rows[row].sha256 for row in rows}
    with open_store(session.folder) as store:
        first = store.manifest(session.snapshot.round.rounds[0].run)
    learned = manifest_of(first, session.snapshot.classes.stored, session.snapshot.opinions)
    for row in learned.rows:
        if row.sha256 in hashes:
            assert row.split == "test"
    assert not {row.sha256 for row in learned.rows if row.split == "pool"} & hashes


def test_an_audited_image_takes_no_review_answer(session: ReviewSession) -> None:
    row = int(audit(session.snapshot)[0])
    answer(session, row, 1, purpose="audit")
    with pytest.raises(DataError, match="random audit"):
        answer(session, row, 2, "Ito")
    answer(session, row, 2, "Ito", purpose="settle")
    assert session.snapshot.states.audit[row]
    assert (state(session, row), session.snapshot.states.klass[row]) == ("decided", 2)


def test_only_images_of_the_draw_are_audited(session: ReviewSession) -> None:
    given = int(np.flatnonzero(session.snapshot.states.state == ImageState.GIVEN)[0])
    with pytest.raises(DataError, match="not drawn"):
        answer(session, given, 1, purpose="audit")


def test_what_is_not_known_is_refused_and_nothing_of_the_call_is_kept(
    session: ReviewSession,
) -> None:
    image = session.snapshot.view.rows[0].sha256
    for wrong in (
        said("f" * 64, 1),
        said(image, 99),
        said(image, 1, verdict="unsure"),
        said(image, None, verdict="class"),
    ):
        with pytest.raises(DataError, match="Reload the page"):
            session.answer([said(session.snapshot.view.rows[1].sha256, 1), wrong])
    assert session.snapshot.answers == ()
    assert session.store.answers() == []


def test_a_token_twice_is_one_answer(session: ReviewSession) -> None:
    given = answer(session, 5, 1)
    assert session.answer([given, given]) == 0
    other = said(session.snapshot.view.rows[6].sha256, 1)
    assert session.answer([other, other]) == 1
    assert len(session.snapshot.answers) == 2


def test_taking_back_opens_the_image_again_once(session: ReviewSession) -> None:
    row = int(audit(session.snapshot)[0])
    given = answer(session, row, 1, purpose="audit")
    version = session.snapshot.version
    assert session.undo(given.token, "Sato")
    assert session.undo(given.token, "Sato") is None
    assert session.undo("nothing-there", "Sato") is None
    assert (state(session, row), session.snapshot.states.audit[row]) == ("open", False)
    assert session.snapshot.version > version
    assert session.answer([given]) == 0  # the page sends it again
    assert state(session, row) == "open"


def test_another_server_on_the_same_review_is_heard(session: ReviewSession) -> None:
    with open_review(session.folder) as store:
        other = ReviewSession(session.folder, store)
        answer(other, 4, 3, "Ito")
        answer(session, 7, 2)
        assert state(session, 4) == "decided"


def test_a_restart_finds_everything(session: ReviewSession) -> None:
    edits.add(session, "rust", "rusty steel", "Sato")
    answer(session, 4, id_of(session, "rust"))
    answer(session, int(audit(session.snapshot)[3]), None, purpose="audit")
    with open_review(session.folder) as store:
        again = ReviewSession(session.folder, store)
        assert again.snapshot.opinions == session.snapshot.opinions
        for name in ("state", "klass", "audit"):
            assert (
                getattr(again.snapshot.states, name) == getattr(session.snapshot.states, name)
            ).all()
        torch.testing.assert_close(
            again.snapshot.view.probs, session.snapshot.view.probs, atol=0, rtol=0
        )


# -- classes ---------------------------------------------------------------------------------------------------------


def test_answers_stay_with_a_renamed_class_and_go_with_a_merged_one(session: ReviewSession) -> None:
    answer(session, 3, 2)
    edits.edit(session, 2, "打痕", "dent", "Sato")
    assert session.snapshot.states.klass[3] == 2
    edits.merge(session, 2, 4, "Sato")
    assert session.snapshot.states.klass[3] == 4
    assert [c.id for c in session.snapshot.classes.active] == [1, 3, 4]
    assert not session.snapshot.view.as_run
    with pytest.raises(DataError, match="no longer there"):
        answer(session, 5, 2)


@pytest.mark.parametrize("how", ["split", "remove"])
def test_images_of_a_class_that_is_gone_are_asked_again(session: ReviewSession, how: str) -> None:
    answer(session, 3, 2)
    row = int(audit(session.snapshot)[0])
    answer(session, row, 2, purpose="audit")
    if how == "split":
        edits.split(session, 2, ["small dent", "large dent", ""], "Sato")
        assert {"small dent", "large dent"} <= {c.name for c in session.snapshot.classes.active}
    else:
        edits.remove(session, 2, "Sato")
    assert state(session, 3) == state(session, row) == "open"
    assert 3 in offered(session, "doubtful")
    assert row not in offered(session, "doubtful", "surest", "helpful")
    assert audit(session.snapshot)[0] == row
    answer(session, row, 1, purpose="audit")
    assert (state(session, row), session.snapshot.states.audit[row]) == ("decided", True)


def test_classes_that_do_not_go_together_are_refused_and_nothing_is_kept(
    session: ReviewSession,
) -> None:
    before = session.snapshot.classes.stored
    refused = [
        lambda: edits.add(session, "dent", "", "Sato"),
        lambda: edits.add(session, "", "", "Sato"),
        lambda: edits.add(session, "another", "Dent", "Sato"),
        lambda: edits.edit(session, 1, "dent", "other words", "Sato"),
        lambda: edits.edit(session, 99, "x", "x", "Sato"),
        lambda: edits.merge(session, 1, 1, "Sato"),
        lambda: edits.merge(session, 1, 99, "Sato"),
        lambda: edits.split(session, 1, ["one"], "Sato"),
        lambda: edits.split(session, 1, ["dent", "other"], "Sato"),
        lambda: edits.split(session, 1, ["same", "same"], "Sato"),
        lambda: edits.preview(session.snapshot, 99, "x", "x"),
    ]
    for call in refused:
        with pytest.raises(DataError):
            call()
    for id_ in (1, 2):
        edits.remove(session, id_, "Sato")
    with pytest.raises(DataError, match="at least 2"):
        edits.remove(session, 3, "Sato")
    assert [replace(c, state="active") for c in session.store.classes()] == list(before)
    assert len(session.store.changes()) == 3


def test_words_too_long_for_the_model_are_refused_before_they_are_kept(
    session: ReviewSession,
) -> None:
    long = " ".join(f"word{n}" for n in range(80))
    for call in (
        lambda: edits.edit(session, 1, "scratch", long, "Sato"),
        lambda: edits.add(session, "new", long, "Sato"),
        lambda: edits.preview(session.snapshot, 1, "scratch", long),
    ):
        with pytest.raises(PromptError):
            call()
    assert len(session.store.classes()) == 4
    with open_review(session.folder) as store:
        ReviewSession(session.folder, store)  # a restart works


WORDS = ("scratch", "round red dent", "good part", "steel")


def test_the_answers_follow_the_text_as_computed_afresh(session: ReviewSession) -> None:
    outcome, before = session.snapshot.view.outcome, session.snapshot.view.label.copy()
    told = edits.preview(session.snapshot, 2, "dent", WORDS[1])
    edits.edit(session, 2, "dent", WORDS[1], "Sato")
    settings = Settings(**outcome.run.settings)
    names = ClassNames(("scratch", "dent", "good part", "steel"), WORDS)
    start = UntunedModel.of(load_model(settings), names, settings, outcome.start.method)
    texts, scale = start.class_embeds(outcome.learned), start.prompt.logit_scale
    probs = joined_probs(images_of(session), texts, scale, outcome.joint)
    assert (session.snapshot.view.label == probs.argmax(1).numpy() + 1).all()
    moved = int((session.snapshot.view.label != before).sum())
    assert (told.moved, told.of) == (moved, len(session.snapshot.view.rows))
    assert sum(n for _, _, n in told.pairs) == moved


def images_of(session: ReviewSession) -> torch.Tensor:
    """(N, D) as the run stored them."""
    embeds = session.snapshot.view.outcome.embeds
    by_hash = {row.sha256: one for row, one in zip(embeds.pool_rows, embeds.pool, strict=True)}
    return torch.stack([by_hash[row.sha256] for row in session.snapshot.view.rows])


def test_a_run_without_rounds_answers_with_zero_shot(
    parts: Place, tiny_clip: Path, quick: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = tmp_path / "zero"
    run(project(parts, tiny_clip, out, strategy="zero-shot"))
    with open_review(out, create=True) as store:
        session = ReviewSession(out, store)
        edits.edit(session, 2, "dent", WORDS[1], "Sato")
        settings = Settings(**session.snapshot.view.outcome.run.settings)
        class_embeds = zero_shot(load_model(settings), WORDS, settings.template)
        logits = images_of(session) @ class_embeds.T
        assert (session.snapshot.view.label == logits.argmax(1).numpy() + 1).all()


def test_an_unfinished_run_is_refused(folder: Path) -> None:
    db = sqlite3.connect(folder / "runs.db")
    with db:
        db.execute("UPDATE run SET finished = NULL")
    db.close()
    with (
        pytest.raises(ClipgripError, match="not finished"),
        open_review(folder, create=True) as store,
    ):
        ReviewSession(folder, store)


# -- what counts ------------------------------------------------------------------------------------------------------


def test_the_overview_counts_every_image_once(session: ReviewSession, parts: Place) -> None:
    ids = truth(session, parts)
    for row in audit(session.snapshot)[:6].tolist():
        answer(session, row, int(ids[row]), purpose="audit")
    rows = QUEUES["doubtful"](session.snapshot, None, "")[:5].tolist()
    answer(session, rows[0], 1)
    answer(session, rows[0], 2, "Ito")
    answer(session, rows[1], None)
    answer(session, rows[2], None, verdict="ask")
    answer(session, rows[3], 3)
    found = overview(session.snapshot, terms_of(0.02, 0.95))
    assert (found.disagree, found.unsure, found.asked, found.given) == (1, 1, 1, 2)
    assert (found.people, found.fresh) == (7, 1)
    parts_of_it = (
        found.people, found.given, found.model, found.open, found.disagree, found.unsure, found.asked,
    )  # fmt: skip
    assert sum(parts_of_it) == found.images == len(session.snapshot.view.rows)
    assert (found.step, found.step_count) == ("settle", 1)
    assert [p.name for p in found.persons] == ["Sato", "Ito"]


def test_the_draw_is_the_same_after_a_restart_and_holds_each_open_image_once(
    session: ReviewSession,
) -> None:
    rows = session.snapshot.round.draw.rows.tolist()
    assert sorted(rows) == np.flatnonzero(session.snapshot.states.state == ImageState.OPEN).tolist()
    folder = session.folder.parent / "copy"
    shutil.copytree(session.folder, folder)
    with open_review(folder) as store:
        assert ReviewSession(folder, store).snapshot.round.draw.rows.tolist() == rows
