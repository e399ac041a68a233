"""Every number of the refinement, in one value: a part of the method and of a run's identity.

`Refinement` holds what the method is made of, `Numerics` how far its computations go. Not here: what only bounds memory
(rows per chunk) and guards against a division by zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from clipgrip.errors import ConfigError, nearest
from clipgrip.sentences import Sentence


@dataclass(frozen=True)
class Numerics:
    """How far computations go: iterations, tolerances, samples, sizes of a block. No numbers of the method.

    Twice as far changes hardly anything on the pools of `benchmarks.ablate`. They stay a part of a run's identity.
    """

    prototype_sample: int = 1000
    """Images of which the cosine between neighbours is measured, at least."""
    decision_sample: int = 50_000
    """From twice as many rows on, decisions about the whole pool read an even sample of at least so many."""
    spread_tolerance: float = 3.0
    """Logits whose spread is more than this factor off are rescaled; real sets with texts stay within a factor of 2."""
    min_images_for_shares: int = 50
    """Fewer images say nothing of the class shares."""
    half_balance_iterations: int = 30
    """Scaling steps half the way to equal shares."""
    balance_iterations: int = 30
    """Scaling steps of a balanced assignment at most."""
    balance_tolerance: float = 1e-7
    """Stop when no factor changes by more than this share of its value."""
    mixture_first_images: int = 8
    """Surest images of each class of which the mixture's first means are made (TransCLIP's)."""
    mixture_outer_steps: int = 10
    """Updates of the mixture's means and variance at most."""
    mixture_inner_steps: int = 5
    """Updates of the answers between them."""
    mixture_tolerance: float = 5e-4
    """Stop when no coordinate of a mean moves by more; no answer changed on the benchmark sets."""
    discriminant_steps: int = 5
    """Fits of the discriminants, each to the answers of the one before."""
    subspace_min_directions: int = 4
    """Directions of the subspace that are kept in any case."""
    subspace_max_directions: int = 256
    """Directions at most: half of CLIP's, so that a million projected images take half a gigabyte."""
    cotraining_folds: int = 5
    """Parts of a pool, each answered by what was learned from the others."""
    cotraining_rounds: int = 10
    """Of co-training at most where classes are unequal, each at the shares that the one before found."""
    exact_rows: int = 30_000
    """Up to so many images each is compared with each; above, with those of its own cell."""
    cell_rows: int = 2000
    """Images per cell, on average."""
    max_cell_rows: int = 4000
    """Larger cells are divided again, so that time is linear whatever the images."""
    max_centres: int = 128
    """Cells that one division makes at most."""
    centre_sample: int = 64
    """Random images per centre from which the centres are made."""
    centre_steps: int = 5
    """Steps of k-means."""
    max_divisions: int = 4
    """Images that so many divisions leave together are as good as equal; they are cut in order."""
    propagation_steps: int = 20
    """Steps in which answers flow among neighbours."""

    def __post_init__(self) -> None:
        """ConfigError where a value is none that its setting can have."""
        for one in fields(self):
            check_value(one.name, getattr(self, one.name), one.default)


