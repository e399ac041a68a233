"""Words that say where a picture lies lead back to it, whatever its folders are called."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from clipgrip.data.discover import discover
from clipgrip.data.manifest import Row
from clipgrip.data.places import place_of, source_at
from tests.data.data_helpers import plant, png


def _rows(images: Path) -> list[Row]:
    found = discover(images)
    return [Row("0" * 64, (one.path,), -1, "pool", one.source) for one in found.entries]


@pytest.mark.parametrize(
    "member", ["shard.tar/a.png", "cam/shard.tar/a.png", "shard.tar/shard.tar/a.png"]
)
@pytest.mark.parametrize("folder", ["line", "shard.tar", "other.tar/shard.tar"])
def test_a_member_below_folders_called_like_tars_is_found_again(
    tmp_path: Path, folder: str, member: str
) -> None:
    pictures = {"a.png": png(1), member: png(2)}
    plant(tmp_path / "loose", pictures)
    (place := tmp_path / "line" / folder).mkdir(parents=True)
    with tarfile.open(place / "shard.tar", "w") as made:
        for name in pictures:
            made.add(tmp_path / "loose" / name, name)
    for images in (tmp_path / "line", place, place / "shard.tar"):
        places = [place_of(row) for row in _rows(images)]
        assert sorted(places) == sorted(f"{place / 'shard.tar'}/{name}" for name in pictures)
        for one in places:
            assert source_at(one).read() == pictures[one.removeprefix(f"{place / 'shard.tar'}/")]


def test_a_loose_file_in_a_folder_called_like_a_tar_is_a_file(tmp_path: Path) -> None:
    (row,) = _rows(plant(tmp_path, {"shard.tar/a.png": png()}))
    assert source_at(place_of(row)).read() == png()


def test_a_place_that_is_gone_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        source_at(str(tmp_path / "gone.tar" / "a.png")).read()
