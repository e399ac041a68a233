"""Sentences that count say one thing in the singular, by one mechanism."""

from __future__ import annotations

import json
import re
from importlib.resources import files

import pytest

from clipgrip_line.sentences import NOUNS, VERBS, Sentence, both_forms

CATALOGUES = [("clipgrip", "locale"), ("clipgrip_line", "locale")]
TEXTS = sorted(
    text
    for package, *path in CATALOGUES
    for text in json.loads(files(package).joinpath(*path, "ja.json").read_text("utf-8"))
)


@pytest.mark.parametrize(
    ("text", "values", "said"),
    [
        ("{n} of {total} images lie in folders", {"n": 1, "total": 9}, "1 of 9 images lies"),
        ("{n} of {total} images lie in folders", {"n": 2, "total": 9}, "2 of 9 images lie"),
        ("{n} of {total} images lie in folders", {"n": 0, "total": 1}, "0 of 1 image lie"),
        (
            "{n} of the {all} images are gone",
            {"n": "1", "all": "1,200"},
            "1 of the 1,200 images is",
        ),
        ("{n} of these images are gone", {"n": 1}, "1 of these images is gone"),
        ("{n} of {m} daily answers were wrong", {"n": 1, "m": 3}, "1 of 3 daily answers was wrong"),
        ("{n} wrong answers become right", {"n": 1}, "1 wrong answer becomes right"),
        (
            "{n} images are gone: {n|it is|they are} {why}",
            {"n": "1", "why": "x"},
            "1 image is gone: it is x",
        ),
        (
            "{n} images are gone: {n|it is|they are} {why}",
            {"n": 2, "why": "x"},
            "2 images are gone: they are x",
        ),
        ("{n|It|They} of {name}", {"n": 1, "name": "{n|a|b}"}, "It of {n|a|b}"),
    ],
)
def test_the_verb_goes_with_the_number(text: str, values: dict[str, object], said: str) -> None:
    assert str(Sentence(text, **values)).startswith(said)


def test_what_a_number_names_is_not_counted_for_scripts() -> None:
    assert both_forms("version {version} answers already") == "version {version} answers already"


def test_no_sentence_of_one_keeps_a_verb_of_many_or_takes_a_verb_for_a_noun() -> None:
    for text in TEXTS:
        _check(text)


def _check(text: str) -> None:
    names = re.findall(r"\{(\w+)(?:[:!][^{}]*)?\}", text)
    said = str(Sentence(text, **dict.fromkeys(names, 1)))
    verbs, nouns = "|".join(VERBS), "|".join(f"{noun}|{noun[:-1]}" for noun in NOUNS.split("|"))
    some = r"\b1 (?!these )(?:of (?:the |these )?)?(?:1 )?(?:\w+ ){0,2}?"
    assert not re.search(rf"{some}(?:{nouns}) (?:{verbs})\b", said), said
    assert not re.search(r"\b[Rr]ound 1 (?:answer|image|label)\b", said), said


def test_an_error_of_the_system_is_said_without_its_number() -> None:
    error = FileNotFoundError(2, "No such file or directory", "/proc/c")
    assert str(Sentence("{path}: {error}.", path="x", error=error)) == (
        "x: No such file or directory."
    )
    assert str(Sentence("{error}", error=OSError("of its own words"))) == "of its own words"
