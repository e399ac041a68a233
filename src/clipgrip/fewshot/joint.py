"""Text and labels joined: softmax(a · text + b · head + c · log shares), with a, b and c from the labels themselves.

Every label is held out for the text, which learned from none, and for the head by `members`. So the likelihood of the
labels says how much each counts: a text that says nothing of these images gets a = 0, whatever its confidence.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor

from clipgrip.fewshot.head import FittedHead, Head, HeadSettings
from clipgrip.types import ImageEmbeds, Labels, Logits, Probs


@dataclass(frozen=True)
class Joint:
    """The joined classifier. Its heads carry their weights already."""

    text_weight: float
    heads: tuple[Head, ...] = field(repr=False)
    n_classes: int

    def logits(self, image_embeds: ImageEmbeds, text: Logits | None) -> Logits:
        """(N, C) from embeddings (N, D) and the text's logits (N, C)."""
        whole = sum((spread(h.logits(image_embeds), h.classes, self.n_classes) for h in self.heads))
        joined = torch.zeros(len(image_embeds), self.n_classes) + whole
        return joined if text is None or not self.text_weight else joined + self.text_weight * text

    def probs(self, image_embeds: ImageEmbeds, text: Logits | None) -> Probs:
        """(N, C) softmax of the logits; held-out labels set how sure they are."""
        return self.logits(image_embeds, text).softmax(1)

    def with_head(self, head: Head, weight: float) -> Joint:
        """With one more head."""
        return replace(self, heads=(*self.heads, scaled(head, weight)))


def scaled(head: Head, weight: float) -> Head:
    """The head with all its logits times ``weight``."""
    return replace(head, weights=weight * head.weights, offsets=weight * head.offsets)


def spread(logits: Logits, classes: Int[Tensor, K], n_classes: int) -> Logits:
    """(N, C) log-probabilities: classes that the head does not know get an equal part each of a fair share.

    So a head neither denies nor favours a class of which it never saw an image; the text decides.
    """
    known = logits.log_softmax(1)
    absent = n_classes - len(classes)
    if not absent:
        return known
    whole = torch.full((len(logits), n_classes), -math.log(n_classes))
    return whole.index_copy(1, classes, known + math.log(len(classes) / n_classes))


def fit_joint(
    fitted: FittedHead, text: Logits | None, labels: Labels, n_classes: int, settings: HeadSettings
) -> Joint:
    """Weights under which the labels (n,) are likeliest; ``text`` (n, C) are the text's logits for the same images."""
    known = torch.bincount(labels, minlength=n_classes)
    log_shares = (known[fitted.head.classes] / known.sum()).log().float()
    rows = _rows(fitted, labels, settings)
    said = torch.zeros(len(rows), n_classes) if text is None else text[rows].float()
    held = torch.zeros(len(rows), len(fitted.head.classes))
    has_held = torch.isin(rows, fitted.rows)
    held[has_held] = fitted.held_out
    text_grid = [
        (a, math.log(p))
        for a, p in zip(settings.text_weights, settings.text_prior, strict=True)
    ]
    if text is None:
        text_grid = [(0.0, 0.0)]
    elif len(fitted.head.classes) < n_classes:
        # where some classes have no label, their images know the text alone: it must stand by itself
        text_grid = [_alone(text_grid, said, labels[rows])]
    head_grid = [
        (b, math.log(p))
        for b, p in zip(settings.head_weights, settings.head_prior, strict=True)
    ]
    if not bool(has_held.any()):
        head_grid = [(1.0, 0.0)]

    def likelihood(a: float, b: float, c: float) -> float:
        ours = spread(b * held + c * log_shares, fitted.head.classes, n_classes)
        joined = a * said + torch.where(has_held[:, None], ours, 0.0)
        return float(joined.log_softmax(1).gather(1, labels[rows, None]).sum())

    tried = [
        (likelihood(a, b, c) + prior_a + prior_b, a, b, c)
        for (a, prior_a), (b, prior_b), c in itertools.product(text_grid, head_grid, (0.0, 1.0))
    ]
    _, a, b, c = max(tried)
    head = scaled(fitted.head, b * _more_with_all(known, labels[fitted.rows]))
    return Joint(a, (replace(head, offsets=head.offsets + c * log_shares),), n_classes)


def _rows(fitted: FittedHead, labels: Labels, settings: HeadSettings) -> Tensor:
    """The held-out labels, and of those that are alone in their class a sample: only the text answers for these."""
    alone = torch.ones(len(labels), dtype=torch.bool)
    alone[fitted.rows] = False
    alone &= F.one_hot(labels).sum(0)[labels] < 2
    extra = alone.nonzero().squeeze(1)[: settings.sample]
    return torch.cat([fitted.rows, extra]).sort().values


def _alone(
    grid: list[tuple[float, float]], text: Logits, labels: Labels
) -> tuple[float, float]:
    """The weight under which the text by itself makes the labels likeliest."""
    tried = [
        (float((a * text).log_softmax(1).gather(1, labels[:, None]).sum()) + prior, a, prior)
        for a, prior in grid
    ]
    _, a, prior = max(tried)
    return a, prior


def _more_with_all(counts: Tensor, labels: Labels) -> float:
    """How much more a head knows from n images of a class than from the n - 1 that held-out answers had: n / (n - 1)."""
    if not len(labels):
        return 1.0
    own = counts[labels].double()
    return float((own / (own - 1)).mean())
