"""Classes that may occur are named one by one, together, or in a file, and never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from clipgrip.data.classes import ClassNames
from clipgrip.data.occurring import named, positions_of
from clipgrip.errors import DataError

CLASSES = ClassNames.from_names(["screw", "nut", "ねじ", "washer, M4", "M4"])


@pytest.mark.parametrize(
    ("names", "positions"),
    [
        (["nut", "screw"], [0, 1]),
        (["nut,screw"], [0, 1]),
        ([" nut ,screw,"], [0, 1]),
        (["ねじ、nut"], [1, 2]),
        (["nut，screw", "nut"], [0, 1]),
        (["washer, M4"], [3]),  # the name of a class is no list
        (["M4"], [4]),
    ],
)
def test_names_are_found_alone_and_between_commas(names: list[str], positions: list[int]) -> None:
    assert positions_of(names, CLASSES) == positions


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(DataError, match=r'no class is called "skrew"\. Known: .* "screw"\?'):
        positions_of(["nut,skrew"], CLASSES)


def test_a_file_holds_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "today.txt"
    path.write_bytes("nut\r\n\r\nねじ\r\nwasher, M4\r\n".encode("cp932"))
    found = named(f"@{path}", "cp932")
    assert found == ("nut", "ねじ", "washer, M4")
    assert positions_of(found, CLASSES) == [1, 2, 3]
    assert named(["screw", f"@{path}"], "cp932") == ("screw", *found)
    path.write_text("\n \n")
    with pytest.raises(DataError, match=r"today\.txt names no class"):
        named([f"@{path}"])
