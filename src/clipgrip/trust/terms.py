"""The terms of a promise: the most errors, among which answers, and the confidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from clipgrip.errors import ConfigError, among

About = Literal["delivered", "decided", "source"]
KINDS: tuple[str, ...] = get_args(About)
BEFORE = {"pool": "decided"}
"""Names of version 0.1."""


@dataclass(frozen=True)
class Terms:
    """At most a share ``max_error`` is wrong, at this ``confidence``; ``about`` says of what.

    *delivered*: of all labels within the scope, the model's and those that the audit corrected. *decided*: of the
    model's own labels within the scope, without the audited images. *source*: of the answers within the scope for new
    images from where the audited ones came from, provided that the model has learned from none of these.

    ``least``: the smallest share of a group that is worth a promise, where its scopes begin; None: as the plan allows.

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
