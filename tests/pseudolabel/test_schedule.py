"""A strategy is how many pseudolabels each class gets in each round."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clipgrip.pseudolabel.schedule import SCHEDULES, fpl, grip, ifpl


def test_fpl_is_one_training_on_sixteen_per_class() -> None:
    assert fpl(n_unlabeled=1000, n_candidates=10) == [16]
    assert fpl(n_unlabeled=1000, n_candidates=10, k=3, rounds=7) == [3]


def test_ifpl_is_ten_rounds_of_sixteen() -> None:
    assert ifpl(n_unlabeled=1000, n_candidates=10) == [16] * 10
    assert ifpl(n_unlabeled=1000, n_candidates=10, k=4, rounds=3) == [4, 4, 4]


def test_grip_grows_by_a_tenth_of_the_pool_to_the_whole_pool() -> None:
    assert grip(n_unlabeled=1000, n_candidates=10) == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]


def test_grip_rounds_down_twice_as_the_paper_does_and_takes_all_at_the_end() -> None:
    # S = 1234 // 10 = 123; K_i = 123 i // 47; the last 1234 // 47
    assert grip(n_unlabeled=1234, n_candidates=47) == [2, 5, 7, 10, 13, 15, 18, 20, 23, 26]


def test_grip_gives_each_class_at_least_one() -> None:
    assert grip(n_unlabeled=300, n_candidates=100) == [1, 1, 1, 1, 1, 1, 2, 2, 2, 3]


def test_fewer_images_than_classes_or_none_still_make_one_per_class() -> None:
    assert grip(n_unlabeled=5, n_candidates=9) == [1] * 10
    assert grip(n_unlabeled=0, n_candidates=9, rounds=2) == [1, 1]


def test_grip_in_one_round_takes_the_whole_pool_at_once() -> None:
    assert grip(n_unlabeled=100, n_candidates=10, rounds=1) == [10]


def test_a_k_ends_grips_growth_there_and_asks_for_no_more_than_there_is() -> None:
    assert grip(n_unlabeled=1000, n_candidates=10, k=16) == [1, 3, 4, 6, 8, 9, 11, 12, 14, 16]
    assert grip(n_unlabeled=1000, n_candidates=10, k=2, rounds=3) == [1, 1, 2]
    whole = grip(n_unlabeled=1000, n_candidates=10)
    assert grip(n_unlabeled=1000, n_candidates=10, k=500) == whole


@given(st.integers(0, 10**5), st.integers(1, 1000), st.integers(1, 20))
def test_grip_never_shrinks_and_never_asks_for_more_than_there_is(
    n_unlabeled: int, n_candidates: int, rounds: int
) -> None:
    ks = grip(n_unlabeled=n_unlabeled, n_candidates=n_candidates, rounds=rounds)
    assert len(ks) == rounds
    assert ks == sorted(ks)
    assert ks[-1] == max(1, n_unlabeled // n_candidates)


def test_the_schedules_can_be_seen() -> None:
    assert list(SCHEDULES) == ["fpl", "ifpl", "grip"]
