"""The bytes of an image are those that were hashed, at every reading."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest
from data_helpers import picture, plant, png
from waiting import LONG

from clipgrip.data.images import UndecodableImage
from clipgrip.data.ingest import ingest
from clipgrip.data.reading import open_row, read_row
from clipgrip.data.sources import FileSource
from clipgrip.files import open_file, read_file

SOURCES = Path(__file__).parents[2] / "src" / "clipgrip"


def test_a_row_gives_what_was_hashed(tmp_path: Path) -> None:
    plant(tmp_path / "in", {"a.png": png(1)})
    (row,) = ingest(tmp_path / "in", classes=["x", "y"]).manifest.rows
    assert read_row(row) == png(1)
    assert open_row(row).tobytes() == picture(1).tobytes()


@pytest.mark.parametrize("fault", ["changed", "gone", "pipe", "folder"])
def test_a_file_that_changed_after_hashing_is_an_error_and_never_another_picture(
    tmp_path: Path, fault: str
) -> None:
    plant(tmp_path / "in", {"a.png": png(1)})
    (row,) = ingest(tmp_path / "in", classes=["x", "y"]).manifest.rows
    place = tmp_path / "in" / "a.png"
    place.unlink()
    if fault == "changed":
        place.write_bytes(png(2))
    elif fault == "pipe":
        os.mkfifo(place)
    elif fault == "folder":
        place.mkdir()
    with pytest.raises(UndecodableImage) as error:
        open_row(row)
    assert error.value.reason == ("changed" if fault == "changed" else "unreadable")


def test_only_the_door_reads_the_bytes_of_images() -> None:
    """A reading that does not compare with the hash would let another picture under an old label."""
    direct = re.compile(r"source\.read\(|\.decode\(data|images import .*\bdecode\b")
    allowed = {"data/reading.py", "data/hashing.py", "data/images.py", "runs/embedding.py"}
    found = {
        path.relative_to(SOURCES).as_posix()
        for path in SOURCES.rglob("*.py")
        if direct.search(path.read_text("utf-8"))
    }
    assert found <= allowed


def test_a_pipe_or_a_device_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = threading.Event()

    def work() -> None:
        for path in (tmp_path / "pipe", Path("/dev/zero")):
            with pytest.raises(OSError, match="a pipe or a device"):
                FileSource(str(path)).read()
        done.set()

    threading.Thread(target=work, daemon=True).start()
    assert done.wait(LONG)


def test_a_file_is_read_up_to_a_size(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"12345")
    assert read_file(tmp_path / "f", 5) == b"12345"
    with pytest.raises(OSError, match="larger than"):
        read_file(tmp_path / "f", 4)
    with pytest.raises(OSError, match="NUL"), open_file("a\0b"):
        pass
