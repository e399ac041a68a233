"""A round's pseudolabels are columns, in memory as in the database."""

from __future__ import annotations

import hashlib
import tracemalloc

from clipgrip.runs.packed import NamedLabels, packed, unpacked

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
