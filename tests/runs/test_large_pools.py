"""A pool that is too large to learn from whole: a sample is learned from, and all are answered."""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from embedded import NAMES, N, arrays
from projects import Place, project

from clipgrip import mapped
from clipgrip.estimator import GripClassifier
from clipgrip.pseudolabel.refine import chunks
from clipgrip.runs import outputs, store
from clipgrip.runs.outputs import parquet_bytes, recalibrate
from clipgrip.runs.pipeline import run
from clipgrip.runs.reopen import reopen
from clipgrip.runs.tuning_sample import sample_rows
from clipgrip.task import Task
from clipgrip.training import memory
from clipgrip.trust.calibration import Temperature

HASHES = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(1000)]


def test_a_sample_holds_every_label_where_they_are_few_and_half_labels_where_they_abound() -> None:
    labels = torch.full((1000,), -1)
    labels[::100] = 2
    every = torch.ones(4, dtype=torch.bool)
    few = sample_rows(Task(labels, every), HASHES, 200, 0)
    assert few is not None
    assert len(few) == len(few.unique()) == 200
    assert int((labels[few] >= 0).sum()) == 10
    many = sample_rows(Task(torch.arange(1000) % 2 * 3 - 1, every), HASHES, 200, 0)
    assert many is not None
    assert int((many % 2 == 1).sum()) == 100
    assert torch.equal(few, sample_rows(Task(labels, every), HASHES, 200, 0))  # type: ignore[arg-type]
    assert sample_rows(Task(labels, every), HASHES, 1000, 0) is None


def test_a_sample_stays_where_an_image_has_gone_since() -> None:
    every = torch.ones(4, dtype=torch.bool)
    labels = torch.full((1000,), -1)
    labels[::100] = 2
    before = sample_rows(Task(labels, every), HASHES, 200, 0)
    left = [row for row in range(1000) if row != 7]
    after = sample_rows(Task(labels[left], every), [HASHES[row] for row in left], 200, 0)
    assert before is not None
    assert after is not None
    now = {left[row] for row in after.tolist()}
    assert len(now ^ set(before.tolist())) <= 2
    other = sample_rows(Task(labels, every), HASHES, 200, 1)
    assert other is not None
    assert not torch.equal(other, before)


@pytest.mark.parametrize("paradigm", ["UL", "SSL"])
def test_a_run_tunes_on_a_sample_says_so_and_answers_every_image(
    place: Place,
    tiny_clip: Path,
    tmp_path: Path,
    quick: pytest.MonkeyPatch,
    paradigm: str,
) -> None:
    quick.setattr(memory, "TUNED_ROWS", 12)
    folder, labels = tmp_path / "run", place.labels(paradigm)
    done = run(project(place, tiny_clip, folder, labels=labels))
    facts = json.loads((folder / "metrics.json").read_text())["sample"]
    assert facts["images"] == 12 < facts["of"] == len(done.embeds.pool_rows)
    assert len(done.answers.pool) == len(done.embeds.pool_rows)
    learned = {sha256 for one in done.rounds for sha256, _, _ in one.pseudolabels}
    assert len(learned) <= 12
    assert torch.equal(reopen(folder).answers.pool, done.answers.pool)


def test_many_images_are_answered_in_parts_with_the_same_answers(
    place: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch
) -> None:
    whole = run(project(place, tiny_clip, tmp_path / "whole")).answers.pool
    quick.setattr(mapped, "LARGE", 1)
    quick.setattr(chunks, "PASSED", 7)
    torch.testing.assert_close(reopen(tmp_path / "whole").answers.pool, whole)


