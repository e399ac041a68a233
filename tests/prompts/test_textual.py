"""A textual prompt is context vectors before every class name, and nothing else is learned."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from builders import WIDTH, backbone, clip_model, full_encode, pool, tokenizer
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from clipgrip.errors import ConfigError, PromptError
from clipgrip.prompts.classifier import zero_shot
from clipgrip.prompts.textual import CTX_STD, TextualPrompt
from clipgrip.seeds import generator

NAMES = ["cat", "big dog", "x"]


def random_prompt(names: list[str] | None = None, n_ctx: int = 16, seed: int = 0) -> TextualPrompt:
    return TextualPrompt.random(
        backbone(), names or NAMES, n_ctx=n_ctx, generator=generator(seed, "ctx")
    )


def full_class_embeds(prompt: TextualPrompt, names: list[str]) -> torch.Tensor:
    """CoOp's formula through transformers' own tower: start, context, name, end, padded."""
    embed = clip_model().text_model.embeddings.token_embedding
    ids = [torch.tensor(row) for row in tokenizer()(names)["input_ids"]]
    prefix = torch.cat([embed(ids[0][:1]), prompt.ctx])
    return full_encode(clip_model(), prefix, [embed(row[1:]) for row in ids])


@settings(max_examples=20, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate))
@given(
    st.lists(st.text("abcd", min_size=1, max_size=59), min_size=1, max_size=8), st.integers(1, 16)
)
def test_class_embeddings_and_their_gradient_are_the_full_towers(
    names: list[str], n_ctx: int
) -> None:
    ctx = random_prompt(names, n_ctx).ctx.clone().requires_grad_()
    prompt = random_prompt(names, n_ctx).with_learned({"ctx": ctx})
    ours, full = prompt.class_embeds(), full_class_embeds(prompt, names)
    torch.testing.assert_close(ours, full, rtol=0, atol=1e-5)
    toward = torch.randn(ours.shape, generator=generator(1))
    got, expected = (torch.autograd.grad((x * toward).sum(), ctx)[0] for x in (ours, full))
    torch.testing.assert_close(
        got, expected, rtol=0, atol=1e-5 * max(1, float(expected.abs().max()))
    )


def test_a_random_start_is_small_noise_of_the_models_width_from_the_given_generator() -> None:
    prompt = random_prompt(n_ctx=64)
    assert prompt.ctx.shape == (64, WIDTH)
    assert prompt.ctx.std().item() == pytest.approx(CTX_STD, rel=0.1)
    assert torch.equal(prompt.ctx, random_prompt(n_ctx=64).ctx)
    assert not torch.equal(prompt.ctx, random_prompt(n_ctx=64, seed=1).ctx)


@pytest.mark.parametrize("template", ["a photo of a {}.", "the {}", "a b: {} in d"])
def test_a_prompt_started_from_a_template_answers_as_zero_shot(template: str) -> None:
    prompt = TextualPrompt.from_template(backbone(), NAMES, template=template)
    expected = zero_shot(backbone(), NAMES, template)
    torch.testing.assert_close(prompt.class_embeds(), expected, rtol=0, atol=1e-5)
    images, _ = pool(5, 3)
    logits = 20 * images @ expected.T
    torch.testing.assert_close(prompt.logits(images), logits, rtol=0, atol=1e-4)


def test_a_template_without_words_before_the_name_has_nothing_to_start_from() -> None:
    with pytest.raises(ConfigError, match="no words before"):
        TextualPrompt.from_template(backbone(), NAMES, template="{} in a photo")


def test_a_template_that_runs_together_with_the_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="space before"):
        TextualPrompt.from_template(backbone(), NAMES, template="photo{}")


def test_the_first_class_name_over_the_limit_is_an_error() -> None:
    random_prompt(["a" * 59], n_ctx=16)  # 1 + 16 + 59 + 1 = 77
    with pytest.raises(PromptError, match=r"takes 61 tokens and the context 16.*77 positions"):
        random_prompt(["cat", "a" * 60], n_ctx=16)


def test_what_was_learned_goes_out_and_in_again_unchanged() -> None:
    prompt, other = random_prompt(seed=0), random_prompt(seed=1)
    assert set(prompt.learned()) == {"ctx"}
    again = other.with_learned(prompt.learned())
    assert torch.equal(again.class_embeds(), prompt.class_embeds())
    assert not torch.equal(other.ctx, prompt.ctx)


def test_a_checkpoint_may_bring_another_context_length() -> None:
    assert len(random_prompt().with_learned(random_prompt(n_ctx=4).learned()).ctx) == 4


@pytest.mark.parametrize(
    "learned",
    [
        {},
        {"context": torch.zeros(16, WIDTH)},
        {"ctx": torch.zeros(16, WIDTH), "bias": torch.zeros(1)},
        {"ctx": torch.zeros(16, WIDTH + 1)},
        {"ctx": torch.zeros(WIDTH)},
        {"ctx": torch.zeros(2, 16, WIDTH)},
        {"ctx": torch.zeros(70, WIDTH)},
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(learned: dict[str, torch.Tensor]) -> None:
    with pytest.raises(PromptError):
        random_prompt().with_learned(learned)


def test_a_prompt_cannot_be_changed_behind_its_name() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        random_prompt().ctx = torch.zeros(1, WIDTH)  # type: ignore[misc]


def test_only_the_context_gets_a_gradient() -> None:
    ctx = random_prompt().ctx.clone().requires_grad_()
    random_prompt().with_learned({"ctx": ctx}).logits(pool(4, 3)[0]).sum().backward()
    assert ctx.grad is not None
    assert all(p.grad is None for p in clip_model().parameters())
