"""Preprocessed images kept as bytes, for prompts that stand inside the image tower and need them at each step."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from clipgrip.backbone.base import Backbone
from clipgrip.backbone.cache import default_root, remove_older, what_to_do
from clipgrip.backbone.encode import Item, decode_ahead
from clipgrip.data.images import READING
from clipgrip.errors import CacheError, DataError
from clipgrip.files import part_name, sweep, system_words
from clipgrip_line import preprocess

IN_MEMORY = 2**30
"""Bytes up to which pixels stay in memory; more go to a memory-mapped file in the cache."""
BATCH = 32
DIGEST_BYTES = 32
FOLDER = f"pixels-v1-{READING}"


def read_pixels(
    backbone: Backbone,
    items: Sequence[Item],
    *,
    root: Path | None = None,
    in_memory: int = IN_MEMORY,
    on_progress: Callable[[int, int], None] = lambda *_: None,
) -> UInt8[Tensor, "N H W 3"]:
    """Decode and preprocess each image once, in the order of the items.

    Raises:
        DataError: an image cannot be read or decoded.
        CacheError: the file for many images cannot be written.
    """
    if not items:
        return torch.zeros(0, 1, 1, 3, dtype=torch.uint8)
    first = backbone.preprocess(items[0][1]())
    shape = len(items), *first.shape
    if int(np.prod(shape)) <= in_memory:
        return torch.from_numpy(_fill(np.empty(shape, np.uint8), backbone, items, on_progress))
    path = _path(backbone, items, root or default_root())
    try:
        if not _is_whole(path):
            _write(path, shape, backbone, items, on_progress)
        return torch.from_numpy(np.load(path, mmap_mode="c", allow_pickle=False))
    except OSError as error:
        needed = int(np.prod(shape)) / 2**30
        raise CacheError(
            "{parent} cannot hold {needed} GB of preprocessed images: {reason}. {todo}, or set "
            "CLIPGRIP_CACHE to a folder on another disk; textual prompts need no such file.",
            parent=path.parent,
            needed=f"{needed:.1f}",
            reason=system_words(error),
            todo=what_to_do(error),
        ) from error


def _path(backbone: Backbone, items: Sequence[Item], root: Path) -> Path:
    """A name for all that determines the bytes: the images, their order, and what is done to them."""
    names = "\n".join([backbone.fingerprint, preprocess.MODE, *(sha256 for sha256, _ in items)])
    return root / FOLDER / f"{hashlib.sha256(names.encode()).hexdigest()}.npy"


def _digest(path: Path, size: int) -> bytes:
    """SHA-256 of the first ``size`` bytes."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        while size > 0 and (part := file.read(min(size, 2**22))):
            total.update(part)
            size -= len(part)
    return total.digest()


def _is_whole(path: Path) -> bool:
    """Whether the file is there and holds what was written: its last bytes are the digest of the others."""
    try:
        size = path.stat().st_size - DIGEST_BYTES
        with path.open("rb") as file:
            file.seek(max(size, 0))
            return file.read() == _digest(path, size)
    except OSError:
        return False


def _write(
    path: Path,
    shape: tuple[int, ...],
    backbone: Backbone,
    items: Sequence[Item],
    on_progress: Callable[[int, int], None],
) -> None:
    """The file appears whole: what a killed process left is begun anew."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    remove_older(path.parents[1], "pixels", FOLDER)
    part = Path(part_name(path.parent))
    try:
        mapped = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape)
        _fill(mapped, backbone, items, on_progress)
        mapped.flush()
        del mapped
        digest = _digest(part, part.stat().st_size)
        with part.open("ab") as file:  # numpy reads no further than the array
            file.write(digest)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _fill(
    pixels: np.ndarray,
    backbone: Backbone,
    items: Sequence[Item],
    on_progress: Callable[[int, int], None],
) -> np.ndarray:
    rows: dict[str, list[int]] = {}
    for row, (sha256, _) in enumerate(items):
        rows.setdefault(sha256, []).append(row)
    distinct, done = list(rows), 0
    parts = [distinct[start : start + BATCH] for start in range(0, len(distinct), BATCH)]
    with closing(decode_ahead(backbone, dict(items), parts)) as decoded:
        for batch in decoded:
            for sha256, result in batch:
                if isinstance(result, DataError):
                    raise result
                pixels[rows[sha256]] = result
            done += len(batch)
            on_progress(done, len(distinct))
    return pixels
