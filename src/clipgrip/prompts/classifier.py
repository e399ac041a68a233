"""The only place where embeddings become logits."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from clipgrip.errors import PromptError
from clipgrip.prompts.templates import DEFAULT_TEMPLATE, Template, as_templates, fill
from clipgrip.prompts.towers import TwoTowers
from clipgrip.types import ClassEmbeds, ImageEmbeds, Logits, Probs, WideEmbeds

SAME = 1e-6
"""Unit vectors count as equal if no coordinate differs by as much."""


def cosine_logits(
    image_embeds: ImageEmbeds, class_embeds: ClassEmbeds, logit_scale: float
) -> Logits:
    """(N, C) scaled cosine similarities; both sides are unit vectors."""
    return logit_scale * image_embeds @ class_embeds.T


def wide_logits(image_embeds: WideEmbeds, class_embeds: ClassEmbeds, logit_scale: float) -> Logits:
    """(N, C) `cosine_logits` of images (N, W) in several banks (`pseudolabel.banks`): by their first D columns."""
    return cosine_logits(of_text(image_embeds, class_embeds), class_embeds, logit_scale)


def of_text(image_embeds: WideEmbeds, class_embeds: ClassEmbeds) -> ImageEmbeds:
    """(N, D) the first columns, those of the text's own bank; all of them if there is no other."""
    width = class_embeds.shape[1]
    return image_embeds if image_embeds.shape[1] == width else image_embeds[:, :width]


def predict_proba(
    image_embeds: ImageEmbeds, class_embeds: ClassEmbeds, logit_scale: float
) -> Probs:
    """(N, C) softmax of the logits: CLIP's own confidence, not calibrated."""
    return cosine_logits(image_embeds, class_embeds, logit_scale).softmax(dim=1)


def zero_shot(
    backbone: TwoTowers, class_prompts: Sequence[str], template: Template = DEFAULT_TEMPLATE
) -> ClassEmbeds:
    """(C, D) class embeddings of the filled template: CLIP as it comes, nothing learned.

    Of several templates, the mean of their unit vectors, brought to length one again (Radford et al., ICML 2021, arXiv
    2103.00020, section 3.1.4). PromptError: two classes are the same text to the model, all are one vector, or a text
    is too long for it.
    """
    check_distinct(backbone, class_prompts)
    each = [backbone.text.encode_texts(fill(one, class_prompts)) for one in as_templates(template)]
    found = each[0] if len(each) == 1 else F.normalize(torch.stack(each).mean(dim=0), dim=-1)
    same = len(found) > 1 and bool((found - found[0]).abs().max() < SAME)
    if same and backbone.text.max_tokens:  # where labels alone say the classes, none has a vector
        raise PromptError(
            "all classes are one vector to the model {name}, so every answer would be chance. Its text tower is "
            "damaged or was never trained: copy the model again, or choose another.",
            name=backbone.name,
        )
    return found


def check_distinct(backbone: TwoTowers, class_prompts: Sequence[str]) -> None:
    """PromptError where two prompts give the same tokens, as all words in a script unknown to the tokenizer do."""
    first: dict[tuple[int, ...], str] = {}
    for prompt, row in zip(class_prompts, backbone.text.tokenize(class_prompts), strict=True):
        twin = first.setdefault(tuple(row), prompt)
        if twin != prompt:
            raise PromptError(
                '"{twin}" and "{prompt}" are the same tokens to the model {name}, so it cannot tell the '
                "two classes apart: its tokenizer may not know their script. Give them other texts in "
                "the column prompt of the list of classes, in English for most models, or choose a model "
                "that reads the language.",
                twin=twin,
                prompt=prompt,
                name=backbone.name,
            )
