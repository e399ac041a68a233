"""Preferred, neglected and confused classes, rounds that make it worse, and groups compared."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from scipy.stats import fisher_exact

from clipgrip.errors import DataError
from clipgrip.report.from_run import read_groups
from clipgrip.trust.bias import (
    answered_shares,
    class_bias,
    confused_pairs,
    drift,
    expected_shares,
    is_worse,
)
from clipgrip.trust.groups import compare_groups, holm

EVEN = torch.full((4,), 0.25)


def test_a_preferred_and_a_forgotten_class_are_named() -> None:
    found = class_bias(torch.tensor([0.75, 0.2, 0.05, 0.0]), EVEN, images=400)
    assert [row.position for row in found.preferred] == [0]
    assert [row.position for row in found.neglected] == [2]
    assert found.never == (3,)
    assert found.distance == pytest.approx(0.5)


def test_what_chance_makes_of_few_images_is_not_called_bias() -> None:
    found = class_bias(torch.tensor([0.6, 0.2, 0.1, 0.1]), EVEN, images=10)
    assert not found.preferred
    assert not found.neglected


def test_shares_are_counted_and_doubt_expects_all_classes_alike() -> None:
    probs = torch.tensor([[0.3, 0.25, 0.25, 0.2], [0.28, 0.24, 0.24, 0.24]])
    assert answered_shares(probs).tolist() == [1, 0, 0, 0]
    assert torch.allclose(expected_shares(probs), EVEN, atol=0.02)


def test_torn_classes_are_found_without_truth() -> None:
    probs = torch.tensor([[0.5, 0.45, 0.05], [0.48, 0.5, 0.02], [0.01, 0.01, 0.98]])
    assert confused_pairs(probs, 5)[0] == (0, 1)


def test_rounds_that_lose_classes_are_worse_and_equal_ones_are_not() -> None:
    even = [25, 25, 25, 25]
    assert is_worse(drift([even, [100, 0, 0, 0]], EVEN), 100)
    assert not is_worse(drift([even, even], EVEN), 100)
    assert not is_worse(drift([], EVEN), 100)


def test_a_bad_camera_is_found_and_chance_is_not() -> None:
    groups = ["A"] * 100 + ["B"] * 100 + ["C"] * 100 + [""]
    right = [True] * 90 + [False] * 10 + [True] * 91 + [False] * 9 + [True] * 60 + [False] * 41
    found = {group.name: group for group in compare_groups(groups, right)}
    assert found["C"].differs
    assert not found["B"].differs or found["B"].share > 0.9
    assert found["C"].low < 0.6 < found["C"].high
    raw = fisher_exact([[60, 40], [181, 19]]).pvalue
    assert found["C"].p_value == pytest.approx(3 * raw)
    assert compare_groups(["", ""], [True, False]) == ()


def test_holm_by_hand() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx(
        {"a": 0.03, "c": 0.06, "b": 0.06}
    )


def test_random_groups_rarely_differ() -> None:
    draw = torch.Generator().manual_seed(0)
    alarms = 0
    for _ in range(100):
        right = (torch.rand(200, generator=draw) < 0.8).tolist()
        groups = [f"camera {i}" for i in torch.randint(0, 8, (200,), generator=draw)]
        alarms += any(group.differs for group in compare_groups(groups, right))
    assert alarms <= 10


def test_groups_are_read_by_path(tmp_path: Path) -> None:
    file = tmp_path / "groups.csv"
    file.write_text("path,line,shift\na.png,1,day\nb.png,2,night\n")
    assert read_groups(file, ["b.png", "x.png"]) == {"line": ["2", ""], "shift": ["night", ""]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path\na.png\n", "Add a column"),
        ("line,shift\n1,day\n", 'no column "path"'),
        ("path,line\nz.png,1\n", "none of its paths"),
        ("path,line,line\na.png,1,2\n", 'the column "line" stands twice'),
        ("path,id\n" + "".join(f"{i}.png,{i}\n" for i in range(60)), "60 different values"),
    ],
)
def test_wrong_groups_say_what_to_do(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "groups.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=words):
        read_groups(file, ["a.png", *(f"{i}.png" for i in range(60))])
