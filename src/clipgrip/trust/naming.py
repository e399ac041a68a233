"""Names that fit: for each class, whether its text points at a group of the images, by a logistic score.

Decision 0030 says why these features; `python -m benchmarks.names` measures them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor

from clipgrip.fewshot.misnamed import row_margins
from clipgrip.pseudolabel.refine.chunks import even_sample
from clipgrip.types import ClassEmbeds, ImageEmbeds, Labels, Logits

Verdict = Literal["fits", "nothing", "other", "unknown"]

SAMPLE = 20_000
"""Of larger pools an even sample of at least so many images is read."""
FEW_IMAGES = 20
"""Fewest images for a verdict without labels."""
FEW_A_CLASS = 3
"""Fewest images per class for that."""
FEW_CLASSES = 3
"""Fewest classes for that: the others say what is usual, and of two only labels tell which text is wrong."""
FREE = (-0.63, -0.19, -2.55, -0.64)
"""Weights of lead, near_lead, rise and share, by logistic regression on the even half of the benchmark."""
FREE_LIMIT = 1.05
"""The weighted sum above which a text is doubted."""
TAUGHT = (-0.16, -0.86, -0.64, -0.25)
"""Weights of lead, rise, own_rise and own_lead where the class has labels."""
TAUGHT_LIMIT = -2.33
"""The same limit there."""
ANOTHERS = 0.5
"""A text points at another class's images if its rise there is at least this share of the rise of their own text (by
labels: of the usual rise)."""
SHOWN = 8
"""Images that are shown for what a name points at."""


@dataclass(frozen=True)
class NameFit:
    """One class's name. ``fit`` is from 0 to 1 and doubted below one half; None if there is too little evidence."""

    position: int
    fit: float | None
    verdict: Verdict
    group: int | None = None
    """The other class whose images the text points at; None if at none."""
    labeled: int = 0
    """Number of the class's labeled images."""
    rows: tuple[int, ...] = ()
    """The images that the text points at most, of a doubted name."""

    @property
    def doubted(self) -> bool:
        """Whether the text points at no group, or at another's."""
        return self.verdict in ("nothing", "other")


@dataclass(frozen=True)
class Naming:
    """All names in the order of the classes, and images that no fitting name points at (``nameless``)."""

    names: tuple[NameFit, ...]
    nameless: tuple[int, ...] = ()

    @property
    def doubted(self) -> tuple[NameFit, ...]:
        """The names that do not fit, the worst first."""
        found = [one for one in self.names if one.doubted]
        return tuple(sorted(found, key=lambda one: (one.fit or 0.0, one.position)))


@dataclass(frozen=True)
class Seen:
    """The features of the texts on the images, from logits.

    A *lead* is a logit less the highest other logit of the image. A *rise* is a double-centred logit: less the image's
    mean over the texts, and less the text's mean over the images.
    """

    free: Tensor
    """(C, 4) lead, near_lead, rise and share of every text, which need no labels."""
    taught: Tensor
    """(C, 2) own_rise and own_lead on the class's labeled images; NaN without any."""
    rises: Tensor
    """(C, C) mean rise of each text (column) on each class's labeled images (row); NaN without any."""
    labeled: Tensor
    """(C,) number of labeled images."""
    nearest: Tensor
    """(n, C) the rows on which each text rises most."""
    matches: Tensor
    """(C, C) rise of each text (row) over that of another text (column), on those of its nearest images that have the
    other as their answer; 0 unless they are the majority."""


