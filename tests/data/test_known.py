"""The six sets of the paper, read from small copies in their official layouts."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pictures import random_image

from clipgrip.bench.source import from_known
from clipgrip.data.known import KNOWN
from clipgrip.errors import DataError


def flowers(folder: Path) -> None:
    """Three images a class: training, validation, test."""
    from scipy.io import savemat

    (folder / "jpg").mkdir(parents=True)
    labels = np.repeat(np.arange(1, 103), 3)
    for number in range(1, len(labels) + 1):
        random_image(number, 16, 16).save(folder / "jpg" / f"image_{number:05d}.jpg")
    ids = np.arange(1, len(labels) + 1)
    savemat(folder / "imagelabels.mat", {"labels": labels[None]})
    savemat(
        folder / "setid.mat",
        {"trnid": ids[None, ::3], "valid": ids[None, 1::3], "tstid": ids[None, 2::3]},
    )


def dtd(folder: Path) -> None:
    (folder / "labels").mkdir(parents=True)
    for part in ("train1", "val1", "test1"):
        lines = [f"{name}/{name}_{part}.png" for name in KNOWN["dtd"].classes]
        (folder / "labels" / f"{part}.txt").write_text("\n".join(lines) + "\n")
        for line in lines:
            _image(folder / "images" / line)


def aircraft(folder: Path) -> None:
    names = KNOWN["fgvc-aircraft"].classes
    (folder / "data").mkdir(parents=True)
    for part, first in (("trainval", 0), ("test", 1000)):
        lines = [f"{first + n:07d} {name}" for n, name in enumerate(names)]
        (folder / "data" / f"images_variant_{part}.txt").write_text("\n".join(lines) + "\n")
        for n in range(len(names)):
            _image(folder / "data" / "images" / f"{first + n:07d}.jpg")


def mnist(folder: Path) -> None:
    folder.mkdir(parents=True)
    for part, count in (("train", 30), ("t10k", 20)):
        images = np.random.default_rng(count).integers(0, 255, (count, 28, 28), np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        head = b"".join(int(n).to_bytes(4, "big") for n in images.shape)
        data = bytes([0, 0, 8, 3]) + head + images.tobytes()
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(data))
        data = bytes([0, 0, 8, 1]) + count.to_bytes(4, "big") + labels.tobytes()
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(data)


def eurosat(folder: Path) -> None:
    crops = ("AnnualCrop", "PermanentCrop", "Pasture", "Forest", "HerbaceousVegetation")
    for name in (*crops, "Highway", "Industrial", "Residential", "River", "SeaLake"):
        for number in range(1, 5):
            _image(folder / "EuroSAT_RGB" / name / f"{name}_{number}.jpg")


def resisc(folder: Path) -> None:
    for name in KNOWN["resisc45"].classes:
        for number in (1, 2):
            _image(folder / name.replace(" ", "_") / f"{number:03d}.jpg")


def _image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    random_image(abs(hash(path.as_posix())) % 2**31, 16, 16).save(path)


MAKERS: dict[str, Callable[[Path], None]] = {
    "flowers102": flowers,
    "resisc45": resisc,
    "fgvc-aircraft": aircraft,
    "mnist": mnist,
    "eurosat": eurosat,
    "dtd": dtd,
}
SIZES = {
    "flowers102": 102,
    "resisc45": 45,
    "fgvc-aircraft": 100,
    "mnist": 10,
    "eurosat": 10,
    "dtd": 47,
}


def test_each_set_has_its_classes_once_and_a_template() -> None:
    assert {name: len(set(known.classes)) for name, known in KNOWN.items()} == SIZES
    assert all(known.template.count("{}") == 1 for known in KNOWN.values())


@pytest.mark.parametrize("name", KNOWN)
def test_the_official_layout_is_read_and_no_test_image_is_in_the_pool(
    name: str, tmp_path: Path
) -> None:
    MAKERS[name](tmp_path / "data")
    source = from_known(KNOWN[name], tmp_path / "data", work=tmp_path / "work", test_share=0.3)
    manifest = source.manifest
    assert len(manifest.classes) == SIZES[name]
    pool, test = (
        {manifest.rows[n].sha256 for n in part} for part in (manifest.pool, manifest.test)
    )
    assert pool
    assert test
    assert not pool & test
    assert (source.pool_truth >= 0).all()
    assert set(source.test_truth.tolist()) == set(range(SIZES[name]))


@pytest.mark.parametrize("name", KNOWN)
def test_a_folder_that_lacks_something_says_what_and_where_to_get_it(
    name: str, tmp_path: Path
) -> None:
    MAKERS[name](tmp_path / "data")
    gone = sorted(path for path in (tmp_path / "data").rglob("*") if path.is_file())[0]
    if name in ("eurosat", "resisc45"):
        shutil.rmtree(gone.parent)
    else:
        gone.unlink()
    with pytest.raises(DataError, match=r"missing.*https://"):
        from_known(KNOWN[name], tmp_path / "data", work=tmp_path / "work", test_share=0.3)


def test_an_image_that_stands_in_the_pool_and_in_the_test_is_a_test_image(tmp_path: Path) -> None:
    """The published figures of EuroSAT were made with test images in the training folders."""
    dtd(tmp_path / "data")
    images = tmp_path / "data" / "images"
    shutil.copy(images / "banded/banded_test1.png", images / "banded/banded_train1.png")
    source = from_known(KNOWN["dtd"], tmp_path / "data", work=tmp_path / "work", test_share=0.3)
    hashes = [source.manifest.rows[n].sha256 for n in source.manifest.pool]
    assert len(source.manifest.test) == 47
    assert len(set(hashes)) == len(hashes) == 93
