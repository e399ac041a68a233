"""What a rule may know of the images, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.mapped import like
from clipgrip.pseudolabel.refine.chunks import chunk_slices, put
from clipgrip.types import ImageEmbeds, Labels, Mask, Probs, SomeProbs


class Chosen(NamedTuple):
    """Positions (n,) among the given rows, ascending, with class (n,) and confidence (n,).

    ``targets`` (n, C) are distributions where a rule trusts more than one class; None where it trusts one.
    """

    rows: Tensor
    labels: Labels
    confidence: Tensor
    targets: Tensor | None = None

    def distributions(self, n_classes: int) -> Tensor:
        """(n, C) targets, one-hot where the rule trusts one class."""
        if self.targets is not None:
            return self.targets
        return F.one_hot(self.labels, n_classes).to(self.confidence.dtype)


@dataclass(frozen=True)
class Context:
    """What is known of the N rows besides their probabilities; a rule says so where it lacks something."""

    image_embeds: ImageEmbeds | None = None
    previous: Probs | None = None
    """Answers of the round before; None in the first round."""
    votes: tuple[Probs, ...] = ()
    """Answers of other models."""
    temperature: float = 1.0
    """What makes zero-shot's confidence honest: ``probs ** (1 / temperature)``, then rows summed to one."""
    round: int = 1

    @property
    def soft_temperature(self) -> float:
        """The temperature for rules whose targets are soft: 1 from round 2 on.

        A prompt that learned calibrated probabilities answers with such; calibrated again, each round would be softer
        than the one before.
        """
        return self.temperature if self.round == 1 else 1.0

    def among(self, rows: Tensor, classes: Mask | Tensor) -> Context:
        """The same for some rows and some classes."""
        return replace(
            self,
            image_embeds=None if self.image_embeds is None else self.image_embeds[rows],
            previous=None if self.previous is None else narrowed(self.previous, rows, classes),
            votes=tuple(narrowed(vote, rows, classes) for vote in self.votes),
        )


ALONE = Context()
"""Nothing is known besides the probabilities."""


class Selector(Protocol):
    """A rule: (N, C) answers, the most pseudolabels that a class may get, and what else is known."""

    def __call__(self, probs: Probs, k: int, context: Context = ALONE, /) -> Chosen:
        """The trusted rows; ConfigError where the context lacks what the rule needs."""


def narrowed(probs: Probs, rows: Tensor, classes: Mask | Tensor) -> SomeProbs:
    """Some rows over some classes, summing to one again."""
    columns = classes.nonzero().squeeze(1) if classes.dtype == torch.bool else classes
    among = like(probs, (len(rows), len(columns)))

    def narrow(part: slice) -> None:
        some = probs[rows[part]][:, columns]
        among[part] = some / some.sum(dim=1, keepdim=True).clamp_min(1e-30)

    put(narrow, chunk_slices(len(rows)), over=(among, probs))
    return among


def at_temperature(probs: Probs, temperature: float) -> Probs:
    """Softmax at another temperature, from its own result (Guo et al., ICML 2017)."""
    if temperature == 1.0:
        return probs
    tiny = torch.finfo(probs.dtype).tiny
    found = like(probs)

    def answer(rows: slice) -> None:
        found[rows] = (probs[rows].clamp_min(tiny).log() / temperature).softmax(dim=1)

    put(answer, chunk_slices(len(probs)), over=(probs, found))
    return found
