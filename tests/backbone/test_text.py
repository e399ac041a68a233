"""The short evaluation of the text tower is transformers' full one, in value and gradient."""

from __future__ import annotations

import pytest
import torch
from builders import (
    END,
    POSITIONS,
    START,
    WIDTH,
    clip_model,
    clip_text,
    full_encode,
    full_text_features,
    tokenizer,
)
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from clipgrip.backbone.text import ClipText
from clipgrip.errors import BackboneError, PromptError
from clipgrip.prompts.towers import Tails

QUICK = (Phase.explicit, Phase.generate)  # shrinking a text tower's failure takes minutes
LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=7)


def random_rows(rows: int, seed: int) -> torch.Tensor:
    return torch.randn(rows, WIDTH, generator=torch.Generator().manual_seed(seed))


def gradient(value: torch.Tensor, of: torch.Tensor) -> torch.Tensor:
    toward = torch.randn(value.shape, generator=torch.Generator().manual_seed(7))
    return torch.autograd.grad((value * toward).sum(), of, retain_graph=True)[0]


def assert_equal_to_the_full_tower(
    lengths: list[int], prefix: int, seed: int, act: str = "quick_gelu", layers: int = 2
) -> None:
    start = random_rows(prefix, seed).requires_grad_()
    tails = random_rows(sum(lengths), seed + 1).requires_grad_()
    ours = clip_text(act=act, layers=layers).encode(start, Tails(tails, tuple(lengths)))
    full = full_encode(clip_model(act=act, layers=layers), start, list(tails.split(lengths, dim=0)))
    torch.testing.assert_close(ours, full, rtol=0, atol=1e-5)
    for of in (start, tails):
        expected = gradient(full, of)
        scale = max(1.0, float(expected.abs().max()))
        torch.testing.assert_close(gradient(ours, of), expected, rtol=0, atol=1e-5 * scale)


@settings(max_examples=40, deadline=None, derandomize=True, phases=QUICK)
@given(LENGTHS, st.integers(1, 17), st.integers(0, 10**6))
def test_value_and_gradient_are_those_of_the_full_tower(
    lengths: list[int], prefix: int, seed: int
) -> None:
    assert_equal_to_the_full_tower(lengths, prefix, seed)


@pytest.mark.parametrize(("lengths", "prefix"), [([76, 1], 1), ([1, 1], 76), ([60], 17), ([1], 1)])
def test_every_position_of_the_model_may_be_used(lengths: list[int], prefix: int) -> None:
    assert_equal_to_the_full_tower(lengths, prefix, 0)


@pytest.mark.parametrize(("act", "layers"), [("gelu", 2), ("quick_gelu", 1), ("gelu", 3)])
def test_other_activations_and_depths_are_evaluated_too(act: str, layers: int) -> None:
    assert_equal_to_the_full_tower([3, 1, 5], 4, 0, act, layers)


def test_many_classes_of_a_few_lengths_are_one_evaluation() -> None:
    lengths = [1 + n % 6 for n in range(150)]
    assert_equal_to_the_full_tower(lengths, 17, 3)


def test_a_text_does_not_depend_on_the_texts_beside_it() -> None:
    text, prefix, tails = clip_text(), random_rows(5, 0), random_rows(9, 1)
    together = text.encode(prefix, Tails(tails, (4, 2, 3)))
    alone = [text.encode(prefix, Tails(part, (len(part),))) for part in tails.split([4, 2, 3])]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-6)


def test_encoding_changes_no_input_and_repeats_itself() -> None:
    prefix, tails = random_rows(5, 0), Tails(random_rows(9, 1), (4, 2, 3))
    before = prefix.clone(), tails.embeds.clone()
    first = clip_text().encode(prefix, tails)
    assert torch.equal(first, clip_text().encode(prefix, tails))
    assert torch.equal(prefix, before[0])
    assert torch.equal(tails.embeds, before[1])


def test_a_new_layout_replaces_the_one_before() -> None:
    text, prefix = clip_text(), random_rows(5, 0)
    first = text.encode(prefix, Tails(random_rows(9, 1), (4, 2, 3)))
    text.encode(prefix, Tails(random_rows(9, 1), (3, 3, 3)))
    text.encode(random_rows(2, 0), Tails(random_rows(9, 1), (4, 2, 3)))
    assert torch.equal(first, text.encode(prefix, Tails(random_rows(9, 1), (4, 2, 3))))


TEXTS = st.lists(st.text("abc 1.-", max_size=30), min_size=1, max_size=6)


@settings(max_examples=30, deadline=None, derandomize=True, phases=QUICK)
@given(TEXTS, st.booleans())
def test_plain_texts_get_transformers_own_features(texts: list[str], legacy: bool) -> None:
    ours = clip_text(legacy).encode_texts(texts)
    full = full_text_features(clip_model(legacy), texts)
    torch.testing.assert_close(ours, full, rtol=0, atol=1e-5)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "texts",
    [
        ["a cat", "a cat"],  # one text twice
        ["a cat", "a cat b"],  # one is the start of the other
        ["", "a"],
        ["a photo of a cat.", "a photo of a dog.", "the"],
        [f"a{END}b", f"a{END}", "a"],
        [f"a {START} b", END],
    ],
)
def test_texts_that_begin_or_end_alike_get_transformers_features(
    texts: list[str], legacy: bool
) -> None:
    full = full_text_features(clip_model(legacy), texts)
    torch.testing.assert_close(clip_text(legacy).encode_texts(texts), full, rtol=0, atol=1e-5)


def test_a_text_ends_at_an_end_token_that_it_spells() -> None:
    (row,) = clip_text().tokenize([f"a{END}b c"])
    assert tokenizer().convert_ids_to_tokens(row) == [START, "a</w>", END]


def test_whole_texts_are_unit_vectors_without_gradient() -> None:
    embeds = clip_text().encode_texts(["a", "b c"])
    torch.testing.assert_close(embeds.norm(dim=1), torch.ones(2))
    assert not embeds.requires_grad


def test_a_text_may_fill_all_positions_and_not_one_more() -> None:
    text = clip_text()
    assert len(text.tokenize(["a" * (POSITIONS - 2)])[0]) == POSITIONS
    with pytest.raises(PromptError, match=r'"a+" takes 78 tokens .* the model has 77 positions'):
        text.tokenize(["fine", "a" * (POSITIONS - 1)])
    with pytest.raises(PromptError) as caught:
        text.tokenize(["a" * 5000])
    assert len(str(caught.value)) < 400


def test_a_prefix_and_tail_over_the_limit_are_refused() -> None:
    tails = Tails(random_rows(60, 1), (60,))
    with pytest.raises(PromptError, match=r"78 .* 77 positions"):
        clip_text().encode(random_rows(18, 0), tails)


def test_no_text_is_an_empty_list_of_tokens() -> None:
    assert clip_text().tokenize([]) == []


def test_a_tokenizer_that_writes_no_end_token_is_refused() -> None:
    class Endless:
        eos_token_id = 5

        def __call__(self, texts: list[str], **_: object) -> dict[str, list[list[int]]]:
            return {"input_ids": [[1, 2] for _ in texts]}

    model = clip_model()
    text = ClipText(model.text_model, model.text_projection, Endless())
    with pytest.raises(BackboneError, match="end token"):
        text.tokenize(["a"])
