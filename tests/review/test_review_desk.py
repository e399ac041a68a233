"""The desk: whom the audit protects, what is refused, what changed classes do."""

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
from clipgrip.prompts.classifier import zero_shot
from clipgrip.review import classes as edits
from clipgrip.review.desk import GIVEN, OPEN, STATES, Desk
from clipgrip.review.overview import overview, terms_of
from clipgrip.review.queues import QUEUES, audit
from clipgrip.review.rounds import manifest_of
from clipgrip.review.store import open_review
from clipgrip.runs.embedding import model_of
from clipgrip.runs.pipeline import run
from clipgrip.runs.start import Start
from clipgrip.runs.store import open_store


def offered(desk: Desk, *names: str) -> set[int]:
    return {row for name in names for row in QUEUES[name](desk, None, "Abe").tolist()}


def state(desk: Desk, row: int) -> str:
    return STATES[desk.standing.state[row]]


def test_the_images_are_the_pool_of_the_run_and_never_its_test(desk: Desk, parts: Place) -> None:
    assert {row.path for row in desk.view.rows} == set(parts.truth) - set(parts.test_paths)
    assert [c.name for c in desk.classes] == ["scratch", "dent", "good part", "steel"]
    assert [c.id for c in desk.classes] == [1, 2, 3, 4]


def test_labels_from_files_are_given_and_are_not_asked(desk: Desk) -> None:
    given = np.flatnonzero(desk.standing.state == GIVEN).tolist()
    assert len(given) == 2
    assert set(desk.standing.klass[given]) == {id_of(desk, "scratch")}
    assert not offered(desk, "doubtful", "surest", "audit") & set(given)


def test_given_labels_stay_with_their_class_when_it_is_renamed_or_another_takes_its_name(
    desk: Desk,
) -> None:
    given = np.flatnonzero(desk.standing.state == GIVEN)
    edits.edit(desk, 1, "キズ", "a long scratch", "Sato")
    edits.add(desk, "scratch", "something else", "Sato")
    assert (desk.standing.state[given] == GIVEN).all()
    assert set(desk.standing.klass[given]) == {1}


def test_the_desk_answers_as_the_run_did(desk: Desk) -> None:
    outcome = desk.view.outcome
    of_run = {
        row.sha256: probs
        for row, probs in zip(outcome.embeds.pool_rows, outcome.answers.pool, strict=True)
    }
    expected = torch.stack([of_run[row.sha256] for row in desk.view.rows])
    torch.testing.assert_close(desk.view.probs, expected, atol=1e-6, rtol=0)
    assert desk.view.as_run


def test_audited_images_are_offered_in_no_review_queue_and_reach_no_label(desk: Desk) -> None:
    rows = audit(desk)[:8].tolist()
    for n, row in enumerate(rows):
        answer(desk, row, None if n == 3 else 1 + n % 4, purpose="audit")
    assert not offered(desk, "doubtful", "surest", "helpful", "asked", "second") & set(rows)
    assert not set(audit(desk).tolist()) & set(rows)
    hashes = {desk.view.rows[row].sha256 for row in rows}
    with open_store(desk.folder) as store:
        first = store.manifest(desk.rounds[0].run)
    learned = manifest_of(first, desk.classes, desk.opinions)
    for row in learned.rows:
        if row.sha256 in hashes:
            assert row.split == "test"
    assert not {row.sha256 for row in learned.rows if row.split == "pool"} & hashes


def test_an_audited_image_takes_no_review_answer(desk: Desk) -> None:
    row = int(audit(desk)[0])
    answer(desk, row, 1, purpose="audit")
    with pytest.raises(DataError, match="random audit"):
        answer(desk, row, 2, "Ito")
    answer(desk, row, 2, "Ito", purpose="settle")
    assert desk.standing.audit[row]
    assert (state(desk, row), desk.standing.klass[row]) == ("decided", 2)


def test_only_images_of_the_draw_are_audited(desk: Desk) -> None:
    given = int(np.flatnonzero(desk.standing.state == GIVEN)[0])
    with pytest.raises(DataError, match="not drawn"):
        answer(desk, given, 1, purpose="audit")


def test_what_is_not_known_is_refused_and_nothing_of_the_call_is_kept(desk: Desk) -> None:
    image = desk.view.rows[0].sha256
    for wrong in (
        said("f" * 64, 1),
        said(image, 99),
        said(image, 1, verdict="unsure"),
        said(image, None, verdict="class"),
    ):
        with pytest.raises(DataError, match="Reload the page"):
            desk.answer([said(desk.view.rows[1].sha256, 1), wrong])
    assert desk.answers() == desk.store.answers() == []


