"""Small images and folders for the tests of clipgrip.data."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from clipgrip.data.ingest import Ingested
from clipgrip.data.issues import UNUSED

CLASSES = ["cat", "dog", "otter"]


def picture(seed: int = 0, size: tuple[int, int] = (8, 6), mode: str = "RGB") -> Image.Image:
    """Noise that differs for each seed."""
    width, height = size
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise).convert(mode)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png(seed: int = 0) -> bytes:
    return encoded(picture(seed))


def plant(root: Path, files: Mapping[str, bytes]) -> Path:
    """Write files below ``root``."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def csv_file(path: Path, *rows: str, header: str = "path,label") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join((header, *rows)) + "\n", "utf-8")
    return path


def used(result: Ingested) -> list[str]:
    return sorted(row.path for row in result.manifest.rows)


def reasons(result: Ingested) -> dict[str, str]:
    return {issue.path: issue.reason for issue in result.issues}


def listed(result: Ingested) -> list[str]:
    """Files that are not used, by the issues; remarks are left out."""
    return sorted(issue.path for issue in result.issues.among(UNUSED))


def label_of(result: Ingested, path: str) -> str | None:
    """The display name of the label of the row that has this path."""
    row = next(row for row in result.manifest.rows if path in row.paths)
    return None if row.label < 0 else result.manifest.classes.display[row.label]
