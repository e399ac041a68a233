"""The architecture and the tokenizer: a standard CLIP of about two and a half million weights."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from tokenizers import pre_tokenizers
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

from pretraining import bpe
from pretraining.corpus import EDGE

VOCABULARY = 2048
"""At most; the captions need fewer."""
LENGTH = 64
SHARED = 128
START, END = "<|startoftext|>", "<|endoftext|>"


def tokenizer(lines: Iterable[str]) -> CLIPTokenizer:
    """Byte-level BPE as CLIP's, with merges learned from the captions; the end token comes last."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = bpe.learn(lines, count=VOCABULARY - 2 * len(alphabet) - 2)
    tokens = [
        *alphabet,
        *(letter + bpe.END_OF_WORD for letter in alphabet),
        *("".join(m) for m in merges),
    ]
    known = list(dict.fromkeys(tokens))
    vocab = {token: number for number, token in enumerate([*known, START, END])}
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=LENGTH)


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
        "projection_dim": SHARED,
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
        "projection_dim": SHARED,
    }
    return CLIPConfig(text_config=text, vision_config=vision, projection_dim=SHARED, **ids)


def create(words: CLIPTokenizer, *, seed: int) -> CLIPModel:
    """Fresh weights from the seed; plain attention, which is the fastest at this size on a CPU."""
    torch.manual_seed(seed)
    settings = config(words)
    settings._attn_implementation = "eager"
    return CLIPModel(settings)
