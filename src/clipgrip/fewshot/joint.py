"""Text and head joined: softmax(a · text + b · head + c · log class shares), with a, b and c fitted to the labels.

For the text every label is held out, since it learned from none; for the head, `members` answer without the label. So
the likelihood of the labels says how much each counts: a text that does not fit these images gets a = 0, whatever its
confidence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipgrip.fewshot.head import FittedHead, Head, HeadSettings
from clipgrip.prompts.classifier import wide_logits
from clipgrip.pseudolabel.refine.chunks import answered, even_sample
from clipgrip.types import ClassEmbeds, ImageEmbeds, Labels, Logits, Probs, WideEmbeds

MOST_MEASURED = 100_000
"""Images of a pool, or up to twice as many, that say how often absent classes take them."""


@dataclass(frozen=True)
class JointWeights:
    """a, b and c of the module's formula: found once, before anything is tuned."""

    text: float
    head: float
    shares: float

    def may_lose(self, settings: HeadSettings) -> float:
        """Most of the pool that absent classes may take: less of it, the less the labels let the text count."""
        return settings.lost * min(self.text, 1.0)


@dataclass(frozen=True)
class Joint:
    """The joined classifier. Its heads are multiplied by their weights already."""

    text_weight: float
    heads: tuple[Head, ...] = field(repr=False)
    n_classes: int
    texts: ClassEmbeds | None = field(default=None, repr=False)
    """The untuned class embeddings (C, D), averaged with the tuned: few images per class tune a prompt badly. None:
    the tuned ones alone count."""
    untuned: float = 0.5
    """Their share in this average."""
    misnamed: tuple[int, ...] = ()
    """Classes whose name does not fit. Their row of ``texts`` was predicted from images and stands alone, untuned."""
    absent: tuple[int, ...] = ()
    """Classes that its images could not be of. Nothing that it learned speaks of them, so the text alone says whether
    an image is of one of these (docs/decisions/0090)."""
    reluctance: float = 0.0
    """Subtracted from the logits of absent classes: `reluctant`."""

    def class_embeds(self, tuned: ClassEmbeds) -> ClassEmbeds:
        """(C, D) the class embeddings that the text's logits are made with, from those of a tuned prompt."""
        if self.texts is None:
            return tuned
        texts, misnamed = self.texts.to(tuned), list(self.misnamed)
        mixed = torch.lerp(tuned, texts, self.untuned)
        mixed[misnamed] = texts[misnamed]
        return mixed

    def logits(self, image_embeds: ImageEmbeds, text: Logits | None) -> Logits:
        """(N, C) from embeddings (N, D) and the text's logits (N, C)."""
        joined = torch.zeros(len(image_embeds), self.n_classes)
        for head in self.heads:
            joined += over_all_classes(head.logits(image_embeds), head.classes, self.n_classes)
        if text is not None and self.text_weight:
            joined = joined + self.text_weight * text
            return apart(joined, text, self.absent, self.reluctance) if self.absent else joined
        known = torch.zeros(self.n_classes, dtype=torch.bool)
        for head in self.heads:
            known[head.classes] = True
        # without a text nothing speaks for a class that has no labeled image, so it is never the answer
        return joined.masked_fill(~known, -torch.inf) if bool(known.any()) else joined

    def probs(self, image_embeds: ImageEmbeds, text: Logits | None) -> Probs:
        """(N, C) softmax of the logits, whose scale held-out labels have fitted."""
        return self.logits(image_embeds, text).softmax(1)

    def renumbered(self, positions: Sequence[int | None], texts: ClassEmbeds) -> Joint:
        """The classifier for a changed list of classes, whose untuned class embeddings are ``texts``.

        ``positions`` holds for each of them its position in the old list; None for a new class.
        """
        at = {old: new for new, old in enumerate(positions) if old is not None}
        heads = []
        for head in self.heads:
            columns = [n for n, c in enumerate(head.classes.tolist()) if c in at]
            if columns:
                classes = torch.tensor([at[int(head.classes[n])] for n in columns])
                weights, offsets = head.weights[:, columns], head.offsets[columns]
                heads.append(replace(head, weights=weights, offsets=offsets, classes=classes))
        absent = tuple(at[c] for c in self.absent if c in at)
        changed = replace(self, heads=tuple(heads), n_classes=len(positions), absent=absent)
        if self.texts is None:
            return changed
        before = [c for c in self.misnamed if c in at]
        misnamed, texts = tuple(at[c] for c in before), texts.clone()
        texts[list(misnamed)] = self.texts[before].to(texts)
        return replace(changed, texts=texts, misnamed=misnamed)

    def tensors(self) -> dict[str, Tensor]:
        """Everything, as tensors for a file, where ``misnamed`` is called "foretold"."""
        found = {"text_weight": torch.tensor(self.text_weight, dtype=torch.float64)}
        for number, head in enumerate(self.heads):
            for one in fields(head):
                found[f"{number}.{one.name}"] = getattr(head, one.name).contiguous()
        if self.texts is not None:
            found["texts"] = self.texts.contiguous()
        found["untuned"] = torch.tensor(self.untuned, dtype=torch.float64)
        if self.misnamed:
            found["foretold"] = torch.tensor(self.misnamed)
        if self.absent:
            found["absent"] = torch.tensor(self.absent)
            found["reluctance"] = torch.tensor(self.reluctance, dtype=torch.float64)
        return {**found, "n_classes": torch.tensor(self.n_classes)}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> Joint:
        """The classifier that ``tensors()`` wrote; KeyError where something is missing."""
        numbers = sorted({int(name.split(".")[0]) for name in tensors if "." in name})
        heads = [
            Head(**{one.name: tensors[f"{number}.{one.name}"] for one in fields(Head)})
            for number in numbers
        ]
        misnamed, absent = (
            tuple(tensors[name].tolist()) if name in tensors else ()
            for name in ("foretold", "absent")
        )
        return cls(
            float(tensors["text_weight"]),
            tuple(heads),
            int(tensors["n_classes"]),
            tensors.get("texts"),
            float(tensors["untuned"]),
            misnamed,
            absent,
            float(tensors.get("reluctance", 0.0)),
        )

    def apart_from(self, absent: tuple[int, ...], texts: ClassEmbeds) -> Joint:
        """The untuned ``texts`` (C, D) say which images are of ``absent`` classes; itself where there are none."""
        return replace(self, texts=texts, untuned=1.0, absent=absent) if absent else self

    def reluctant(
        self, image_embeds: WideEmbeds, tuned: tuple[ClassEmbeds, float], share: float
    ) -> Joint:
        """Reluctant enough that absent classes take at most ``share`` of these images (N, D), none of which is of one.

        ``tuned`` are a prompt's class embeddings (C, D) and logit scale. A text that tells the classes apart takes
        fewer anyway; one that guesses would take images away from classes that labels teach. It is the level of a
        conformal test for images unlike these (Vovk, Gammerman and Shafer, 2005); those of the pool taught, so new
        ones are taken a little more often.
        """
        if not self.absent or not self.text_weight or not len(image_embeds):
            return self
        images = even_sample(image_embeds, MOST_MEASURED)
        class_embeds, logit_scale = tuned
        text = wide_logits(images, self.class_embeds(class_embeds), logit_scale).log_softmax(1)
        absent = torch.zeros(self.n_classes, dtype=torch.bool)
        absent[list(self.absent)] = True
        logits = self.logits(images, text)
        margins = (logits[:, absent].amax(1) - logits[:, ~absent].amax(1)).double()
        allowed = torch.quantile(margins, 1 - share, interpolation="higher")
        return replace(self, reluctance=max(float(allowed), 0.0))

    def mixed(self, head: Head, share: float) -> Joint:
        """(1 - ``share``) of its logits and ``share`` of another head's.

        A mean and not a sum, since a head that learned the same labels is no independent evidence.
        """
        heads = (*(scaled(one, 1 - share) for one in self.heads), scaled(head, share))
        return replace(self, text_weight=(1 - share) * self.text_weight, heads=heads)


