"""The architecture and the tokenizer: a standard CLIP of about two and a half million weights."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from tokenizers import Tokenizer, models, trainers
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

from pretraining.corpus import EDGE

VOCABULARY = 2048
LENGTH = 64
START, END = "<|startoftext|>", "<|endoftext|>"


def tokenizer(lines: Iterable[str]) -> CLIPTokenizer:
    """Byte-level BPE as CLIP's, with merges learned from the captions; the end token comes last."""
    plain = CLIPTokenizer().backend_tokenizer
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    bpe.normalizer, bpe.pre_tokenizer = plain.normalizer, plain.pre_tokenizer
    letters = trainers.BpeTrainer(show_progress=False)
    alphabet = _byte_letters()
    room = VOCABULARY - 2 * len(alphabet) - 2
    letters = trainers.BpeTrainer(
        vocab_size=VOCABULARY - 2,
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    bpe.train_from_iterator(lines, letters)
    merges = _merges(bpe)[:room]
    tokens = [*alphabet, *(letter + "</w>" for letter in alphabet), *("".join(m) for m in merges)]
    known = list(dict.fromkeys(tokens))
    vocab = {token: number for number, token in enumerate([*known, START, END])}
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=LENGTH)


def _byte_letters() -> list[str]:
    from tokenizers.pre_tokenizers import ByteLevel

    return sorted(ByteLevel.alphabet())


def _merges(bpe: Tokenizer) -> list[tuple[str, str]]:
    import json

    merges = json.loads(bpe.to_str())["model"]["merges"]
    return [(left, right) for left, right in merges]


def config(words: CLIPTokenizer) -> CLIPConfig:
    """Image tower 4 x 192 over 25 patches, text tower 3 x 128, shared space of 128."""
    ids = {
        "bos_token_id": words.bos_token_id,
        "eos_token_id": words.eos_token_id,
        "pad_token_id": words.pad_token_id,
    }
    text = {
        "vocab_size": len(words),
        "hidden_size": 128,
        "intermediate_size": 512,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "max_position_embeddings": LENGTH,
        "hidden_act": "gelu",
        **ids,
    }
    vision = {
        "hidden_size": 192,
        "intermediate_size": 768,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "image_size": EDGE,
        "patch_size": 8,
        "hidden_act": "gelu",
    }
    return CLIPConfig(text_config=text, vision_config=vision, projection_dim=128, **ids)


def create(words: CLIPTokenizer, *, seed: int) -> CLIPModel:
    """Fresh weights from the seed; plain attention, which is the fastest at this size on a CPU."""
    torch.manual_seed(seed)
    settings = config(words)
    settings._attn_implementation = "eager"
    return CLIPModel(settings)
