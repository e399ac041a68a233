"""A review of embeddings: what has no picture shows its neighbours, answers teach the next round."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from embedded import N, arrays, with_labels, with_texts
from PIL import Image
from review_helpers import Browser, answer, id_of

from clipgrip.config import project
from clipgrip.report.from_run import facts
from clipgrip.review.class_table import ClassTable
from clipgrip.review.exchange.exporting import exported
from clipgrip.review.exchange.written import FACELESS, GONE, UNTYPED
from clipgrip.review.rounds import next_round
from clipgrip.review.session import ReviewSession
from clipgrip.review.store import StoredClass, open_review
from clipgrip.runs.pipeline import run


@pytest.fixture
def embedded(tmp_path: Path) -> Path:
    """A run on two banks with class embeddings; the first image has a picture, no other has."""
    Image.new("RGB", (30, 20), "red").save(tmp_path / "0.png")
    paths = np.array(["0.png", *[""] * (N - 1)])
    labels = np.where(np.arange(N) < 8, arrays()["truth"], -1)
    path = with_texts(
        tmp_path / "e.npz", paths=paths, labels=labels, ids=np.array([f"<{n}>" for n in range(N)])
    )
    return run(project({"images": path, "out": tmp_path / "run", "rounds": 1})).folder


@pytest.fixture
def reviewing(embedded: Path) -> Iterator[ReviewSession]:
    """A review of it that has just begun."""
    with open_review(embedded, create=True) as store:
        yield ReviewSession(embedded, store)


def test_an_image_without_a_picture_shows_its_id_and_its_neighbours(
    reviewing: ReviewSession, quick: pytest.MonkeyPatch
) -> None:
    browser, rows = Browser(reviewing, "ja"), reviewing.snapshot.view.rows
    by_id = {row.path: row.sha256 for row in rows}
    shown = browser.get(f"/thumb/{by_id['<0>']}")
    assert shown.headers["content-type"] == "image/jpeg"
    for place in ("thumb", "image"):
        drawn = browser.get(f"/{place}/{by_id['<9>']}")
        assert drawn.headers["content-type"].startswith("image/svg+xml")
        assert drawn.headers["cache-control"] == "no-store"
        assert "&lt;9&gt;" in drawn.text
        assert "<9>" not in drawn.text
    assert "近い画像" in drawn.text
    for path in ("/", "/audit", "/review", "/one", "/classes", "/files"):
        assert browser.get(path).status_code == 200


def test_what_never_had_a_picture_is_not_gone_and_exports_say_so(
    reviewing: ReviewSession, tmp_path: Path
) -> None:
    def files() -> str:
        return Browser(reviewing).get("/files").text

    def left(form: str) -> set[str]:
        found = exported(reviewing.snapshot, reviewing.store, form)
        found.file.close()
        return {why for _, why in found.written.left}

    assert 'id="gone"' not in files()
    lines = b"".join(exported(reviewing.snapshot, reviewing.store, "csv")).decode("utf-8-sig")
    assert "missing" not in lines
    for form in ("folders", "coco", "fiftyone", "label-studio"):
        no_ending = {UNTYPED} if form == "fiftyone" else set()  # of the one picture, called "<0>"
        assert left(form) == {FACELESS} | no_ending
    outcome = reviewing.snapshot.view.outcome
    assert facts(outcome).unseen == 0
    (tmp_path / "0.png").unlink()
    assert "&lt;0&gt;" in files().split('id="gone"')[1]
    assert left("folders") == {FACELESS, GONE}
    assert facts(outcome).unseen == 1


def test_the_audits_answers_are_not_told_to_who_is_asked(reviewing: ReviewSession) -> None:
    from clipgrip.review.web.faceless import neighbours

    snapshot = reviewing.snapshot
    row = int(np.flatnonzero(~snapshot.states.labeled)[0])
    found = neighbours(snapshot, row, N)
    assert len(found) == N - 1
    assert all(one.path != snapshot.view.rows[row].path for one in found)
    assert sum(bool(one.label) for one in found) == 8


def test_the_next_round_learns_from_answers_on_the_same_embeddings(
    embedded: Path, quick: pytest.MonkeyPatch
) -> None:
    with open_review(embedded, create=True) as store:
        session = ReviewSession(embedded, store)
        names, truth = ("ok", "scratch", "dent", "stain"), arrays()["truth"]
        waiting = np.flatnonzero(~session.snapshot.states.labeled)[:8].tolist()
        for row in waiting:
            number = int(session.snapshot.view.rows[row].path.strip("<>"))
            answer(session, row, id_of(session, names[truth[number]]))
    done = next_round(embedded)
    assert done.facts["labels"] == 16


def test_a_class_without_an_embedding_is_refused_and_one_by_labels_alone_is_not(
    reviewing: ReviewSession, tmp_path: Path, quick: pytest.MonkeyPatch
) -> None:
    from clipgrip.errors import PromptError

    table = ClassTable(tuple(StoredClass(n, name, name) for n, name in [(1, "ok"), (2, "hole")]))
    with pytest.raises(PromptError, match='"hole" has no embedding'):
        reviewing.snapshot.round.classifier.probs(table)
    path = with_labels(tmp_path / "l.npz")
    folder = run(project({"images": path, "out": tmp_path / "labels", "rounds": 1})).folder
    with open_review(folder, create=True) as store:
        session = ReviewSession(folder, store)
        assert session.snapshot.round.classifier.probs(table).shape[1] == 2
