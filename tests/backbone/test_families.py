"""Every family gives the embeddings of transformers' own model, for images, words and learned context."""

from __future__ import annotations

import functools
import json
import random
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pictures import random_image
from PIL import Image
from zoo import SIZE, ZOO

from clipgrip.backbone.base import Backbone
from clipgrip.backbone.checkpoint import SUPPORTED
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.families import FAMILIES
from clipgrip.backbone.processors import PROCESSORS, complete
from clipgrip.errors import BackboneError, PromptError
from clipgrip.prompts.multimodal import MultimodalPrompt
from clipgrip.prompts.textual import TextualPrompt
from clipgrip.prompts.towers import Tails
from clipgrip_line.preprocess import Preprocess

TEXTS = ["a photo of a cat", "scratch", "a good part close up", "the dent"]
FULL = [name for name in ZOO if not name.startswith(("clip", "metaclip"))]
FAST_IMAGE = ["clip", "clip-gelu", "metaclip-2", "chinese-clip", "altclip"]
Zoo = Callable[[str], Path]


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    """The folder of a tiny model, made when it is first asked for."""
    root = tmp_path_factory.mktemp("zoo")
    return functools.cache(lambda name: ZOO[name](root / name))


@pytest.fixture(scope="module")
def load(zoo: Zoo) -> Callable[[str], ClipBackbone]:
    return functools.cache(lambda name: ClipBackbone(name, zoo(name), precision="float32"))


@functools.cache
def library(folder: Path) -> Any:
    from transformers import AutoModel

    return AutoModel.from_pretrained(folder).eval()


def processor(folder: Path) -> Any:
    from transformers import AutoImageProcessor

    return AutoImageProcessor.from_pretrained(folder, backend="pil")


def sizes(count: int) -> list[tuple[int, int]]:
    rng = random.Random(3)
    return [(rng.randint(8, 300), rng.randint(8, 300)) for _ in range(count)] + [
        (SIZE, SIZE),
        (1, 9),
    ]


