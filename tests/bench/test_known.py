"""The six sets of the paper, read from small copies in their official layouts."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest
from known_sets import MAKERS, SIZES, dtd, eurosat, flowers102, mnist, resisc, small

from clipgrip.bench.known import KNOWN
from clipgrip.bench.source import Source, from_known
from clipgrip.errors import DataError


def read(name: str, folder: Path, **options: float) -> Source:
    data, work = folder / "data", folder / "work"
    return from_known(small(name), data, work=work, test_share=0.3, **options)  # type: ignore[arg-type]


def hashes(source: Source) -> tuple[set[str], set[str]]:
    """Of pool and test."""
    manifest = source.manifest
    pool, test = (
        {manifest.rows[n].sha256 for n in part} for part in (manifest.pool, manifest.test)
    )
    return pool, test


def paths(source: Source, part: str) -> set[str]:
    return {path for row in source.manifest.rows if row.split == part for path in row.paths}


def names(source: Source, part: str) -> set[str]:
    return {Path(path).stem for path in paths(source, part)}


def test_each_set_has_its_classes_once_and_a_template_with_words_to_tune() -> None:
    assert {name: len(set(known.classes)) for name, known in KNOWN.items()} == SIZES
    for known in KNOWN.values():
        assert known.template.count("{}") == 1
        assert known.template.split("{}")[0].strip()


def test_classes_of_flowers102_stand_at_their_published_numbers() -> None:
    """Labels of imagelabels.mat count from 1; a few that are known by their pictures."""
    numbers = {"pink primrose": 1, "snapdragon": 11, "sunflower": 54, "rose": 74, "lotus": 78}
    numbers |= {"water lily": 73, "foxglove": 94, "blackberry lily": 102}
    known = KNOWN["flowers102"].classes
    assert {name: known.index(name) + 1 for name in numbers} == numbers


@pytest.mark.parametrize("name", KNOWN)
def test_the_official_layout_is_read_and_no_test_image_is_in_the_pool(
    name: str, tmp_path: Path
) -> None:
    MAKERS[name](tmp_path / "data")
    source = read(name, tmp_path)
    pool, test = hashes(source)
    assert len(source.manifest.classes) == SIZES[name]
    assert pool
    assert test
    assert not pool & test
    assert not paths(source, "pool") & paths(source, "test")
    assert (source.pool_truth >= 0).all()
    assert set(source.test_truth.tolist()) == set(range(SIZES[name]))
    assert source.split_by == ("content" if name in ("eurosat", "resisc45") else "official")


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
        read(name, tmp_path)


@pytest.mark.parametrize("name", KNOWN)
def test_a_set_that_is_not_whole_is_refused(name: str, tmp_path: Path) -> None:
    MAKERS[name](tmp_path / "data")
    with pytest.raises(DataError, match=rf"is not the complete {KNOWN[name].title}: .* instead of"):
        from_known(KNOWN[name], tmp_path / "data", work=tmp_path / "work", test_share=0.3)


def test_one_image_that_is_gone_is_named(tmp_path: Path) -> None:
    dtd(tmp_path / "data")
    (tmp_path / "data/images/lined/lined_val1.png").unlink()
    with pytest.raises(DataError, match=r"1 of 141 images is missing, first .*lined_val1.png"):
        read("dtd", tmp_path)
    eurosat(tmp_path / "other" / "data")
    (tmp_path / "other/data/EuroSAT_RGB/River/River_2.jpg").unlink()
    with pytest.raises(DataError, match=r'39 images instead of 40 \(fewest in "river": 3\)'):
        read("eurosat", tmp_path / "other")


def test_an_image_that_stands_in_the_pool_and_in_the_test_is_a_test_image(tmp_path: Path) -> None:
    """The published figures of EuroSAT were made with test images in the training folders."""
    dtd(tmp_path / "data")
    images = tmp_path / "data" / "images"
    shutil.copy(images / "banded/banded_test1.png", images / "banded/banded_train1.png")
    pool, test = hashes(read("dtd", tmp_path))
    assert len(test) == 47
    assert len(pool) == 93
    assert not pool & test


@pytest.mark.parametrize(
    ("pattern", "split_by"), [("eurosat-spatial-{}.txt", "longitude"), ("eurosat-{}.txt", "list")]
)
def test_a_published_list_beside_eurosat_decides(
    pattern: str, split_by: str, tmp_path: Path
) -> None:
    eurosat(tmp_path / "data")
    stems = sorted(path.stem for path in (tmp_path / "data").rglob("*.jpg"))
    for name, last in (("train", "12"), ("val", "3"), ("test", "4")):
        lines = [f"{stem}.tif" for stem in stems if stem[-1] in last]
        (tmp_path / "data" / pattern.format(name)).write_text("\n".join(lines) + "\n")
    source = read("eurosat", tmp_path)
    assert source.split_by == split_by
    assert names(source, "test") == {stem for stem in stems if stem.endswith("_4")}
    (tmp_path / "data" / pattern.format("val")).unlink()
    with pytest.raises(DataError, match=r"val.txt is missing beside its siblings"):
        read("eurosat", tmp_path)


def test_a_list_by_longitude_goes_before_one_at_random(tmp_path: Path) -> None:
    eurosat(tmp_path / "data")
    files = sorted((tmp_path / "data").rglob("*.jpg"))
    for pattern, last in (("eurosat-spatial-{}.txt", "1"), ("eurosat-{}.txt", "2")):
        for name in ("train", "val", "test"):
            of_part = {"test": last, "val": "3", "train": "124".replace(last, "")}[name]
            lines = [path.name for path in files if path.stem[-1] in of_part]
            (tmp_path / "data" / pattern.format(name)).write_text("\n".join(lines))
    source = read("eurosat", tmp_path)
    assert {stem[-1] for stem in names(source, "test")} == {"1"}


def test_the_list_of_coop_and_the_one_of_resisc45_are_read(tmp_path: Path) -> None:
    eurosat(tmp_path / "data")
    files = sorted((tmp_path / "data/EuroSAT_RGB").rglob("*.jpg"))
    rows: dict[str, list[object]] = {"train": [], "val": [], "test": []}
    for path in files:
        part = {"1": "test", "2": "val"}.get(path.stem[-1], "train")
        rows[part].append([f"{path.parent.name}/{path.name}", 0, path.parent.name])
    table = tmp_path / "data/EuroSAT_RGB/split_zhou_EuroSAT.json"
    table.write_text(json.dumps(rows))
    source = read("eurosat", tmp_path)
    assert source.split_by == "list"
    assert {stem[-1] for stem in names(source, "test")} == {"1"}
    table.write_text('{"train": []}')
    with pytest.raises(DataError, match=r'is not a JSON file with "train", "val" and "test"'):
        read("eurosat", tmp_path)

    resisc(tmp_path / "other/data")
    files = sorted((tmp_path / "other/data").rglob("*.jpg"))
    for name, last in (("train", "1"), ("val", "0"), ("test", "2")):
        lines = [path.name for path in files if path.stem[-1] == last]
        (tmp_path / "other/data" / f"resisc45-{name}.txt").write_text("\n".join(lines))
    assert {stem[-1] for stem in names(read("resisc45", tmp_path / "other"), "test")} == {"2"}


def test_a_list_that_names_an_image_twice_or_not_at_all_is_refused(tmp_path: Path) -> None:
    eurosat(tmp_path / "data")
    stems = sorted(path.stem for path in (tmp_path / "data").rglob("*.jpg"))
    lists = [tmp_path / "data" / f"eurosat-{name}.txt" for name in ("train", "val", "test")]
    for path, lines in zip(lists, (stems[:20], stems[20:30], stems[29:]), strict=True):
        path.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"more than once"):
        read("eurosat", tmp_path)
    lists[2].write_text("\n".join(stems[31:]))
    with pytest.raises(DataError, match=r"leaves out 1 of 40 images"):
        read("eurosat", tmp_path)


def test_digits_are_unpacked_once_and_anew_when_the_files_change(tmp_path: Path) -> None:
    mnist(tmp_path / "data")
    read("mnist", tmp_path)
    (unpacked,) = (tmp_path / "work/images").iterdir()
    before = {path: path.stat().st_mtime_ns for path in unpacked.rglob("*.png")}
    read("mnist", tmp_path)
    assert {path: path.stat().st_mtime_ns for path in unpacked.rglob("*.png")} == before
    packed = tmp_path / "data/t10k-images-idx3-ubyte.gz"
    data = bytearray(gzip.decompress(packed.read_bytes()))
    data[-1] ^= 1
    packed.write_bytes(gzip.compress(bytes(data)))
    read("mnist", tmp_path)
    assert len(list((tmp_path / "work/images").iterdir())) == 2


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("t10k-images-idx3-ubyte.gz", lambda data: data[:-9], "damaged"),
        ("t10k-images-idx3-ubyte.gz", lambda _: b"<html>", "damaged"),
        ("train-labels-idx1-ubyte", lambda data: data[:-1], "not a whole IDX file"),
        ("train-labels-idx1-ubyte", lambda data: data[:-1] + b"\x0b", "do not belong together"),
    ],
)
def test_a_damaged_file_of_mnist_is_named(
    name: str, change: object, message: str, tmp_path: Path
) -> None:
    mnist(tmp_path / "data")
    path = tmp_path / "data" / name
    path.write_bytes(change(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(DataError, match=message):
        read("mnist", tmp_path)


def test_a_damaged_matlab_file_is_named(tmp_path: Path) -> None:
    flowers102(tmp_path / "data")
    path = tmp_path / "data/setid.mat"
    whole = path.read_bytes()
    for data in (whole[:200], b"no matrix", (tmp_path / "data/imagelabels.mat").read_bytes()):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"setid.mat is not the MATLAB file with trnid, valid"):
            read("flowers102", tmp_path)
