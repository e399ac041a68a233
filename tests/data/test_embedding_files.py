"""A file of embeddings says in its arrays what is what; whatever is wrong with it is said in one sentence."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from embedded import NAMES, N, arrays, with_labels, with_texts
from PIL import Image

from clipgrip.data import embedfiles, embedlarge, embedtables, parquettext
from clipgrip.data.discover import discover
from clipgrip.data.embeddings import is_embeddings, read_embeddings, root_of
from clipgrip.data.embedlarge import stacked_in_file
from clipgrip.data.embedlayout import mask_of_test
from clipgrip.data.ingest import ingest
from clipgrip.data.listing import listing
from clipgrip.data.reading import open_row
from clipgrip.errors import DataError
from clipgrip.estimator import GripClassifier


def test_the_layout_of_an_npz_is_read(tmp_path: Path) -> None:
    found = read_embeddings(with_texts(tmp_path / "e.npz"))
    assert list(found.banks) == ["clip", "dino"]
    assert found.names == NAMES
    assert found.logit_scale == 100
    assert found.ids[:2] == ("000000", "000001")
    assert not any(found.pictures)


def test_the_bank_that_the_class_embeddings_fit_comes_first(tmp_path: Path) -> None:
    made = arrays()
    np.savez(
        tmp_path / "e.npz", dino=made["dino"], clip=made["clip"], class_embeds=made["class_embeds"]
    )
    assert [*read_embeddings(tmp_path / "e.npz").banks] == ["clip", "dino"]


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_floats_of_any_width_and_vectors_of_any_length_are_taken(tmp_path: Path, kind: Any) -> None:
    bank = (7 * arrays()["clip"]).astype(kind)
    np.save(tmp_path / "e.npy", bank)
    found = read_embeddings(tmp_path / "e.npy")
    assert found.banks["image_embeds"].dtype == np.float32
    assert np.array_equal(found.banks["image_embeds"], bank.astype(np.float32))


def test_labels_may_be_names_or_positions(tmp_path: Path) -> None:
    numbers = np.where(np.arange(N) < 8, arrays()["truth"], -1)
    with_texts(tmp_path / "e.npz", labels=numbers)
    found = ingest(tmp_path / "e.npz", classes=NAMES).manifest
    assert sorted(found.labels[found.labels >= 0].tolist()) == [0, 0, 1, 1, 2, 2, 3, 3]
    with_texts(tmp_path / "f.npz", labels=numbers, class_names=None)
    assert (ingest(tmp_path / "f.npz", classes=NAMES).manifest.labels == found.labels).all()


def test_identity_is_the_vectors_and_neither_their_place_nor_their_name(tmp_path: Path) -> None:
    made = arrays()
    np.savez(tmp_path / "a.npz", x=made["clip"], y=made["dino"])
    turned = np.random.default_rng(1).permutation(N)
    np.savez(tmp_path / "b.npz", y=made["dino"][turned], x=made["clip"][turned], ids=np.arange(N))
    one, other = (read_embeddings(tmp_path / name).hashes for name in ("a.npz", "b.npz"))
    assert [one[n] for n in turned] == list(other)


def test_equal_vectors_are_one_image(tmp_path: Path) -> None:
    bank = arrays()["clip"]
    bank[1] = bank[0]
    np.savez(tmp_path / "e.npz", clip=bank)
    found = ingest(tmp_path / "e.npz", classes=NAMES)
    assert len(found.manifest) == N - 1
    assert [issue.reason for issue in found.issues] == ["duplicate"]


def test_tables_of_labels_name_images_by_their_id(tmp_path: Path) -> None:
    with_texts(tmp_path / "e.npz", ids=np.array([f"部品{n}" for n in range(N)]))
    (tmp_path / "labels.csv").write_text("path,label\n部品3,dent\n部品5,ok\n", "utf-8")
    (tmp_path / "test.csv").write_text("path,label\n部品7,stain\n", "utf-8")
    found = ingest(
        tmp_path / "e.npz",
        classes=NAMES,
        labels=tmp_path / "labels.csv",
        test=tmp_path / "test.csv",
    ).manifest
    assert {row.path: (row.label, row.split) for row in found.rows if row.label >= 0} == {
        "部品3": (2, "pool"),
        "部品5": (0, "pool"),
        "部品7": (3, "test"),
    }


def test_a_picture_is_shown_while_it_is_the_one_that_was_there(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9), "red").save(tmp_path / "0.png")
    paths = np.array(["0.png", "gone.png", *[""] * (N - 2)])
    found = ingest(with_texts(tmp_path / "e.npz", paths=paths), classes=NAMES)
    rows = {row.path: row for row in found.manifest.rows}
    assert open_row(rows["000000"]).size == (9, 9)
    assert [(issue.path, issue.reason) for issue in found.issues] == [("000001", "no-picture")]
    with pytest.raises(DataError, match="embedding without a picture"):
        open_row(rows["000002"])
    Image.new("RGB", (9, 9), "blue").save(tmp_path / "0.png")
    with pytest.raises(DataError, match="no longer the file"):
        open_row(rows["000000"])


def test_paths_are_ids_where_every_image_has_one(tmp_path: Path) -> None:
    with_texts(tmp_path / "e.npz", paths=np.array([f"p/{n}.png" for n in range(N)]))
    assert read_embeddings(tmp_path / "e.npz").ids[4] == "p/4.png"


def one(**changed: Any) -> dict[str, Any]:
    return {"clip": arrays()["clip"], **changed}


def spoiled(row: int, value: float) -> np.ndarray:
    bank = arrays()["clip"]
    bank[row] = value
    return bank


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (one(clip=spoiled(3, np.nan)), 'the row of "000003" in "clip" holds NaN'),
        (one(clip=spoiled(4, np.inf)), "infinite"),
        (one(clip=spoiled(2, 0)), "all zeros"),
        (one(clip=1e300 * arrays()["clip"].astype(np.float64)), "infinite"),
        (one(dino=arrays()["dino"][1:]), '"dino" has 95 rows, and "clip" has 96'),
        (one(labels=np.zeros(5, int)), '"labels" has 5 rows'),
        (one(ids=np.array(["a"] * N)), 'id "a" stands twice, in the rows 0 and 1'),
        (one(ids=np.array(["a", *[""] * (N - 1)])), "row 1 has no id"),
        (one(label_names=np.array(NAMES)), 'array "label_names".*ids, paths, labels, test'),
        (one(ids=np.zeros((N, 2))), r'"ids" has the shape \(96, 2\); allowed is one value for each image'),
        (one(labels=np.zeros((N, 2), int)), r'"labels" has the shape'),
        (one(ids=np.array(3)), r'"ids" has the shape \(\)'),
        (one(class_names=np.array("ok")), "one value for each class"),
        (one(idz=np.arange(N)), 'Did you mean "ids"'),
        (one(clip=np.zeros((N, 3), int)), r"type int64"),
        (one(ids=np.array([object()] * N, dtype=object)), "refused"),
        (one(class_embeds=np.ones((4, 7))), r"class_embeds has the shape \(4, 7\)"),
        (one(class_embeds=np.ones((4, 16)), class_names=np.array(["a", "b"])), "4 rows, and there are 2"),
        (one(class_embeds=np.zeros((4, 16))), "only zeros"),
        (one(logit_scale=np.array(-1.0)), "logit_scale = -1.0"),
        ({"ids": np.arange(3)}, "no image embeddings in it"),
        ({"clip": np.zeros((0, 4))}, "no image embeddings in it"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(tmp_path: Path, given: dict[str, Any], says: str) -> None:
    np.savez(tmp_path / "e.npz", **given)
    with pytest.raises(DataError, match=says) as error:
        read_embeddings(tmp_path / "e.npz")
    assert str(error.value).startswith(("e.npz: ", str(tmp_path)))
    with pytest.raises(DataError, match=says):
        discover(tmp_path / "e.npz")


def test_ids_that_mean_one_place_are_said(tmp_path: Path) -> None:
    ids = np.array(["a/b", "a/./b", *map(str, range(2, N))])
    np.savez(tmp_path / "e.npz", **one(ids=ids))
    with pytest.raises(DataError, match=r'id "a/\./b" stands twice'):
        discover(tmp_path / "e.npz")


@pytest.mark.parametrize("name", ["e.npz", "e.npy", "e.parquet", "e.arrow"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04broken", b"\x93NUMPY\x01", b"no file at all"])
def test_a_damaged_file_is_said(tmp_path: Path, name: str, content: bytes) -> None:
    if name.endswith(("parquet", "arrow")):
        pytest.importorskip("pyarrow")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=r"cannot be read as|Python objects"):
        read_embeddings(tmp_path / name)


def test_objects_in_a_npy_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "e.npy", np.array([{1: 2}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="could run any program"):
        read_embeddings(tmp_path / "e.npy")


def test_a_file_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_embeddings(tmp_path / "e.npz")


def test_a_file_url_is_a_place_on_this_machine(tmp_path: Path) -> None:
    here = with_texts(tmp_path / "e.npz").as_uri()
    assert is_embeddings(here)
    assert read_embeddings(here).path == str(tmp_path / "e.npz")
    assert len(discover(here).entries) == listing(here).count == N


def cut(folder: Path, kind: str) -> None:
    """The file of `with_texts` in three shards."""
    folder.mkdir(parents=True)
    made = arrays()
    for number, rows in enumerate(np.array_split(np.arange(N), 3)):
        banks = {name: made[name][rows] for name in ("clip", "dino")}
        if kind == "npz":
            texts = {k: made[k] for k in ("class_embeds", "class_names")} if number == 1 else {}
            np.savez(folder / f"s-{number}.npz", **banks, **texts)
            continue
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        pq.write_table(
            pa.table({k: v.tolist() for k, v in banks.items()}), folder / f"s-{number}.parquet"
        )


@pytest.mark.parametrize("kind", ["npz", "parquet"])
@pytest.mark.parametrize("pattern", [False, True])
def test_a_folder_of_shards_is_one_set(tmp_path: Path, kind: str, pattern: bool) -> None:
    cut(tmp_path / "s", kind)
    place = tmp_path / "s" / f"s-{{0..2}}.{kind}" if pattern else tmp_path / "s"
    whole = read_embeddings(with_texts(tmp_path / "e.npz"))
    assert is_embeddings(place)
    found = ingest(place, classes=NAMES)
    assert (
        found.manifest.fingerprint == ingest(tmp_path / "e.npz", classes=NAMES).manifest.fingerprint
    )
    assert np.array_equal(read_embeddings(place).hashes, whole.hashes)
    assert [one.path for one in listing(place).entries] == list(whole.ids)
    if kind == "npz":
        assert read_embeddings(place).class_names == NAMES


def test_shards_that_do_not_belong_together_are_said(tmp_path: Path) -> None:
    cut(tmp_path / "s", "npz")
    np.savez(tmp_path / "s" / "s-2.npz", clip=arrays()["clip"][:, :9])
    with pytest.raises(
        DataError, match=r"s-2.npz holds clip \(9,\), and s-0.npz holds clip \(16,\), dino"
    ):
        discover(tmp_path / "s")
    cut(tmp_path / "t", "npz")
    np.savez(
        tmp_path / "t" / "s-2.npz",
        clip=arrays()["clip"],
        dino=arrays()["dino"],
        class_names=np.array(["x"]),
    )
    with pytest.raises(DataError, match=r"s-2.npz and s-1.npz have different class_names"):
        discover(tmp_path / "t")


def test_large_shards_lie_in_a_file_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut(tmp_path / "s", "npz")
    whole = read_embeddings(with_texts(tmp_path / "e.npz")).hashes
    monkeypatch.setattr(embedlarge, "LARGE", 1)
    assert np.array_equal(read_embeddings(tmp_path / "s").hashes, whole)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no list of open files")
@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_many_large_shards_keep_no_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A process may have a thousand open files or so, and a set as many shards and more."""
    monkeypatch.setattr(embedlarge, "LARGE", 1)
    save, bank = getattr(np, {"npz": "savez", "npy": "save"}[kind]), arrays()["clip"]
    for number, rows in enumerate(np.array_split(bank.astype(">f8"), 8)):
        save(tmp_path / f"s-{number}.{kind}", rows)
    most, reads, read = 0, 0, embedfiles.read_arrays

    def watched(path: str, among: int) -> Any:
        nonlocal most, reads
        reads += 1
        opened = (Path("/proc/self/fd") / one for one in os.listdir("/proc/self/fd"))
        most = max(most, sum(str(tmp_path) in os.path.realpath(one) for one in opened))
        return read(path, among)

    monkeypatch.setattr(embedfiles, "read_arrays", watched)
    (found,) = read_embeddings(tmp_path).banks.values()
    assert (most, reads) == (0, 8)
    assert np.array_equal(found, bank)


