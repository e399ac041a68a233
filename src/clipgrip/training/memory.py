"""How many images a training pass may hold at once, by measuring what autograd keeps for one of them."""

from __future__ import annotations

import torch
from torch import Tensor

from clipgrip.prompts.base import Prompt

BUDGET = 2**30
"""Bytes that a pass may keep for its gradient. Fixed, not free memory: sums must be split the same way in every run."""
TUNED_ROWS = 1_000_000
"""Most images that a prompt is tuned on: more do not change the few thousand numbers of a context."""
ANSWERED_AT_ONCE = 64
"""Images, as pixels, in one pass without gradient."""


class Picked:
    """Some rows of a large tensor, copied only when they are indexed: a million vectors would be another 2 GB."""

    def __init__(self, inputs: Tensor, rows: Tensor) -> None:
        self._inputs, self._rows = inputs, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Tensor) -> Tensor:
        return self._inputs[self._rows[rows]]


InputRows = Tensor | Picked
"""Rows that a prompt consumes."""


def rows_at_once(prompt: Prompt, inputs: InputRows, *, budget: int = BUDGET) -> int:
    """How many rows one pass with gradient may hold within ``budget`` bytes; all if they are vectors, which are small.

    The difference between a pass of two rows and one of a single row is what a row costs.
    """
    if not len(inputs) or inputs[torch.tensor([0])].ndim == 2:
        return max(1, len(inputs))
    one, two = (_kept_bytes(prompt, inputs[torch.zeros(n, dtype=torch.long)]) for n in (1, 2))
    return max(1, budget // max(1, two - one))


def _kept_bytes(prompt: Prompt, inputs: Tensor) -> int:
    """Bytes that autograd keeps of one pass, each storage once."""
    storages: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    values = {name: value.detach().requires_grad_() for name, value in prompt.learned().items()}
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
        embeds = prompt.with_learned(values).image_embeds(inputs)
    del embeds
    return sum(storages.values())
