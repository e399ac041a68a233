"""Whether criteria, classes and shares of a pilot agree with each other, before anything is planned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clipgrip.allowed import check_classes
from clipgrip.errors import ConfigError
from clipgrip.pilot.criteria import Criterion
from clipgrip.sentences import mark


def check_criteria(
    criteria: Sequence[Criterion], classes: Sequence[str], ok_classes: Sequence[str]
) -> None:
    """ConfigError where they do not."""
    names = [one.name for one in criteria]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ConfigError("the criterion {twice} is given twice. Give it once.", twice=twice)
    check_classes("--ok-class", ok_classes, classes)
    if set(ok_classes) == set(classes):
        raise ConfigError(
            mark("every class is an OK class, so nothing could be missed. Leave one out.")
        )
    if not ok_classes and {"misses", "overkill"} & set(names):
        raise ConfigError(
            mark(
                "misses and overkill need to know which classes mean OK. Give --ok-class NAME, once "
                "for each of them."
            )
        )


def check_shares(shares: Mapping[str, float], classes: Sequence[str]) -> None:
    """ConfigError where they do not."""
    check_classes("--share", shares, classes)
    for name, share in shares.items():
        if not 0 < share < 1:
            raise ConfigError(
                'the share of "{name}" is {share}; give one between 0 and 1.',
                name=name,
                share=f"{share:g}",
            )
    total, all_given = sum(shares.values()), len(shares) == len(classes)
    if total > 1 + 1e-9 or (total < 1 - 1e-9 if all_given else total > 1 - 1e-9):
        raise ConfigError(
            "the given shares sum to {total}. All classes together have 1; those not named share "
            "what is left, so something has to be left for them: give less.",
            total=f"{total:g}",
        )
