"""A model that knows nothing is told as such, and one that knows its classes is left in peace."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.advice.model import headline, reasons, remedies
from clipgrip.trust.knowledge import (
    Finding,
    Judged,
    Signs,
    findings,
    helps,
    knows_nothing,
    no_better,
)
from clipgrip.trust.pointing import Pointing, best_cosine, likeness, pointing
from clipgrip.trust.wording import is_code, unread
from clipgrip.words import Words

SEEN = Pointing(images=200, classes=8, spread=3.2, skew=1.4, top=0.2, top_class=0)
NAMES = tuple("abcdefgh")
KNOWS = Signs(NAMES, best_cosine=0.3, likeness=40.0, pointing=SEEN)


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ({}, []),
        ({"pointing": None, "likeness": None, "best_cosine": None}, []),
        ({"demo_model": True}, ["demo"]),
        ({"demo_model": True, "best_cosine": 0.5}, []),
        ({"unread": ("良品", "キズ", "打痕", "バリ")}, ["script"]),
        ({"unread": NAMES, "likeness": 2.0}, ["script"]),
        ({"unread": ("良品",)}, ["some-unread"]),
        ({"unread": ("良品",), "likeness": 2.0}, ["some-unread", "alike"]),
        ({"likeness": 2.0}, ["alike"]),
        ({"codes": NAMES}, []),
        ({"codes": NAMES[:3], "pointing": replace(SEEN, skew=0.1, spread=3.0)}, []),
        ({"codes": NAMES[:4], "pointing": replace(SEEN, skew=0.5)}, ["codes"]),
        ({"pointing": replace(SEEN, skew=0.1, spread=1.5)}, ["pointless"]),
        ({"pointing": replace(SEEN, skew=0.1, spread=3.0)}, []),
        ({"pointing": replace(SEEN, skew=0.1, spread=1.5, images=19)}, []),
        ({"pointing": replace(SEEN, skew=0.1, spread=1.5, top=0.92)}, []),
        ({"pointing": replace(SEEN, skew=0.1, spread=1.5, top=0.97)}, ["one-class"]),
        ({"pointing": replace(SEEN, skew=0.0, spread=2.3, classes=2)}, []),
        ({"pointing": replace(SEEN, skew=0.0, spread=1.3, classes=2)}, ["pointless"]),
        ({"judged": Judged(20, 25, 50, "a")}, ["no-better"]),
        ({"judged": Judged(40, 25, 50, "a")}, []),
        ({"judged": Judged(0, 10, 20, "a")}, []),
    ],
)
def test_signs_come_to_findings(change: dict[str, object], kinds: list[str]) -> None:
    found = findings(replace(KNOWS, **change))  # type: ignore[arg-type]
    assert [one.kind for one in found] == kinds
    assert knows_nothing(found) == bool(set(kinds) - {"one-class", "some-unread"})


@pytest.mark.parametrize(
    ("right", "common", "total", "expected"),
    [
        (10, 20, 100, True),
        (20, 20, 100, True),
        (29, 20, 100, False),  # beyond chance
        (9, 6, 30, True),
        (14, 6, 30, False),
        (940, 930, 1000, True),
    ],
)
def test_labels_compare_the_answers_with_the_commonest_class(
    right: int, common: int, total: int, expected: bool
) -> None:
    assert no_better(Judged(right, common, total, "x")) == expected


def test_the_faults_of_words_ask_for_words_first_and_others_for_another_model() -> None:
    assert helps((Finding("script", {}),))[0] == "words"
    assert helps((Finding("codes", {}),)) == ("words", "labels", "model")
    assert helps((Finding("demo", {}), Finding("codes", {}))) == ("model", "labels", "words")
    assert helps((Finding("pointless", {}),)) == ("model", "labels", "words")
    assert helps((Finding("one-class", {}),)) == ()


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_finding_has_its_sentence_in_both_languages(language: str) -> None:
    say = Words(language)  # type: ignore[arg-type]
    signs = replace(KNOWS, demo_model=True, unread=("良品", "キズ"), codes=NAMES)
    half = replace(KNOWS, unread=NAMES[:4])
    dull = replace(SEEN, skew=0.0, spread=1.0)
    for one in (
        replace(signs, pointing=dull, judged=Judged(1, 2, 50, "OK")),
        half,
        replace(KNOWS, likeness=1.0),
        replace(KNOWS, pointing=dull),
        replace(KNOWS, pointing=replace(dull, top=0.99)),
    ):
        found = findings(one)
        assert found
        assert all(reasons(found, say))
        if knows_nothing(found):
            assert len(remedies(found, 8, say)) == 3
            assert any("40" in text for text in remedies(found, 8, say))
    assert headline(say)


@pytest.mark.parametrize(
    "text", ["2T7094VA79A05", "M-1023", "80417", "SKU0042", "n01440764", "SX-70 B12"]
)
def test_part_numbers_are_codes(text: str) -> None:
    assert is_code(text)


@pytest.mark.parametrize(
    "text",
    ["7", "12", "OK", "NG", "scratch", "ISO 9001 bolt", "class_7", "キズ2023", "DC-3", "wd 4", ""],
)
def test_words_and_small_numbers_are_no_codes(text: str) -> None:
    assert not is_code(text)


def bytewise(texts: object) -> list[list[int]]:
    """As CLIP's tokenizer does with a script that it never saw: a token a byte, a token an English word."""
    return [[0, *_tokens(str(text)), 1] for text in texts]  # type: ignore[attr-defined]


