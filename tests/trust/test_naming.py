"""A text that points at no group of images, or at another's, is doubted; one that points at its own is not."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.advice.doubted import MARKS, ToldName, exchanges, how_to_take, in_short, reason
from clipgrip.trust.naming import NameFit, Naming, naming
from clipgrip.words import Words

CLASSES, SCALE = 8, 20.0


def groups(each: int = 30, noise: float = 0.12) -> tuple[Tensor, Tensor, Tensor]:
    """Images around a centre of each class, texts that are the centres, and the truth."""
    draw = torch.Generator().manual_seed(0)
    centres = F.normalize(torch.randn(CLASSES + 4, 48, generator=draw), dim=1)
    truth = torch.arange(CLASSES).repeat(each)
    images = centres[truth] + noise * torch.randn(len(truth), 48, generator=draw)
    return F.normalize(images, dim=1), centres, truth


def verdicts(found: Naming) -> list[str]:
    return [one.verdict for one in found.names]


def test_texts_that_are_at_the_middle_of_their_images_fit() -> None:
    images, centres, _ = groups()
    found = naming(images, centres[:CLASSES], SCALE)
    assert verdicts(found) == ["fits"] * CLASSES
    assert all(one.fit is not None and one.fit > 0.5 for one in found.names)
    assert (found.doubted, found.nameless) == ((), ())


def test_a_text_of_something_that_is_not_there_points_at_nothing() -> None:
    images, centres, truth = groups()
    texts = centres[:CLASSES].clone()
    texts[3] = centres[CLASSES]
    found = naming(images, texts, SCALE)
    assert [one.position for one in found.doubted] == [3]
    assert found.names[3].verdict == "nothing"
    assert set(truth[list(found.nameless)].tolist()) == {3}  # what the name should have meant


def test_a_text_that_another_class_has_too_points_at_that_one() -> None:
    images, centres, truth = groups()
    texts = centres[:CLASSES].clone()
    draw = torch.Generator().manual_seed(1)
    texts[3] = F.normalize(centres[5] + 0.12 * torch.randn(48, generator=draw), dim=0)
    found = naming(images, texts, SCALE)
    assert [(one.position, one.verdict, one.group) for one in found.doubted] == [(3, "other", 5)]
    assert set(truth[list(found.names[3].rows)].tolist()) == {5}


def test_only_labels_find_texts_that_were_swapped() -> None:
    images, centres, truth = groups()
    texts = centres[:CLASSES].clone()
    texts[[2, 6]] = texts[[6, 2]]
    labels = torch.full_like(truth, -1)
    assert not naming(images, texts, SCALE, labels).doubted
    labels[:CLASSES] = truth[:CLASSES]  # one of each
    found = naming(images, texts, SCALE, labels)
    assert {(one.position, one.verdict, one.group) for one in found.doubted} == {
        (2, "other", 6),
        (6, "other", 2),
    }
    assert [one.labeled for one in found.names] == [1] * CLASSES


@pytest.mark.parametrize(("images", "classes"), [(240, 2), (15, 8), (22, 8), (0, 8), (1, 3)])
def test_nothing_is_said_where_there_is_too_little_to_see(images: int, classes: int) -> None:
    pool, centres, _ = groups()
    found = naming(pool[:images], centres[:classes], SCALE)
    assert verdicts(found) == ["unknown"] * classes
    assert all(one.fit is None for one in found.names)


def test_the_order_of_images_and_classes_changes_nothing() -> None:
    images, centres, _ = groups()
    texts = centres[:CLASSES].clone()
    texts[3] = centres[CLASSES]
    plain = naming(images, texts, SCALE)
    turned = naming(images.flip(0), texts.flip(0), SCALE)
    fits = [one.fit for one in plain.names]
    assert [one.fit for one in turned.names][::-1] == pytest.approx(fits, abs=1e-4)


def test_half_precision_and_texts_that_are_equal_break_nothing() -> None:
    images, centres, truth = groups()
    assert len(naming(images.half(), centres[:CLASSES].half(), SCALE).names) == CLASSES
    equal = naming(images, centres[:1].repeat(CLASSES, 1), SCALE, truth)
    assert all(one.fit is None or 0 <= one.fit <= 1 for one in equal.names)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_verdict_has_its_sentence_in_both_languages(language: str) -> None:
    say = Words(language)  # type: ignore[arg-type]
    for labeled in (0, 1, 7):
        assert "dent" in reason(ToldName("scratch", "other", "dent", labeled), say)
        assert reason(ToldName("scratch", "nothing", None, labeled), say)
        assert reason(ToldName("scratch", "fits", None, labeled), say) == ""
    assert all(say(text) for text in MARKS.values())
    assert "scratch" in in_short([ToldName("scratch", "nothing")], 9, say)
    assert "3" in in_short([ToldName(name, "nothing") for name in "abc"], 9, say)
    taken = how_to_take("clipgrip review out", say)
    assert "prompt" in taken
    assert "clipgrip review out" in taken


def test_the_worst_name_comes_first() -> None:
    names = (NameFit(0, 0.4, "nothing"), NameFit(1, 0.9, "fits"), NameFit(2, 0.1, "other", 1))
    assert [one.position for one in Naming(names).doubted] == [2, 0]


def _ring(*names: str, labeled: int = 1) -> list[ToldName]:
    following = (*names[1:], names[0])
    return [
        ToldName(a, "other", b, labeled, f"{a}.png") for a, b in zip(names, following, strict=True)
    ]


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("names", ["ab", "abc", "abcdefghij"])
def test_names_that_changed_places_may_be_labels_that_did(language: str, names: str) -> None:
    say = Words(language)  # type: ignore[arg-type]
    told = in_short([ToldName("z", "nothing"), *_ring(*names)], 12, say)
    assert "a.png" in told
    assert told.startswith(in_short([ToldName("z", "nothing")], 12, say))
    either = "Either the names or the labels" if language == "en" else "名前かラベル"
    assert either in told
    assert "z" not in told.split(either)[1]


def test_a_ring_needs_labels_of_all_and_has_no_strangers() -> None:
    assert exchanges(_ring("a", "b", labeled=0)) == []
    assert exchanges([ToldName("a", "other", "b", 1), ToldName("b", "other", "c", 1)]) == []
    stray = ToldName("d", "other", "a", 1)
    assert [[one.name for one in ring] for ring in exchanges([stray, *_ring("a", "b")])] == [
        ["a", "b"]
    ]
    two = exchanges([*_ring("a", "b"), *_ring("c", "d", "e")])
    assert [len(ring) for ring in two] == [2, 3]
