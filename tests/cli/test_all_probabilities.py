"""The probability of every class for every image, beside the answers, in three formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from projects import Place, command, rows

from clipgrip.data.rows import Row
from clipgrip.data.sources import BytesSource
from clipgrip.runs.probabilities import ENDINGS, write_probabilities
from clipgrip.types import Probs


@pytest.fixture
def here(quick: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    quick.chdir(tmp_path)
    return tmp_path


def read(path: Path) -> tuple[list[str], list[str], Any]:
    """Paths, classes and probabilities of a file of any format."""
    if path.suffix == ".npz":
        with np.load(path) as found:
            return found["paths"].tolist(), found["classes"].tolist(), found["probabilities"]
    if path.suffix == ".parquet":
        table = pyarrow.parquet.read_table(path)
        names = table.column_names[1:]
        values = np.stack([table[name].to_numpy() for name in names], 1)
        return table["path"].to_pylist(), names, values
    lines = rows(path)
    names = list(lines[0])[1:]
    values = np.array([[np.float32(line[name]) for name in names] for line in lines])
    return [line["path"] for line in lines], names, values


def test_predict_writes_the_same_probabilities_in_every_format(
    place: Place, finished: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for ending in ENDINGS:
        file = here / f"all{ending}"
        told = command(capsys, "predict", finished, place.images, "--all-probabilities", file)
        assert told.code == 0, told.err
        assert f"all probabilities: {file}" in told.out
        found.append(read(file))
    answers = rows(here / "predictions.csv")
    for paths, names, values in found:
        assert paths == [line["path"] for line in answers]
        assert values.dtype == np.float32
        assert values == pytest.approx(found[0][2], abs=0)
        assert values.sum(1) == pytest.approx(1, abs=1e-5)
        for line, probs in zip(answers, values, strict=True):
            assert names[int(probs.argmax())] == line["label"]
            assert probs.max() == pytest.approx(float(line["confidence"]), abs=1e-6)


def test_run_writes_them_for_pool_and_test(
    place: Place, tiny_clip: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", place.images, "--classes", place.classes, "--test", place.test]
    more = ["--backbone", tiny_clip, "--strategy", "zero-shot", "--out", "out"]
    told = command(capsys, *arguments, *more, "--all-probabilities", "all.npz")
    assert told.code == 0, told.err
    paths, names, values = read(here / "all.npz")
    answers = rows(here / "out" / "predictions.csv")
    assert paths == [line["path"] for line in answers]
    assert [names[n] for n in values.argmax(1)] == [line["label"] for line in answers]


@pytest.mark.parametrize("name", ["all.xlsx", "all", "."])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    place: Place, finished: Path, here: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    told = command(capsys, "predict", finished, place.images, "--all-probabilities", name)
    assert told.code == 2
    assert name in told.err
    assert not (here / "predictions.csv").exists()


@pytest.mark.parametrize("ending", ENDINGS)
def test_odd_names_and_copies_are_kept_apart(here: Path, ending: str) -> None:
    source = BytesSource(b"")
    first = Row("0" * 64, ("b.png", "=a.png"), -1, "pool", source)
    second = Row("1" * 64, ("bad \udcff.png",), -1, "pool", source)
    probs: Probs = np_probs([[0.25, 0.75], [1.0, 0.0]])
    path = here / f"x{ending}"
    write_probabilities(path, [((first,), probs[:1]), ((second,), probs[1:])], ["path", "=キズ"])
    paths, names, values = read(path)
    assert [name.removeprefix("'") for name in paths] == ["=a.png", "b.png", "bad \\udcff.png"]
    assert len(set(names)) == 2
    assert values.tolist() == [[0.25, 0.75], [0.25, 0.75], [1.0, 0.0]]


def np_probs(values: list[list[float]]) -> Any:
    import torch

    return torch.tensor(values)
