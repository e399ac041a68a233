"""The numbers of the refinement in one value, which is a part of the method and of a run's identity.

`Refinement` holds the numbers of the method, `Numerics` iterations, tolerances and sample sizes. Not here: bounds of
memory (rows per chunk), guards against log 0, the side of a cell in which copies meet (`copies.SAME`), the grid of
temperatures that co-training tries, and φ, in whose unit resistance is measured (`balance.HALF`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from clipgrip.errors import ConfigError, nearest
from clipgrip.sentences import Sentence


@dataclass(frozen=True)
class Numerics:
    """How far computations go: iterations, tolerances, samples, sizes of a block.

    Doubling them changes hardly anything on the pools of `benchmarks.ablate`. They are a part of a run's identity all
    the same, because they can change single answers.
    """

    prototype_sample: int = 1000
    """Fewest images on which the cosine between nearest neighbours is measured."""
    decision_sample: int = 50_000
    """Decisions about a pool of twice as many rows or more read an even sample of at least so many."""
    spread_tolerance: float = 3.0
    """Logits whose spread is off by more than this factor are rescaled; real sets with texts stay within a factor 2."""
    min_images_for_shares: int = 50
    """With fewer unlabeled images the classes' shares are not estimated."""
    half_balance_iterations: int = 30
    """Scaling steps half the way to equal shares."""
    balance_iterations: int = 30
    """Most scaling steps of a balanced assignment."""
    balance_tolerance: float = 1e-7
    """Scaling stops when no factor changes by more than this share of its value."""
    mixture_first_images: int = 8
    """Most confident images per class that make the mixture's first means (TransCLIP's value)."""
    mixture_outer_steps: int = 10
    """Most updates of the mixture's means and variance."""
    mixture_inner_steps: int = 5
    """Updates of the answers within each of these."""
    mixture_tolerance: float = 5e-4
    """The mixture stops when no coordinate of a mean moves by more; no answer changed on the benchmark sets."""
    discriminant_steps: int = 5
    """Fits of the discriminants, each to the answers of the one before."""
    subspace_min_directions: int = 4
    """Fewest directions of the subspace."""
    subspace_max_directions: int = 256
    """Most directions: half of CLIP's 512, so that a million projected images take half a gigabyte."""
    cotraining_folds: int = 5
    """Folds of cross-fitting: each is answered by what was learned from the others."""
    cotraining_rounds: int = 10
    """Most rounds of co-training that look for unequal class shares."""
    exact_rows: int = 30_000
    """Up to so many images each is compared with each; above, only with those of its own cell."""
    cell_rows: int = 2000
    """Images per cell, on average."""
    max_cell_rows: int = 4000
    """Larger cells are divided again, so that time is linear for any images."""
    max_centres: int = 128
    """Most cells that one division makes."""
    centre_sample: int = 64
    """Random images per centre on which k-means runs."""
    centre_steps: int = 5
    """Steps of k-means."""
    max_divisions: int = 4
    """Images that so many divisions leave in one cell are all but equal; they are cut into cells in order."""
    propagation_steps: int = 20
    """Steps of label propagation."""

    def __post_init__(self) -> None:
        """ConfigError where a value is outside its range."""
        for one in fields(self):
            check_value(one.name, getattr(self, one.name), one.default)


@dataclass(frozen=True)
class Refinement:
    """The numbers of the method, chosen on `benchmarks.pools`, which have all been looked at since (0031, 0047).

    `benchmarks.ablate` halves and doubles each; the table is in benchmarks/README.md.
    """

    # Which answers are read, and at which scale: scale.py, answers.py
    logit_spread: float = 2.5
    """The usual standard deviation of logits over the classes: CLIP's own on real sets with texts."""
    prototype_similarity: float = 0.75
    """Class embeddings are prototypes (means of images), not texts, if the images' mean highest cosine with them is
    above this share of that with their nearest neighbour."""
    prototype_logit_scale: float = 40.0
    """Highest logit scale of prototypes: with CLIP's 100 a few images per class are far too confident."""

    # Which refinement: decide.py
    cluster_min_images: float = 4.0
    """Images per class (``Evidence.images_per_cluster``) from which clusters are better than a text alone; twice as
    many where the classes seem equally frequent (``decide``). It also sets the clusters' weight against the text's 1:
    n / (n + ``cluster_min_images``) for n images per class (``joined``)."""
    equal_max_resistance: float = 0.3
    """Highest resistance (see ``measure``) at which the classes seem equally frequent."""
    resistance_step: float = 1.53
    """Factor from that to the highest resistance at which they seem nearly so, and from that to the resistance above
    which classes must be absent."""
    max_lost_share: float = 0.12
    """Largest share of the images that one class may lose by clusters; more, and a class that fills the pool has
    probably been split up."""

    # Class shares: balance.py, measure.py
    absent_share: float = 0.2
    """A class is absent if it is the answer for less than this part of a fair share, 1 / C, of the images. Only asked
    where the resistance is so high that some class must be."""

    # Images: space.py, graph.py, mixture.py, discriminant.py
    neighbours: int = 3
    """Nearest images to which each is linked (TransCLIP's)."""
    propagation_share: float = 0.8
    """α of label propagation: the part of an answer that comes from the neighbours in each step."""
    mixture_temperature: float = 20.0
    """Divides the mixture's log-densities: with a diagonal covariance they are far too confident in many dimensions."""
    discriminant_temperature: float = 4.0
    """The same for discriminants; lower, because their full covariance takes correlations into account."""
    label_weight: float = 2.0
    """Weight of a labeled image against an unlabeled one when discriminants are fitted."""
    shrinkage: float = 0.4
    """How far covariances, within classes or among neighbours, are shrunk towards a multiple of the identity."""
    subspace_min_ratio: float = 0.8
    """Smallest ratio of total variance to (shrunk) variance among neighbours in a direction of the subspace."""

    numerics: Numerics = field(default_factory=Numerics)

    def __post_init__(self) -> None:
        """ConfigError where a value is outside its range."""
        for one in fields(self):
            if one.name != "numerics":
                check_value(one.name, getattr(self, one.name), one.default)

    @property
    def nearly_equal_max_resistance(self) -> float:
        """Highest resistance at which the classes seem nearly equally frequent."""
        return self.equal_max_resistance * self.resistance_step

    @property
    def absent_resistance(self) -> float:
        """Resistance above which some classes must be absent."""
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
        """The settings that `dataclasses.asdict` made ``facts`` of, perhaps in another version.

        Names that this version does not know are left out; those that are missing get today's default.
        """
        values = {**facts, **facts.get("numerics", {})}
        return cls()._with({name: value for name, value in values.items() if name in NAMES})

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
    """ConfigError unless the value is a number of the default's kind and in the range of its setting."""
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
"""The defaults; docs/decisions say how they were chosen."""
