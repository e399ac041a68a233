"""What a selection rule may know of the images (`Context`), and what it returns (`Chosen`)."""

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
    """The chosen rows: ascending positions (n,) among the rows given, with class (n,) and confidence (n,).

    ``targets`` (n, C) are distributions, from rules that spread an image over several classes; None: one-hot.
    """

    rows: Tensor
    labels: Labels
    confidence: Tensor
    targets: Tensor | None = None

    def distributions(self, n_classes: int) -> Tensor:
        """(n, C) the targets, one-hot where the rule gave none."""
        if self.targets is not None:
            return self.targets
        return F.one_hot(self.labels, n_classes).to(self.confidence.dtype)


@dataclass(frozen=True)
class Context:
    """What is known of the N rows besides their probabilities; a rule that needs more raises ConfigError."""

    image_embeds: ImageEmbeds | None = None
    previous: Probs | None = None
    """Answers of the round before; None in the first round."""
    votes: tuple[Probs, ...] = ()
    """Answers of other models."""
    temperature: float = 1.0
    """Calibrates zero-shot's confidence: ``probs ** (1 / temperature)``, then rows normalised."""
    round: int = 1

    @property
    def soft_temperature(self) -> float:
        """The temperature for rules with soft targets: 1 from round 2 on.

        A prompt that learned calibrated probabilities gives calibrated probabilities; calibrated once more, each round
        would be softer than the one before.
        """
        return self.temperature if self.round == 1 else 1.0

    def among(self, rows: Tensor, classes: Mask | Tensor) -> Context:
        """The context of some rows and classes, as `narrowed` does for probabilities."""
        return replace(
            self,
            image_embeds=None if self.image_embeds is None else self.image_embeds[rows],
            previous=None if self.previous is None else narrowed(self.previous, rows, classes),
            votes=tuple(narrowed(vote, rows, classes) for vote in self.votes),
        )


NO_CONTEXT = Context()
"""Nothing is known besides the probabilities."""


class Selector(Protocol):
    """A selection rule."""

    def __call__(self, probs: Probs, k: int, context: Context = NO_CONTEXT, /) -> Chosen:
        """At most ``k`` rows per class by answers (N, C); ConfigError where the context lacks what the rule needs."""


def narrowed(probs: Probs, rows: Tensor, classes: Mask | Tensor) -> SomeProbs:
    """(n, K) the probabilities of some rows over some classes, normalised."""
    columns = classes.nonzero().squeeze(1) if classes.dtype == torch.bool else classes
    among = like(probs, (len(rows), len(columns)))

    def narrow(part: slice) -> None:
        some = probs[rows[part]][:, columns]
        among[part] = some / some.sum(dim=1, keepdim=True).clamp_min(1e-30)

    put(narrow, chunk_slices(len(rows)), over=(among, probs))
    return among


def at_temperature(probs: Probs, temperature: float) -> Probs:
    """(N, C) probabilities as softmax would give them at this temperature (Guo et al., ICML 2017)."""
    if temperature == 1.0:
        return probs
    tiny = torch.finfo(probs.dtype).tiny
    found = like(probs)

    def answer(rows: slice) -> None:
        found[rows] = (probs[rows].clamp_min(tiny).log() / temperature).softmax(dim=1)

    put(answer, chunk_slices(len(probs)), over=(probs, found))
    return found
