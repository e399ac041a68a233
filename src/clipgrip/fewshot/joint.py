"""Text and labels joined: softmax(a · text + b · head + c · log shares), with a, b and c from the labels themselves.

Every label is held out for the text, which learned from none, and for the head by `members`. So the likelihood of the
labels says how much each counts: a text that says nothing of these images gets a = 0, whatever its confidence.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from clipgrip.fewshot.head import FittedHead, Head, HeadSettings
from clipgrip.prompts.classifier import wide_logits
from clipgrip.pseudolabel.refine.chunks import answered
from clipgrip.types import ClassEmbeds, ImageEmbeds, Labels, Logits, Probs, WideEmbeds


@dataclass(frozen=True)
class JointWeights:
    """How much the text counts, the head, and the shares of the labels; found once, before anything is tuned."""

    text: float
    head: float
    shares: float


@dataclass(frozen=True)
class Joint:
    """The joined classifier. Its heads carry their weights already."""

    text_weight: float
    heads: tuple[Head, ...] = field(repr=False)
    n_classes: int
    texts: ClassEmbeds | None = field(default=None, repr=False)
    """The untuned class embeddings (C, D), which count beside the tuned: few images a class tune a prompt badly."""
    untuned: float = 0.5
    """Their share of the text."""
    foretold: tuple[int, ...] = ()
    """Classes whose name does not fit: images foretold their ``texts``, and no prompt tunes them."""
    absent: tuple[int, ...] = ()
    """Classes that its images could not be of. Nothing that it learned speaks of them, so the text alone says whether
    an image is of one of these (docs/decisions/0090)."""

    def class_embeds(self, tuned: ClassEmbeds) -> ClassEmbeds:
        """(C, D) whose scaled products with images are the text's logits."""
        if self.texts is None:
            return tuned
        texts, own = self.texts.to(tuned), list(self.foretold)
        mixed = torch.lerp(tuned, texts, self.untuned)
        mixed[own] = texts[own]
        return mixed

    def logits(self, image_embeds: ImageEmbeds, text: Logits | None) -> Logits:
        """(N, C) from embeddings (N, D) and the text's logits (N, C)."""
        joined = torch.zeros(len(image_embeds), self.n_classes)
        for head in self.heads:
            joined += spread(head.logits(image_embeds), head.classes, self.n_classes)
        if text is not None and self.text_weight:
            joined += self.text_weight * text
            return apart(joined, text, self.absent) if self.absent else joined
        known = torch.zeros(self.n_classes, dtype=torch.bool)
        for head in self.heads:
            known[head.classes] = True
        # where words fail, they do not let a class loose of which nobody ever showed an image
        return joined.masked_fill(~known, -torch.inf) if bool(known.any()) else joined

    def probs(self, image_embeds: ImageEmbeds, text: Logits | None) -> Probs:
        """(N, C) softmax of the logits; held-out labels set how sure they are."""
        return self.logits(image_embeds, text).softmax(1)

    def renumbered(self, places: Sequence[int | None], texts: ClassEmbeds) -> Joint:
        """For other classes: for each of them its position among these, None for one that no label ever named.

        ``texts`` are the untuned class embeddings of the others.
        """
        at = {old: new for new, old in enumerate(places) if old is not None}
        heads = []
        for head in self.heads:
            columns = [n for n, c in enumerate(head.classes.tolist()) if c in at]
            if columns:
                classes = torch.tensor([at[int(head.classes[n])] for n in columns])
                weights, offsets = head.weights[:, columns], head.offsets[columns]
                heads.append(replace(head, weights=weights, offsets=offsets, classes=classes))
        absent = tuple(at[c] for c in self.absent if c in at)
        changed = replace(self, heads=tuple(heads), n_classes=len(places), absent=absent)
        if self.texts is None:
            return changed
        before = [c for c in self.foretold if c in at]
        foretold, texts = tuple(at[c] for c in before), texts.clone()
        texts[list(foretold)] = self.texts[before].to(texts)
        return replace(changed, texts=texts, foretold=foretold)

    def tensors(self) -> dict[str, Tensor]:
        """All that it is, for a file."""
        found = {"text_weight": torch.tensor(self.text_weight, dtype=torch.float64)}
        for number, head in enumerate(self.heads):
            for one in fields(head):
                found[f"{number}.{one.name}"] = getattr(head, one.name).contiguous()
        if self.texts is not None:
            found["texts"] = self.texts.contiguous()
        found["untuned"] = torch.tensor(self.untuned, dtype=torch.float64)
        if self.foretold:
            found["foretold"] = torch.tensor(self.foretold)
        if self.absent:
            found["absent"] = torch.tensor(self.absent)
        return {**found, "n_classes": torch.tensor(self.n_classes)}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> Joint:
        """What ``tensors`` gave; KeyError where something is missing."""
        numbers = sorted({int(name.split(".")[0]) for name in tensors if "." in name})
        heads = [
            Head(**{one.name: tensors[f"{number}.{one.name}"] for one in fields(Head)})
            for number in numbers
        ]
        return cls(
            float(tensors["text_weight"]),
            tuple(heads),
            int(tensors["n_classes"]),
            tensors.get("texts"),
            float(tensors["untuned"]),
            *(tuple(tensors[n].tolist()) if n in tensors else () for n in ("foretold", "absent")),
        )

    def with_head(self, head: Head, weight: float) -> Joint:
        """With one more head."""
        return replace(self, heads=(*self.heads, scaled(head, weight)))

    def mixed(self, head: Head, share: float) -> Joint:
        """Its logits and ``share`` of another head's: two that learned the same agree, so they are not added up."""
        heads = tuple(scaled(one, 1 - share) for one in self.heads)
        rest = replace(self, text_weight=(1 - share) * self.text_weight, heads=heads)
        return rest.with_head(head, share)


