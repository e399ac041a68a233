"""Lazy sequences, text columns and rows: no object for an item before it is read, and the same answers as with one."""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from data_helpers import CLASSES, csv_file, plant, png

from clipgrip.data import texts
from clipgrip.data.discover import discover
from clipgrip.data.ingest import ingest
from clipgrip.data.lazy import LazyItems, concatenated, selected
from clipgrip.data.tables import parse_csv
from clipgrip.data.texts import TextIndex, Texts, first_positions, unique_positions

COLLIDING = [hash, len, lambda _: 7]
"""Hashes that tell all, few and no texts apart."""


@pytest.mark.parametrize("hashed", COLLIDING)
def test_a_text_is_found_whatever_its_hash(hashed: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "hash", hashed, raising=False)
    keys = ["a", "bb", "B", "a", "cc", "", "部品"]
    exact, folded = TextIndex(keys), TextIndex(keys, lambda key: (key.casefold(), key[:1]))
    assert [exact.last_position(key) for key in keys] == [3, 1, 2, 3, 4, 5, 6]
    assert exact.positions("a") == [0, 3]
    assert exact.last_position("d") is None
    assert folded.positions("b") == [1, 2]
    assert "cc" in exact
    assert 3 not in exact


@pytest.mark.parametrize("hashed", COLLIDING)
def test_repeated_texts_are_those_that_a_dictionary_finds(
    hashed: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "hash", hashed, raising=False)
    draw = random.Random(0)
    keys = ["".join(draw.choices("abc", k=draw.randrange(4))) for _ in range(300)]
    first: dict[str, int] = {}
    expected = [first.setdefault(key, place) for place, key in enumerate(keys)]
    assert first_positions(keys).tolist() == expected
    assert unique_positions(keys).tolist() == list(first.values())
    assert unique_positions([]).tolist() == []


@pytest.mark.parametrize("count", [0, 1, 7, 500])
def test_texts_are_sorted_in_parts_as_they_are_at_once(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "PART", 16)
    draw = random.Random(count)
    some = ["".join(draw.choices("ab/.é部\udcff", k=draw.randrange(5))) for _ in range(count)]
    assert Texts(some).order().tolist() == sorted(range(count), key=some.__getitem__)


def test_things_are_picked_and_chained_by_their_places() -> None:
    squares = LazyItems(5, lambda place: place**2)
    assert list(selected(squares, np.array([3, 1]))) == [9, 1]
    assert list(concatenated(squares, (), [7, 8])) == [0, 1, 4, 9, 16, 7, 8]
    assert list(concatenated((), ())) == []


def test_a_table_gives_its_rows_cells_and_columns() -> None:
    table = parse_csv('path;label\r\n"a\r\nb";x\r\n\r\nc.png\r"d";;\n', "t.csv")
    assert table.rows == [("a\r\nb", "x"), ("c.png", ""), ("d", "")]
    assert list(table.numbers) == [2, 5, 6]
    assert table.rows[-1] == ("d", "")
    assert table.rows[:1] == [("a\r\nb", "x")]
    assert table.rows.cell(0, 1) == "x"
    assert list(table.rows.column(0)) == ["a\r\nb", "c.png", "d"]


def test_a_list_costs_little_more_than_its_text(tmp_path: Path) -> None:
    rows = [f"s3://plant/line 3/photograph-{n:09d}.jpg,{CLASSES[n % 3]}" for n in range(5000)]
    listed = csv_file(tmp_path / "list.csv", *rows)
    discover(csv_file(tmp_path / "first.csv", *rows[:2]))  # what is imported once is no row's
    tracemalloc.start()
    found = discover(listed)
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.entries) == len(found.labels) == 5000
    assert kept < 250 * 5000  # paths twice, as they are written and as they are meant
    assert most < 600 * 5000


@pytest.mark.parametrize("way", ["table", "parquet", "folders", "labels"])
def test_a_list_and_class_folders_give_the_same_images_and_labels(tmp_path: Path, way: str) -> None:
    names = [f"{CLASSES[n % 3]}/{n:03d}.png" for n in range(12)]
    images = plant(tmp_path / "images", {name: png(n % 10) for n, name in enumerate(names)})
    places = [f"images/{name}" for name in names]
    rows = [f"{place},{place.split('/')[1]}" for place in [*places, places[3]]]
    place = csv_file(tmp_path / "list.csv", *rows)
    if way == "parquet":
        pa, pq = (pytest.importorskip(name) for name in ("pyarrow", "pyarrow.parquet"))
        place = tmp_path / "list.parquet"
        cells = [row.split(",") for row in rows]
        columns = zip(("path", "label"), zip(*cells, strict=True), strict=True)
        pq.write_table(pa.table({name: list(column) for name, column in columns}), place)
    found = {
        "table": lambda: ingest(place, classes=CLASSES),
        "parquet": lambda: ingest(place, classes=CLASSES),
        "folders": lambda: ingest(images, classes=CLASSES, folders=True),
        "labels": lambda: ingest(images, classes=CLASSES, labels=images),
    }[way]()
    # of the twelve pictures two are copies, whose folders say something else
    expected = {f"{n:03d}.png": n % 3 if n >= 2 else -1 for n in range(10)}
    labels = {row.path.rsplit("/")[-1]: row.label for row in found.manifest.rows}
    assert {
        n: labels.get(n, labels.get(f"{int(n[:3]) + 10:03d}.png")) for n in expected
    } == expected
    assert found.issues.tally().startswith("4 conflicting-labels")
