"""A bundle of the run that is there already."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def bundle(finished: Path, shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from projects import quick

    from clipgrip.serving.bundling.members import parts_of
    from clipgrip_line.bundle import packed

    path = tmp_path_factory.mktemp("bundles") / "line3.clipgrip"
    with quick(shared_cache):
        path.write_bytes(packed(parts_of(finished, None, ok_classes=["good part"]).members))
    return path
