"""Every step of the refinement can be left out, is noticed where it is taken, and is back afterwards."""

from __future__ import annotations

import pytest
import torch
from golden_pools import pools

from benchmarks.ablate_steps import STEPS, left_out, noted
from clipgrip.pseudolabel import refined
from clipgrip.pseudolabel.refine import Refined

TAKEN = {
    "no equal shares": "few",
    "no half balance": "fewer",
    "no mixture": "dominated, joined",
    "no damping of absent classes": "absent",
    "prototypes not in the subspace": "prototypes",
}
"""A pool that takes the step; all others are taken by clusters."""


def answered(name: str) -> Refined:
    pool = pools()[name]
    return refined(pool.images, pool.classes, logit_scale=pool.scale)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_left_out_and_is_back_afterwards(step: str) -> None:
    pool, called = TAKEN.get(step, "absent"), set[str]()
    with noted(called):
        before = answered(pool).probs
    assert step in called
    with left_out(step):
        without = answered(pool).probs
    torch.testing.assert_close(without.sum(1), torch.ones(len(without)), atol=1e-4, rtol=0)
    assert not torch.equal(without, before)
    assert torch.equal(answered(pool).probs, before)
