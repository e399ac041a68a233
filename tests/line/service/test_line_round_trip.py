"""What people said at the line comes home: ``clipgrip review --import`` takes the table that the line wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from line_fakes import FakeModel, promised
from projects import make_place, project, quick

from clipgrip.review.exchange.importing import imported
from clipgrip.review.session import ReviewSession
from clipgrip.review.store import open_review
from clipgrip.runs.pipeline import run
from clipgrip_line.cli import main


def test_labels_from_the_line_are_answers_in_the_review(
    start: Any, tmp_path: Path, tiny_clip: Path, shared_cache: Path
) -> None:
    place, folder, labels = (
        make_place(tmp_path / "parts"),
        tmp_path / "run",
        tmp_path / "labels.csv",
    )
    with quick(shared_cache):
        run(project(place, tiny_clip, folder, strategy="zero-shot"))
    with open_review(folder, create=True) as store:
        session = ReviewSession(folder, store)
        names = [one.name for one in session.snapshot.classes.active]
        service, client = start(FakeModel(promise=promised(1.1), classes=tuple(names[:3])))
        chosen = session.snapshot.view.rows[:2]
        for n, row in enumerate(chosen):
            data = (place.images / row.path).read_bytes()
            told = client.post(f"/v1/predict?name=camera{n}.png", content=data).json()["answers"][0]
            assert told["image_id"] == row.sha256
            body = {"image": row.sha256, "class": names[n], "by": "Aki", "token": f"token-000{n}"}
            assert client.post("/v1/answers", json=body).status_code == 200
        service.stop()
        assert main(["answers", str(tmp_path / "line"), "--out", str(labels)]) == 0
        found = imported(session, "csv", labels.read_bytes(), "Aki")
        answers = {one.image: one.klass for one in session.store.answers()}
    ids = [one.id for one in session.snapshot.classes.active]
    assert (found["answers"], found["problems"]) == (2, [])
    assert answers == {row.sha256: ids[n] for n, row in enumerate(chosen)}
