"""Zero-shot accuracy on rendered pictures in a style that training never sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import CLIPModel, CLIPTokenizer

from pretraining import objective
from pretraining.batches import normalize, tokenize
from pretraining.captions import KINDS, NAMES, SPOKEN
from pretraining.corpus import Pictures

TEMPLATES: dict[str, str] = {
    "digit": "a photo of the digit {}.",
    "letter": "a photo of the letter {}.",
    "shape": "a photo of a {}.",
    "colour": "a photo of the color {}.",
    "pattern": "a photo of a {} texture.",
    "surface": "a photo of a metal part with a {}.",
}


@torch.no_grad()
def class_embeds(
    model: CLIPModel, words: CLIPTokenizer, names: Sequence[str], template: str
) -> Tensor:
    """Unit vectors (C, D) of the names in a template."""
    tokens = tokenize(words, [template.format(name) for name in names])
    return objective.text_embeds(model, tokens, words.eos_token_id)


@torch.no_grad()
def picture_embeds(model: CLIPModel, pictures: Pictures) -> Tensor:
    """Unit vectors (N, D)."""
    blocks = normalize(np.array(pictures.pixels)).split(250)
    return torch.cat([objective.image_embeds(model, block) for block in blocks])


def zero_shot(
    model: CLIPModel, words: CLIPTokenizer, families: Mapping[str, Pictures]
) -> Iterator[tuple[str, float]]:
    """Accuracy of each family among the names of its kind; digits by their words."""
    model.eval()
    for name, pictures in families.items():
        kind = KINDS[int(pictures.facts[0, 0])]
        names = [SPOKEN[kind, n][-1] if kind == "digit" else n for n in NAMES[kind]]
        classes = class_embeds(model, words, names, TEMPLATES[kind])
        guess = (picture_embeds(model, pictures) @ classes.T).argmax(dim=1)
        labels = torch.from_numpy(pictures.facts[:, 1].astype("int64"))
        yield name, float((guess == labels).float().mean())
    model.train()
