"""The programs that people give our exports to read them whole. Those that are absent here are skipped."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest
from review_helpers import placed

from clipgrip.review.exchange import Options, exported
from clipgrip.review.session import ReviewSession

NAMES = ("no ending", "photo.", "UP.PNG", "test_01.png", "my-val.png", "傷 1.png", "a,b.png")


def test_hugging_face_loads_every_image_of_the_class_folders(
    session: ReviewSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    datasets = pytest.importorskip("datasets")
    placed(session, tmp_path / "data", *NAMES)
    archive = zipfile.ZipFile(
        io.BytesIO(b"".join(exported(session.snapshot, session.store, "folders", Options())))
    )
    archive.extractall(tmp_path / "folders")
    names = [name for name in archive.namelist() if "/" in name]
    loaded = datasets.load_dataset(
        "imagefolder", data_dir=str(tmp_path / "folders"), cache_dir=str(tmp_path / "cache")
    )
    assert set(loaded) == {"train"}
    part = loaded["train"].cast_column("image", datasets.Image(decode=False))
    label = part.features["label"]
    paths = [os.path.relpath(one["image"]["path"], tmp_path / "folders") for one in part]
    found = set(zip(paths, label.int2str(part["label"]), strict=True))
    assert len(found) == len(NAMES) + int((session.snapshot.states.file_label >= 0).sum())
    assert found == {(name, name.split("/")[0]) for name in names}
