"""Every number of the refinement is one value: it can be changed, and what it cannot be is said."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
import torch
from golden_pools import pools

from clipgrip.errors import ConfigError
from clipgrip.pseudolabel import Refinement, refine, refined
from clipgrip.pseudolabel.refine.settings import AT_MOST_ONE, DEFAULT, MAY_BE_ZERO, NAMES, Numerics


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"neighbors": 3}, ['unknown setting "neighbors"', 'Did you mean "neighbours"?']),
        ({"neighbours": 2.5}, ["neighbours = 2.5", "a whole number above 0", "default is 3"]),
        ({"neighbours": 0}, ["neighbours = 0"]),
        ({"neighbours": True}, ["neighbours = True"]),
        ({"shrinkage": 1.5}, ["a number above 0 and at most 1", "default is 0.4"]),
        ({"max_lost_share": -0.1}, ["at least 0 and at most 1"]),
        ({"mixture_temperature": "20"}, ["mixture_temperature = '20'"]),
        ({"logit_spread": float("nan")}, ["logit_spread = nan"]),
        ({"logit_spread": float("inf")}, ["logit_spread = inf"]),
    ],
)
def test_what_is_not_allowed_is_said_with_what_is(values: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        DEFAULT.with_values(values)
    for word in ("refinement: ", *words):
        assert word in str(caught.value)


def test_python_is_told_the_same() -> None:
    with pytest.raises(ConfigError, match="neighbours = 0 is not allowed"):
        Refinement(neighbours=0)
    assert DEFAULT.with_values({"neighbours": 5, "max_lost_share": 0}) == Refinement(
        neighbours=5, max_lost_share=0
    )


def test_the_method_has_fifteen_numbers_at_most() -> None:
    """What comes in must push something out: each has its row in the table of `benchmarks.ablate`."""
    assert len(NAMES) - len(fields(Numerics)) <= 15


def test_every_bound_names_a_setting_that_there_is() -> None:
    assert {*MAY_BE_ZERO, *AT_MOST_ONE} <= {*NAMES}


def test_details_of_the_computation_stand_apart_and_are_set_in_the_same_place() -> None:
    settings = DEFAULT.with_values({"neighbours": 5, "propagation_steps": 7})
    assert (settings.neighbours, settings.numerics.propagation_steps) == (5, 7)
    assert settings == Refinement(neighbours=5, numerics=Numerics(propagation_steps=7))
    with pytest.raises(ConfigError, match="cell_rows = 0 is not allowed"):
        Numerics(cell_rows=0)


def test_facts_of_versions_whose_details_stood_among_the_rest_are_read() -> None:
    facts = {"neighbours": 5, "propagation_steps": 7, "gone": 1}
    assert Refinement.from_facts(facts) == DEFAULT.with_values(
        {"neighbours": 5, "propagation_steps": 7}
    )
    assert Refinement.from_facts({"numerics": {"propagation_steps": 7}}) == DEFAULT.with_values(
        {"propagation_steps": 7}
    )


CHANGES: dict[str, dict[str, float]] = {
    "digits": {
        "cluster_min_images": 1e6,
        "mixture_temperature": 2.0,
        "mixture_outer_steps": 1,
        "mixture_inner_steps": 1,
        "discriminant_temperature": 40.0,
        "discriminant_steps": 1,
        "shrinkage": 1.0,
        "subspace_min_ratio": 2.0,
        "subspace_max_directions": 5,
        "neighbours": 9,
        "exact_rows": 10,
        "balance_iterations": 1,
        "propagation_share": 0.1,
        "propagation_steps": 1,
        "logit_spread": 25.0,
    },
    "dominated": {"max_lost_share": 1.0},
    "absent": {"resistance_step": 5.0, "absent_share": 0.0},
    "few": {"equal_max_resistance": 0.0, "cluster_min_images": 1.5},
    "fewer": {"min_images_for_shares": 1000},
    "prototypes": {"prototype_similarity": 1.0, "prototype_logit_scale": 1.0},
}


@pytest.mark.parametrize("pool", CHANGES)
def test_a_changed_number_reaches_the_answers(pool: str) -> None:
    given = pools()[pool]
    before = refine(given.images, given.classes, logit_scale=given.scale)
    for name, value in CHANGES[pool].items():
        settings = DEFAULT.with_values({name: value})
        after = refine(given.images, given.classes, logit_scale=given.scale, settings=settings)
        assert not torch.equal(before, after), name


def test_the_evidence_comes_with_the_answers() -> None:
    given = pools()["dominated"]
    found = refined(given.images, given.classes, logit_scale=given.scale)
    assert found.evidence is not None
    assert (found.evidence.lost_share or 0.0) > DEFAULT.max_lost_share
    absent = pools()["absent"]
    seen = refined(absent.images, absent.classes, logit_scale=absent.scale).evidence
    assert seen is not None
    assert (seen.n_present, seen.n_classes, seen.some_absent) == (3, 12, True)
    by_name = refined(absent.images, absent.classes, logit_scale=absent.scale, method="balance")
    assert by_name.evidence is None
