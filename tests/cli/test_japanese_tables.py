"""What staff of a plant open in Excel after ``--lang ja`` gives its reasons in Japanese; codes and headings stay."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest
from projects import Place, command, rows

from clipgrip.config import Project
from clipgrip.data.tables import write_csv

JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")


def _reasons(table: str, column: str) -> list[str]:
    return [row[column] for row in rows(Path(table)) if row[column]]


def test_what_was_not_used_and_why_is_japanese(
    here: Path, tiny_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = here / "images"
    first, second, *_ = sorted(images.glob("*.png"))
    shutil.copy(first, images / "copy.png")
    (images / "torn.png").write_bytes(first.read_bytes()[:300])
    (images / "empty.png").touch()
    (images / ".hidden.png").write_bytes(b"x")
    (images / "notes.txt").write_text("words")
    known = [(first.name, "dent"), (first.name, "scratch"), (second.name.upper(), "dent")]
    write_csv("labels.csv", ("path", "label"), [*known, ("gone.png", "dent")])
    run = ("run", "images", "--classes", "classes.txt", "--backbone", tiny_clip)
    run = (*run, "--labels", "labels.csv", "--strategy", "zero-shot", "--out", "out")
    assert command(capsys, *run, "--lang", "ja").code == 0
    found = _reasons("out/issues.csv", "detail")
    assert len(found) >= 7
    assert [one for one in found if not JAPANESE.search(one)] == []
    command(capsys, "predict", "out", "images", "--out", "new.csv", "--lang", "ja")
    found = _reasons("new.issues.csv", "detail")
    assert found
    assert all(map(JAPANESE.search, found))
    assert command(capsys, *run).code == 0  # the same run, read in English
    assert not any(map(JAPANESE.search, _reasons("out/issues.csv", "detail")))


def test_why_an_image_is_suggested_is_japanese(
    here: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(finished, "run")
    for where, out in (("images", "a.csv"), ("run", "b.csv")):
        words = ("labels", "suggest", where, "-n", 3, "--out", out, "--lang", "ja")
        assert command(capsys, *words).code == 0
        found = _reasons(out, "why")
        assert len(found) >= 3
        assert all(map(JAPANESE.search, found))


def test_who_decides_an_image_and_why_is_japanese(
    here: Path, finished: Path, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(finished, "run")
    command(capsys, "audit", "draw", "run", "--count", 12)
    cells = [row | {"answer": place.truth[row["path"]]} for row in rows(Path("audit.csv"))]
    write_csv("audit.csv", list(cells[0]), [list(row.values()) for row in cells])
    loose = ("--max-error", 0.9, "--confidence", 0.5)
    for more in ((), ("--by-class",)):
        words = ("audit", "automate", "run", "--answers", "audit.csv", *loose, *more)
        assert command(capsys, *words, "--lang", "ja", "--out", "decided.csv").code == 0
        found = _reasons("decided.csv", "reason")
        assert len(found) >= 3
        assert all(map(JAPANESE.search, found))
        Path("decided.csv").unlink()


def test_a_project_is_explained_in_japanese_and_means_the_same(
    tmp_path: Path, quick: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quick.chdir(tmp_path)
    for language in ("en", "ja"):
        assert command(capsys, "init", language, "--lang", language).code == 0
    english, japanese = (Path(one, "project.toml").read_text("utf-8") for one in ("en", "ja"))
    assert tomllib.loads(english) == tomllib.loads(japanese)
    explained = [line.partition(" # ")[2] for line in japanese.splitlines() if " # " in line]
    assert len(explained) >= len(Project.model_fields) - 1
    assert [one for one in explained if not JAPANESE.search(one)] == []
    assert not JAPANESE.search(english)
    assert "キズ,scratched part" in Path("ja", "classes.csv").read_text("utf-8-sig")


def test_init_makes_the_folder_for_images_and_says_where_they_go_until_some_lie_there(
    tmp_path: Path, quick: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: Place
) -> None:
    quick.chdir(tmp_path)
    for _ in range(2):
        told = command(capsys, "init", "line-3")
        assert told.code == 0, told.err
        assert f"Put the photographs into {Path('line-3', 'images')}" in told.out
        assert list(Path("line-3/images").iterdir()) == []
    first = next((place.folder / "images").glob("*.png"))
    shutil.copy(first, "line-3/images/a.png")
    assert "Put the photographs" not in command(capsys, "init", "line-3").out


@pytest.mark.parametrize("what", ["shard", "link"])
def test_init_asks_for_no_photographs_where_shards_or_links_lie(
    tmp_path: Path, quick: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    quick.chdir(tmp_path)
    Path("line-3/images").mkdir(parents=True)
    lies = Path("line-3/images/000.tar")
    lies.symlink_to(tmp_path) if what == "link" else lies.write_bytes(b"")
    told = command(capsys, "init", "line-3")
    assert told.code == 0, told.err
    assert "Then:" in told.out
    assert "Put the photographs" not in told.out
