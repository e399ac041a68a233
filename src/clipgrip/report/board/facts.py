"""What the report for the board is built from: values only, each with where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from clipgrip.pilot.plan import CONFIDENCE
from clipgrip.pilot.store import Version
from clipgrip.trust.knowledge import Finding

Counts = tuple[tuple[int, ...], ...]
"""(C, C) images, true class in the row, the model's answer in the column."""


@dataclass(frozen=True)
class BoardEvidence:
    """Images whose truth people gave, against the model's answers.

    ``audit``: drawn at random from ``pool`` images. ``test``: labeled by people beforehand, chosen by them.
    """

    kind: Literal["audit", "test"]
    counts: Counts
    first: str
    """When the first answer was given, ISO time; for test images when the run began."""
    last: str
    by: tuple[str, ...]
    where: str
    """The file that holds the answers."""
    pool: int = 0
    unsure: int = 0
    """Drawn images of which people said that they cannot tell."""


@dataclass(frozen=True)
class Automation:
    """A promise as it was told: how many images the model decides, at which error at most."""

    by_model: int
    by_people: int
    max_error: float
    confidence: float
    audited: int
    wrong: int
    """Of ``audited`` answers within the scopes."""
    said_at: str
    said_by: str
    where: str
    about: str = "delivered"
    """Of what: a kind of `trust.terms.Terms`, or ``apart`` where misses and overkill are promised each for itself."""
    fallen: tuple[str, ...] = ()
    """Groups of the same promise that were withdrawn at work, whose images are people's."""

    @property
    def share(self) -> float:
        """Share of the images that the model decides."""
        return self.by_model / max(1, self.by_model + self.by_people)

    def keeps(self, max_error: float, classes: int) -> bool:
        """Whether at most so many of these labels are wrong, 95% sure, by what was promised.

        A promise for misses and overkill apart says nothing of one defect that is taken for another, which is a wrong
        label too: it is as strict only where there is one class of each. One of new images says nothing of these.
        """
        if self.about == "source" or (self.about == "apart" and classes > 2):
            return False
        return self.max_error <= max_error + 1e-9 and self.confidence >= CONFIDENCE - 1e-9


@dataclass(frozen=True)
class Effort:
    """Seconds that people took for an answer, as measured."""

    mean: float
    answers: int
    hours: float
    """Of all answers together."""
    people: int
    where: str


@dataclass(frozen=True)
class WorstError:
    """A wrong answer; ``source`` is a data URI, or None where the file cannot be opened."""

    path: str
    truth: str
    answer: str
    confidence: float
    kind: Literal["miss", "overkill", "error"]
    source: str | None


@dataclass(frozen=True)
class CaseValues:
    """An assumption of the reader's, in the cautious, the middle and the favourable case; None: by the spread."""

    middle: float
    cautious: float | None = None
    favourable: float | None = None


@dataclass(frozen=True)
class BoardFacts:
    """Everything that the report says."""

    run: str
    folder: str
    made: str
    """When the report was made, ISO time."""
    created: str
    """When the run began."""
    clipgrip: str
    backbone: str
    class_names: tuple[str, ...]
    pool: int
    """Images that can still be read."""
    labeled: int
    ok_classes: tuple[str, ...] = ()
    evidence: BoardEvidence | None = None
    automation: Automation | None = None
    audit_effort: Effort | None = None
    review_effort: Effort | None = None
    errors: tuple[WorstError, ...] = ()
    versions: tuple[Version, ...] = ()
    assumed: Mapping[str, CaseValues] = field(default_factory=dict)
    currency: str = "JPY"
    lost: int = 0
    """Images of the run that cannot be read any more: no figure is about them."""
    doubts: tuple[Finding, ...] = ()
    """What speaks against the model's answers, as long as nothing is measured."""
    withdrawn: str = ""
    """When a promise was withdrawn at work (ISO time)."""
    home: str = ""
    """The folder that commands are given, where ``folder`` is that of a round in it."""
