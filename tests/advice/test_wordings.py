"""Other words for a class come from the glossary, from its name, and as plain variants."""

from __future__ import annotations

from clipgrip.advice.wordings import MOST, TEMPLATES, templates_beside, wordings
from clipgrip.prompts.templates import DEFAULT_TEMPLATE


def test_a_japanese_name_gets_the_glossary_s_english_first() -> None:
    assert wordings("キズ", "キズ")[0] == "a scratch on the surface"
    assert wordings("深いキズ", "x")[0] == "a deep scratch on the surface"


def test_english_words_get_what_the_glossary_says_of_the_same_thing() -> None:
    found = wordings("NG-1", "scratches")
    assert {"a scratch on the surface", "a long thin scratch"} <= set(found)
    assert not any("without" in text for text in found)


def test_a_word_that_the_other_classes_have_too_says_nothing_of_this_one() -> None:
    others = ("rolled-in scale on steel surface", "patches on steel surface")
    found = wordings("スクラッチ", "scratches on steel surface", others)
    assert "a scratch on the surface" in found
    assert not any("steel" in text for text in found)
    assert any("steel" in text for text in wordings("スクラッチ", "scratches on steel surface"))


def test_the_name_is_tried_where_the_text_is_another() -> None:
    assert "rusty screw" in wordings("rusty_screw", "A-1034")


def test_a_bare_word_is_tried_on_the_surface_and_a_code_is_not() -> None:
    assert {"zebra on the surface", "a surface with zebra"} <= set(wordings("zebra", "zebra"))
    assert wordings("A-1034", "A 1034") == ()


def test_the_text_itself_is_never_proposed_and_nothing_twice() -> None:
    for name, prompt in (("scratch", "Scratch"), ("キズ", "a scratch on the surface"), ("a", "b")):
        found = wordings(name, prompt)
        assert prompt.casefold() not in [text.casefold() for text in found]
        assert len(found) == len(set(found)) <= MOST


def test_templates_that_are_used_already_are_not_proposed() -> None:
    assert DEFAULT_TEMPLATE not in templates_beside(DEFAULT_TEMPLATE)
    assert templates_beside(TEMPLATES[:2]) == TEMPLATES[2:]
