"""Images in object stores are read like files; what goes wrong is said in words."""

from __future__ import annotations

import io
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from data_helpers import CLASSES, label_of, plant, png, reasons, used

from clipgrip.config import project
from clipgrip.data.ingest import ingest
from clipgrip.data.listing import listing
from clipgrip.data.reading import read_row
from clipgrip.data.stores import join_url, local_of, url_of, version_of
from clipgrip.errors import DataError, MissingPackage
from clipgrip.project_file import read_toml

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def memory() -> Iterator[Any]:
    store = fsspec.filesystem("memory")
    yield store
    store.rm("/", recursive=True)


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket of an S3 server on this machine."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        store = fsspec.filesystem("s3")
        store.mkdir("photos")
        yield "s3://photos"
        store.clear_instance_cache()
    running.stop()


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("s3://bucket/a", "s3://bucket/a"),
        (Path("s3://bucket/a"), "s3://bucket/a"),
        ("gs://b", "gs://b"),
        ("C:/photos", None),
        ("photos/a", None),
        ("file:///data/a", None),
    ],
)
def test_a_url_is_told_from_a_path(place: Any, url: str | None) -> None:
    assert url_of(place) == url


def test_a_file_url_is_a_path() -> None:
    assert local_of("file:///data/a") == local_of(Path("file:///data/a")) == "/data/a"


def test_paths_are_joined_to_the_folder_of_a_table() -> None:
    assert join_url("s3://bucket/a", "../b/c.png") == "s3://bucket/b/c.png"


def test_folders_in_a_store_are_classes_like_folders_on_a_disk(memory: Any) -> None:
    for name, seed in (("cat/a.png", 1), ("dog/b.png", 2), ("c.png", 3)):
        memory.pipe(f"/photos/{name}", png(seed))
    memory.pipe("/photos/readme.txt", b"hello")
    memory.pipe("/photos/.hidden.png", png(4))
    result = ingest("memory://photos", classes=CLASSES, folders=True)
    assert used(result) == ["c.png", "cat/a.png", "dog/b.png"]
    assert label_of(result, "cat/a.png") == "cat"
    assert reasons(result) == {"readme.txt": "not-an-image", ".hidden.png": "hidden"}
    assert {read_row(row) for row in result.manifest.rows} == {png(1), png(2), png(3)}


def test_labels_of_a_table_are_matched_to_objects(memory: Any, tmp_path: Path) -> None:
    memory.pipe("/photos/x/a.png", png(1))
    table = tmp_path / "labels.csv"
    table.write_text("path,label\nx/a.png,otter\n")
    result = ingest("memory://photos", classes=CLASSES, labels=table)
    assert label_of(result, "x/a.png") == "otter"


def test_a_table_on_a_disk_lists_objects(memory: Any, tmp_path: Path) -> None:
    memory.pipe("/photos/a.png", png(1))
    plant(tmp_path, {"here.png": png(2)})
    table = tmp_path / "list.csv"
    table.write_text(
        "path,label\nmemory://photos/a.png,cat\nhere.png,dog\nmemory://photos/no.png,\n"
    )
    result = ingest(table, classes=CLASSES)
    labels = {row.path: row.label for row in result.manifest.rows}
    assert labels == {"memory://photos/a.png": 0, "here.png": 1}
    assert reasons(result) == {"memory://photos/no.png": "unreadable"}


def test_a_table_in_a_store_lists_what_lies_beside_it(memory: Any) -> None:
    memory.pipe("/photos/in/a.png", png(1))
    memory.pipe("/photos/list.csv", b"path,label\nin/a.png,cat\n")
    result = ingest("memory://photos/list.csv", classes=CLASSES)
    assert label_of(result, "in/a.png") == "cat"


