"""The smallest fakes that can be wrong: a two-layer random CLIP in a folder, and its images."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = (
    "1"  # threads that wait for each other on a busy machine cost minutes
)
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np
import pytest
from PIL import Image

TEXT = "a photo of the cat dog scratch dent good part steel surface with texture red round square"
LOOPBACK = ("127.0.0.1", "::1", "localhost")
START, END = "<|startoftext|>", "<|endoftext|>"


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """Nothing in the suite reaches another machine."""
    connect = socket.socket.connect

    def only_here(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOOPBACK:
            raise AssertionError(f"a test wants to connect to {address}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", only_here)
        patch.setattr(socket.socket, "connect_ex", only_here)
        yield


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random CLIP: 32 x 32 pixels, patches of 8, two layers each side, 24-wide space, context 77."""
    folder = tmp_path_factory.mktemp("models") / "tiny-clip"
    return make_tiny_clip(folder, seed=0)


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


@pytest.fixture
def images() -> list[Image.Image]:
    """24 generated RGB images of different sizes."""
    return [random_image(seed, 20 + seed * 7 % 60, 20 + seed * 11 % 50) for seed in range(24)]


def random_image(seed: int, width: int, height: int) -> Image.Image:
    """Smooth noise, so that resampling has something to do."""
    noise = np.random.default_rng(seed).integers(
        0, 256, (max(2, height // 4), max(2, width // 4), 3), np.uint8
    )
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One embedding cache for all tests that only need one to be there."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def quick(shared_cache: Path) -> Iterator[pytest.MonkeyPatch]:
    """Trainings of three steps, and a cache that is not the user's."""
    from projects import quick

    with quick(shared_cache) as patch:
        yield patch


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """32 generated images of four classes, a quarter of them for testing; read only."""
    from projects import make_place

    return make_place(tmp_path_factory.mktemp("projects") / "place")


@pytest.fixture(scope="session")
def finished(
    place: Any, tiny_clip: Path, shared_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of a finished run on ``place``; read only."""
    from projects import project, quick

    from clipgrip.runs.pipeline import run

    folder = tmp_path_factory.mktemp("runs") / "finished"
    with quick(shared_cache):
        run(project(place, tiny_clip, folder))
    return folder
