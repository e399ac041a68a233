"""The smallest fakes of the text side that can be wrong: a two-layer random tower, its tokenizer, a backbone."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast

from clipgrip.backbone.text import ClipText

START, END = "<|startoftext|>", "<|endoftext|>"
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,-:"
WIDTH, DIM, POSITIONS = 32, 24, 77


@functools.cache
def tokenizer() -> Any:
    """As CLIP's: lower case, split at spaces, end of word marked; each character is a token."""
    vocabulary = {letter: n for n, letter in enumerate(LETTERS)}
    vocabulary |= {letter + "</w>": len(LETTERS) + n for n, letter in enumerate(LETTERS)}
    vocabulary |= {START: len(vocabulary), END: len(vocabulary) + 1}
    raw = Tokenizer(models.BPE(vocabulary, [], end_of_word_suffix="</w>", unk_token=END))
    raw.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    raw.decoder = decoders.BPEDecoder("</w>")
    raw.post_processor = processors.RobertaProcessing(
        (END, vocabulary[END]), (START, vocabulary[START]), False, False
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token=START,
        eos_token=END,
        pad_token=END,
        model_max_length=POSITIONS,
    )


@functools.cache
def clip_model(legacy_eos: bool = False, act: str = "quick_gelu", layers: int = 2) -> Any:
    """A random CLIPModel; ``legacy_eos`` as checkpoints from before transformers 4.31 say it."""
    size = tokenizer().vocab_size
    text = {
        "vocab_size": size,
        "hidden_size": WIDTH,
        "intermediate_size": 48,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "max_position_embeddings": POSITIONS,
        "bos_token_id": size - 2,
        "eos_token_id": 2 if legacy_eos else size - 1,
        "pad_token_id": size - 1,
        "hidden_act": act,
        "projection_dim": DIM,
    }
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    vision |= {"num_attention_heads": 1, "image_size": 8, "patch_size": 8}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=DIM))
        for parameter in model.parameters():  # biases of zero and norms of one would hide mistakes
            parameter.data += 0.2 * torch.randn_like(parameter)
    return model.eval().requires_grad_(False)


@functools.cache
def clip_text(legacy_eos: bool = False, act: str = "quick_gelu", layers: int = 2) -> ClipText:
    """clipgrip's text side of ``clip_model``."""
    model = clip_model(legacy_eos, act, layers)
    return ClipText(model.text_model, model.text_projection, tokenizer())


@dataclass(frozen=True)
class FakeBackbone:
    """What prompts ask of a backbone."""

    text: ClipText
    logit_scale: float = 20.0
    embed_dim: int = DIM
    name: str = "fake"
    fingerprint: str = "0" * 64
    image_key: str = "fake"
    image_prompts: None = None

    def preprocess(self, image: Any) -> Any:
        raise NotImplementedError("this fake has no image side")

    def encode_image(self, pixels: Any) -> Any:
        raise NotImplementedError("this fake has no image side")


def backbone() -> Any:
    """A backbone without an image side."""
    return FakeBackbone(clip_text())


def full_text_features(model: Any, texts: list[str]) -> torch.Tensor:
    """Transformers' own way: every text at all positions, padded."""
    batch = tokenizer()(texts, padding="max_length", max_length=POSITIONS, return_tensors="pt")
    features = model.get_text_features(batch["input_ids"], attention_mask=batch["attention_mask"])
    return F.normalize(features.pooler_output, dim=-1)


def full_encode(model: Any, prefix: torch.Tensor, tails: list[torch.Tensor]) -> torch.Tensor:
    """``prefix + tail`` through transformers' own encoder, each text padded with noise to all positions."""
    tower = model.text_model
    rows = [torch.cat([prefix, tail]) for tail in tails]
    noise = torch.randn(POSITIONS, WIDTH, generator=torch.Generator().manual_seed(1))
    padded = torch.stack([torch.cat([row, noise[len(row) :]]) for row in rows])
    hidden = padded + tower.embeddings.position_embedding.weight
    states = tower.encoder(inputs_embeds=hidden, attention_mask=None, is_causal=True)
    ends = torch.tensor([len(row) - 1 for row in rows])
    last = tower.final_layer_norm(states.last_hidden_state)[torch.arange(len(rows)), ends]
    return F.normalize(model.text_projection(last), dim=-1)


def pool(rows: int, classes: int, seed: int = 0, spread: float = 0.6) -> tuple[Any, Any]:
    """Unit image embeddings (N, D) around one random centre per class, and the true labels."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(classes, DIM, generator=generator)
    labels = torch.arange(rows) % classes
    noise = torch.randn(rows, DIM, generator=generator)
    return F.normalize(centres[labels] + spread * noise, dim=1), labels
