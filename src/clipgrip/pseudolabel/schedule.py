"""How many pseudolabels per class in each round: a strategy is a sequence of k.

Source: Menghini, Delworth, Bach, "Enhancing CLIP with CLIP", NeurIPS 2023 (arXiv 2306.01669), section 3.
"""

from __future__ import annotations

from collections.abc import Callable

PAPER_K = 16
PAPER_ROUNDS = 10


def fpl(*, n_unlabeled: int, n_candidates: int, k: int = PAPER_K, rounds: int = 1) -> list[int]:
    """Few pseudolabels: k per class, one training. ``rounds`` does not apply."""
    return [k]


def ifpl(
    *, n_unlabeled: int, n_candidates: int, k: int = PAPER_K, rounds: int = PAPER_ROUNDS
) -> list[int]:
    """Iterative few pseudolabels: the same k in each round, relabeled by the newly tuned prompt."""
    return [k] * rounds


def grip(
    *, n_unlabeled: int, n_candidates: int, k: int = PAPER_K, rounds: int = PAPER_ROUNDS
) -> list[int]:
    """Growing: round i takes i/rounds of the unlabeled images, spread over the candidates, at least one a class.

    With S = N_u // rounds, K_i = i·S // C', and the last round takes N_u // C'. ``k`` does not apply.
    """
    step = n_unlabeled // rounds
    growing = [i * step // n_candidates for i in range(1, rounds)]
    return [max(1, k_i) for k_i in [*growing, n_unlabeled // n_candidates]]


SCHEDULES: dict[str, Callable[..., list[int]]] = {"fpl": fpl, "ifpl": ifpl, "grip": grip}
