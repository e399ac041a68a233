"""Finished runs over the same images side by side, and the consensus of their answers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from clipgrip import metrics
from clipgrip.data.classes import ClassNames
from clipgrip.data.tables import Cell, csv_bytes
from clipgrip.errors import RunError
from clipgrip.runs.outcome import Outcome
from clipgrip.sentences import Sentence, mark, shortlist
from clipgrip.trust.consensus import (
    Ballots,
    Weights,
    agreement_weights,
    averaged,
    dawid_skene,
    disagreement,
    family_weights,
    pooled,
)
from clipgrip.trust.honesty import ENOUGH, calibrated
from clipgrip.types import Labels, Probs
from clipgrip.written import write_output

COMPARE = "compare"
"""The command that writes the file, as `written` records it."""
DOUBTFUL = 0.5
"""Disagreement from which runs give an image different answers."""


@dataclass(frozen=True)
class Answerer:
    """A run, or a consensus of all runs: its right answers, and its agreement with the consensus."""

    name: str
    right: int
    tested: int
    agreement: float

    @property
    def accuracy(self) -> float | None:
        """Share of right answers on the test images that all runs share; None without any."""
        return self.right / self.tested if self.tested else None


@dataclass(frozen=True)
class Comparison:
    """The N images that all M runs hold, in the order of their content hashes, with the answers (M, N, C)."""

    names: tuple[str, ...]
    families: tuple[str, ...]
    classes: tuple[str, ...]
    paths: tuple[str, ...]
    ballots: Ballots = field(repr=False)
    truth: Labels = field(repr=False)
    """(N,) class of a test image; -1 elsewhere."""
    left_out: int
    """Images that only some of the runs hold."""
    calibrated_by: int = 0
    """How many test images calibrated the runs, each image by the others; 0 where the runs are not calibrated."""

    @cached_property
    def weights(self) -> Weights:
        """Weight of each run, by its agreement with the others; runs of one model share the weight of one."""
        return agreement_weights(self.ballots, self.families)

    @cached_property
    def consensus(self) -> Probs:
        """The weighted geometric mean of all answers."""
        return pooled(self.ballots, self.weights)

    @cached_property
    def disagreement(self) -> Tensor:
        """(N,) from 0 to 1; `DOUBTFUL` or more exactly where the runs give different answers.

        Within each half it grows with the distance of the probabilities. These alone would call no image doubtful where
        all runs are unsure, however many answers differ.
        """
        called = self.ballots.argmax(2)
        differ = (called != called[0]).any(0)
        return (1 - DOUBTFUL) * disagreement(self.ballots, self.weights) + DOUBTFUL * differ

    @property
    def doubtful(self) -> int:
        """How many images get different answers from different runs."""
        return int((self.disagreement >= DOUBTFUL).sum())

    @cached_property
    def answerers(self) -> tuple[Answerer, ...]:
        """The runs, then each consensus."""
        runs = [self._answerer(*pair) for pair in zip(self.names, self.ballots, strict=True)]
        return (*runs, *(self._answerer(name, make(self)) for name, make in CONSENSUS.items()))

    def _answerer(self, name: str, probs: Probs) -> Answerer:
        known = self.truth >= 0
        called = probs.argmax(1)
        return Answerer(
            name=name,
            right=int((called == self.truth)[known].sum()),
            tested=int(known.sum()),
            agreement=(called == self.consensus.argmax(1)).double().mean().item(),
        )


def _by_dawid_skene(compared: Comparison) -> Probs:
    even = family_weights(compared.families)
    return dawid_skene(compared.ballots.argmax(2), len(compared.classes), weights=even)


CONSENSUS: dict[str, Callable[[Comparison], Probs]] = {
    mark("geometric mean"): lambda c: pooled(c.ballots, family_weights(c.families)),
    mark("arithmetic mean"): lambda c: averaged(c.ballots, family_weights(c.families)),
    mark("weighted by agreement"): lambda c: c.consensus,
    mark("Dawid-Skene"): _by_dawid_skene,
}
"""Ways to combine the answers; test labels choose none of them."""


def compare(outcomes: Sequence[Outcome]) -> Comparison:
    """Line up finished runs by their images' content.

    RunError: fewer than two runs, other classes, or no image in common.
    """
    need_two([outcome.folder for outcome in outcomes])
    check_classes([(one.folder, one.manifest.classes) for one in outcomes])
    by_run = [_answers(outcome) for outcome in outcomes]
    common = sorted(set.intersection(*(set(answers) for answers in by_run)))
    if not common:
        raise RunError(
            mark(
                "these runs have no image in common (the same content, whatever the path). Compare runs "
                "over the same images."
            )
        )
    classes = outcomes[0].manifest.classes.display
    order = [list(map(one.manifest.classes.display.index, classes)) for one in outcomes]
    ballots = torch.stack(
        [
            torch.stack([answers[key] for key in common])[:, columns]
            for answers, columns in zip(by_run, order, strict=True)
        ]
    )
    rows = {row.sha256: row for row in outcomes[0].manifest.rows}
    truth = torch.tensor([_truth(outcomes, key) for key in common])
    tested = int((truth >= 0).sum())
    if tested >= ENOUGH:  # all runs or none: an uncalibrated one would outweigh the others
        ballots = torch.stack([calibrated(probs, truth) for probs in ballots])
    return Comparison(
        names=_names([outcome.folder for outcome in outcomes]),
        families=tuple(outcome.run.backbone_fingerprint for outcome in outcomes),
        classes=classes,
        paths=tuple(rows[key].path for key in common),
        ballots=ballots,
        truth=truth,
        left_out=len(set.union(*(set(answers) for answers in by_run))) - len(common),
        calibrated_by=tested if tested >= ENOUGH else 0,
    )


def need_two(folders: Sequence[Path]) -> None:
    """RunError where there is nothing to compare with, or a run would be compared with itself."""
    if len(folders) < 2:
        alone = Sentence("one run alone cannot be compared")
        some = alone if folders else Sentence("there is nothing to compare")
        raise RunError(
            "{some}. Give the folders of two or more runs, or --config project.toml with two or more "
            "of --backbone and --prompt.",
            some=some,
        )
    places = [os.path.realpath(folder) for folder in folders]
    if (twice := next((n for n, one in enumerate(places) if one in places[:n]), None)) is not None:
        raise RunError(
            "{folder} was given twice, and a run always agrees with itself. Give each run once.",
            folder=folders[twice],
        )


def write_comparison(path: Path, compared: Comparison) -> None:
    """A CSV of all images, the most disagreed first: consensus, disagreement, and each run's answer."""
    header = ("path", "consensus", "confidence", "disagreement", *compared.names)
    order = compared.disagreement.argsort(descending=True, stable=True).tolist()
    write_output(path, csv_bytes(header, (_line(compared, row) for row in order)), COMPARE)