def joined_probs(
    image_embeds: WideEmbeds, class_embeds: ClassEmbeds, logit_scale: float, joint: Joint | None
) -> Probs:
    """(N, C) the text's answers, joined with the heads of ``joint`` where given. The heads read all banks."""
    texts = class_embeds if joint is None else joint.class_embeds(class_embeds)

    def answers(images: WideEmbeds) -> Probs:
        logits = wide_logits(images, texts, logit_scale)
        if joint is None:
            return logits.softmax(dim=1)
        return joint.probs(images, logits.log_softmax(dim=1))

    return answered(answers, image_embeds)


def scaled(head: Head, weight: float) -> Head:
    """The head with its logits multiplied by ``weight``."""
    return replace(head, weights=weight * head.weights, offsets=weight * head.offsets)


def apart(joined: Logits, text: Logits, absent: Sequence[int], reluctance: float) -> Logits:
    """(N, C) logits: the text says how likely each ``absent`` class is, and ``joined`` divides what it leaves."""
    rest = torch.ones(text.shape[1], dtype=torch.bool)
    rest[list(absent)] = False
    among = joined.masked_fill(~rest, -torch.inf).log_softmax(1)
    left = text[:, rest].logsumexp(1, keepdim=True)
    return torch.where(rest, among + left, text - reluctance)


def over_all_classes(
    logits: Float[Tensor, "N K"], classes: Int[Tensor, " K"], n_classes: int
) -> Logits:
    """(N, C) log-probabilities of a head that knows K classes: each of the others gets 1 / C, these share K / C.

    So the head is neither for nor against a class of which it never saw an image; the text decides.
    """
    known = logits.log_softmax(1)
    absent = n_classes - len(classes)
    if not absent:
        return known
    whole = torch.full((len(logits), n_classes), -math.log(n_classes))
    return whole.index_copy(1, classes, known + math.log(len(classes) / n_classes))


def join(fitted: FittedHead, labels: Labels, n_classes: int, weights: JointWeights) -> Joint:
    """The classifier of a head that was fitted to ``labels`` (n,), with these weights."""
    counts = torch.bincount(labels, minlength=n_classes)
    head = scaled(fitted.head, weights.head * _gain_of_all_labels(counts, labels[fitted.rows]))
    offsets = head.offsets + weights.shares * log_shares(counts, fitted.head)
    return Joint(weights.text, (replace(head, offsets=offsets),), n_classes)


def log_shares(counts: Tensor, head: Head) -> Tensor:
    """(K,) logs of the classes' shares among the labels."""
    return (counts[head.classes].double() / counts.sum()).log()


def _gain_of_all_labels(counts: Tensor, labels: Labels) -> float:
    """Mean n / (n - 1) over held-out labels: the head weight was fitted with one image of the n of a class missing."""
    if not len(labels):
        return 1.0
    own = counts[labels].double()
    return float((own / (own - 1)).mean())
