"""``clipgrip embed`` lists every file that it could not use."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PIL import Image
from projects import command


def test_every_file_that_was_not_embedded_is_counted_and_listed_beside_the_embeddings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for name, colour in (("a.png", "red"), ("b.png", "blue")):
        Image.new("RGB", (40, 40), colour).save(images / name)
    for name in ("1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg"):
        (images / name).write_text(f"no picture {name}", encoding="utf-8")
    out = tmp_path / "made.npz"
    told = command(capsys, "embed", images, "--out", out)
    listed = tmp_path / "made.issues.csv"
    assert told.code == 0
    assert f"5 remarks on files: {listed}" in told.out
    with open(listed, encoding="utf-8-sig", newline="") as file:
        assert [row["path"] for row in csv.DictReader(file)] == [f"{n}.jpg" for n in range(1, 6)]

    for path in images.glob("*.jpg"):
        path.unlink()
    assert command(capsys, "embed", images, "--out", out).code == 0
    assert not listed.exists()  # no list of an earlier call stays beside newer embeddings