def _line(compared: Comparison, row: int) -> tuple[Cell, ...]:
    confidence, called = compared.consensus[row].max(0)
    return (
        compared.paths[row],
        compared.classes[int(called)],
        f"{float(confidence):.6f}",
        f"{float(compared.disagreement[row]):.6f}",
        *(compared.classes[c] for c in compared.ballots[:, row].argmax(1).tolist()),
    )


def interval(answerer: Answerer) -> tuple[float, float]:
    """The 95% interval of its accuracy."""
    return metrics.exact_interval(answerer.right, answerer.tested)


def check_classes(runs: Sequence[tuple[Path, ClassNames]]) -> None:
    """RunError where folders of runs have other classes than the first one."""
    for folder, classes in runs[1:]:
        differing = sorted({*runs[0][1].display} ^ {*classes.display})
        if differing:
            raise RunError(
                "{folder} and {folder_2} have different classes: {differing} stand in one of them only. "
                "Compare runs with the same class names.",
                folder=folder,
                folder_2=runs[0][0],
                differing=shortlist(differing),
            )


def _answers(outcome: Outcome) -> dict[str, Tensor]:
    embeds, answers = outcome.embeds, outcome.answers
    pool = zip(embeds.pool_rows.sha256s(), answers.pool, strict=True)
    test = zip(embeds.test_rows.sha256s(), answers.test, strict=True)
    return {sha256: probs for some in (pool, test) for sha256, probs in some}


def _truth(outcomes: Sequence[Outcome], key: str) -> int:
    """The label of an image that is a test image of every run, so that no run learned from it."""
    labels = set()
    for outcome in outcomes:
        tested = {row.sha256: row.label for row in outcome.embeds.test_rows}
        if key not in tested:
            return -1
        labels.add(outcome.manifest.classes.display[tested[key]])
    return outcomes[0].manifest.classes.display.index(labels.pop()) if len(labels) == 1 else -1


def _names(folders: Sequence[Path]) -> tuple[str, ...]:
    """The folders' own names, or their paths where two are alike."""
    short = [folder.resolve().name for folder in folders]
    return tuple(short if len(set(short)) == len(short) else [str(folder) for folder in folders])
