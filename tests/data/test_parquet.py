"""Parquet: tables, and images in a column."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from data_helpers import CLASSES, csv_file, label_of, plant, png, reasons, used

from clipgrip.data import parquet, parquettext
from clipgrip.data.images import decode
from clipgrip.data.ingest import ingest
from clipgrip.data.sources import ParquetSource
from clipgrip.data.tables import read_table
from clipgrip.errors import DataError, MissingPackage

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def save(path: Path, columns: dict[str, object], metadata: object = None, group: int = 2) -> Path:
    table = pa.table(columns)
    if metadata is not None:
        table = table.replace_schema_metadata({"huggingface": json.dumps(metadata)})
    pq.write_table(table, path, row_group_size=group)
    return path


def structs(numbers: range) -> list[dict[str, object]]:
    return [{"bytes": png(n), "path": f"p{n}.png"} for n in numbers]


def test_images_in_a_struct_column_are_read_with_names_and_labels(tmp_path: Path) -> None:
    columns = {"image": structs(range(5)), "label": ["cat", "dog", None, "-1", "otter"]}
    result = ingest(save(tmp_path / "d.parquet", columns), classes=CLASSES)
    assert used(result) == [f"p{n}.png" for n in range(5)]
    labels = [label_of(result, f"p{n}.png") for n in range(5)]
    assert labels == ["cat", "dog", None, None, "otter"]
    assert result.issues == ()
    assert all(decode(row.source.read()) for row in result.manifest.rows)
    assert {type(row.source) for row in result.manifest.rows} == {ParquetSource}


def test_images_in_a_binary_column_are_shown_by_row(tmp_path: Path) -> None:
    path = save(tmp_path / "d.parquet", {"jpg": [png(1), b"text", None, png(1)]})
    result = ingest(path, classes=CLASSES)
    assert used(result) == ["d.parquet#000000"]
    assert list(reasons(result).values()) == ["not-an-image", "empty-file", "duplicate"]


def test_class_numbers_of_hugging_face_become_names(tmp_path: Path) -> None:
    names = {"_type": "ClassLabel", "names": ["otter", "cat"]}
    metadata = {"info": {"features": {"label": names, "image": {"_type": "Image"}}}}
    columns = {"image": structs(range(2)), "label": [0, 1]}
    result = ingest(save(tmp_path / "d.parquet", columns, metadata), classes=CLASSES)
    assert [label_of(result, f"p{n}.png") for n in range(2)] == ["otter", "cat"]


def test_class_numbers_without_explanation_are_not_guessed(tmp_path: Path) -> None:
    path = save(tmp_path / "d.parquet", {"image": structs(range(2)), "label": [0, 1]})
    with pytest.raises(DataError, match=r'unknown label "0"'):
        ingest(path, classes=CLASSES)


def test_a_parquet_file_may_list_paths(tmp_path: Path) -> None:
    plant(tmp_path, {"a.png": png(1), "b.png": png(2)})
    path = save(tmp_path / "l.parquet", {"path": ["a.png", "b.png"], "label": ["cat", ""]})
    assert label_of(ingest(path, classes=CLASSES), "a.png") == "cat"
    assert label_of(ingest(tmp_path, classes=CLASSES, labels=path), "a.png") == "cat"


def test_test_images_can_be_named_by_their_inner_path(tmp_path: Path) -> None:
    path = save(tmp_path / "d.parquet", {"image": structs(range(3))})
    result = ingest(path, classes=CLASSES, test=csv_file(tmp_path / "t.csv", "p1.png,dog"))
    assert len(result.manifest.test) == 1
    assert label_of(result, "p1.png") == "dog"


def test_numbers_are_read_as_people_write_them(tmp_path: Path) -> None:
    columns = {"path": ["a"], "n": [3.0], "x": [2.5], "b": [b"\0"]}
    table = read_table(save(tmp_path / "t.parquet", columns))
    assert (table.columns, table.rows) == (("path", "n", "x"), (("a", "3", "2.5"),))
    assert table.where(0) == "t.parquet row 1"


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.parquet").write_bytes(b"not parquet at all")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        ingest(tmp_path / "d.parquet", classes=CLASSES)


def test_a_file_that_vanishes_is_an_os_error(tmp_path: Path) -> None:
    path = save(tmp_path / "d.parquet", {"image": structs(range(3))})
    source = ParquetSource(str(path), 1, 0, "image")
    assert source.read() == png(2)
    with pytest.raises(OSError):
        ParquetSource(str(path), 7, 0, "image").read()
    path.unlink()
    with pytest.raises(OSError):
        source.read()


def test_without_pyarrow_the_pip_command_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "d.parquet", {"image": structs(range(2))})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackage, match=r'pip install "clipgrip\[parquet\]"'):
        ingest(path, classes=CLASSES)


def test_more_rows_columns_or_text_than_a_table_of_images_has_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "a.parquet", {"path": ["a.png", "b.png"], "label": ["x", "y"]})
    for name, most in (("MOST_ROWS", 1), ("MAX_COLUMNS", 1), ("MOST_CELLS", 3)):
        with monkeypatch.context() as patch:
            patch.setattr(parquet if name == "MOST_ROWS" else parquettext, name, most)
            with pytest.raises(DataError, match=r"a\.parquet: 2 rows.*[Aa]t most"):
                read_table(path)
    assert read_table(path).rows == (("a.png", "x"), ("b.png", "y"))


def test_a_value_that_is_repeated_is_not_unpacked_beyond_what_a_text_may_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquettext, "MAX_BYTES", 100_000)
    path = save(tmp_path / "a.parquet", {"path": ["x" * 10_000] * 5000}, group=5000)
    assert path.stat().st_size < 50_000
    with pytest.raises(DataError, match="longer than 4096 characters"):
        read_table(path)
    monkeypatch.setattr(parquettext, "LONGEST", 20_000)
    with pytest.raises(DataError, match="more than 0 MiB of text"):
        read_table(path)
    few = save(tmp_path / "b.parquet", {"path": ["x" * 10_000] * 30}, group=7)
    assert len(read_table(few).rows) == 30


def test_texts_that_are_no_paths_are_refused_before_more_of_them_are_read(tmp_path: Path) -> None:
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 3000, pa.int32()), pa.array(["x" * 10**7]))
    path = save(tmp_path / "a.parquet", {"path": long}, group=3000)
    whole = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(whole)
    pa.set_memory_pool(pool)
    try:
        with pytest.raises(DataError, match=r"a\.parquet: its texts are longer than 4096"):
            read_table(path)
    finally:
        pa.set_memory_pool(whole)
    assert 0 < pool.max_memory() < 300 << 20


def test_paths_in_a_dictionary_are_as_long_as_they_are_and_not_as_all_of_them(
    tmp_path: Path,
) -> None:
    names = [f"line 3/{'x' * 40}/{number:06d}.png" for number in range(30_000)]
    path = save(tmp_path / "a.parquet", {"path": pa.array(names).dictionary_encode()}, group=30_000)
    assert len(read_table(path).rows) == 30_000


def test_a_dictionary_of_very_many_paths_is_read_as_the_paths_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquettext, "MAX_BYTES", 1 << 20)
    names = [f"line 3/{number:06d}.png" for number in range(60_000)]
    path = save(tmp_path / "a.parquet", {"path": pa.array(names).dictionary_encode()}, group=60_000)
    assert list(read_table(path).rows) == [(name,) for name in names]


def test_dictionaries_are_not_repeated_for_the_few_rows_of_texts_in_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquettext, "MAX_BYTES", 1 << 21)
    names = [f"line 3/{'x' * 100}/{number:06d}.png" for number in range(20_000)]
    columns = {"path": names, "label": pa.array(names).dictionary_encode()}
    path, read = save(tmp_path / "a.parquet", columns, group=20_000), list[list[str]]()
    whole = parquettext.pieces

    def pieces(file: Any, columns: list[str], **more: Any) -> Any:
        read.append(columns)
        return whole(file, columns, **more)

    monkeypatch.setattr(parquettext, "pieces", pieces)
    assert list(read_table(path).rows) == list(zip(names, names, strict=True))
    assert read == [["label"], ["label"], ["path"], ["path"]]


@pytest.mark.parametrize("long", [10_000, 3000])
def test_texts_in_full_in_a_dictionary_column_are_not_read_all_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, long: int
) -> None:
    """A small file of 60 MB of different texts, whose type is a dictionary: one batch was all of them."""
    monkeypatch.setattr(parquettext, "MAX_BYTES", 1 << 20)
    texts = pa.array([f"{n:06d}{'x' * long}" for n in range(6000)]).dictionary_encode()
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"path": texts}), path, row_group_size=500, use_dictionary=False)
    whole, pool = pa.default_memory_pool(), pa.proxy_memory_pool(pa.default_memory_pool())
    pa.set_memory_pool(pool)
    try:
        with pytest.raises(DataError, match=r"longer than 4096|more than 4 MiB"):
            read_table(path)
    finally:
        pa.set_memory_pool(whole)
    assert pool.max_memory() < 16 << 20


@pytest.mark.parametrize("lists", [pa.list_, pa.large_list, lambda kind: pa.list_(kind, 1)])
def test_a_label_in_a_list_may_come_from_a_dictionary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lists: Callable[[object], object]
) -> None:
    """One dictionary of all of them, which counted whole for each of the pieces."""
    monkeypatch.setattr(parquettext, "MOST_SHORT", 1 << 10)
    monkeypatch.setattr(parquettext, "LONGEST", 40)
    labels = [f"part number {number}" for number in range(20_000)]
    cells = pa.array([[label] for label in labels], lists(pa.dictionary(pa.int32(), pa.string())))
    names = [f"{number}.png" for number in range(20_000)]
    path = save(tmp_path / "a.parquet", {"path": names, "label": cells}, group=20_000)
    assert list(read_table(path).rows) == list(zip(names, labels, strict=True))


def test_long_lists_of_one_long_text_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    """A kilobyte that stood for 200 GB: 200 lists of 1000 times one text."""
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 200_000, pa.int32()), ["x" * 1_500_000])
    lists = pa.ListArray.from_arrays(pa.array(range(0, 200_001, 1000), pa.int32()), text)
    names = [f"{number}.png" for number in range(200)]
    path = save(tmp_path / "a.parquet", {"path": names, "label": lists}, group=200)
    with pytest.raises(DataError, match="longer than 4096"):
        read_table(path)


@pytest.mark.parametrize("inner", [False, True])
def test_an_image_that_stands_in_very_many_rows_is_in_memory_once(
    tmp_path: Path, inner: bool
) -> None:
    image = png(1) + bytes(1_000_000)
    cells = pa.DictionaryArray.from_arrays(pa.array([0] * 5000, pa.int32()), pa.array([image]))
    if inner:
        nothing = pa.array([None] * 5000, pa.string())
        cells = pa.StructArray.from_arrays([cells, nothing], ["bytes", "path"])
    path = str(save(tmp_path / "a.parquet", {"image": cells}, group=5000))
    assert parquet.read_cell(path, 0, 4999, "image") == image
    assert parquet._group(path, 0, "image").nbytes < 10_000_000