def naming(
    image_embeds: ImageEmbeds,
    class_embeds: ClassEmbeds,
    logit_scale: float,
    labels: Labels | None = None,
    among: Int[Tensor, " K"] | None = None,
) -> Naming:
    """The verdicts on untuned texts (C, D) by a pool (N, D); ``labels`` (N,) are people's, -1 elsewhere.

    ``among`` are positions of the classes that may occur: nothing can be said of the others, which have no image.
    """
    if among is not None:
        place = torch.full((len(class_embeds) + 1,), -1)  # the last is nobody's
        place[among] = torch.arange(len(among))
        own = None if labels is None else place[labels]
        found = naming(image_embeds, class_embeds[among], logit_scale, own)
        every = [NameFit(c, None, "unknown") for c in range(len(class_embeds))]
        for c, one in zip(among.tolist(), found.names, strict=True):
            group = None if one.group is None else int(among[one.group])
            every[c] = replace(one, position=c, group=group)
        return Naming(tuple(every), found.nameless)
    images, step = even_sample(image_embeds, SAMPLE), max(1, len(image_embeds) // SAMPLE)
    seen = look(image_embeds, class_embeds, logit_scale, labels)
    enough = _enough(len(images), len(class_embeds))
    fits = [_fit(seen, c, enough) for c in range(len(class_embeds))]
    names = tuple(_judged(seen, c, fit, step) for c, fit in enumerate(fits))
    trusted = [one.position for one in names if not one.doubted]
    if len(trusted) == len(names) or not trusted:
        return Naming(names)
    best = (images.float() @ class_embeds[trusted].float().T).max(1).values
    rows = best.topk(min(SHOWN, len(best)), largest=False).indices
    return Naming(names, tuple((rows * step).tolist()))


def look(
    image_embeds: ImageEmbeds,
    class_embeds: ClassEmbeds,
    logit_scale: float,
    labels: Labels | None = None,
) -> Seen:
    """The features that `naming` judges by."""
    texts = class_embeds.float()
    logits = logit_scale * even_sample(image_embeds, SAMPLE).float() @ texts.T
    means = (logits - logits.mean(1, keepdim=True)).mean(0)
    rises = _rises(logits, means)
    leads, classes = row_margins(logits), logits.shape[1]
    own, few = (min(len(logits), max(2, round(len(logits) / classes / part))) for part in (2, 4))
    nearest = rises.topk(own, dim=0)
    near_lead = leads.gather(0, nearest.indices).mean(0)
    rise = nearest.values.mean(0)
    usual = rise.median().clamp_min(1e-6)
    answers = logits.argmax(1)
    share = torch.bincount(answers, minlength=classes) * classes / max(1, len(logits))
    columns = (
        leads.topk(few, dim=0).values.mean(0),
        near_lead - near_lead.median(),
        (rise / usual).clamp_min(0.05).log(),
        (share + 0.05).log(),
    )
    taught, groups, labeled = _taught(image_embeds, texts, logit_scale, means, labels)
    matches = _matches(rises, nearest.indices, answers[nearest.indices])
    free = torch.stack(columns, dim=1)
    return Seen(free, taught, groups, labeled, nearest.indices, matches)


def _rises(logits: Logits, means: Tensor) -> Tensor:
    """(N, C) double-centred logits; ``means`` (C,) are those of the texts over the images, each image centred."""
    return logits - logits.mean(1, keepdim=True) - means


def _taught(
    images: ImageEmbeds, texts: Tensor, scale: float, means: Tensor, labels: Labels | None
) -> tuple[Tensor, Tensor, Tensor]:
    """``taught`` (C, 2), ``rises`` (C, C) and ``labeled`` (C,) of `Seen`."""
    classes = len(texts)
    known = torch.full((len(images),), -1) if labels is None else labels
    rows = (known >= 0).nonzero().squeeze(1)
    member = F.one_hot(known[rows], classes).float()
    counts = member.sum(0)
    logits = scale * images[rows].float() @ texts.T
    per = torch.where(counts > 0, counts, torch.nan)
    groups = member.T @ _rises(logits, means) / per[:, None]
    leads = (member * row_margins(logits)).sum(0) / per
    return torch.stack([groups.diagonal(), leads], dim=1), groups, counts.long()


def _matches(rises: Tensor, nearest: Tensor, leaders: Tensor) -> Tensor:
    """(C, C) ``matches`` of `Seen`; ``leaders`` (n, C) are the answers for the ``nearest`` images of each text."""
    found = torch.zeros(rises.shape[1], rises.shape[1])
    for c in range(rises.shape[1]):
        rows, led = nearest[:, c], leaders[:, c]
        for other in led.unique().tolist():
            if 2 * int((led == other).sum()) > len(led):  # only a majority is a group
                mine, its = (rises[rows[led == other], at].mean() for at in (c, other))
                found[c, other] = mine / its.clamp_min(1e-6)
    return found


def _enough(images: int, classes: int) -> bool:
    return classes >= FEW_CLASSES and images >= FEW_IMAGES and images >= FEW_A_CLASS * classes


def _fit(seen: Seen, c: int, enough: bool) -> float | None:
    if int(seen.labeled[c]):
        lead, _, rise, _ = seen.free[c].tolist()
        figures, weights, limit = (lead, rise, *seen.taught[c].tolist()), TAUGHT, TAUGHT_LIMIT
    elif enough:
        figures, weights, limit = tuple(seen.free[c].tolist()), FREE, FREE_LIMIT
    else:
        return None
    against = sum(w * value for w, value in zip(weights, figures, strict=True)) - limit
    return 1 / (1 + float(torch.tensor(against).exp()))


def _judged(seen: Seen, c: int, fit: float | None, step: int) -> NameFit:
    labeled = int(seen.labeled[c])
    if fit is None or fit >= 0.5:
        return NameFit(c, fit, "unknown" if fit is None else "fits", labeled=labeled)
    rows = tuple((seen.nearest[:SHOWN, c] * step).tolist())
    group = _group(seen, c)
    return NameFit(c, fit, "nothing" if group is None else "other", group, labeled, rows)


def _group(seen: Seen, c: int) -> int | None:
    """The other class whose images the text points at clearly; by labels where there are some."""
    pointed, usual = seen.matches[c].clone(), 1.0
    if int(seen.labeled[c]):
        pointed = seen.rises[:, c].nan_to_num(0.0)
        usual = float(seen.rises.diagonal().nanmedian())
    pointed[c] = 0.0
    best = int(pointed.argmax())
    return best if float(pointed[best]) >= max(ANOTHERS * usual, 1e-6) else None
