"""Which names fit their images, with the classes as people have them now and the labels that they gave."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from clipgrip.advice.doubted import ToldName, exchanged
from clipgrip.advice.wordings import wordings
from clipgrip.review.snapshot import ReviewSnapshot
from clipgrip.runs.knowledge import doubts as doubts_of_run
from clipgrip.runs.naming import example_of, labels_alone_decide
from clipgrip.trust.knowledge import knows_no_name
from clipgrip.trust.naming import NameFit, naming
from clipgrip.types import ClassEmbeds, Labels


@dataclass(frozen=True)
class NameLine:
    """One class: what is said of its text, how well it fits (0 to 1), and other words to try."""

    about: ToldName
    fit: float | None
    wordings: tuple[str, ...]

    @property
    def doubted(self) -> bool:
        """Whether the text points at no group, or at another's."""
        return self.about.verdict in ("nothing", "other")


@dataclass
class NameBoard:
    """Caches the verdicts until classes or labels change; several pages may ask at once."""

    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _texts: tuple[int, ClassEmbeds] | None = field(default=None, repr=False)
    _lines: tuple[tuple[int, int], Mapping[int, NameLine]] | None = field(default=None, repr=False)

    def lines(self, now: ReviewSnapshot) -> Mapping[int, NameLine]:
        """By class id; empty where the model seems to know nothing of all names.

        Where labels alone decide only of names that changed places with others: it may be the labels that did. Such a
        run that judged no name itself, as the model knew none before there were labels, accuses nobody.
        """
        facts = now.view.outcome.run.facts
        if knows_no_name(doubts_of_run(facts)):
            return {}
        if labels_alone_decide(facts) and not facts.get("names"):
            return {}
        with self._lock:
            return self._lines_of(now)

    def _lines_of(self, now: ReviewSnapshot) -> Mapping[int, NameLine]:
        labels, version = _labels(now), now.version
        classifier, active = now.round.classifier, now.classes.active
        key = version, hash(labels.numpy().tobytes())
        if self._lines is not None and self._lines[0] == key:
            return self._lines[1]
        if self._texts is None or self._texts[0] != version:
            self._texts = version, classifier.texts(active)
        scale = classifier.backbone.logit_scale
        absent = classifier.absent(now.classes)
        may_occur = None if absent is None else (~absent).nonzero().squeeze(1)
        found = naming(classifier.embeds, self._texts[1], scale, labels, may_occur)
        names, prompts = [one.name for one in active], [one.prompt for one in active]
        examples = [example_of(labels, position, now.view.rows) for position in range(len(active))]
        made = zip(active, found.names, examples, strict=True)
        lines = {one.id: _line(fit, names, prompts, example) for one, fit, example in made}
        if labels_alone_decide(now.view.outcome.run.facts):
            rings = exchanged(line.about for line in lines.values())
            lines = {id_: line for id_, line in lines.items() if line.about.name in rings}
        self._lines = key, lines
        return lines


def _line(fit: NameFit, names: list[str], prompts: list[str], example: str) -> NameLine:
    name = names[fit.position]
    other = None if fit.group is None else names[fit.group]
    others = [text for c, text in enumerate(prompts) if c != fit.position]
    words = wordings(name, prompts[fit.position], others)
    taken = {text.casefold() for text in prompts}
    return NameLine(
        ToldName(name, fit.verdict, other, fit.labeled, example),
        fit.fit,
        tuple(text for text in words if text.casefold() not in taken),
    )


def _labels(now: ReviewSnapshot) -> Labels:
    """(N,) positions of the classes that people gave, those of the audit apart, -1 elsewhere."""
    states = now.states
    known = states.labeled & ~states.audit
    labels = torch.full((len(states.klass),), -1)
    for position, one in enumerate(now.classes.active):
        labels[torch.from_numpy(known & (states.klass == one.id))] = position
    return labels
