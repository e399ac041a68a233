"""A round's pseudolabels are columns, in memory as in the database."""

from __future__ import annotations

import hashlib
import tracemalloc
from types import SimpleNamespace
from typing import Any

from clipgrip.data.rows import Row, Rows
from clipgrip.data.sources import FileSource
from clipgrip.runs.outputs import _pseudolabel_rows
from clipgrip.runs.packed_labels import NamedLabels, packed, unpacked
from clipgrip.runs.store import StoredRound

TRIPLES = tuple(
    (hashlib.sha256(str(number).encode()).hexdigest(), number % 3, 0.1 * number)
    for number in range(9)
)


def test_columns_are_the_same_triples() -> None:
    found = NamedLabels.of(TRIPLES)
    assert found == TRIPLES
    assert (found[-1], found[2:4]) == (TRIPLES[-1], TRIPLES[2:4])
    assert NamedLabels.of(found) is found
    assert NamedLabels.of(iter(())) == ()


def test_what_is_packed_comes_back_by_its_hashes_bit_for_bit() -> None:
    content = packed(NamedLabels.of(TRIPLES))
    assert unpacked(content) == sorted(TRIPLES)
    assert packed(NamedLabels.of(reversed(TRIPLES))) == content


def test_a_pseudolabel_is_no_object() -> None:
    content = packed(NamedLabels.of(TRIPLES * 1000))
    tracemalloc.start()
    try:
        found = unpacked(content)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept / len(found) < 160


def test_a_pseudolabel_of_an_image_that_is_gone_takes_the_path_of_no_other() -> None:
    rows = Rows.of(
        Row(one, (f"{n}.png",), -1, "pool", FileSource(""))
        for n, (one, *_) in enumerate(TRIPLES[:2])
    )
    done = StoredRound(1, 3, 0.0, {}, {}, NamedLabels.of(TRIPLES[:3]))
    outcome: Any = SimpleNamespace(
        embeds=SimpleNamespace(pool_rows=rows),
        manifest=SimpleNamespace(classes=SimpleNamespace(display=("a", "b", "c"))),
        rounds=(done,),
    )
    assert [path for _, path, *_ in _pseudolabel_rows(outcome, print)] == ["0.png", "1.png"]
