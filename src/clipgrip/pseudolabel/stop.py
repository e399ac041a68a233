"""The collapse alarm: whether the rounds have gone astray, by a small summary of each. A pure function.

It takes the summaries so far, oldest first, and answers with a `Stop` or None. No summary holds a true label. Number 0
is zero-shot, which the alarm compares with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clipgrip.errors import ConfigError, among
from clipgrip.pseudolabel.quality import Neighbours, changed_share
from clipgrip.sentences import Sentence, combined, mark
from clipgrip.types import Probs


@dataclass(frozen=True)
class Summary:
    """What can be measured of a round without the truth; all but ``number`` and ``agreement`` are from 0 to 1."""

    number: int
    changed: float
    """Share of the answers that differ from the round before."""
    purity: float
    """Mean probability that this round's answers give to the pseudolabels it learned from; 1 where there were none."""
    agreement: float
    """Scott's pi of an image's answer and its nearest images' (`Neighbours.beyond_chance`): at most 1, 0 by chance."""
    accuracy: float
    """Mean confidence of the answers: an estimate of their accuracy, as far as they are calibrated."""
    entropy: float
    """Entropy of the classes' shares among the answers, over that of equal shares."""
    largest: float
    """Share of the most frequent answer."""
    disagreement: float
    """Share of the answers that differ from those before tuning: zero-shot's, or what the labels alone give."""


@dataclass(frozen=True)
class Stop:
    """End here and go back to the learner of round ``best``, because of ``reason``. ``best`` 0 is zero-shot."""

    reason: str
    best: int


ALARMS = (
    mark("one class swallows others"),
    mark("a frequent class is divided up"),
    mark("the answers leave classes out"),
    mark("far more answers than after the first round differ from those before tuning"),
)
"""The reasons of the alarm, in the order of the conditions in `collapse`."""
BETWEEN = "; "
"""Joins several reasons into one."""
WAS_CALLED = {"the answers leave zero-shot behind": ALARMS[3]}
"""As runs of earlier versions keep it, also of labels, which give the answers before tuning."""


@dataclass(frozen=True)
class AlarmLimits:
    """Thresholds of the alarm, chosen on collapses that were provoked (``benchmarks.stopping``, decision 0017)."""

    swallowed: float = 0.15
    """How far ``Summary.largest`` may rise above zero-shot's, or fall below it."""
    entropy_drop: float = 0.1
    """How far ``Summary.entropy`` may fall below zero-shot's."""
    departure: float = 0.3
    """How far ``Summary.disagreement`` may rise above the first tuned round's."""


LIMITS = AlarmLimits()


def reasons_of(reason: str) -> list[str]:
    """The parts of a kept reason, as they are called now."""
    return [WAS_CALLED.get(one, one) for one in reason.split(BETWEEN)]


def stop_sentence(reason: str) -> Sentence:
    """The reason of a stop as a sentence that can be translated, part by part."""
    parts = [reason] if isinstance(reason, Sentence) else map(Sentence, reasons_of(reason))
    return combined(list(parts), BETWEEN)


def summarise(
    number: int,
    probs: Probs,
    before: Probs,
    zero_shot: Probs,
    neighbours: Neighbours,
    chosen: Tensor,
) -> Summary:
    """The summary of round ``number``, whose answers are ``probs``.

    All of the unlabeled rows and candidate classes only: ``probs``, ``before`` (the round before) and ``zero_shot`` are
    (n, K), ``chosen`` (n,) are the pseudolabels that the round learned from, -1 for none.
    """
    confidence, answers = probs.max(1)
    shares = torch.bincount(answers, minlength=probs.shape[1]).double() / max(1, len(answers))
    entropy = -torch.special.xlogy(shares, shares).sum() / torch.tensor(max(2, len(shares))).log()
    taught = (chosen >= 0).nonzero().squeeze(1)
    return Summary(
        number=number,
        changed=changed_share(before, probs),
        purity=probs[taught, chosen[taught]].mean().item() if len(taught) else 1.0,
        agreement=neighbours.beyond_chance(answers),
        accuracy=confidence.mean().item() if len(probs) else 1.0,
        entropy=entropy.item(),
        largest=shares.max().item(),
        disagreement=changed_share(zero_shot, probs),
    )


def collapse(past: Sequence[Summary], limits: AlarmLimits = LIMITS) -> Stop | None:
    """A stop, if the last of the summaries exceeds one of the ``limits``; see `ALARMS` for what each means.

    It goes back to the earlier round whose ``agreement`` was highest, that before tuning (``past[0]``) included.
    """
    if len(past) < 2:
        return None
    first, last = past[0], past[-1]
    tuned = next((one for one in past if one.number), last)
    alarms = (
        last.largest - first.largest > limits.swallowed,
        first.largest - last.largest > limits.swallowed,
        first.entropy - last.entropy > limits.entropy_drop,
        last.disagreement - tuned.disagreement > limits.departure,
    )
    rung = [name for name, rings in zip(ALARMS, alarms, strict=True) if rings]
    return Stop(BETWEEN.join(rung), best_round(past[:-1], "agreement")) if rung else None


RULES = ("collapse",)
"""Names of the rules; those that would save time, and what each would lose: docs/decisions/0017."""


def check_rules(names: Sequence[str]) -> None:
    """ConfigError where there is no rule of one of the names."""
    for name in names:
        if name not in RULES:
            text = mark('unknown stop rule "{name}". Known: {known}.{nearest}')
            raise ConfigError(text, name=name, **among(name, RULES))


def best_round(past: Sequence[Summary], by: str) -> int:
    """Number of the round whose ``by`` is highest, the earliest of equals; 0 where there is none."""
    return max(past, key=lambda one: (getattr(one, by), -one.number)).number if past else 0