def test_many_pseudolabels_are_packed_and_a_run_goes_on_from_them_to_the_same_bytes(
    place: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch
) -> None:
    plain = run(project(place, tiny_clip, tmp_path / "plain"))
    quick.setattr(store, "PACKED", 1)
    done = run(project(place, tiny_clip, tmp_path / "packed"))
    assert [one.pseudolabels for one in done.rounds] == [one.pseudolabels for one in plain.rounds]
    assert torch.equal(reopen(tmp_path / "packed").answers.pool, plain.answers.pool)
    with store.open_store(tmp_path / "packed") as opened:
        rows, packs = (
            opened.db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("pseudolabel", "pseudolabels")
        )
        assert (rows, packs) == (0, len(plain.rounds))
        with opened.db as db:
            db.execute("DELETE FROM pseudolabels WHERE round = 1")
    with (
        store.open_store(tmp_path / "packed") as opened,
        pytest.raises(Exception, match="pseudolabels"),
    ):
        opened.rounds(done.run.id)


def test_many_lines_are_written_as_parquet_too_and_pseudolabels_of_the_best_round_alone(
    place: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch
) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    run(project(place, tiny_clip, tmp_path / "few"))
    quick.setattr(outputs, "MANY", 1)
    quick.setattr(outputs, "LINES", 7)
    done = run(project(place, tiny_clip, tmp_path / "many"))
    csv = (tmp_path / "many" / "predictions.csv").read_bytes()
    assert csv == (tmp_path / "few" / "predictions.csv").read_bytes()
    table = pq.read_table(tmp_path / "many" / "predictions.parquet")
    assert table.num_rows == csv.count(b"\r\n") - 1
    assert table.column("confidence").to_pylist()[0] > 0
    assert len(done.rounds) > 1
    lines = (tmp_path / "many" / "pseudolabels.csv").read_text("utf-8-sig").splitlines()[1:]
    assert {int(line.split(",")[0]) for line in lines} == {done.rounds[-1].number}


def test_an_audit_that_calibrates_changes_both_tables(
    place: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch
) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    quick.setattr(outputs, "MANY", 1)
    done = run(project(place, tiny_clip, tmp_path / "run"))
    found = SimpleNamespace(gains=True, temperature=Temperature(2.0), to_dict=lambda: {"n": 24})
    quick.setattr(outputs, "honesty", lambda *_, **__: found)
    assert recalibrate(done, done.answers.pool.argmax(1)) is not None
    lines = (tmp_path / "run" / "predictions.csv").read_text("utf-8-sig").splitlines()
    confidence = lines[0].split(",").index("confidence")
    table = pq.read_table(tmp_path / "run" / "predictions.parquet")
    assert set(table["calibrated"].to_pylist()) == {"yes"}
    shown = [f"{value:.6f}" for value in table["confidence"].to_pylist()]
    assert shown == [line.split(",")[confidence] for line in lines[1:]]


def test_a_name_that_is_no_utf_8_stands_in_parquet_as_in_csv() -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    data = parquet_bytes(("path",), (), [(os.fsdecode(b"\xff.png"),)])
    assert pq.read_table(io.BytesIO(data))["path"].to_pylist() == ["\\udcff.png"]


@pytest.mark.parametrize("texts", [True, False])
def test_a_fit_draws_the_sample_that_a_run_draws_and_says_so(
    quick: pytest.MonkeyPatch, texts: bool
) -> None:
    made = arrays()
    y = np.where(np.arange(N) % 3 == 0, made["truth"], -1)
    quick.setattr(memory, "TUNED_ROWS", 40)
    given = made["class_embeds"] if texts else None
    model = GripClassifier(list(NAMES), backbone="embeddings", class_embeds=given, rounds=2)
    with pytest.warns(UserWarning, match="sample of 40 of the 96 images"):
        model.fit(made["clip"], y)
    assert (model.predict(made["clip"]) == made["truth"]).mean() > 0.5
    order = np.random.default_rng(0).permutation(N)
    with pytest.warns(UserWarning, match="sample of 40"):
        again = GripClassifier(
            list(NAMES), backbone="embeddings", class_embeds=given, rounds=2
        ).fit(made["clip"][order], y[order])
    assert np.allclose(
        again.predict_proba(made["clip"]), model.predict_proba(made["clip"]), atol=0.02
    )