def _tokens(text: str) -> list[int]:
    found: list[int] = []
    for word in text.split():
        found += [hash(word) % 999 + 300] if word.isascii() else list(word.encode())
    return found


def test_a_script_that_falls_apart_into_bytes_is_unread() -> None:
    texts = ("良品", "キズ", "a scratched surface", "打痕 dent", "годный", "café", "ＯＫ")
    assert unread(texts, bytewise) == ("良品", "キズ", "打痕 dent", "годный")


def test_a_tokenizer_that_knows_the_script_reads_it() -> None:
    def multilingual(texts: object) -> list[list[int]]:
        return [[0, 7, *map(ord, str(text)), 1] for text in texts]  # type: ignore[attr-defined]

    assert unread(("良品", "キズ", "годный"), lambda t: [[0, *map(ord, x), 1] for x in t]) == (
        "годный",  # a token a letter: an alphabet is read in longer pieces
    )
    assert unread(("良品", "キズ"), multilingual) == ()


def test_texts_that_become_the_same_tokens_are_unread() -> None:
    assert unread(("良品", "不良品"), lambda t: [[0, 5, 1] for _ in t]) == ("良品", "不良品")


def test_japanese_is_unread_by_nano_and_english_is_read() -> None:
    from clipgrip.backbone.registry import load_backbone

    tokenize = load_backbone("nano").text.tokenize
    assert unread(("良品", "キズ", "scratch", "flawless part"), tokenize) == ("良品", "キズ")


def groups(noise: float, classes: int = 6, n: int = 240) -> tuple[Tensor, Tensor]:
    """Images (n, 32) around a centre of each class, and the centres."""
    draw = torch.Generator().manual_seed(0)
    centres = F.normalize(torch.randn(classes, 32, generator=draw), dim=1)
    images = centres[torch.arange(n) % classes] + noise * torch.randn(n, 32, generator=draw)
    return F.normalize(images, dim=1), centres


def test_names_that_mean_groups_are_skewed_and_random_ones_are_not() -> None:
    images, centres = groups(0.1)
    knows = pointing((8 * images @ centres.T).softmax(1))
    random = F.normalize(torch.randn(6, 32, generator=torch.Generator().manual_seed(3)), dim=1)
    strange = pointing((8 * images @ random.T).softmax(1))
    assert knows.skew > 1 > strange.skew
    assert knows.spread > strange.spread
    assert best_cosine(images, centres) > best_cosine(images, random)


def test_nothing_breaks_where_there_is_nothing_to_see() -> None:
    assert pointing(torch.empty(0, 3)).images == 0
    same = pointing(torch.full((30, 3), 1 / 3))
    assert (same.spread, same.skew, same.top) == (pytest.approx(0, abs=1e-9), 0.0, 1.0)


def test_texts_that_are_one_text_are_alike() -> None:
    one = F.normalize(torch.ones(4, 8) + 0.001 * torch.eye(4, 8), dim=1)
    assert likeness(one, 100.0) < 1
    assert likeness(torch.eye(4, 8), 100.0) > 50


@pytest.mark.parametrize("language", ["en", "ja"])
def test_labels_that_are_there_are_to_be_used_before_more_are_asked_for(language: str) -> None:
    say = Words("ja" if language == "ja" else "en")
    found = (Finding("demo", {}),)
    unused = remedies(found, 8, say, given=24, learns=False)
    assert "--strategy grip" in unused[0]
    assert "24" in unused[0]
    assert len(unused) == 3
    assert not any("40" in text for text in unused)
    too_few = remedies(found, 8, say, given=24)
    assert any("24" in text and "40" in text for text in too_few)
    assert remedies((), 8, say, given=24, learns=False) == []


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("given", [0, 24])
def test_more_labels_are_asked_for_with_the_commands_that_show_which(
    language: str, given: int
) -> None:
    say = Words("ja" if language == "ja" else "en")
    told = remedies((Finding("demo", {}),), 8, say, given=given, run="'my runs/one'")
    (one,) = (text for text in told if "clipgrip review" in text)
    assert "clipgrip review 'my runs/one'" in one
    assert "clipgrip labels suggest 'my runs/one'" in one
    assert "--eye" not in " ".join(told)
    told = remedies((Finding("demo", {}),), 8, say, given=given, run="run", eye=True)
    assert ["--eye texture" in text for text in told] == [
        "clipgrip review" in text for text in told
    ]


@pytest.mark.parametrize("language", ["en", "ja"])
def test_names_that_the_model_cannot_read_get_the_words_of_the_glossary(language: str) -> None:
    say = Words("ja" if language == "ja" else "en")
    told = reasons((Finding("script", {"names": ["キズ", "деталь"]}),), say)
    assert len(told) == 2
    assert "キズ → a scratch on the surface" in told[1]
    assert "деталь" not in told[1]
    without = reasons((Finding("script", {"names": ["деталь"]}),), say)
    assert len(without) == 2
    assert "prompt" in without[1]
