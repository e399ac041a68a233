"""From embeddings to probabilities: the text's answers, what labels taught beside them, calibration.

As clipgrip's `prompts.classifier`, `pseudolabel.banks`, `fewshot.joint` and `trust.calibration`: tests compare the two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipgrip_line.towers import Embeds, unit

Floats = NDArray[np.floating[Any]]
TINY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Column:
    """How what an eye sees becomes columns beside the model's own embedding."""

    mean: Floats = field(repr=False)
    axes: Floats = field(repr=False)
    length: float

    def of(self, bank: Embeds) -> Embeds:
        """(N, e) from (N, E)."""
        return np.float32(self.length) * unit((unit(bank) - self.mean) @ self.axes)


@dataclass(frozen=True)
class Head:
    """What labels taught, over the classes that had some."""

    mean: Floats = field(repr=False)
    weights: Floats = field(repr=False)
    offsets: Floats = field(repr=False)
    classes: NDArray[np.int64] = field(repr=False)

    def logits(self, embeds: Embeds, n_classes: int) -> Floats:
        """(N, C) log-probabilities; a class without labels gets a fair share, so that the text decides."""
        seen = embeds.astype(np.float64) - self.mean.astype(np.float64)
        seen /= np.maximum(np.linalg.norm(seen, axis=1, keepdims=True), 1e-12)
        known = log_softmax((seen @ self.weights + self.offsets).astype(np.float32))
        if len(self.classes) == n_classes:
            return known[:, np.argsort(self.classes)]
        whole = np.full((len(embeds), n_classes), -math.log(n_classes), np.float32)
        whole[:, self.classes] = known + math.log(len(self.classes) / n_classes)
        return whole


@dataclass(frozen=True)
class Scoring:
    """All that stands between embeddings and probabilities."""

    class_embeds: Embeds = field(repr=False)
    """(C, D): those of the prompt, with the untuned share that labels ask for."""
    logit_scale: float
    columns: tuple[Column, ...] = ()
    text_weight: float = 1.0
    heads: tuple[Head, ...] = field(default=(), repr=False)
    joins: bool = False
    """Whether labels taught anything beside the prompt."""
    absent: tuple[int, ...] = ()
    """Classes of which nothing was learned: the text says whether an image is of one."""
    reluctance: float = 0.0
    """Subtracted from their logits."""

    @property
    def width(self) -> int:
        """W of what `joined` gives."""
        return self.class_embeds.shape[1] + sum(one.axes.shape[1] for one in self.columns)

    def joined(self, banks: Sequence[Embeds]) -> Embeds:
        """(N, W) from what each tower sees, the model's own first."""
        beside = [one.of(bank) for one, bank in zip(self.columns, banks[1:], strict=True)]
        return np.concatenate([banks[0], *beside], axis=1) if beside else banks[0]

    def probs(self, embeds: Embeds) -> Floats:
        """(N, C) from what `joined` gives."""
        own = embeds[:, : self.class_embeds.shape[1]]
        text = (np.float32(self.logit_scale) * own) @ self.class_embeds.T
        if not self.joins:
            return softmax(text)
        return softmax(self._with_heads(embeds, log_softmax(text)))

    def _with_heads(self, embeds: Embeds, text: Floats) -> Floats:
        n_classes = len(self.class_embeds)
        joined: Floats = np.zeros((len(embeds), n_classes), np.float32)
        for head in self.heads:
            joined = joined + head.logits(embeds, n_classes)
        if self.text_weight:
            joined = joined + np.float32(self.text_weight) * text
            if self.absent:
                rest = np.delete(np.arange(n_classes), self.absent)
                left = np.log(np.maximum(np.exp(text[:, rest]).sum(axis=1, keepdims=True), TINY))
                among, joined = log_softmax(joined[:, rest]), text - np.float32(self.reluctance)
                joined[:, rest] = among + left
            return joined
        known = np.zeros(n_classes, bool)
        for head in self.heads:
            known[head.classes] = True
        return np.where(known, joined, -np.inf) if known.any() else joined


@dataclass(frozen=True)
class Calibration:
    """Confidence that means what it says, as an audit fitted it: a temperature."""

    temperature: float

    def __call__(self, probs: Floats) -> Floats:
        """(N, C) from probabilities as the model says them."""
        return softmax(np.log(np.maximum(probs, TINY)) / np.float32(self.temperature))

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Calibration:
        """What clipgrip's calibration stores. ValueError: a kind that is not known."""
        if stored["kind"] != "temperature":
            raise ValueError(f"calibration {stored['kind']}")
        return cls(float(stored["value"]))


def log_softmax(logits: Floats) -> Floats:
    """Along the classes."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def softmax(logits: Floats) -> Floats:
    """Along the classes."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)
