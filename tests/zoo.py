"""A tiny random model of each family in a folder, as transformers writes it; tokenizers are made here, offline."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tiny import make_tiny_clip

HANZI = "一张的照片猫狗划痕凹陷良品写真傷犬"
WORDS = "a photo of the cat dog scratch dent good part steel blurry close up"
DIM, SIZE = 24, 32
VISION = {
    "hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "image_size": SIZE, "patch_size": 8,
}  # fmt: skip
TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


def chinese_clip(folder: Path) -> Path:
    """Chinese-CLIP: CLIP's image tower beside a BERT."""
    from transformers import ChineseCLIPConfig, ChineseCLIPModel
    from transformers.models.chinese_clip.image_processing_pil_chinese_clip import (
        ChineseCLIPImageProcessorPil,
    )

    size = write_bert_tokenizer(folder)
    text = TEXT | {"vocab_size": size, "max_position_embeddings": 40}
    config = ChineseCLIPConfig(text_config=text, vision_config=VISION, projection_dim=DIM)
    square = {"height": SIZE, "width": SIZE}
    ChineseCLIPImageProcessorPil(size=square, do_center_crop=False).save_pretrained(folder)
    return _save(ChineseCLIPModel, config, folder)


def altclip(folder: Path) -> Path:
    """AltCLIP: CLIP's image tower beside an XLM-RoBERTa."""
    from transformers import AltCLIPConfig, AltCLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    size = write_roberta_tokenizer(folder)
    text = TEXT | {"vocab_size": size, "max_position_embeddings": 40, "project_dim": 20}
    text |= {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    config = AltCLIPConfig(text_config=text, vision_config=VISION, projection_dim=DIM)
    _clip_processor(CLIPImageProcessorPil).save_pretrained(folder)
    return _save(AltCLIPModel, config, folder)


def metaclip_2(folder: Path) -> Path:
    """MetaCLIP 2: CLIP's towers, another tokenizer."""
    from transformers import MetaClip2Config, MetaClip2Model
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    size = write_roberta_tokenizer(folder)
    text = TEXT | {"vocab_size": size, "max_position_embeddings": 40}
    text |= {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    config = MetaClip2Config(text_config=text, vision_config=VISION, projection_dim=DIM)
    _clip_processor(CLIPImageProcessorPil).save_pretrained(folder)
    return _save(MetaClip2Model, config, folder)


def siglip(folder: Path) -> Path:
    """SigLIP: sigmoid loss, attention pooling, texts filled up to 32 positions here."""
    return _siglip(folder, write_sentencepiece_tokenizer(folder))


def siglip_2(folder: Path) -> Path:
    """SigLIP 2 of a fixed size: the same model, Gemma's tokenizer."""
    return _siglip(folder, write_gemma_tokenizer(folder))


def _siglip(folder: Path, size: int) -> Path:
    from transformers import SiglipConfig, SiglipModel
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    text = TEXT | {"vocab_size": size, "max_position_embeddings": 32, "projection_size": 48}
    text |= {"pad_token_id": 1, "bos_token_id": 3, "eos_token_id": 1}
    config = SiglipConfig(text_config=text, vision_config=VISION)
    SiglipImageProcessorPil(size={"height": SIZE, "width": SIZE}).save_pretrained(folder)
    return _save(SiglipModel, config, folder)


def dual_encoder(folder: Path) -> Path:
    """A ViT beside a BERT, as many models in other languages are."""
    from transformers import (
        BertConfig,
        VisionTextDualEncoderConfig,
        VisionTextDualEncoderModel,
        ViTConfig,
    )
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    size = write_bert_tokenizer(folder)
    text = BertConfig(**TEXT, vocab_size=size, max_position_embeddings=40)
    config = VisionTextDualEncoderConfig.from_vision_text_configs(
        ViTConfig(**VISION), text, projection_dim=DIM
    )
    ViTImageProcessorPil(size={"height": SIZE, "width": SIZE}).save_pretrained(folder)
    return _save(VisionTextDualEncoderModel, config, folder)


def roberta_encoder(folder: Path) -> Path:
    """CLIP's image tower beside a RoBERTa, as an encoder of two."""
    from transformers import (
        CLIPVisionConfig,
        RobertaConfig,
        VisionTextDualEncoderConfig,
        VisionTextDualEncoderModel,
    )
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    size = write_roberta_tokenizer(folder)
    tokens = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    text = RobertaConfig(**TEXT, **tokens, vocab_size=size, max_position_embeddings=40)
    config = VisionTextDualEncoderConfig.from_vision_text_configs(
        CLIPVisionConfig(**VISION), text, projection_dim=DIM
    )
    _clip_processor(CLIPImageProcessorPil).save_pretrained(folder)
    return _save(VisionTextDualEncoderModel, config, folder)


ZOO: dict[str, Callable[[Path], Path]] = {
    "clip": lambda folder: make_tiny_clip(folder, seed=0),
    "clip-gelu": lambda folder: make_tiny_clip(folder, seed=1, hidden_act="gelu"),
    "metaclip-2": metaclip_2,
    "chinese-clip": chinese_clip,
    "altclip": altclip,
    "siglip": siglip,
    "siglip-2": siglip_2,
    "dual-encoder": dual_encoder,
    "roberta-encoder": roberta_encoder,
}


def write_bert_tokenizer(folder: Path) -> int:
    """Word pieces: letters, their continuations, a few words and Chinese characters."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = "abcdefghijklmnopqrstuvwxyz.,"
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    tokens += [*WORDS.split(), *HANZI]
    tokens = list(dict.fromkeys(tokens))
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", "utf-8")
    settings = {"tokenizer_class": "BertTokenizer", "model_max_length": 512}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return len(tokens)


def write_roberta_tokenizer(folder: Path) -> int:
    """A unigram model with RoBERTa's special tokens."""
    from tokenizers import processors

    raw = _unigram([("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)], unk=3)
    raw.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), False, False)
    settings = {
        "bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>",
        "pad_token": "<pad>", "unk_token": "<unk>", "model_max_length": 512,
    }  # fmt: skip
    return _write(raw, folder, "PreTrainedTokenizerFast", settings)


def write_sentencepiece_tokenizer(folder: Path) -> int:
    """A unigram model that ends a text with ``</s>``, which is padding too, and begins it with nothing."""
    from tokenizers import processors

    raw = _unigram([("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("<s>", 0.0)], unk=2)
    raw.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    settings = {
        "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "</s>", "model_max_length": 32,
        "model_input_names": ["input_ids"],
    }  # fmt: skip
    return _write(raw, folder, "SiglipTokenizer", settings)


def write_gemma_tokenizer(folder: Path) -> int:
    """Byte pairs that know no upper case, an end token behind each text, padding of its own."""
    from transformers import GemmaTokenizer

    tokens = [
        "<pad>",
        "<eos>",
        "<bos>",
        "<unk>",
        "<mask>",
        *"▁abcdefghijklmnopqrstuvwxyz.,-",
        *HANZI,
    ]
    merges = [
        ("p", "h"),
        ("ph", "o"),
        ("pho", "t"),
        ("phot", "o"),
        ("c", "a"),
        ("ca", "t"),
        ("o", "f"),
    ]
    tokens += [left + right for left, right in merges]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    made = GemmaTokenizer(
        vocab=vocabulary, merges=merges, add_bos_token=False, add_eos_token=True, padding_side="right",
        model_max_length=32, model_input_names=["input_ids"],
    )  # fmt: skip
    made.save_pretrained(folder)
    return len(vocabulary)


def _unigram(special: list[tuple[str, float]], unk: int) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers

    letters = [(c, -6.0) for c in "▁abcdefghijklmnopqrstuvwxyzABCDEFG.,-" + HANZI]
    words = [(f"▁{word}", -3.0) for word in dict.fromkeys(WORDS.split())]
    raw = Tokenizer(models.Unigram([*special, *letters, *words], unk, False))
    raw.pre_tokenizer = pre_tokenizers.Metaspace()
    raw.add_special_tokens([name for name, _ in special])
    return raw


def _write(raw: Any, folder: Path, tokenizer_class: str, settings: dict[str, Any]) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    raw.save(str(folder / "tokenizer.json"))
    settings = settings | {"tokenizer_class": tokenizer_class}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return int(raw.get_vocab_size())


def _clip_processor(kind: Any) -> Any:
    square = {"height": SIZE, "width": SIZE}
    return kind(size={"shortest_edge": SIZE}, crop_size=square)


def _save(kind: Any, config: Any, folder: Path) -> Path:
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = kind(config).eval()
        for parameter in model.parameters():  # biases of zero and norms of one would hide mistakes
            parameter.data += 0.02 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    return folder