@pytest.mark.parametrize("kind", ["parquet", "arrow file", "arrow stream"])
@pytest.mark.parametrize("files", [1, 3])
def test_large_columns_are_put_into_a_file_a_piece_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, files: int
) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    sizes = list[tuple[int, ...]]()

    def watched(parts: Iterable[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
        return stacked_in_file((sizes.append(part.shape) or part for part in parts), shape)

    (place := tmp_path / "s").mkdir()
    for number, rows in enumerate(np.array_split(np.arange(N), files)):
        part, path = table().take(rows), place / f"s-{number}.{kind.split()[0]}"
        if kind == "parquet":
            pq.write_table(part, path, row_group_size=3)
            continue
        opened = pa.ipc.new_file if kind == "arrow file" else pa.ipc.new_stream
        with opened(str(path), part.schema) as writer:
            writer.write_table(part, max_chunksize=3)
    whole = read_embeddings(place)
    monkeypatch.setattr(embedlarge, "LARGE", 1)
    monkeypatch.setattr(embedtables, "stacked_in_file", watched)
    monkeypatch.setattr(embedtables, "ROWS", 2)
    large = read_embeddings(shutil.copytree(place, tmp_path / "t"))
    assert np.array_equal(large.hashes, whole.hashes)
    assert (large.ids, large.labels) == (whole.ids, whole.labels)
    assert sum(rows for rows, _ in sizes) == N * len(whole.banks)
    assert {rows for rows, _ in sizes} <= {1, 2, 3}


@pytest.mark.parametrize("large", [1, 2**28])
def test_a_vector_that_is_missing_or_short_is_named_by_its_row_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(embedlarge, "LARGE", large)
    vectors: list[list[float] | None] = [[1.0, 2.0]] * 9
    for wrong, said in (
        (None, "no vector in row 7"),
        ([1.0], "row 7 has 1 number, and row 0 has 2"),
    ):
        vectors[7] = wrong
        pq.write_table(pa.table({"clip": vectors}), tmp_path / "e.parquet", row_group_size=2)
        with pytest.raises(DataError, match=said):
            read_embeddings(tmp_path / "e.parquet")


def test_a_table_of_many_rows_that_is_damaged_is_said(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(table(), path := tmp_path / "e.parquet", row_group_size=2)
    content, half = path.read_bytes(), path.stat().st_size // 4
    path.write_bytes(content[:half] + b"\xff" * half + content[2 * half :])
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_embeddings(path)


def test_embeddings_in_a_store_are_read_there(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    cut(tmp_path / "s", "npz")
    try:
        for path in sorted((tmp_path / "s").iterdir()):
            store.pipe_file(f"/vectors/{path.name}", path.read_bytes())
        for place in ("memory://vectors", "memory://vectors/s-{0..2}.npz"):
            found = read_embeddings(place)
            assert np.array_equal(found.hashes, read_embeddings(tmp_path / "s").hashes)
            assert len(discover(place).entries) == N
        assert len(read_embeddings("memory://vectors/s-1.npz").ids) == N // 3
        with pytest.raises(DataError, match="no such file"):
            read_embeddings("memory://vectors/none.npz")
        for place in ("memory://vectors", "memory://vectors/", "memory://vectors/s-1.npz"):
            assert root_of(place) == "memory://vectors"
    finally:
        store.rm("/vectors", recursive=True)


def table(**more: Any) -> Any:
    pa = pytest.importorskip("pyarrow")
    made = arrays()
    columns = {
        "clip": list(made["clip"].tolist()),
        "dino": pa.FixedSizeListArray.from_arrays(pa.array(made["dino"].ravel()), 12),
        "id": [f"i{n}" for n in range(N)],
        "label": ["dent", *[None] * (N - 1)],
        "taken": ["2026"] * N,
    }
    return pa.table({**columns, **more})


@pytest.mark.parametrize("kind", ["parquet", "arrow file", "arrow stream"])
def test_parquet_and_arrow_hold_the_same_as_columns(tmp_path: Path, kind: str) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / f"e.{kind.split()[0]}"
    if kind == "parquet":
        parquet.write_table(table(), path)
    else:
        opened = pa.ipc.new_file if kind == "arrow file" else pa.ipc.new_stream
        with opened(str(path), table().schema) as writer:
            writer.write_table(table())
    found = read_embeddings(path)
    assert is_embeddings(path)
    assert {name: bank.shape for name, bank in found.banks.items()} == {
        "clip": (N, 16),
        "dino": (N, 12),
    }
    assert found.ids[1] == "i1"
    assert found.labels[:2] == ("dent", "")
    np.savez(tmp_path / "same.npz", clip=arrays()["clip"], dino=arrays()["dino"])
    assert np.array_equal(found.hashes, read_embeddings(tmp_path / "same.npz").hashes)


def test_the_pictures_of_an_arrow_data_set_are_not_taken_for_paths(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pictures = pa.array([{"bytes": b"\x89PNG", "path": None}] * N)
    ids = pa.array([f"i{n}".encode() for n in range(N)])
    whole = pa.table({"clip": table().column("clip"), "image": pictures, "image_id": ids})
    with pa.ipc.new_file(str(tmp_path / "e.arrow"), whole.schema) as writer:
        writer.write_table(whole)
    found = read_embeddings(tmp_path / "e.arrow")
    assert found.ids[:2] == ("i0", "i1")
    assert not any(found.pictures)
    with pa.ipc.new_file(str(tmp_path / "f.arrow"), whole.drop(["image_id"]).schema) as writer:
        writer.write_table(whole.drop(["image_id"]))
    assert read_embeddings(tmp_path / "f.arrow").ids[:2] == ("000000", "000001")


@pytest.mark.parametrize(
    ("ids", "labels"), [("ID", "Label"), ("image_id", "class"), ("filename", "LABELS")]
)
def test_columns_may_be_called_as_lists_of_images_call_them(
    tmp_path: Path, ids: str, labels: str
) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    made = table()
    columns = [{"id": ids, "label": labels}.get(name, name) for name in made.column_names]
    pq.write_table(made.rename_columns(columns), tmp_path / "e.parquet")
    found = read_embeddings(tmp_path / "e.parquet")
    assert found.ids[:2] == ("i0", "i1")
    assert found.labels[:2] == ("dent", "")


def test_vectors_of_several_lengths_and_missing_ones_are_said(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    ragged = [[1.0, 2.0]] * (N - 1)
    parquet.write_table(table(clip=[*ragged, [1.0]]), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r'"clip".*row 95 has 1 number'):
        read_embeddings(tmp_path / "a.parquet")
    parquet.write_table(table(clip=[None, *ragged]), tmp_path / "b.parquet")
    with pytest.raises(DataError, match='"clip" has no vector in row 0'):
        read_embeddings(tmp_path / "b.parquet")


def test_a_parquet_file_without_vectors_is_a_list_of_images_as_ever(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    Image.new("RGB", (9, 9)).save(tmp_path / "0.png")
    parquet.write_table(pa.table({"path": ["0.png"], "label": ["ok"]}), tmp_path / "e.parquet")
    assert not is_embeddings(tmp_path / "e.parquet")
    assert [row.path for row in ingest(tmp_path / "e.parquet", classes=NAMES).manifest.rows] == [
        "0.png"
    ]


def test_boxes_in_a_list_of_images_are_no_embeddings(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    Image.new("RGB", (9, 9)).save(tmp_path / "0.png")
    listed = {"path": ["0.png"], "label": ["ok"]}
    corners = [[1.0, 1.0, 8.0, 1.0, 8.0, 8.0, 1.0, 8.0]]
    for beside in (
        {"bbox": [[1.0, 2.0, 3.0, 4.0]], "size": [[9.0, 9.0]]},
        {"corners": corners},
        {"keypoints": [[1.0] * 51], "probs": [[0.1] * 10]},
    ):
        parquet.write_table(pa.table({**listed, **beside}), tmp_path / "e.parquet")
        assert not is_embeddings(tmp_path / "e.parquet")
        rows = ingest(tmp_path / "e.parquet", classes=NAMES).manifest.rows
        assert [row.path for row in rows] == ["0.png"]


def test_boxes_beside_embeddings_are_no_bank(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    boxes = {"bbox": [[1.0, 2.0]] * N, "box": [[float(n)] * (n % 3) for n in range(N)]}
    given = table(path=[f"{n}.png" for n in range(N)], middle=[[1.0, 2.0]] * N, **boxes)
    parquet.write_table(given, tmp_path / "e.parquet")
    assert is_embeddings(tmp_path / "e.parquet")
    assert list(read_embeddings(tmp_path / "e.parquet").banks) == ["clip", "dino"]
    by_frame = GripClassifier(backbone="embeddings").fit(
        given.to_pandas()[["clip", "bbox"]], NAMES * 24
    )
    assert by_frame.n_features_in_ == 16


def test_what_is_kept_for_a_test_is_never_in_the_pool(tmp_path: Path) -> None:
    found = ingest(with_labels(tmp_path / "e.npz"), classes=NAMES).manifest
    assert (len(found.pool), len(found.test)) == (72, 24)
    assert all(found.rows[n].label >= 0 for n in found.test)


def test_a_text_that_is_called_npz_is_no_numpy_file(tmp_path: Path) -> None:
    (tmp_path / "e.npz").write_text("hello", "utf-8")
    with pytest.raises(DataError, match="it is no such file"):
        read_embeddings(tmp_path / "e.npz")


@pytest.mark.parametrize("value", [2, "maybe", 0.5])
def test_a_value_that_says_neither_test_nor_pool_is_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(DataError, match=r"test of row 1 is"):
        mask_of_test([1, value, 0, "", None, True], "x.npz")
    assert mask_of_test([1, 0, "", None, True, "False", "test"], "x.npz") == (
        True, False, False, False, True, False, True,
    )  # fmt: skip


def test_columns_of_a_table_that_may_say_more_are_said_not_to_be_read(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    place = tmp_path / "e.parquet"
    vectors = {"embedding": np.eye(4, 16, dtype=np.float32).tolist(), "id": list("abcd")}
    others: list[tuple[dict[str, list[str]], list[str]]] = [
        ({"category": ["cat", "dog", "cat", "dog"]}, ['"category" may']),
        ({"split": ["train", "test", "train", "test"]}, ['"split" is not']),
        ({"split": ["left", "right", "left", "right"], "lot": list("1122")}, []),
    ]
    for columns, said in others:
        pq.write_table(pa.table(vectors | columns), place)
        issues = ingest(place, classes=["cat", "dog"]).issues
        found = [one.detail for one in issues if one.reason == "labels-not-read"]
        assert [detail[: len(begin)] for detail, begin in zip(found, said, strict=True)] == said


# -- much from little -------------------------------------------------------------------------------------------------


def packed_header(text: bytes) -> bytes:
    """An .npz whose one array begins with a header of this text."""
    out, text = io.BytesIO(), text.ljust(118 - 1) + b"\n"
    head = b"\x93NUMPY\x01\0" + len(text).to_bytes(2, "little") + text
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("image_embeds.npy", head)
    return out.getvalue()


@pytest.mark.parametrize(
    "text",
    [b"(" * 100, b"{'descr': ", b"'" * 3, b"__import__('os')", b"\\", b"{}", b"-" * 100, b"\xff"],
)
def test_a_header_that_is_no_line_of_python_is_said(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "e.npz").write_bytes(packed_header(text))
    with pytest.raises(DataError, match="cannot be read as NumPy"):
        read_embeddings(tmp_path / "e.npz")


def test_megabytes_that_would_become_gigabytes_are_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "e.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("clip", "dino"):
            with archive.open(f"{name}.npy", "w") as file:
                shape = {"descr": "<f4", "fortran_order": False, "shape": (300_000, 128)}
                np.lib.format.write_array_header_1_0(file, shape)
                for _ in range(300):
                    file.write(bytes(512_000))
    with pytest.raises(DataError, match=r"would unpack to 0\.3 GB"):
        read_embeddings(tmp_path / "e.npz")


def test_a_text_that_stands_once_is_not_multiplied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(embedtables, "ALWAYS", 1 << 20)
    monkeypatch.setattr(parquettext, "MAX_BYTES", 1 << 20)
    same = pa.DictionaryArray.from_arrays(pa.array([0] * 400), pa.array(["q" * 100_000]))
    vectors = pa.array(np.eye(400, 16, dtype=np.float32).tolist(), pa.list_(pa.float32()))
    parquet.write_table(pa.table({"path": same, "clip": vectors}), tmp_path / "e.parquet")
    with pytest.raises(DataError, match='texts of the column "path" are longer'):
        read_embeddings(tmp_path / "e.parquet")
    image = pa.array([b"\x89PNG\r\n\x1a\n"] * 400, pa.binary())
    parquet.write_table(pa.table({"image": image, "path": same}), tmp_path / "i.parquet")
    columns = parquettext.pieces(parquet.ParquetFile(tmp_path / "i.parquet"), ["path"])
    assert max(part.num_rows for part in columns) <= 10
    parquet.write_table(
        pa.table({"image": pa.StructArray.from_arrays([image, same], ["bytes", "path"])}),
        tmp_path / "j.parquet",
    )
    with pytest.raises(DataError, match="a path of 100000 characters"):
        list(listing(tmp_path / "j.parquet").entries)


def test_ids_in_a_dictionary_are_as_long_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arrow gives each batch the whole dictionary, which was counted once for each of them."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("clipgrip.data.embedtables.ROWS", 100)
    monkeypatch.setattr("clipgrip.data.embedtables.ALWAYS", 0)
    monkeypatch.setattr("clipgrip.data.embedtables.LONG", 64)
    ids = [f"line 7/part {number:05d}.png" for number in range(5000)]
    vectors = pa.FixedSizeListArray.from_arrays(np.ones(40_000, np.float32), 8)
    table = pa.table({"id": pa.array(ids).dictionary_encode(), "image_embeds": vectors})
    pq.write_table(table, tmp_path / "a.parquet")
    assert list(read_embeddings(tmp_path / "a.parquet").ids) == ids
