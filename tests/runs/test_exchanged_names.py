"""Names and labels that contradict each other in a ring are told of, whatever decides the answers."""

from __future__ import annotations

from typing import Any

import pytest

from clipgrip.advice.doubted import in_short
from clipgrip.runs.naming import doubted_names, to_tell
from clipgrip.words import ENGLISH

CYCLE = {"three": "five", "five": "eight", "eight": "three"}


def metrics(text_weight: float, labeled: int = 2) -> dict[str, Any]:
    names = [
        {
            "name": name,
            "fit": 0.1,
            "verdict": "other",
            "group": other,
            "labeled": labeled,
            "example": f"{name}/1.png",
        }
        for name, other in CYCLE.items()
    ]
    alone = {"name": "one", "fit": 0.2, "verdict": "nothing", "group": None, "labeled": labeled}
    return {"labels": {"text_weight": text_weight}, "names": {"classes": [*names, alone]}}


@pytest.mark.parametrize(("weight", "others"), [(0.5, {"one"}), (0.0, set[str]())])
def test_where_labels_alone_decide_what_may_be_their_fault_is_still_said(
    weight: float, others: set[str]
) -> None:
    found = doubted_names(metrics(weight))
    assert {one["name"] for one in found} == {*CYCLE, *others}
    told = in_short([to_tell(one) for one in found], 10, ENGLISH)
    assert "Either the names or the labels of these 3 classes seem exchanged" in told
    assert all(f"{name}/1.png" in told for name in CYCLE)


def test_without_labels_it_is_the_names() -> None:
    told = in_short([to_tell(one) for one in doubted_names(metrics(0.5, labeled=0))], 10, ENGLISH)
    assert told.startswith("4 of 10 class texts do not seem to fit their images")