def test_a_token_twice_is_one_answer(desk: Desk) -> None:
    given = answer(desk, 5, 1)
    assert desk.answer([given, given]) == 0
    other = said(desk.view.rows[6].sha256, 1)
    assert desk.answer([other, other]) == 1
    assert len(desk.answers()) == 2


def test_taking_back_opens_the_image_again_once(desk: Desk) -> None:
    row = int(audit(desk)[0])
    given = answer(desk, row, 1, purpose="audit")
    version = desk.version
    assert desk.undo(given.token, "Sato")
    assert desk.undo(given.token, "Sato") is None
    assert desk.undo("nothing-there", "Sato") is None
    assert (state(desk, row), desk.standing.audit[row]) == ("open", False)
    assert desk.version > version
    assert desk.answer([given]) == 0  # the page sends it again
    assert state(desk, row) == "open"


def test_another_server_on_the_same_review_is_heard(desk: Desk) -> None:
    with open_review(desk.folder) as store:
        other = Desk(desk.folder, store)
        answer(other, 4, 3, "Ito")
        answer(desk, 7, 2)
        assert state(desk, 4) == "decided"


def test_a_restart_finds_everything(desk: Desk) -> None:
    edits.add(desk, "rust", "rusty steel", "Sato")
    answer(desk, 4, id_of(desk, "rust"))
    answer(desk, int(audit(desk)[3]), None, purpose="audit")
    with open_review(desk.folder) as store:
        again = Desk(desk.folder, store)
        assert again.opinions == desk.opinions
        for name in ("state", "klass", "audit"):
            assert (getattr(again.standing, name) == getattr(desk.standing, name)).all()
        torch.testing.assert_close(again.view.probs, desk.view.probs, atol=0, rtol=0)


# -- classes ---------------------------------------------------------------------------------------------------------


def test_answers_stay_with_a_renamed_class_and_go_with_a_merged_one(desk: Desk) -> None:
    answer(desk, 3, 2)
    edits.edit(desk, 2, "打痕", "dent", "Sato")
    assert desk.standing.klass[3] == 2
    edits.merge(desk, 2, 4, "Sato")
    assert desk.standing.klass[3] == 4
    assert [c.id for c in desk.view.classes] == [1, 3, 4]
    assert not desk.view.as_run
    with pytest.raises(DataError, match="no longer there"):
        answer(desk, 5, 2)


@pytest.mark.parametrize("how", ["split", "remove"])
def test_images_of_a_class_that_is_gone_are_asked_again(desk: Desk, how: str) -> None:
    answer(desk, 3, 2)
    row = int(audit(desk)[0])
    answer(desk, row, 2, purpose="audit")
    if how == "split":
        edits.split(desk, 2, ["small dent", "large dent", ""], "Sato")
        assert {"small dent", "large dent"} <= {c.name for c in desk.view.classes}
    else:
        edits.remove(desk, 2, "Sato")
    assert state(desk, 3) == state(desk, row) == "open"
    assert 3 in offered(desk, "doubtful")
    assert row not in offered(desk, "doubtful", "surest", "helpful")
    assert audit(desk)[0] == row
    answer(desk, row, 1, purpose="audit")
    assert (state(desk, row), desk.standing.audit[row]) == ("decided", True)


def test_classes_that_do_not_go_together_are_refused_and_nothing_is_kept(desk: Desk) -> None:
    before = desk.classes
    refused = [
        lambda: edits.add(desk, "dent", "", "Sato"),
        lambda: edits.add(desk, "", "", "Sato"),
        lambda: edits.add(desk, "another", "Dent", "Sato"),
        lambda: edits.edit(desk, 1, "dent", "other words", "Sato"),
        lambda: edits.edit(desk, 99, "x", "x", "Sato"),
        lambda: edits.merge(desk, 1, 1, "Sato"),
        lambda: edits.merge(desk, 1, 99, "Sato"),
        lambda: edits.split(desk, 1, ["one"], "Sato"),
        lambda: edits.split(desk, 1, ["dent", "other"], "Sato"),
        lambda: edits.split(desk, 1, ["same", "same"], "Sato"),
        lambda: edits.preview(desk, 99, "x", "x"),
    ]
    for call in refused:
        with pytest.raises(DataError):
            call()
    for id_ in (1, 2):
        edits.remove(desk, id_, "Sato")
    with pytest.raises(DataError, match="at least 2"):
        edits.remove(desk, 3, "Sato")
    assert [replace(c, state="active") for c in desk.store.classes()] == before
    assert len(desk.store.changes()) == 3