def test_tars_in_a_store_are_read_in_place(memory: Any) -> None:
    for number in range(2):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as made:
            for name, data in (("0.png", png(number)), ("0.cls", b"1")):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                made.addfile(info, io.BytesIO(data))
        memory.pipe(f"/photos/t-{number}.tar", out.getvalue())
    for place in ("memory://photos", "memory://photos/t-{0..1}.tar"):
        result = ingest(place, classes=CLASSES)
        assert used(result) == ["t-0.tar/0.png", "t-1.tar/0.png"]
        assert {read_row(row) for row in result.manifest.rows} == {png(0), png(1)}


def test_parquet_files_in_a_store_are_read_in_place(memory: Any) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    cells = [{"bytes": png(n), "path": f"{n}.png"} for n in range(3)]
    with memory.open("/photos/train.parquet", "wb") as out:
        parquet.write_table(pa.table({"image": cells, "label": ["cat", "dog", None]}), out)
    result = ingest("memory://photos/train.parquet", classes=CLASSES)
    assert {row.path: row.label for row in result.manifest.rows} == {
        "0.png": 0,
        "1.png": 1,
        "2.png": -1,
    }
    assert {read_row(row) for row in result.manifest.rows} == {png(n) for n in range(3)}


def test_s3_is_read(bucket: str, tmp_path: Path) -> None:
    store = fsspec.filesystem("s3")
    for name, seed in (("cat/a.png", 1), ("dog/b.png", 2)):
        store.pipe(f"photos/{name}", png(seed))
    result = ingest(bucket, classes=CLASSES, folders=True)
    assert label_of(result, "dog/b.png") == "dog"
    assert {read_row(row) for row in result.manifest.rows} == {png(1), png(2)}
    with pytest.raises(DataError, match=r"s3://photos/none: nothing is there"):
        ingest("s3://photos/none", classes=CLASSES)
    with pytest.raises(DataError, match=r"s3://no-such-bucket"):
        ingest("s3://no-such-bucket/a", classes=CLASSES)


def test_a_store_that_does_not_answer_is_an_error_in_words(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(self: Any, path: str, **_: Any) -> Any:
        raise ConnectionError("could not connect to the endpoint")

    monkeypatch.setattr(type(fsspec.filesystem("s3")), "find", down)
    with pytest.raises(DataError, match=r"cannot be reached: could not connect.*AWS_ACCESS_KEY_ID"):
        ingest(f"{bucket}/x", classes=CLASSES)


def test_without_the_package_the_error_has_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(MissingPackage, match=r"pip install 'clipgrip\[store\]' gcsfs"):
        ingest("gs://photos", classes=CLASSES)


def test_a_scheme_that_nobody_knows_is_refused() -> None:
    with pytest.raises(DataError, match="no kind of place"):
        ingest("nosuch://photos", classes=CLASSES)


def test_a_project_file_may_name_a_store(tmp_path: Path) -> None:
    file = tmp_path / "project.toml"
    file.write_text('images = "s3://bucket/folder"\nclasses = "classes.txt"\n')
    assert url_of(read_toml(file)["images"]) == "s3://bucket/folder"
    assert url_of(project({}, file).images) == "s3://bucket/folder"


def test_a_shard_that_was_replaced_in_a_store_is_seen(memory: Any) -> None:
    place, found = "memory://shards/t.tar", []
    for number in (0, 1):
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as made:
            info = tarfile.TarInfo("a.png")
            info.size = len(png(0))
            made.addfile(info, io.BytesIO(png(number)[: info.size].ljust(info.size)))
        memory.pipe_file("/shards/t.tar", data.getvalue())
        keys = [next(iter(listing(place).shards())).key for _ in range(2)]
        assert keys[0] == keys[1]
        found.append(keys[0])
    assert found[0] != found[1]


def test_s3_tells_a_replaced_object_by_its_etag(bucket: str) -> None:
    store = fsspec.filesystem("s3")
    place = f"{bucket}/versions/a.png"
    store.pipe_file(place, png(0))
    before = version_of(place)
    assert version_of(place) == before
    store.pipe_file(place, png(0)[::-1])
    store.invalidate_cache()
    after = version_of(place)
    assert after != before
    assert any(one.startswith("ETag") for one in after or ())
    assert version_of(f"{bucket}/versions/none.png") is None
