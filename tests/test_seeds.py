"""Each purpose has its own random numbers, the same for the same seed."""

from __future__ import annotations

import torch

from clipgrip.seeds import generator


def draw(*key: object) -> list[int]:
    seed, *purpose = key
    assert isinstance(seed, int)
    return torch.randint(10**9, (4,), generator=generator(seed, *purpose)).tolist()


def test_the_same_seed_and_purpose_give_the_same_numbers() -> None:
    assert draw(1, "round", 2) == draw(1, "round", 2)


def test_another_seed_purpose_or_split_of_its_words_gives_other_numbers() -> None:
    keys = [(1,), (2,), (1, "ctx"), (1, "round", 1), (1, "round", 11), (1, "round1", 1), (11, "")]
    assert len({tuple(draw(*key)) for key in keys}) == len(keys)


def test_torchs_global_numbers_are_neither_used_nor_changed() -> None:
    before = torch.get_rng_state()
    first = draw(3, "ctx")
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(5)
    assert draw(3, "ctx") == first


def test_the_numbers_stay_the_same_between_versions() -> None:
    assert generator(0, "ctx").initial_seed() == 52458894015412217
