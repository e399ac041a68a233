"""A training in work, as far as it has come: enough to go on bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

BETWEEN = ":"
"""Stands between the name of a value and what the optimiser remembers of it."""


@dataclass(frozen=True)
class TrainingState:
    """Learned values after ``step`` steps, and under ``name:memory`` the optimiser's memory of each."""

    step: int
    tensors: dict[str, Tensor] = field(repr=False)

    @classmethod
    def of(
        cls, step: int, values: dict[str, Tensor], optimizer: torch.optim.Optimizer
    ) -> TrainingState:
        """A copy on the CPU."""
        tensors = dict(values)
        for name, value in values.items():
            memories = optimizer.state[value].items()
            tensors |= {f"{name}{BETWEEN}{key}": memory for key, memory in memories}
        return cls(step, {name: t.detach().cpu().clone() for name, t in tensors.items()})

    def restore(self, values: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> None:
        """Put values and memories back where they came from."""
        for name, value in values.items():
            value.data.copy_(self.tensors[name])
            at = f"{name}{BETWEEN}"
            moments = {
                key.removeprefix(at): t for key, t in self.tensors.items() if key.startswith(at)
            }
            optimizer.state[value] = {
                key: t.clone() if t.ndim == 0 else t.clone().to(value.device)
                for key, t in moments.items()
            }


class Keeper(Protocol):
    """Where trainings in work are kept, so that a killed one goes on."""

    def recall(self, number: int) -> TrainingState | None:
        """What was kept last of the training of round ``number``."""

    def offer(self, number: int, state: Callable[[], TrainingState]) -> None:
        """Called after each step; keeps the state when it is time to."""
