"""Any number of images is answered a shard at a time, with the answers of the CSV, and goes on where it was stopped."""

from __future__ import annotations

import csv
import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from embedded import arrays, with_texts
from projects import command

from clipgrip.config import project
from clipgrip.data import embedfiles
from clipgrip.data import listing as listing_module
from clipgrip.data.listing import listing
from clipgrip.errors import DataError, MissingPackage, RunError
from clipgrip.executors import using
from clipgrip.executors.processes import Processes
from clipgrip.runs.pipeline import run
from clipgrip.serving import stream
from clipgrip.serving.batch import predict_files, write_predictions
from clipgrip.serving.predictor import Predictor
from clipgrip.serving.stream import predict_stream
from clipgrip.words import Words

parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(autouse=True)
def _small(quick: pytest.MonkeyPatch) -> None:
    quick.setattr(listing_module, "SHARD_ROWS", 5)


def answered(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    return sorted(rows, key=lambda row: str(row["path"]))


def packed(place: Any, path: Path) -> Path:
    with tarfile.open(path, "w") as made:
        for file in sorted(place.images.rglob("*.png")):
            made.add(file, str(file.relative_to(place.images)))
    return path


def test_answers_are_those_of_the_csv(finished: Path, place: Any, tmp_path: Path) -> None:
    predictor = Predictor.open(finished)
    write_predictions(tmp_path / "p.csv", predictor, predict_files(predictor, place.images))
    found = predict_stream(finished, place.images, tmp_path / "p.parquet")
    with (tmp_path / "p.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    rows = answered(tmp_path / "p.parquet")
    assert found.images == len(rows) == len(lines)
    for row, line in zip(rows, lines, strict=True):
        assert list(row) == list(line)
        assert (row["path"], row["label"], row["label_2"]) == (
            line["path"],
            line["label"],
            line["label_2"],
        )
        assert f"{row['confidence']:.6f}" == line["confidence"]
        assert (row["decided_by"], row["calibrated"]) == ("model", False)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".clipgrip.written", "p.csv", "p.parquet",
    ]  # fmt: skip


def test_tars_and_parquet_files_are_answered_alike(
    finished: Path, place: Any, tmp_path: Path
) -> None:
    import pyarrow as pa

    files = sorted(place.images.rglob("*.png"))
    cells = [{"bytes": file.read_bytes(), "path": file.name} for file in files]
    parquet.write_table(pa.table({"image": cells}), tmp_path / "cells.parquet", row_group_size=7)
    predict_stream(finished, place.images, tmp_path / "a.parquet")
    predict_stream(finished, packed(place, tmp_path / "t.tar"), tmp_path / "b.parquet")
    predict_stream(finished, tmp_path / "cells.parquet", tmp_path / "c.parquet")
    names = [file.relative_to(place.images).as_posix() for file in files]
    by_folder = {row["path"]: row["confidence"] for row in answered(tmp_path / "a.parquet")}
    by_tar = {
        row["path"].removeprefix("t.tar/"): row["confidence"]
        for row in answered(tmp_path / "b.parquet")
    }
    by_cell = parquet.read_table(tmp_path / "c.parquet")["confidence"].to_pylist()
    assert by_folder == by_tar
    assert by_cell == [by_folder[name] for name in names]


def test_stopped_it_answers_only_what_is_missing(
    finished: Path, place: Any, tmp_path: Path
) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if done >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_stream(finished, place.images, tmp_path / "p.parquet", on_progress=stop)
    assert not (tmp_path / "p.parquet").exists()
    found = predict_stream(finished, place.images, tmp_path / "p.parquet")
    assert found.fresh == found.images - 10
    predict_stream(finished, place.images, tmp_path / "q.parquet")
    assert (tmp_path / "p.parquet").read_bytes() == (tmp_path / "q.parquet").read_bytes()


def test_processes_give_the_same_file(
    finished: Path, place: Any, tmp_path: Path, quick: Any
) -> None:
    predict_stream(finished, place.images, tmp_path / "p.parquet")
    quick.setenv("CLIPGRIP_CACHE", str(tmp_path / "cache"))
    with using(Processes(2)):
        predict_stream(finished, place.images, tmp_path / "q.parquet")
    assert (tmp_path / "p.parquet").read_bytes() == (tmp_path / "q.parquet").read_bytes()


def test_a_changed_file_is_answered_anew(place: Any, tmp_path: Path) -> None:
    made = packed(place, tmp_path / "t.tar")
    before = [shard.key for shard in listing(made).shards()]
    assert before == [shard.key for shard in listing(made).shards()]
    with tarfile.open(made, "a") as more:
        info = tarfile.TarInfo("more.png")
        more.addfile(info, io.BytesIO())
    assert before[0] != next(listing(made).shards()).key


def test_files_that_are_no_images_are_listed_in_a_table(
    finished: Path, place: Any, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.png").write_bytes(b"no picture")
    good = next(place.images.rglob("*.png")).read_bytes()
    (tmp_path / "in" / "good.png").write_bytes(good)
    found = predict_stream(finished, tmp_path / "in", tmp_path / "p.parquet")
    assert (found.images, found.issues) == (1, 1)
    assert (
        parquet.read_table(tmp_path / "p.issues.parquet").to_pylist()[0]["reason"] == "not-an-image"
    )
    predict_stream(finished, tmp_path / "in", tmp_path / "j.parquet", say=Words("ja"))
    told = parquet.read_table(tmp_path / "j.issues.parquet").to_pylist()[0]
    assert told["reason"] == "not-an-image"  # for programs
    assert "画像" in told["detail"]
    (tmp_path / "in" / "bad.png").unlink()
    predict_stream(finished, tmp_path / "in", tmp_path / "p.parquet")
    assert not (tmp_path / "p.issues.parquet").exists()


def test_where_no_image_is_usable_it_is_an_error_that_says_where_the_reasons_are(
    finished: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"bad\.png.*p\.issues\.parquet"):
        predict_stream(finished, tmp_path / "in", tmp_path / "p.parquet")
    assert (tmp_path / "p.issues.parquet").is_file()


def test_a_second_process_on_the_same_answers_is_refused(
    finished: Path, place: Any, tmp_path: Path
) -> None:
    def again(*_: Any) -> None:
        with pytest.raises(RunError, match="in use by another"):
            predict_stream(finished, place.images, tmp_path / "p.parquet")

    predict_stream(finished, place.images, tmp_path / "p.parquet", on_progress=again)


def test_what_a_person_decides_is_marked(finished: Path, place: Any, tmp_path: Path) -> None:
    found = predict_stream(
        finished,
        place.images,
        tmp_path / "p.parquet",
        decide=lambda labels, _: [n == 0 for n in labels],
    )
    people = [row for row in answered(tmp_path / "p.parquet") if row["decided_by"] == "person"]
    assert found.people == len(people)
    assert len({row["label"] for row in people}) <= 1


def test_the_command_writes_parquet_by_the_name(
    finished: Path, place: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "p.parquet"
    told = command(capsys, "predict", finished, place.images, "--out", out, "--on", "here")
    assert (told.code, f"images labeled: {out}" in told.out) == (0, True), told.err
    assert len(answered(out)) > 0
    assert not stream.parts_folder(out).exists()


def test_all_probabilities_do_not_go_with_parquet_answers(
    finished: Path, place: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--out", tmp_path / "p.parquet", "--all-probabilities", tmp_path / "all.csv")
    told = command(capsys, "predict", finished, place.images, *more)
    assert told.code == 2
    assert "Give --out a name like p.csv" in told.err


def test_without_pyarrow_the_error_has_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from clipgrip.serving.tables import arrow

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackage, match=r"clipgrip\[parquet\]"):
        arrow()


def test_a_file_of_embeddings_is_answered_in_shards_and_read_once(
    finished: Path, place: Any, tmp_path: Path, quick: pytest.MonkeyPatch
) -> None:
    folder = run(
        project({"images": with_texts(tmp_path / "e.npz"), "out": tmp_path / "run"})
    ).folder
    new = arrays(1)
    np.savez(tmp_path / "new.npz", clip=new["clip"], dino=new["dino"])
    predictor = Predictor.open(folder)
    write_predictions(tmp_path / "p.csv", predictor, predict_files(predictor, tmp_path / "new.npz"))
    reads, read = [], embedfiles.read_arrays
    quick.setattr(embedfiles, "read_arrays", lambda *given: reads.append(given[0]) or read(*given))
    found = predict_stream(folder, tmp_path / "new.npz", tmp_path / "p.parquet")
    assert found.images == len(new["clip"])
    assert len(reads) == 1
    with (tmp_path / "p.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = [(line["path"], line["label"], line["confidence"]) for line in csv.DictReader(file)]
    rows = answered(tmp_path / "p.parquet")
    assert [(row["path"], row["label"], f"{row['confidence']:.6f}") for row in rows] == lines
    with pytest.raises(DataError, match="is an image, and the run learned from a file of embed"):
        predict_stream(folder, place.images, tmp_path / "q.parquet")
    with pytest.raises(DataError, match="is an embedding, and the run learned from images"):
        predict_stream(finished, tmp_path / "new.npz", tmp_path / "q.parquet")