def joined_probs(
    image_embeds: WideEmbeds, class_embeds: ClassEmbeds, logit_scale: float, joint: Joint | None
) -> Probs:
    """(N, C): the text's own answers, or joined with what labels taught; of several banks the heads read all."""
    texts = class_embeds if joint is None else joint.class_embeds(class_embeds)

    def answers(images: WideEmbeds) -> Probs:
        logits = wide_logits(images, texts, logit_scale)
        if joint is None:
            return logits.softmax(dim=1)
        return joint.probs(images, logits.log_softmax(dim=1))

    return answered(answers, image_embeds)


def scaled(head: Head, weight: float) -> Head:
    """The head with all its logits times ``weight``."""
    return replace(head, weights=weight * head.weights, offsets=weight * head.offsets)


def apart(joined: Logits, text: Logits, absent: Sequence[int]) -> Logits:
    """(N, C) logits: the text says how likely each ``absent`` class is, and ``joined`` divides what it leaves."""
    rest = torch.ones(text.shape[1], dtype=torch.bool)
    rest[list(absent)] = False
    among = joined.masked_fill(~rest, -torch.inf).log_softmax(1)
    return torch.where(rest, among + text[:, rest].logsumexp(1, keepdim=True), text)


def spread(logits: Float[Tensor, "N K"], classes: Int[Tensor, " K"], n_classes: int) -> Logits:
    """(N, C) log-probabilities: classes that the head does not know get an equal part each of a fair share.

    So a head neither denies nor favours a class of which it never saw an image; the text decides.
    """
    known = logits.log_softmax(1)
    absent = n_classes - len(classes)
    if not absent:
        return known
    whole = torch.full((len(logits), n_classes), -math.log(n_classes))
    return whole.index_copy(1, classes, known + math.log(len(classes) / n_classes))


