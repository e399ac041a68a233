"""A strategy is a sequence of k, the pseudolabels per class in each round.

Source: Menghini, Delworth, Bach, "Enhancing CLIP with CLIP", NeurIPS 2023 (arXiv 2306.01669), section 3.
"""

from __future__ import annotations

from collections.abc import Callable

from clipgrip.errors import DataError
from clipgrip.sentences import mark
from clipgrip.task import Task

PAPER_K = 16
PAPER_ROUNDS = 10


def fpl(*, n_unlabeled: int, n_candidates: int, k: int = PAPER_K, rounds: int = 1) -> list[int]:
    """FPL, few pseudolabels: k per class, one training. ``rounds`` does not apply."""
    return [k]


def ifpl(
    *, n_unlabeled: int, n_candidates: int, k: int = PAPER_K, rounds: int = PAPER_ROUNDS
) -> list[int]:
    """IFPL, iterative: the same k in each round, relabeled by the newly tuned prompt."""
    return [k] * rounds


def grip(
    *, n_unlabeled: int, n_candidates: int, k: int | None = None, rounds: int = PAPER_ROUNDS
) -> list[int]:
    """GRIP, growing: round i takes i/rounds of the N_u unlabeled images, spread over the C' candidates.

    With S = N_u // rounds, K_i = i·S // C', and the last round takes N_u // C'; at least 1. A ``k`` below N_u // C' is
    where the growth ends instead: K_i = i·k // rounds.
    """
    if k is not None and k < n_unlabeled // n_candidates:
        return [max(1, i * k // rounds) for i in range(1, rounds + 1)]
    step = n_unlabeled // rounds
    growing = [i * step // n_candidates for i in range(1, rounds)]
    return [max(1, k_i) for k_i in [*growing, n_unlabeled // n_candidates]]


SCHEDULES: dict[str, Callable[..., list[int]]] = {"fpl": fpl, "ifpl": ifpl, "grip": grip}


def schedule(
    strategy: str, task: Task, *, k: int | None = None, n_rounds: int | None = None
) -> list[int]:
    """Pseudolabels per class in each round.

    Empty for zero-shot; one round without pseudolabels for supervised tuning (CoOp), and where no image is unlabeled.
    DataError where there is nothing to learn from.
    """
    if strategy == "zero-shot":
        return []
    if strategy == "supervised" or len(task.unlabeled) == 0:
        if len(task.labeled) == 0:
            raise DataError(
                mark(
                    "supervised tuning needs labels, and none are given. Give some (--labels), or choose the "
                    "strategy grip, which needs none."
                )
            )
        return [0]
    chosen = {"k": k, "rounds": n_rounds}
    return SCHEDULES[strategy](
        n_unlabeled=len(task.unlabeled),
        n_candidates=len(task.candidate_classes),
        **{name: value for name, value in chosen.items() if value is not None},
    )
