"""A learner answers for its pool, and learns anew without changing itself."""

from __future__ import annotations

import torch
from builders import backbone, pool

from clipgrip.prompts.textual import TextualPrompt
from clipgrip.pseudolabel.pseudolabels import PseudoLabels
from clipgrip.seeds import generator
from clipgrip.task import ssl, ul
from clipgrip.training.learner import PromptLearner
from clipgrip.training.loop import Recipe

IMAGES, TRUTH = pool(24, 3)


def learner() -> PromptLearner:
    prompt = TextualPrompt.random(backbone(), ["a", "b c", "d"], n_ctx=3, generator=generator(0))
    return PromptLearner(prompt, IMAGES, Recipe(steps=8, lr=0.02))


def test_answers_are_probabilities_for_the_pool_or_for_other_images() -> None:
    probs = learner().predict_proba()
    torch.testing.assert_close(probs.sum(1), torch.ones(24))
    assert not probs.requires_grad
    torch.testing.assert_close(learner().predict_proba(IMAGES[3:5]), probs[3:5])
    assert learner().predict_proba(IMAGES[:0]).shape == (0, 3)


def test_fitting_returns_another_learner_and_leaves_this_one() -> None:
    first = learner()
    kept = first.prompt.learned()["ctx"].clone()
    chosen = PseudoLabels.hard(torch.arange(6), TRUTH[:6], torch.ones(6), 3)
    second = first.fit(ul(24, 3), chosen, generator=generator(0))
    assert torch.equal(first.prompt.learned()["ctx"], kept)
    assert not torch.equal(second.prompt.learned()["ctx"], kept)
    assert second.inputs is first.inputs


def test_labels_count_and_pseudolabels_only_for_their_share() -> None:
    """With the whole weight on the labels, wrong pseudolabels change nothing."""
    task = ssl(torch.where(torch.arange(24) < 9, TRUTH, -1), 3)
    wrong = PseudoLabels.hard(torch.arange(9, 24), (TRUTH[9:] + 1) % 3, torch.ones(15), 3)
    alone = learner().fit(task, PseudoLabels.none(3), generator=generator(0))
    only_labels = PromptLearner(learner().prompt, IMAGES, learner().recipe, labeled_share=1.0)
    both = only_labels.fit(task, wrong, generator=generator(0))
    torch.testing.assert_close(
        both.prompt.learned()["ctx"], alone.prompt.learned()["ctx"], rtol=1e-3, atol=1e-4
    )


def test_the_pools_embeddings_are_those_that_a_textual_prompt_is_given() -> None:
    assert torch.equal(learner().image_embeds(), IMAGES)
