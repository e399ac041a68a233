"""A JSON object that carries its own digest: what was changed is not whole."""

from __future__ import annotations

import json

import pytest

from clipgrip.sealed import DIGEST, is_whole, sealed

CONTENT = {"name": "傷", "figures": [0.1, None, True], "of": {"b": 2, "a": 1}}


def test_what_was_sealed_is_whole_after_it_was_written_and_read_in_another_order() -> None:
    read = json.loads(json.dumps(sealed(CONTENT), sort_keys=True, ensure_ascii=False))
    assert is_whole(read)
    assert {key: read[key] for key in CONTENT} == CONTENT
    assert sealed(read) == sealed(CONTENT)


@pytest.mark.parametrize(
    "change",
    [{"figures": [0.2, None, True]}, {"new": 1}, {DIGEST: "0" * 64}, {DIGEST: None}],
    ids=["a figure", "a new key", "the digest", "no digest"],
)
def test_a_changed_value_is_found(change: dict[str, object]) -> None:
    assert not is_whole({**sealed(CONTENT), **change})


def test_what_never_had_a_digest_is_not_whole() -> None:
    assert not is_whole(CONTENT)
