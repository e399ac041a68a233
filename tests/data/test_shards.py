"""Tables of other types, data sets in several files, folders named by split."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from data_helpers import label_of, plant, png, used

from clipgrip.bench.source import from_folders
from clipgrip.data.ingest import ingest
from clipgrip.data.splitnames import split_folders
from clipgrip.errors import DataError

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def write(path: Path, /, **columns: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns), path)
    return path


DAY = datetime.date(2024, 5, 1)


@pytest.mark.parametrize(
    ("values", "written"),
    [
        ([True, False], ["True", "False"]),
        (pa.array([Decimal("1.00"), Decimal("2.50")]), ["1", "2.50"]),
        ([DAY, datetime.date(2024, 5, 2)], ["2024-05-01", "2024-05-02"]),
        ([["a"], ["b"]], ["a", "b"]),
        ([[0], [1]], ["0", "1"]),
        ([b"a", b"b"], ["a", "b"]),
        (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
    ],
)
def test_labels_of_any_plain_type_are_read_as_text(
    tmp_path: Path, values: Any, written: list[str]
) -> None:
    plant(tmp_path, {"a.png": png(1), "b.png": png(2)})
    table = write(tmp_path / "t.parquet", path=["a.png", "b.png"], label=values)
    result = ingest(table, classes=written)
    assert [label_of(result, name) for name in ("a.png", "b.png")] == written


def test_a_label_of_a_type_that_is_no_text_is_named(tmp_path: Path) -> None:
    plant(tmp_path, {"a.png": png(1)})
    table = write(tmp_path / "t.parquet", path=["a.png"], label=[{"x": 1}])
    with pytest.raises(DataError, match=r't\.parquet: the column "label" is of the type struct'):
        ingest(table, classes=["a", "b"])
    table = write(tmp_path / "u.parquet", path=["a.png"], label=[["a", "b"]])
    with pytest.raises(DataError, match=r"u\.parquet row 1 column label: 2 values"):
        ingest(table, classes=["a", "b"])


def test_images_by_path_and_by_bytes_stand_in_one_column(tmp_path: Path) -> None:
    plant(tmp_path, {"img/a.png": png(1)})
    cells = [{"bytes": None, "path": "img/a.png"}, {"bytes": png(2), "path": "b.png"}]
    result = ingest(
        write(tmp_path / "t.parquet", image=cells, label=["x", "y"]), classes=["x", "y"]
    )
    assert used(result) == ["b.png", "img/a.png"]
    assert [label_of(result, name) for name in ("img/a.png", "b.png")] == ["x", "y"]


def test_images_that_are_all_given_by_path_need_no_bytes(tmp_path: Path) -> None:
    """Then the table has no type for the bytes."""
    plant(tmp_path, {"img/a.png": png(1), "img/b.png": png(2)})
    cells = [{"bytes": None, "path": f"img/{name}.png"} for name in "ab"]
    table = write(tmp_path / "t.parquet", image=cells, label=["x", "y"])
    assert "null" in str(parquet.read_schema(table).field("image").type)
    assert used(ingest(table, classes=["x", "y"])) == ["img/a.png", "img/b.png"]


def test_a_folder_of_shards_is_one_data_set(tmp_path: Path) -> None:
    for number in range(3):
        images = [{"bytes": png(10 * number + n), "path": None} for n in range(2)]
        name = f"data/train-{number:05d}-of-00003.parquet"
        write(tmp_path / name, image=images, label=["x", "y"])
    (tmp_path / "README.md").write_text("a card")
    result = ingest(tmp_path, classes=["x", "y"])
    assert len(result.manifest) == 6
    assert sorted(result.manifest.labels.tolist()) == [0, 0, 0, 1, 1, 1]
    write(tmp_path / "data/test-00000-of-00001.parquet", image=images, label=["x", "y"])
    with pytest.raises(DataError, match=r"several splits \(test, train\)"):
        ingest(tmp_path, classes=["x", "y"])


def test_a_table_among_images_is_no_shard(tmp_path: Path) -> None:
    plant(tmp_path, {"a.png": png(1)})
    write(tmp_path / "t.parquet", path=["a.png"], label=["x"])
    assert used(ingest(tmp_path, classes=["x", "y"])) == ["a.png"]


def splits(root: Path, *names: str) -> Path:
    for part, name in enumerate(names):
        for klass in ("cat", "dog"):
            seeds = (100 * part + 10 * (klass == "dog") + n for n in range(4))
            plant(root / name / klass, {f"{n}.png": png(n) for n in seeds})
    return root


@pytest.mark.parametrize(
    "names", [("train", "val", "test"), ("Train", "valid"), ("training", "Test")]
)
def test_folders_of_splits_are_used_as_splits_in_a_grid(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    source = from_folders(splits(tmp_path, *names), test_share=0.3)
    assert source.manifest.classes.display == ("cat", "dog")
    assert (len(source.manifest.pool), len(source.manifest.test)) == (8, 8)
    assert source.split_by == "official"
    assert [issue.path for issue in source.issues] == (["val"] if len(names) == 3 else [])


def test_labels_that_are_folders_of_splits_are_refused_with_what_to_give(tmp_path: Path) -> None:
    folder = splits(tmp_path, "train", "val", "test")
    with pytest.raises(DataError, match=r"are splits, not classes.*--labels .*train --test .*test"):
        ingest(folder, classes=["cat", "dog"], labels=folder)


def test_classes_that_are_called_like_splits_stay_classes(tmp_path: Path) -> None:
    plant(tmp_path, {"train/a.png": png(1), "test/b.png": png(2)})
    assert split_folders(tmp_path) == {}
    plant(tmp_path / "more", {"train/x/a.png": png(1), "bus/x/b.png": png(2)})
    assert split_folders(tmp_path / "more") == {}
