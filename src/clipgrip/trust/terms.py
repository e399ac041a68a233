"""What is promised: at most so many errors, of what, and how sure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from clipgrip.errors import ConfigError, among

About = Literal["delivered", "decided", "source"]
KINDS: tuple[str, ...] = get_args(About)
BEFORE = {"pool": "decided"}
"""What version 0.1 called it."""


@dataclass(frozen=True)
class Terms:
    """At most ``max_error`` of what is promised are wrong, ``confidence`` sure.

    *delivered*: of all labels within the scope, the model's and those that the audit corrected. *decided*: of the
    model's own among them, the audited left out. *source*: the probability that an answer within the scope is wrong
    for a new image that comes from where the audited ones came from, if the model has learned from none of these.

    ``least``: the smallest share of a group that is worth a promise; the scopes begin there. None: as the plan allows.

    Raises:
        ConfigError: a share that is not between 0 and 1, or an unknown kind.
    """

    max_error: float = 0.02
    confidence: float = 0.95
    about: About = "delivered"
    least: float | None = None

    def __post_init__(self) -> None:
        for name in ("max_error", "confidence"):
            if not 0 < getattr(self, name) < 1:
                raise ConfigError(
                    "{name} is {value}; it has to lie between 0 and 1, as in 0.02 for 2%.",
                    name=name.replace("_", "-"),
                    value=getattr(self, name),
                )
        if self.least is not None and not 0 < self.least <= 1:
            raise ConfigError(
                "at-least is {least}; it is a share above 0 and up to 1, as in 0.5 for half of the "
                "images.",
                least=self.least,
            )
        if self.about not in KINDS:
            raise ConfigError(
                'a promise about "{about}" is not known. Known: {known}.{nearest}',
                about=self.about,
                **among(self.about, KINDS),
            )

    @property
    def alpha(self) -> float:
        """Probability with which the promise may fail."""
        return 1 - self.confidence
