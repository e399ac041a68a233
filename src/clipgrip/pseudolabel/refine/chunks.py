"""How a pool is read: in chunks that stay in the processor's cache, by a thread a core; for decisions, an even sample.

Each chunk is computed by one thread, and answers come in the order of the rows: whoever adds them up gets the same
bytes from any number of threads. Operations on a chunk are too small to be spread over threads themselves.
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
"""Rows at a time: 2 MB of float32 at width 512. Larger chunks leave the cache, and each is new memory to be mapped."""
BEHIND = 65_536
"""Rows of a file that stay with the process after they were read."""
SCATTERED = 256
"""Rows far apart that are read before their pages are let go; the system may map 2 MB for each."""
LEAST = 4
"""Parts for each thread from which threads are worth their beginning."""
PASSED = 16_384
"""Large vectors that are answered together: scaled copies of all are gigabytes."""
TOGETHER = 8
"""Parts that a thread takes at a time, where there are many."""
Part = TypeVar("Part")
Made = TypeVar("Made")


def chunk_slices(rows: int, chunk: int = CHUNK) -> Iterator[slice]:
    """The rows in order, a chunk at a time."""
    return (slice(start, min(start + chunk, rows)) for start in range(0, rows, chunk))


def computed(
    work: Callable[[slice], Made], parts: Iterable[slice], *, over: Sequence[Tensor] = ()
) -> Iterator[Made]:
    """What ``work`` makes of each part of the rows, in their order; ``over`` arrays in files leave memory behind it."""
    every = list(parts)
    return left_behind(in_order(work, every), [part.stop for part in every], over)


def put(
    work: Callable[[slice], Any], parts: Iterable[slice], *, over: Sequence[Tensor] = ()
) -> None:
    """The same where ``work`` writes down what it makes."""
    deque(computed(work, parts, over=over), maxlen=0)


def in_order(
    work: Callable[[Part], Made], parts: Sequence[Part], together: int = TOGETHER
) -> Iterator[Made]:
    """What ``work`` makes of each part, in their order; made a little ahead by as many threads as torch may use."""
    threads = torch.get_num_threads()
    if threads == 1 or len(parts) < LEAST * threads:
        yield from map(work, parts)
        return
    size = max(1, min(together, len(parts) // (LEAST * threads)))
    flying: deque[Future[list[Made]]] = deque()
    inference, gradients = torch.is_inference_mode_enabled(), torch.is_grad_enabled()
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    torch.set_num_threads(1)  # of what is done with the answers too: the threads have the cores
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
    """In the mode of whoever asked, which each thread has for itself."""
    with torch.inference_mode(inference), torch.set_grad_enabled(gradients):
        return [work(part) for part in parts]


def left_behind(
    made: Iterable[Made], ends: Iterable[int], over: Sequence[Tensor]
) -> Iterator[Made]:
    """``made`` as it comes, up to the row ``ends`` each; of ``over`` arrays in files what is behind leaves memory."""
    files, behind, end = [array for array in over if is_mapped(array)], 0, 0
    for one, end in zip(made, ends, strict=True):
        yield one
        if end - behind >= BEHIND:
            leave(files, slice(behind, end))
            behind = end
    leave(files, slice(behind, end))


def leave(arrays: Sequence[Tensor], rows: slice) -> None:
    """These rows of arrays in files need not stay in memory."""
    for array in arrays:
        release_pages(array, rows)


def answered(answer: Callable[[Tensor], Tensor], vectors: Tensor) -> Tensor:
    """(N, C) what ``answer`` says of vectors (N, D): of large ones some at a time, and in a file where these lie."""
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
    """Every n-th row: all of less than twice ``rows``, of more between ``rows`` and twice as many; of a file a copy."""
    step = max(1, len(values) // rows)
    return (
        taken(values, torch.arange(0, len(values), step)) if is_mapped(values) else values[::step]
    )


def taken(values: Tensor, rows: Tensor) -> Tensor:
    """A copy of these rows, in any order; of a file a few at a time, as rows far apart touch all of it."""
    made = values.new_empty(len(rows), *values.shape[1:])
    for part in chunk_slices(len(rows), SCATTERED):
        made[part] = values[rows[part]]
        leave((values,), slice(0, len(values)))
    return made
