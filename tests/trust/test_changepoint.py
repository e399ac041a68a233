"""When an alarm says that something changed: near the change, and how sure that is."""

from __future__ import annotations

import numpy as np
import pytest

from clipgrip_line.trust.changepoint import BINS, ChangePoint, binned, change_point
from clipgrip_line.trust.drift import Monitors, budgets, follow, ringing
from clipgrip_line.trust.ranks import codes_of, counted, no_counts

AT = 110


def dated(seed: int, shift: float, reference: int = 200) -> ChangePoint | None:
    """The change of a score that is shifted after `AT` images, found when it rings; None where it does not."""
    draw = np.random.default_rng(seed)
    values = draw.normal(size=(AT + 400, 1))
    values[AT:] += shift
    codes, chances = codes_of(values), draw.random((len(values), 2))[:, :1]
    seen = counted(codes_of(draw.normal(size=(reference, 1)))) if reference else no_counts(1)
    begun = Monitors.of(seen, np.zeros(1, dtype=np.int64))
    course = follow(begun, codes, np.zeros(len(codes), dtype=np.int64), chances)
    loud = ringing(course.wealth, budgets(1, 1, 0.002))[:, 0]
    if not loud.any() or loud.argmax() < AT:
        return None
    return change_point(*binned(codes[: int(loud.argmax()) + 1, 0], seen[0]))


@pytest.mark.parametrize(("shift", "near"), [(0.7, 12), (1.5, 3)])
def test_a_change_is_dated_near_where_it_came_and_the_span_holds_it(
    shift: float, near: int
) -> None:
    found = [one for seed in range(80) if (one := dated(seed, shift)) is not None]
    assert len(found) >= 70
    assert np.median([abs(one.likeliest - AT) for one in found]) <= near
    held = np.mean([one.earliest <= AT <= one.latest for one in found])
    assert held >= 0.95 - 2 * np.sqrt(0.95 * 0.05 / len(found))


def test_a_score_without_a_reference_is_dated_as_well() -> None:
    found = [one for seed in range(40) if (one := dated(seed, 1.5, reference=0)) is not None]
    assert np.median([abs(one.likeliest - AT) for one in found]) <= 6


def test_a_change_before_the_first_image_is_one_from_the_beginning() -> None:
    draw = np.random.default_rng(0)
    seen = counted(codes_of(draw.normal(size=(500, 1))))[0]
    found = change_point(*binned(codes_of(draw.normal(2, size=60)), seen))
    assert (found.likeliest, found.earliest) == (0, 0)
    assert found.latest <= 3


def test_a_class_that_comes_more_often_is_dated() -> None:
    draw = np.random.default_rng(1)
    of_class = np.concatenate([draw.random(200) < 0.1, draw.random(150) < 0.4]).astype(np.int64)
    found = change_point(of_class, np.array([90, 10]))
    assert found.earliest <= 200 <= found.latest
    assert abs(found.likeliest - 200) <= 15


def test_bins_part_reference_and_images_evenly_and_one_value_is_one_bin() -> None:
    values = codes_of(np.repeat(np.arange(50.0), 4))
    bins, reference = binned(values, counted(values[:, None])[0])
    assert np.bincount(bins, minlength=BINS).tolist() == reference.tolist() == [20] * BINS
    same, _ = binned(codes_of(np.ones(30)), np.zeros((256, 256), dtype=np.int64))
    assert len(set(same.tolist())) == 1


def test_the_span_holds_the_likeliest_place() -> None:
    for seed in range(50):
        bins = np.random.default_rng(seed).integers(0, BINS, 1 + seed)
        found = change_point(bins, np.zeros(BINS, dtype=np.int64))
        assert 0 <= found.earliest <= found.likeliest <= found.latest < len(bins)
