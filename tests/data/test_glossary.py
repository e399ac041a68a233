"""Japanese words of inspection have English ones that a model can read."""

from __future__ import annotations

from importlib.resources import files

import pytest

from clipgrip.data.glossary import glossary, is_japanese, proposed


@pytest.mark.parametrize(
    ("name", "english"),
    [
        ("キズ", "a scratch on the surface"),
        ("きず", "a scratch on the surface"),
        ("打痕", "a dent from an impact"),
        ("ﾊﾞﾘ", "a burr on the edge"),
        ("ＯＫ品", "a flawless part"),
        ("深いキズ", "a deep scratch on the surface"),
        ("打痕・大", "a large dent from an impact"),
        ("深い 錆", "deep rust on metal"),
        ("謎の現象", None),
        ("深い", None),
        ("キズ打痕", None),
        ("", None),
        ("scratch", None),
    ],
)
def test_a_name_gets_its_words_or_none(name: str, english: str | None) -> None:
    assert proposed(name) == english


def test_the_glossary_has_entries_enough_and_each_is_plain_english() -> None:
    text = files("clipgrip.data").joinpath("glossary.tsv").read_text("utf-8")
    entries = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(entries) >= 150
    assert all(is_japanese(name) or name == "oリング" for name in glossary() if name.strip())
    assert all(english.isascii() and english == english.strip() for english in glossary().values())
