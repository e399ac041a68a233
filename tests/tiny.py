"""A random CLIP in a folder, as transformers writes it."""

from __future__ import annotations

import json
from pathlib import Path

TEXT = "a photo of the cat dog scratch dent good part steel surface with texture red round square"
START, END = "<|startoftext|>", "<|endoftext|>"


def make_tiny_clip(folder: Path, seed: int, **vision: object) -> Path:
    """Write the folder as transformers writes it; ``vision`` overrides the image tower's settings."""
    import torch
    from transformers import CLIPConfig, CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = write_tokenizer(folder)
    image = {
        "hidden_size": 48,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }
    text = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    tokens = {
        "bos_token_id": vocabulary - 2,
        "eos_token_id": vocabulary - 1,
        "pad_token_id": vocabulary - 1,
    }
    config = CLIPConfig(
        vision_config=image | {"image_size": 32, "patch_size": 8} | vision,
        text_config=text | tokens | {"vocab_size": vocabulary, "max_position_embeddings": 77},
        projection_dim=24,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = CLIPModel(config).eval()
        for parameter in model.parameters():  # biases of zero and norms of one would hide mistakes
            parameter.data += 0.02 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    size = {"height": 32, "width": 32}
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=size).save_pretrained(folder)
    return folder


def write_tokenizer(folder: Path) -> int:
    """A byte-level BPE tokenizer with CLIP's start and end tokens last; returns the size of its vocabulary."""
    from tokenizers import (
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
        trainers,
    )

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT] * 3, trainer)
    tokenizer.add_special_tokens([START, END])
    ids = (END, tokenizer.token_to_id(END)), (START, tokenizer.token_to_id(START))
    tokenizer.post_processor = processors.RobertaProcessing(*ids, False, False)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": START,
        "eos_token": END,
        "pad_token": END,
        "model_max_length": 77,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return int(tokenizer.get_vocab_size())