def test_words_too_long_for_the_model_are_refused_before_they_are_kept(desk: Desk) -> None:
    long = " ".join(f"word{n}" for n in range(80))
    for call in (
        lambda: edits.edit(desk, 1, "scratch", long, "Sato"),
        lambda: edits.add(desk, "new", long, "Sato"),
        lambda: edits.preview(desk, 1, "scratch", long),
    ):
        with pytest.raises(PromptError):
            call()
    assert len(desk.store.classes()) == 4
    with open_review(desk.folder) as store:
        Desk(desk.folder, store)  # a restart works


WORDS = ("scratch", "round red dent", "good part", "steel")


def test_the_answers_follow_the_text_as_computed_afresh(desk: Desk) -> None:
    outcome, before = desk.view.outcome, desk.view.label.copy()
    told = edits.preview(desk, 2, "dent", WORDS[1])
    edits.edit(desk, 2, "dent", WORDS[1], "Sato")
    settings = Settings(**outcome.run.settings)
    names = ClassNames(("scratch", "dent", "good part", "steel"), WORDS)
    start = Start.of(model_of(settings), names, settings, outcome.start.method)
    logits = images_of(desk) @ start.class_embeds(outcome.learned).T
    assert (desk.view.label == logits.argmax(1).numpy() + 1).all()
    moved = int((desk.view.label != before).sum())
    assert (told.moved, told.of) == (moved, len(desk.view.rows))
    assert sum(n for _, _, n in told.pairs) == moved


def images_of(desk: Desk) -> torch.Tensor:
    """(N, D) as the run stored them."""
    embeds = desk.view.outcome.embeds
    by_hash = {row.sha256: one for row, one in zip(embeds.pool_rows, embeds.pool, strict=True)}
    return torch.stack([by_hash[row.sha256] for row in desk.view.rows])


def test_a_run_without_rounds_answers_with_zero_shot(
    parts: Place, tiny_clip: Path, quick: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = tmp_path / "zero"
    run(project(parts, tiny_clip, out, strategy="zero-shot"))
    with open_review(out, create=True) as store:
        desk = Desk(out, store)
        edits.edit(desk, 2, "dent", WORDS[1], "Sato")
        settings = Settings(**desk.view.outcome.run.settings)
        class_embeds = zero_shot(model_of(settings), WORDS, settings.template)
        logits = images_of(desk) @ class_embeds.T
        assert (desk.view.label == logits.argmax(1).numpy() + 1).all()


def test_an_unfinished_run_is_refused(folder: Path) -> None:
    db = sqlite3.connect(folder / "runs.db")
    with db:
        db.execute("UPDATE run SET finished = NULL")
    db.close()
    with (
        pytest.raises(ClipgripError, match="not finished"),
        open_review(folder, create=True) as store,
    ):
        Desk(folder, store)


# -- what counts ------------------------------------------------------------------------------------------------------


def test_the_overview_counts_every_image_once(desk: Desk, parts: Place) -> None:
    ids = truth(desk, parts)
    for row in audit(desk)[:6].tolist():
        answer(desk, row, int(ids[row]), purpose="audit")
    rows = QUEUES["doubtful"](desk, None, "")[:5].tolist()
    answer(desk, rows[0], 1)
    answer(desk, rows[0], 2, "Ito")
    answer(desk, rows[1], None)
    answer(desk, rows[2], None, verdict="ask")
    answer(desk, rows[3], 3)
    found = overview(desk, terms_of(0.02, 0.95))
    assert (found.disagree, found.unsure, found.asked, found.given) == (1, 1, 1, 2)
    assert (found.people, found.fresh) == (7, 1)
    parts_of_it = (
        found.people, found.given, found.model, found.open, found.disagree, found.unsure, found.asked,
    )  # fmt: skip
    assert sum(parts_of_it) == found.images == len(desk.view.rows)
    assert (found.step, found.step_count) == ("settle", 1)
    assert [p.name for p in found.persons] == ["Sato", "Ito"]


def test_the_draw_is_the_same_after_a_restart_and_holds_each_open_image_once(desk: Desk) -> None:
    rows = desk.drawn.tolist()
    assert sorted(rows) == np.flatnonzero(desk.standing.state == OPEN).tolist()
    folder = desk.folder.parent / "copy"
    shutil.copytree(desk.folder, folder)
    with open_review(folder) as store:
        assert Desk(folder, store).drawn.tolist() == rows