@dataclass(frozen=True)
class Refinement:
    """What the refinement is made of. Chosen on the pools of `benchmarks.pools`, all of them seen (0031, 0047).

    `benchmarks.ablate` halves and doubles each; its rows stand in benchmarks/README.md.
    """

    # Which answers are read, and at which scale: scale.py, answers.py
    logit_spread: float = 2.5
    """Standard deviation of the logits over the classes that counts as usual: CLIP's own on real sets with texts."""
    prototype_similarity: float = 0.75
    """Class embeddings are prototypes (means of images), no texts, from this share of the cosine between neighbours."""
    prototype_logit_scale: float = 40.0
    """Highest logit scale of prototypes: a few images say far less than CLIP's scale of 100 claims."""

    # Which refinement: decide.py
    cluster_min_images: float = 4.0
    """Images per class (``Evidence.images_per_cluster``) from which clusters are better than a text alone; twice as
    many where the classes seem equally frequent (``decide``). Of so many images they count half as much as the text
    does, of n times as many n / (n + 1)."""
    equal_max_resistance: float = 0.3
    """Resistance (see ``measure``) up to which they seem so."""
    resistance_step: float = 1.53
    """So many times that resistance they seem nearly so, and few images gain by going half the way to equal shares;
    once more so many times, and classes must be absent."""
    max_lost_share: float = 0.12
    """Share of the images that one class may lose by clusters: a class that fills the pool must not be split up."""

    # Class shares: balance.py, measure.py
    absent_share: float = 0.2
    """A class that answers less than this part of a fair share is absent, once it is established that some are."""

    # Images: space.py, graph.py, mixture.py, discriminant.py
    neighbours: int = 3
    """Nearest images to which each is linked (TransCLIP's)."""
    propagation_share: float = 0.8
    """α: the part of an answer that comes from the neighbours where answers flow among them."""
    mixture_temperature: float = 20.0
    """Divides log-densities of a diagonal covariance, which are far too sure in many dimensions."""
    discriminant_temperature: float = 4.0
    """The same with a full covariance, which knows that dimensions are correlated."""
    label_weight: float = 2.0
    """Weight of a labeled image against an unlabeled one where discriminants are fitted."""
    shrinkage: float = 0.4
    """How far covariances, within classes or among neighbours, are shrunk towards a multiple of the identity."""
    subspace_min_ratio: float = 0.8
    """Total variance over that among neighbours (shrunk) from which a direction is kept."""

    numerics: Numerics = field(default_factory=Numerics)
    """How far the computations go."""

    def __post_init__(self) -> None:
        """ConfigError where a value is none that its setting can have."""
        for one in fields(self):
            if one.name != "numerics":
                check_value(one.name, getattr(self, one.name), one.default)

    @property
    def nearly_equal_max_resistance(self) -> float:
        """Resistance up to which the classes seem nearly equally frequent."""
        return self.equal_max_resistance * self.resistance_step

    @property
    def absent_resistance(self) -> float:
        """Resistance from which classes are absent."""
        return self.nearly_equal_max_resistance * self.resistance_step

    def with_values(self, values: Mapping[str, Any]) -> Refinement:
        """These settings with some replaced, as a project file gives them: numerics stand beside the others.

        Raises:
            ConfigError: a name is unknown, or a value is not allowed.
        """
        for name in values:
            if name not in NAMES:
                raise ConfigError(
                    'refinement: unknown setting "{name}".{nearest} Known are the fields of '
                    "clipgrip.pseudolabel.Refinement.",
                    name=name,
                    nearest=nearest(name, NAMES),
                )
        return self._with(values)

    def values(self) -> dict[str, int | float]:
        """Every number by its name, numerics beside the others."""
        return {name: getattr(self.numerics if name in DETAILS else self, name) for name in NAMES}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Refinement:
        """The value that ``facts`` came from, of another version too: what it does not know is left out."""
        given = {**facts, **facts.get("numerics", {})}
        return cls()._with({name: value for name, value in given.items() if name in NAMES})

    def _with(self, values: Mapping[str, Any]) -> Refinement:
        details = {name: value for name, value in values.items() if name in DETAILS}
        others = {name: value for name, value in values.items() if name not in DETAILS}
        return replace(self, **others, numerics=replace(self.numerics, **details))


DETAILS = tuple(one.name for one in fields(Numerics))
NAMES = (*(one.name for one in fields(Refinement) if one.name != "numerics"), *DETAILS)
"""What a project file may give."""
MAY_BE_ZERO = (
    *("absent_share", "equal_max_resistance", "max_lost_share"),
    *("propagation_share", "balance_tolerance", "mixture_tolerance"),
)
AT_MOST_ONE = (
    *("prototype_similarity", "absent_share", "shrinkage"),
    *("max_lost_share", "propagation_share"),
)


def check_value(name: str, value: Any, default: Any) -> None:
    """ConfigError unless the value is a number that the setting can have."""
    whole = isinstance(default, int)
    most = 1 if name in AT_MOST_ONE else 1e9
    number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not number or not (0 < value <= most or (value == 0 and name in MAY_BE_ZERO)):
        kind = Sentence("a whole number") if whole else Sentence("a number")
        least = Sentence(
            "{kind} of at least 0" if name in MAY_BE_ZERO else "{kind} above 0", kind=kind
        )
        allowed = Sentence("{number} and at most 1", number=least) if most == 1 else least
        raise ConfigError(
            "refinement: {name} = {value} is not allowed. Give {allowed}; the default is {default}.",
            name=name,
            value=f"{value!r}",
            allowed=allowed,
            default=default,
        )


DEFAULT = Refinement()
"""What was measured; see docs/decisions."""
