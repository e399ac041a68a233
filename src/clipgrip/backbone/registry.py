"""Finds models by name on this machine; downloads them only where that is asked for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from clipgrip.backbone.base import Eye
from clipgrip.backbone.checkpoint import (
    INDEX,
    PREPROCESSOR_FILES,
    TOKENIZER_FILES,
    WEIGHTS,
    Checkpoint,
    has_text_tower,
    how_to_convert,
)
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.device import Precision
from clipgrip.backbone.engine import Engine
from clipgrip.backbone.model_store import added_folder, added_models, read_added
from clipgrip.backbone.names import NANO
from clipgrip.errors import BackboneError, among
from clipgrip.sentences import Sentence, mark

ONLINE_VARIABLE = "CLIPGRIP_ONLINE"
AnyEye = TypeVar("AnyEye", bound=Eye)
HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*(@[\w./-]+)?")
FILES = ("config.json", *PREPROCESSOR_FILES, *TOKENIZER_FILES, INDEX, "model*.safetensors")


@dataclass(frozen=True)
class KnownModel:
    """A model that is known to work; other models of a supported family may be named too."""

    name: str
    note: str
    megabytes: int
    """Approximate size of its files."""


KNOWN = {
    model.name: model
    for model in (
        KnownModel(NANO, mark("in the package; for demos, tests and simple shapes"), 10),
        KnownModel("openai/clip-vit-base-patch32", mark("recommended for photographs"), 605),
        KnownModel("openai/clip-vit-base-patch16", mark("4 times the work, finer detail"), 599),
        KnownModel("openai/clip-vit-large-patch14", mark("18 times the work, most accurate"), 1711),
        KnownModel(
            "google/siglip2-base-patch16-224", mark("texts in many languages, Japanese too"), 1500
        ),
        KnownModel("OFA-Sys/chinese-clip-vit-base-patch16", mark("texts in Chinese"), 753),
        KnownModel("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", mark("trained on open data"), 605),
        KnownModel("laion/CLIP-ViT-H-14-laion2B-s32B-b79K", mark("38 times the work"), 3944),
    )
}

EYES = {
    model.name: model
    for model in (
        KnownModel(
            "facebook/dinov2-small", mark("eye: shapes and surfaces, as quick as CLIP B/32"), 88
        ),
        KnownModel("facebook/dinov2-base", mark("eye: finer, 4 times the work"), 346),
    )
}
"""Models without a text tower that are known to work as eyes; others of `checkpoint.VISION` may be named too."""


@dataclass(frozen=True)
class ModelStatus:
    """One line of ``clipgrip models``."""

    name: str
    note: str
    folder: Path | None
    """Where it lies on this machine, or None."""
    megabytes: int
    """Measured where it is here, approximate where it is not."""


def load_backbone(
    name: str,
    *,
    device: str = "cpu",
    precision: Precision = "auto",
    engine: Engine = "torch",
    online: bool | None = None,
) -> ClipBackbone:
    """The model called ``nano``, lying in a folder, added by hand, or named as on the Hugging Face hub.

    Its ``encode_image`` gives unit vectors (B, D) of pictures (B, H, W, 3) as its ``preprocess`` makes them.

    Args:
        name: NAME@REVISION pins a model of the hub to a commit or a tag.
        device: as torch names it.
        precision: "float32", "bfloat16", or "auto": the second where the processor multiplies it natively.
        engine: "torch", "onnx", "onnx-int8", or "auto": the faster of the first two here.
        online: whether it may be downloaded; None: where the environment variable CLIPGRIP_ONLINE is 1.

    Raises:
        BackboneError: it is not here, or its files cannot be used; the message says how to bring it.
        ConfigError: the device, the precision or the engine is unknown or cannot be used here.
        MissingPackage: the engine needs ONNX Runtime, which is not installed.
    """
    folder = find_folder(name, online=may_download() if online is None else online)
    backbone = ClipBackbone(name, folder, device=device, precision=precision, engine=engine)
    return check_as_added(folder, backbone)


def check_as_added(folder: Path, eye: AnyEye) -> AnyEye:
    """``eye`` itself. BackboneError: it was added by hand and its files have changed since."""
    added = read_added(folder)
    if added is not None and added.fingerprint != eye.fingerprint:
        raise BackboneError(
            'the model "{name}" in {folder} is not as it was added: its files have another digest '
            "({fingerprint}, not {noted}). They are damaged or were changed. Run  clipgrip "
            "models remove {name}  and add it again.",
            name=added.name,
            folder=folder,
            fingerprint=eye.fingerprint[:12],
            noted=added.fingerprint[:12],
        )
    return eye


def may_download() -> bool:
    """Whether CLIPGRIP_ONLINE allows downloads."""
    return os.environ.get(ONLINE_VARIABLE, "") == "1"


def models() -> list[ModelStatus]:
    """The known models and those that were added; reads no weights and opens no connection."""
    known = KNOWN | EYES
    added = [model for model in added_models() if model.name not in known]
    return [_status(model) for model in known.values()] + [
        _status(KnownModel(model.name, _as_added(model.folder), 0)) for model in added
    ]


def _as_added(folder: Path) -> str:
    return mark("added by hand") if has_text_tower(folder) else mark("eye: added by hand")


def find_folder(name: str, *, online: bool = False) -> Path:
    """The folder of a model. BackboneError: it is not here; the message says how to get it.

    A hub name may end with ``@`` and a revision: a commit, a tag, or ``refs/pr/NUMBER``.
    """
    if name == NANO:
        return _nano_folder()
    if Path(name).is_dir():
        return Path(name)
    if (added := added_folder(name)) is not None:
        return added
    hub_name, _, revision = name.partition("@")
    if not HUB_NAME.fullmatch(name) or ".." in name:
        known = [*KNOWN, *(model.name for model in added_models())]
        raise BackboneError(
            '"{name}" is neither a folder nor a model. Known are: {known}.{nearest}',
            name=name,
            **among(name, known),
        )
    folder = cached_folder(hub_name, revision) or (download(hub_name, revision) if online else None)
    if folder is None:
        raise BackboneError(_how_to_bring(hub_name, revision))
    return folder


def cached_folder(name: str, revision: str = "") -> Path | None:
    """A hub model's folder in this machine's Hugging Face cache that has safetensors.

    Without a revision, the main one first, then any other; with one, that alone.
    """
    from huggingface_hub.constants import HF_HUB_CACHE

    model = Path(HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"
    complete = (folder for folder in _snapshots(model, revision) if _is_complete(folder))
    return next(complete, None)


def download(name: str, revision: str = "") -> Path:
    """Fetch a model from the hub into the Hugging Face cache; only JSON, text and safetensors files.

    Where main holds a pickle and no revision is asked for, the hub's own conversion is taken.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        folder = Path(
            snapshot_download(name, revision=revision or None, allow_patterns=list(FILES))
        )
        if not _is_complete(folder) and not revision and (found := _safetensors_revision(name)):
            folder = Path(snapshot_download(name, revision=found, allow_patterns=list(FILES)))
    except (HfHubHTTPError, OSError) as error:
        raise BackboneError(
            "{name} cannot be fetched from the hub: {error} Check the name and the connection.",
            name=name,
            error=error,
        ) from error
    if not _is_complete(folder):
        at = f"@{revision}" if revision else ""
        raise BackboneError(
            "{name}{at} has no safetensors weights; {how_to_convert}",
            name=name,
            at=at,
            how_to_convert=how_to_convert(name),
        )
    Checkpoint.open(folder, words=has_text_tower(folder))
    return folder


