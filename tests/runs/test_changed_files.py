"""A file that changes after it was hashed poisons no cache and stands under no other image's label."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pictures import random_image

from clipgrip.backbone.cache import EmbeddingCache
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.data.ingest import ingest
from clipgrip.data.sources import FileSource
from clipgrip.errors import DataError
from clipgrip.runs.embedding import embed_manifest, source_item


def images(folder: Path, count: int = 4) -> Path:
    folder.mkdir()
    for number in range(count):
        random_image(number, 40, 40).save(folder / f"{number}.png")
    return folder


def test_a_file_that_changes_before_it_is_encoded_is_an_issue_and_not_in_the_cache(
    tiny_clip: Path, tmp_path: Path
) -> None:
    folder, backbone = images(tmp_path / "in"), ClipBackbone("tiny", tiny_clip)
    manifest = ingest(folder, classes=["x", "y"]).manifest
    cache = EmbeddingCache.for_backbone(backbone, tmp_path / "cache")
    random_image(99, 40, 40).save(folder / "2.png")
    found = embed_manifest(backbone, manifest, cache=cache)
    assert [(issue.path, issue.reason) for issue in found.issues] == [("2.png", "changed")]
    assert len(found.embeds.pool_rows) == 3
    (gone,) = {row.sha256 for row in manifest.rows} - {row.sha256 for row in found.manifest.rows}
    assert cache.get([gone]).missing.all()
    random_image(2, 40, 40).save(folder / "2.png")
    again = embed_manifest(backbone, manifest, cache=cache)
    assert not again.issues
    fresh = embed_manifest(backbone, manifest, cache=None)
    assert torch.allclose(again.embeds.pool, fresh.embeds.pool, atol=2e-3)


def test_an_image_of_an_estimator_is_compared_too(tmp_path: Path) -> None:
    folder = images(tmp_path / "in", 1)
    _, load = source_item(FileSource(str(folder / "0.png")))
    assert load().size == (40, 40)
    random_image(99, 40, 40).save(folder / "0.png")
    with pytest.raises(DataError, match="no longer the file"):
        load()