def join(fitted: FittedHead, labels: Labels, n_classes: int, weights: JointWeights) -> Joint:
    """The classifier of a head that was fitted to ``labels`` (n,)."""
    counts = torch.bincount(labels, minlength=n_classes)
    head = scaled(fitted.head, weights.head * _more_with_all(counts, labels[fitted.rows]))
    offsets = head.offsets + weights.shares * _log_shares(counts, fitted.head)
    return Joint(weights.text, (replace(head, offsets=offsets),), n_classes)


def weigh(
    fitted: FittedHead,
    text: Logits | None,
    labels: Labels,
    n_classes: int,
    settings: HeadSettings,
    doubted: Bool[Tensor, " C"] | None = None,
) -> JointWeights:
    """Weights under which the labels (n,) are likeliest; ``text`` (n, C) are the text's logits for the same images.

    Labels of ``doubted`` classes foretold their text, so they do not judge it.
    """
    rows = torch.cat([fitted.rows, fitted.alone_rows])
    judges = slice(None) if doubted is None else ~doubted[labels[rows]]
    truth = labels[rows, None][judges]
    text_logits = (torch.zeros(len(rows), n_classes) if text is None else text[rows].float())[
        judges
    ]
    has_absent = len(fitted.head.classes) < n_classes

    def likelihood(a: float, b: float, c: float) -> float:
        ours = _without_own(fitted, labels, n_classes, b, c)[judges]
        return float((a * text_logits + ours).log_softmax(1).gather(1, truth).sum())

    texts = dict(zip(settings.text_weights, settings.text_prior, strict=True))
    heads = dict(zip(settings.head_weights, settings.head_prior, strict=True))
    if text is None:
        texts = {0.0: 1.0}
    elif has_absent:
        # images of classes without a label know the text alone, so it must stand by itself
        texts = {_alone(texts, text_logits, truth): 1.0}
    if not len(fitted.rows) and (text is None or not has_absent):
        heads = {1.0: 1.0}
    tried = [
        (likelihood(a, b, c) + math.log(texts[a]) + math.log(heads[b]), a, b, c)
        for a, b, c in itertools.product(texts, heads, (0.0, 1.0))
    ]
    return JointWeights(*max(tried)[1:])


def _without_own(fitted: FittedHead, labels: Labels, n_classes: int, b: float, c: float) -> Logits:
    """(n + m, C) the head's part for each label as if it had not been given.

    A class without its only label is absent like those that have none, and the other classes get what is its. Where
    none is absent such labels say nothing of the head.
    """
    classes = fitted.head.classes
    shares = c * _log_shares(torch.bincount(labels, minlength=n_classes), fitted.head).float()
    held_out = spread(b * fitted.held_out + shares, classes, n_classes)
    lonely = labels[fitted.alone_rows, None]
    if len(classes) == n_classes or len(classes) < 2:
        return torch.cat([held_out, torch.zeros(len(lonely), n_classes)])
    own = classes == lonely
    known = (b * fitted.alone + shares).masked_fill(own, -torch.inf).log_softmax(1)
    known = (known + math.log((len(classes) - 1) / n_classes)).masked_fill(
        own, -math.log(n_classes)
    )
    whole = torch.full((len(lonely), n_classes), -math.log(n_classes))
    return torch.cat([held_out, whole.index_copy(1, classes, known)])


def _log_shares(counts: Tensor, head: Head) -> Tensor:
    """(K,) logs of the shares of the labels."""
    return (counts[head.classes].double() / counts.sum()).log()


def _alone(texts: dict[float, float], text: Logits, truth: Tensor) -> float:
    """The weight under which the text by itself makes the labels likeliest."""
    return max(
        (float((a * text).log_softmax(1).gather(1, truth).sum()) + math.log(prior), a)
        for a, prior in texts.items()
    )[1]


def _more_with_all(counts: Tensor, labels: Labels) -> float:
    """n / (n - 1): how much more a head knows from n images of a class than from those without the one held out."""
    if not len(labels):
        return 1.0
    own = counts[labels].double()
    return float((own / (own - 1)).mean())
