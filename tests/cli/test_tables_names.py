"""A table is written under a table's name, whichever command writes it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from projects import Place, command

WRITERS = {
    "audit draw": ("audit", "draw", "run"),
    "audit automate": ("audit", "automate", "run", "--answers", "sheet.csv"),
    "compare": ("compare", "run", "other"),
    "names": ("names", "run", "--try", "CLASS=red dent"),
    "labels suggest": ("labels", "suggest", "images", "--count", "3"),
    "predict": ("predict", "run", "images"),
}


@pytest.mark.parametrize("name", ["X.png", "X.PDF", "x.html", "sheet.xlsx"])
@pytest.mark.parametrize("words", WRITERS.values(), ids=list(WRITERS))
def test_a_table_is_not_written_under_another_kind_of_files_name(
    words: tuple[str, ...],
    name: str,
    place: Place,
    finished: Path,
    quick: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    quick.chdir(tmp_path)
    shutil.copytree(finished, "run")
    shutil.copytree(place.images, "images")
    assert command(capsys, "audit", "draw", "run", "--count", 5, "--out", "sheet.csv").code == 0
    klass = (place.classes).read_text("utf-8-sig").splitlines()[-1].split(",")[0]
    given = [word.replace("CLASS", klass) for word in words]
    told = command(capsys, *given, "--out", name)
    assert told.code == 2, told.err
    assert name in told.err
    assert (
        f"Give --out a name like {Path(name).stem}.csv." in told.err or "ends in .csv" in told.err
    )
    assert not Path(name).exists()
