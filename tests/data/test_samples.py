"""The demo sets."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipgrip.data import samples
from clipgrip.data.ingest import ingest
from clipgrip.data.samples import SamplePaths, digits, surfaces
from clipgrip.data.tables import read_table
from clipgrip.errors import DataError


@pytest.fixture(scope="module")
def digit_set(tmp_path_factory: pytest.TempPathFactory) -> SamplePaths:
    return digits(tmp_path_factory.mktemp("demo") / "digits")


def test_the_digits_are_complete_and_split_seventy_to_thirty(digit_set: SamplePaths) -> None:
    result = ingest(
        digit_set.images, classes=digit_set.classes, labels=digit_set.truth, test=digit_set.test
    )
    assert result.issues == ()
    assert len(result.manifest.pool) == 1258
    assert len(result.manifest.test) == 539
    assert np.bincount(result.manifest.labels).min() == 174
    assert result.manifest.classes.prompts[3] == "three"


def test_a_digit_is_white_ink_on_black(digit_set: SamplePaths) -> None:
    image = Image.open(next(iter(sorted(digit_set.images.iterdir()))))
    with image:
        assert (image.size, image.mode) == ((64, 64), "L")
        values = np.asarray(image)
    assert values.max() > 240
    assert np.median(values) < 100


def test_names_tell_nothing(digit_set: SamplePaths) -> None:
    table = read_table(digit_set.truth)
    assert [row[0] for row in table.rows] == sorted(row[0] for row in table.rows)
    labels = [row[1] for row in table.rows]
    assert labels[:100] != sorted(labels[:100])
    assert sorted({row[1] for row in table.rows}) == sorted(
        row[0] for row in read_table(digit_set.classes).rows
    )


def test_a_complete_set_is_used_as_it_is(
    digit_set: SamplePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "_digit_images", lambda: iter(()))
    assert digits(digit_set.folder) == digit_set


def test_an_interrupted_set_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(samples, "write_text_atomic", stop)
    monkeypatch.setattr(samples, "_digit_images", lambda: iter(()))
    with pytest.raises(KeyboardInterrupt):
        digits(tmp_path / "d")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(DataError, match=r"in use.*Choose another folder"):
        digits(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


needs_surfaces = pytest.mark.skipif(
    importlib.util.find_spec("clipgrip.data.surfaces") is None, reason="no surfaces.py yet"
)


@needs_surfaces
def test_surfaces_are_the_same_for_the_same_seed(tmp_path: Path) -> None:
    one = surfaces(tmp_path / "a", seed=3, pool=2, test=1, size=32)
    two = surfaces(tmp_path / "b", seed=3, pool=2, test=1, size=32)
    other = surfaces(tmp_path / "c", seed=4, pool=2, test=1, size=32)
    rows = [read_table(paths.truth).rows for paths in (one, two, other)]
    assert rows[0] == rows[1] != rows[2]


@needs_surfaces
def test_surfaces_have_as_many_images_as_asked(tmp_path: Path) -> None:
    paths = surfaces(tmp_path / "a", pool=2, test=1, size=32)
    result = ingest(paths.images, classes=paths.classes, labels=paths.truth, test=paths.test)
    number = len(result.manifest.classes)
    assert np.bincount(result.manifest.labels).tolist() == [3] * number
    assert len(result.manifest.test) == number
    with pytest.raises(DataError, match="does not hold this demo set"):
        surfaces(tmp_path / "a", pool=3, test=1, size=32)