def _safetensors_revision(name: str) -> str | None:
    """The hub's own conversion of a model that was published as a pickle."""
    from huggingface_hub import get_repo_discussions

    found = get_repo_discussions(name, author="SFconvertbot", discussion_type="pull_request")
    return next((request.git_reference for request in found if request.status != "closed"), None)


def _snapshots(model: Path, revision: str) -> Iterator[Path]:
    named = model / "refs" / (revision or "main")
    if named.is_file():
        yield model / "snapshots" / named.read_text(encoding="utf-8").strip()
    if revision:
        yield model / "snapshots" / revision
    elif (model / "snapshots").is_dir():
        yield from sorted(path for path in (model / "snapshots").iterdir() if path.is_dir())


def _is_complete(folder: Path) -> bool:
    return (folder / "config.json").exists() and (
        (folder / WEIGHTS).exists() or (folder / INDEX).exists()
    )


def _nano_folder() -> Path:
    from clipgrip.backbone.nano import weights_dir

    return Path(weights_dir())


def _status(model: KnownModel) -> ModelStatus:
    here = added_folder(model.name) or cached_folder(model.name)
    folder = _nano_folder() if model.name == NANO else here
    size = _megabytes(folder) if folder is not None else model.megabytes
    return ModelStatus(model.name, model.note, folder, size)


def _megabytes(folder: Path) -> int:
    files = [path for pattern in FILES for path in folder.glob(pattern)]
    return max(1, round(sum(path.stat().st_size for path in files) / 1e6))


def _how_to_bring(name: str, revision: str) -> str:
    return Sentence(
        "{name} is not on this machine, and clipgrip downloads nothing unless asked.\n"
        "With a connection: set {variable}=1 and run the command again; later runs need no connection.\n"
        "Without: {recipe}\n"
        'If "{folder}" holds no *.safetensors:  clipgrip models  says what to do.',
        folder=name.split("/")[-1],
        name=f"{name}@{revision}" if revision else name,
        variable=ONLINE_VARIABLE,
        recipe=recipe(name, revision),
    )


def recipe(name: str, revision: str = "") -> str:
    """The commands that bring a model to a machine without a connection."""
    patterns = ("*.json", "*.txt", "*.model", "*.safetensors")
    asked = " ".join(f'--include "{pattern}"' for pattern in patterns)
    folder, at = name.split("/")[-1], f" --revision {revision}" if revision else ""
    return Sentence(
        "on a machine that has one, run\n"
        "  hf download {name}{at} {asked} --local-dir {folder}\n"
        'copy the folder "{folder}" to this machine, and run here\n'
        "  clipgrip models add {folder} --name {name}",
        name=name,
        at=at,
        asked=asked,
        folder=folder,
    )


def pickle_recipe(name: str) -> str:
    """Advice for a model whose main revision has only a pickle."""
    return Sentence(
        "A model without *.safetensors was published as a pickle (pytorch_model.bin), which can run code and is never "
        "opened.\nEither add  --revision refs/pr/NUMBER  to the download; the number is that of the pull request "
        '"Adding `safetensors` variant of this model" on the model\'s page, tab Community.\n'
        "Or, where there is none: {how_to_convert}",
        how_to_convert=how_to_convert(name),
    )
