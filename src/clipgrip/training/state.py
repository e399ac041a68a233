"""The state of an unfinished training: enough to go on bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

BETWEEN = ":"
"""Separates the name of a learned value from the name of its optimiser state."""


@dataclass(frozen=True)
class TrainingState:
    """Learned values after ``step`` steps by name, and each one's optimiser state under ``name:key``."""

    step: int
    tensors: dict[str, Tensor] = field(repr=False)

    @classmethod
    def of(
        cls, step: int, values: dict[str, Tensor], optimizer: torch.optim.Optimizer
    ) -> TrainingState:
        """A copy on the CPU."""
        tensors = dict(values)
        for name, value in values.items():
            of_value = optimizer.state[value].items()
            tensors |= {f"{name}{BETWEEN}{key}": tensor for key, tensor in of_value}
        return cls(step, {name: t.detach().cpu().clone() for name, t in tensors.items()})

    def restore(self, values: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> None:
        """Put the learned values and the optimiser's state back, in place."""
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
    """Stores states of unfinished trainings, so that a killed run resumes within a round."""

    def recall(self, number: int) -> TrainingState | None:
        """The last stored state of round ``number``; None without any."""

    def offer(self, number: int, state: Callable[[], TrainingState]) -> None:
        """Called after each step of round ``number``; makes and stores the state if the last one is old enough."""
