"""How a pool is read: in chunks that stay in the processor's cache, one thread per core; for decisions, by a sample.

Each chunk is computed by one thread, and results come in the order of the rows, so their sum has the same bytes for any
number of threads. Operations on one chunk are too small to be worth several threads themselves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from torch import Tensor

from clipgrip.mapped import is_large, is_mapped, like, release_pages

CHUNK = 1024
"""Rows per chunk: 2 MB of float32 at width 512. Larger chunks leave the cache, and need newly mapped memory each."""
BEHIND = 65_536
"""Rows of a file that are read before their pages are released."""
SCATTERED = 256
"""The same for rows far apart: the system may map 2 MB for each."""
LEAST = 4
"""Parts per thread below which starting threads costs more than it gains."""
PASSED = 16_384
"""Rows of a large array that `answered` passes on together: a scaled copy of all would take gigabytes."""
TOGETHER = 8
"""Most parts that a thread takes at a time."""
Part = TypeVar("Part")
Made = TypeVar("Made")


def chunk_slices(rows: int, chunk: int = CHUNK) -> Iterator[slice]:
    """The rows in order, a chunk at a time."""
    return (slice(start, min(start + chunk, rows)) for start in range(0, rows, chunk))


def computed(
    work: Callable[[slice], Made], parts: Iterable[slice], *, over: Sequence[Tensor] = ()
) -> Iterator[Made]:
    """``work`` of each part of the rows, in order. Pages of the arrays ``over`` that lie in files are released behind.

    It is lazy: nothing is computed until the results are asked for (`put` does that for work that only writes).
    """
    every = list(parts)
    return left_behind(in_order(work, every), [part.stop for part in every], over)


def put(
    work: Callable[[slice], Any], parts: Iterable[slice], *, over: Sequence[Tensor] = ()
) -> None:
    """Run ``work``, which writes its results itself, over each part of the rows; otherwise as `computed`."""
    deque(computed(work, parts, over=over), maxlen=0)


def in_order(
    work: Callable[[Part], Made], parts: Sequence[Part], together: int = TOGETHER
) -> Iterator[Made]:
    """``work`` of each part, in order; computed a little ahead by as many threads as torch may use."""
    threads = torch.get_num_threads()
    if threads == 1 or len(parts) < LEAST * threads:
        yield from map(work, parts)
        return
    size = max(1, min(together, len(parts) // (LEAST * threads)))
    flying: deque[Future[list[Made]]] = deque()
    inference, gradients = torch.is_inference_mode_enabled(), torch.is_grad_enabled()
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    torch.set_num_threads(
        1
    )  # the caller's own operations between results, too: the pool has the cores
    try:
        for start in range(0, len(parts), size):
            some = parts[start : start + size]
            flying.append(pool.submit(_all, work, some, inference, gradients))
            if len(flying) > threads + 1:
                yield from flying.popleft().result()
        while flying:
            yield from flying.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)


def _all(
    work: Callable[[Part], Made], parts: Sequence[Part], inference: bool, gradients: bool
) -> list[Made]:
    """``work`` of some parts, in the caller's inference and gradient modes, which torch keeps per thread."""
    with torch.inference_mode(inference), torch.set_grad_enabled(gradients):
        return [work(part) for part in parts]


def left_behind(
    made: Iterable[Made], ends: Iterable[int], over: Sequence[Tensor]
) -> Iterator[Made]:
    """``made`` unchanged; its items end at the rows ``ends``, and pages of ``over`` before those are released."""
    files, behind, end = [array for array in over if is_mapped(array)], 0, 0
    for one, end in zip(made, ends, strict=True):
        yield one
        if end - behind >= BEHIND:
            leave(files, slice(behind, end))
            behind = end
    leave(files, slice(behind, end))


def leave(arrays: Sequence[Tensor], rows: slice) -> None:
    """Release the pages of these rows, of arrays that lie in files."""
    for array in arrays:
        release_pages(array, rows)


def answered(answer: Callable[[Tensor], Tensor], vectors: Tensor) -> Tensor:
    """(N, C) ``answer`` of vectors (N, D); a large array is answered in parts, into a file if it lies in one."""
    if not is_large(vectors.nbytes):
        return answer(vectors)
    made = vectors.new_empty(0)
    for rows in chunk_slices(len(vectors), PASSED):
        found = answer(vectors[rows])
        if not rows.start:
            made = like(vectors, (len(vectors), found.shape[1]), dtype=found.dtype)
        made[rows] = found
        leave((vectors, made), rows)
    return made


def even_sample(values: Tensor, rows: int) -> Tensor:
    """Every n-th row, with n = len // ``rows``: between ``rows`` and twice as many, or all if there are fewer.

    A view, but a copy where the values lie in a file.
    """
    step = max(1, len(values) // rows)
    return (
        taken(values, torch.arange(0, len(values), step)) if is_mapped(values) else values[::step]
    )


def taken(values: Tensor, rows: Tensor) -> Tensor:
    """A copy of these rows, in any order; from a file a few at a time, because scattered rows touch all its pages."""
    made = values.new_empty(len(rows), *values.shape[1:])
    for part in chunk_slices(len(rows), SCATTERED):
        made[part] = values[rows[part]]
        leave((values,), slice(0, len(values)))
    return made