@pytest.mark.parametrize("name", ZOO)
def test_image_embeddings_equal_the_librarys(
    name: str, zoo: Zoo, load: Callable[[str], ClipBackbone], images: list[Image.Image]
) -> None:
    backbone = load(name)
    ours = backbone.encode_image(np.stack([backbone.preprocess(image) for image in images]))
    pixels = processor(zoo(name))(images, return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        theirs = library(zoo(name)).get_image_features(pixel_values=pixels).pooler_output
    assert ours.shape == (24, backbone.embed_dim)
    torch.testing.assert_close(ours, F.normalize(theirs, dim=-1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ZOO)
def test_pixels_are_bit_equal_to_the_librarys_pillow_path(
    name: str, zoo: Zoo, load: Callable[[str], ClipBackbone]
) -> None:
    backbone, theirs = load(name), processor(zoo(name))
    for width, height in sizes(60):
        image = random_image(width * 1000 + height, width, height)
        raw = theirs(image, do_rescale=False, do_normalize=False, return_tensors="np")
        expected = np.asarray(raw["pixel_values"][0]).transpose(1, 2, 0)
        np.testing.assert_array_equal(backbone.preprocess(image), expected)


@pytest.mark.parametrize("name", ZOO)
def test_text_embeddings_equal_the_librarys(
    name: str, zoo: Zoo, load: Callable[[str], ClipBackbone]
) -> None:
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    kind = PreTrainedTokenizerFast if name == "siglip" else AutoTokenizer  # no sentencepiece here
    padded = "max_length" if name.startswith("siglip") else True
    batch = kind.from_pretrained(zoo(name))(TEXTS, padding=padded, return_tensors="pt")
    if name in ("clip", "clip-gelu", "metaclip-2", "siglip"):
        batch.pop("token_type_ids", None)
    if name.startswith("siglip"):
        batch.pop("attention_mask", None)  # padding is seen, as in training
    with torch.inference_mode():
        theirs = library(zoo(name)).get_text_features(**batch).pooler_output
    ours = load(name).text.encode_texts(TEXTS)
    torch.testing.assert_close(ours, F.normalize(theirs, dim=-1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ZOO)
def test_probabilities_equal_the_softmax_of_the_librarys_logits(
    name: str, zoo: Zoo, load: Callable[[str], ClipBackbone], images: list[Image.Image]
) -> None:
    """With the bias of SigLIP's sigmoid, which is the same for all classes and cancels."""
    from clipgrip.prompts.classifier import predict_proba

    backbone, model = load(name), library(zoo(name))
    embeds = backbone.encode_image(np.stack([backbone.preprocess(image) for image in images]))
    texts = backbone.text.encode_texts(TEXTS)
    logits = model.logit_scale.exp().item() * embeds @ texts.T + getattr(model, "logit_bias", 0.0)
    ours = predict_proba(embeds, texts, backbone.logit_scale)
    torch.testing.assert_close(ours, logits.detach().softmax(dim=1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ZOO)
def test_a_prompt_begun_with_a_templates_words_answers_as_zero_shot(
    name: str, load: Callable[[str], ClipBackbone]
) -> None:
    backbone, classes = load(name), ["cat", "good part", "scratch"]
    prompt = TextualPrompt.from_template(backbone, classes, template="a photo of a {}")
    expected = backbone.text.encode_texts([f"a photo of a {label}" for label in classes])
    torch.testing.assert_close(prompt.class_embeds(), expected, rtol=0, atol=1e-5)
    assert len(prompt.start) == backbone.text.start_tokens


@pytest.mark.parametrize("name", ZOO)
def test_learned_context_of_any_length_has_gradients_and_joins_no_two_classes(
    name: str, load: Callable[[str], ClipBackbone]
) -> None:
    backbone, drawn = load(name), torch.Generator().manual_seed(0)
    kept = {"n_ctx": 3, "generator": drawn}
    prompt = TextualPrompt.random(backbone, ["cat", "a good part", "dent"], **kept)
    ctx = prompt.ctx.clone().requires_grad_()
    embeds = prompt.with_learned({"ctx": ctx}).class_embeds()
    embeds[:, 0].sum().backward()
    assert ctx.grad is not None
    assert (ctx.grad.abs().sum(dim=1) > 0).all()
    alone = TextualPrompt.random(backbone, ["a good part"], n_ctx=3, generator=drawn)
    same = alone.with_learned({"ctx": prompt.ctx}).class_embeds()
    torch.testing.assert_close(same[0], embeds[1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", FULL)
def test_the_context_stands_where_words_would(
    name: str, load: Callable[[str], ClipBackbone]
) -> None:
    text = load(name).text
    ids = text.tokenize(["a photo of the dent"])[0]
    cut = text.start_tokens + 2
    tail = Tails(text.embed_tokens(ids[cut:]), (len(ids) - cut,))
    spliced = text.encode(text.embed_tokens(ids[:cut]), tail)
    torch.testing.assert_close(
        spliced, text.encode_texts(["a photo of the dent"]), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("name", FULL)
def test_texts_and_contexts_beyond_the_positions_say_so(
    name: str, load: Callable[[str], ClipBackbone]
) -> None:
    backbone = load(name)
    with pytest.raises(PromptError, match=r"positions.*Shorten"):
        backbone.text.encode_texts(["cat " * 60])
    with pytest.raises(PromptError, match="positions"):
        TextualPrompt.random(backbone, ["cat"], n_ctx=60, generator=torch.Generator())


@pytest.mark.parametrize("name", ZOO)
def test_many_texts_equal_one_at_a_time(name: str, load: Callable[[str], ClipBackbone]) -> None:
    text = load(name).text
    names = [f"{a} {b}" for a in ["cat", "dog", "dent", "part"] for b in "abcdefghijklmnopqrst"]
    together = text.encode_texts(names)
    alone = torch.cat([text.encode_texts([name]) for name in names[::13]])
    torch.testing.assert_close(together[::13], alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ZOO)
def test_it_is_a_backbone_and_takes_visual_prompts_where_the_tower_is_clips(
    name: str, load: Callable[[str], ClipBackbone]
) -> None:
    backbone = load(name)
    assert isinstance(backbone, Backbone)
    assert (backbone.image_prompts is not None) == (name in FAST_IMAGE)
    start = functools.partial(
        MultimodalPrompt.random, backbone, ["cat", "dog"], n_ctx=2, n_tokens=2
    )
    if name in FAST_IMAGE:
        pixels = torch.zeros(1, SIZE, SIZE, 3, dtype=torch.uint8)
        assert start(generator=torch.Generator()).logits(pixels).shape == (1, 2)
    else:
        with pytest.raises(BackboneError, match="takes no prompt tokens"):
            start(generator=torch.Generator())


@pytest.mark.parametrize("name", ["siglip", "dual-encoder", "chinese-clip"])
def test_bfloat16_stays_close(name: str, zoo: Zoo, load: Callable[[str], ClipBackbone]) -> None:
    fast = ClipBackbone(name, zoo(name), precision="bfloat16")
    pixels = np.random.default_rng(0).integers(0, 256, (8, SIZE, SIZE, 3), np.uint8)
    ours, exact = fast.encode_image(pixels), load(name).encode_image(pixels)
    assert ours.dtype == torch.float32
    assert (ours * exact).sum(dim=1).min() > 0.999
    assert fast.image_key != load(name).image_key


def test_siglip_reads_lower_case_and_its_first_release_no_punctuation(
    load: Callable[[str], ClipBackbone],
) -> None:
    first, second = load("siglip").text, load("siglip-2").text
    assert first.tokenize(["A Photo, of a CAT."]) == first.tokenize(["a photo of a cat"])
    assert second.tokenize(["A Photo of a CAT"]) == second.tokenize(["a photo of a cat"])
    assert second.tokenize(["a cat."]) != second.tokenize(["a cat"])


def test_chinese_and_japanese_characters_are_words_of_their_own(
    load: Callable[[str], ClipBackbone],
) -> None:
    prompt = TextualPrompt.from_template(
        load("chinese-clip"), ["猫", "划痕"], template="一张{}的照片"
    )
    expected = load("chinese-clip").text.encode_texts(["一张猫的照片", "一张划痕的照片"])
    torch.testing.assert_close(prompt.class_embeds(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["siglip", "chinese-clip", "dual-encoder", "metaclip-2"])
def test_nothing_is_looked_up_in_a_network(
    name: str, zoo: Zoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **_: Any) -> None:
        asked.append(arguments)
        raise OSError("no network")

    asked: list[Any] = []
    for call in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, call, refuse)
    ClipBackbone(name, zoo(name)).text.encode_texts(["cat"])
    assert asked == []


def edit(folder: Path, name: str, **changes: Any) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture
def copy(zoo: Zoo, tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: Path(shutil.copytree(zoo(name), tmp_path / name))


def test_a_model_with_code_of_its_own_is_refused(copy: Callable[[str], Path]) -> None:
    folder = copy("dual-encoder")
    edit(folder, "config.json", auto_map={"AutoModel": "modeling_own.OwnModel"})
    with pytest.raises(BackboneError, match=r"auto_map.*runs none.*Choose"):
        ClipBackbone("own", folder)


@pytest.mark.parametrize(
    ("kind", "says"),
    [("siglip2", "fixed size"), ("align", "ALIGN"), ("clyp", "Supported are: .*Chinese")],
)
def test_other_types_are_refused_with_what_to_take_instead(
    kind: str, says: str, copy: Callable[[str], Path]
) -> None:
    folder = copy("siglip")
    edit(folder, "config.json", model_type=kind)
    with pytest.raises(BackboneError, match=says):
        ClipBackbone("other", folder)


def test_a_weight_that_is_missing_or_belongs_to_nothing_is_named(
    copy: Callable[[str], Path],
) -> None:
    from safetensors.torch import load_file, save_file

    folder = copy("siglip")
    weights = load_file(folder / "model.safetensors")
    moved = weights.pop("vision_model.head.probe")
    save_file(weights | {"head.own": moved}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(BackboneError, match=r"1 missing \(vision_model.head.probe\), 1 unknown"):
        ClipBackbone("damaged", folder)


def test_a_text_tower_without_a_pooler_is_refused(copy: Callable[[str], Path]) -> None:
    folder = copy("roberta-encoder")
    backbone = ClipBackbone("no pooler", folder)
    backbone._source.model.text_model.pooler = None
    with pytest.raises(BackboneError, match=r"roberta.*no pooled"):
        _ = backbone.text


def test_an_image_tower_that_gives_no_vector_is_refused(copy: Callable[[str], Path]) -> None:
    folder = copy("siglip")
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["vision_use_head"] = False
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BackboneError, match=r"no single vector|do not fit"):
        ClipBackbone("headless", folder)


def test_types_and_their_users_are_written_down_together() -> None:
    assert set(FAMILIES) == set(SUPPORTED)
    assert {family.processor for family in FAMILIES.values()} <= set(PROCESSORS)


OWN_WAY = {
    "ConvNextImageProcessor": "resizes by a rule of its own: test_vision compares its pixels",
    "DINOv3ViTImageProcessor": "needs torchvision, which is not asked for",
}


@pytest.mark.parametrize("name", [name for name in PROCESSORS if name not in OWN_WAY])
def test_what_a_processors_file_leaves_out_is_as_in_the_library(name: str) -> None:
    import transformers

    theirs = getattr(transformers, f"{name}Pil")()
    ours = Preprocess.from_config(complete({"do_center_crop": None}, name))
    full = Preprocess.from_config(
        {key: value for key, value in theirs.to_dict().items() if value is not None}
        | {"do_center_crop": bool(theirs.do_center_crop)}
    )
    assert ours == full


def test_old_files_of_a_vit_mean_height_and_width_by_a_number() -> None:
    ours = Preprocess.from_config(
        complete({"size": 64, "feature_extractor_type": "ViTFeatureExtractor"}, "")
    )
    assert (ours.resize, ours.crop) == ((64, 64), None)


def test_an_unknown_image_processor_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BackboneError, match=r"BlipImageProcessor.*CLIPImageProcessor"):
        complete({"image_processor_type": "BlipImageProcessor"}, "CLIPImageProcessor")


def test_a_bert_vocabulary_alone_is_enough_of_a_tokenizer(copy: Callable[[str], Path]) -> None:
    """As Chinese-CLIP is published: vocab.txt, nothing else; and it is part of the fingerprint."""
    folder = copy("chinese-clip")
    texts = ["猫 cat", "划痕"]
    expected = ClipBackbone("whole", folder).text.encode_texts(texts)
    for name in ("tokenizer_config.json", "tokenizer.json"):
        (folder / name).unlink(missing_ok=True)
    bare = ClipBackbone("bare", folder)
    torch.testing.assert_close(bare.text.encode_texts(texts), expected, rtol=0, atol=1e-6)
    with (folder / "vocab.txt").open("a") as file:
        file.write("more\n")
    assert ClipBackbone("other", folder).fingerprint != bare.fingerprint
