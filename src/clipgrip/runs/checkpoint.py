"""The files of a tuned prompt: exactly the learned values, and the facts needed to use them again."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from clipgrip.errors import PromptError, RunError
from clipgrip.fewshot.joint import Joint
from clipgrip.files import open_file, system_words, write_bytes_atomic
from clipgrip.runs.eyes import JoinedEyes
from clipgrip.sentences import Sentence
from clipgrip.written import may_replace, remove_output, write_output

FORMAT = "1"
KEY = "clipgrip"
"""The only entry of the file's metadata: safetensors writes several in a random order."""
NAME = "prompt.safetensors"
CLASS_EMBEDS = "class_embeds.safetensors"
HEAD = "head.safetensors"
"""File of the classifier that labels taught beside the prompt (`fewshot.Joint`)."""
EYES = "eyes.safetensors"
"""File of the eyes beside the model, and of how their embeddings are joined (`runs.eyes.JoinedEyes`)."""
RESIDUAL = "residual"
"""The kind of a prompt on embeddings: a shift of each class embedding."""
SAVE = "save"
"""The call that writes files, as `written` records it."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PromptFacts:
    """What has to be known to use the learned values again."""

    kind: str
    """``textual``, ``residual`` on embeddings, or ``zero-shot`` where nothing was learned."""
    class_names: tuple[str, ...]
    class_prompts: tuple[str, ...]
    settings: dict[str, Any]
    backbone_fingerprint: str
    precision: str
    image_key: str
    """As `Eye.image_key`: the key of cached image embeddings."""
    embed_dim: int
    logit_scale: float
    run: str
    """Id of the run, or empty for a classifier that was fitted in Python."""
    init: Literal["template", "random"] | None = None
    """How the prompt was initialised, which decides what follows its context; None in files of older versions."""
    head: str = ""
    """SHA-256 of the file `HEAD`, which changes the answers; empty without it."""
    eyes: str = ""
    """SHA-256 of the file `EYES`; empty without it."""

    def as_dict(self) -> dict[str, Any]:
        """The fields for the file; ``eyes`` is left out where it is empty, as older versions did not have it."""
        facts = asdict(self)
        return facts if self.eyes else {name: facts[name] for name in facts if name != "eyes"}


def pack(learned: dict[str, Tensor], facts: PromptFacts) -> bytes:
    """The bytes of a checkpoint; equal values give equal bytes."""
    values = {name: value.detach().contiguous().cpu() for name, value in learned.items()}
    prompt = facts.as_dict()
    header = {"format": FORMAT, "prompt": prompt, "sha256": _digest(values, prompt)}
    return save(values, {KEY: json.dumps(header, sort_keys=True)})


@dataclass(frozen=True)
class PromptFiles:
    """The content of all files that a folder needs to answer by its prompt."""

    values: dict[str, Tensor] = field(repr=False)
    facts: PromptFacts
    class_embeds: Tensor = field(repr=False)
    """(C, D) computed from the values."""
    joint: Joint | None = field(default=None, repr=False)
    """The content of `HEAD`."""
    beside: JoinedEyes | None = field(default=None, repr=False)
    """The content of `EYES`."""

    def write(self, folder: Path) -> None:
        """Write each file whole or not at all; the prompt after the files whose digests it holds."""
        for name, data in self._files().items():
            write_bytes_atomic(folder / name, data)

    def save(self, folder: Path) -> None:
        """Write into a folder that a person named; only files that `save` wrote and nobody changed are replaced.

        RunError: the folder is a file, or a file in it is somebody's own; then nothing is written.
        """
        if folder.exists() and not folder.is_dir():
            raise RunError("{folder} is a file. Give save the name of a folder.", folder=folder)
        for name in (EYES, HEAD, NAME, CLASS_EMBEDS):
            if not may_replace(folder / name, SAVE):
                raise RunError(
                    "{path} is there already, and it is no file that save wrote and nobody changed "
                    "since: it may hold what you need, and stays. Save into another folder, or move it "
                    "away.",
                    path=folder / name,
                )
        files = self._files()
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            write_output(folder / name, data, SAVE)
        for name in {EYES, HEAD} - files.keys():
            remove_output(folder / name, SAVE)

    def _files(self) -> dict[str, bytes]:
        """Content by file name, in the order of writing."""
        prompt = pack(self.values, self.facts)
        eyes = {} if self.beside is None else {EYES: self.beside.pack()}
        head = {} if self.joint is None else {HEAD: save(self.joint.tensors())}
        return {
            **eyes,
            **head,
            NAME: prompt,
            CLASS_EMBEDS: pack_class_embeds(self.class_embeds, prompt),
        }


def read(path: Path) -> tuple[dict[str, Tensor], PromptFacts]:
    """Learned values and facts; PromptError where the file is no checkpoint of clipgrip."""
    try:
        open_file(path).close()  # refuses a pipe, on which safe_open would wait for ever
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(KEY, "{}"))
            learned = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (OSError, ValueError, SafetensorError) as error:
        raise PromptError(
            "{path} cannot be read as a prompt: {error}. Restore it, or run the same clipgrip "
            "run command again, which writes it anew.",
            path=path,
            error=error,
        ) from None
    if header.get("format") != FORMAT:
        raise PromptError(
            "{path} is not a prompt that this clipgrip knows (format {given}, known: {known}). "
            "Give the folder of a run, or a prompt.safetensors that clipgrip wrote.",
            path=path,
            given=f"{header.get('format')!r}",
            known=FORMAT,
        )
    facts = header.get("prompt", {})
    if header.get("sha256") != _digest(learned, facts):
        raise PromptError(
            "{path} is damaged: its content is not what was written. Restore it, or run the same "
            "clipgrip run command again, which writes it anew.",
            path=path,
        )
    names = {key: tuple(facts[key]) for key in ("class_names", "class_prompts")}
    return learned, PromptFacts(**{**facts, **names})


def head_digest(joint: Joint | None) -> str:
    """The value of ``PromptFacts.head``."""
    return "" if joint is None else hashlib.sha256(save(joint.tensors())).hexdigest()


def read_head(folder: Path, facts: PromptFacts) -> Joint | None:
    """The content of `HEAD` in a prompt's folder; None where the prompt has none.

    PromptError: the file is missing, or is not the one that was written.
    """
    content = _named_by_prompt(folder / HEAD, facts.head)
    return None if content is None else Joint.from_tensors(load(content))


def read_eyes(folder: Path, facts: PromptFacts) -> JoinedEyes | None:
    """The content of `EYES` in a prompt's folder; None where the prompt has none.

    PromptError: the file is missing, or is not the one that was written.
    """
    content = _named_by_prompt(folder / EYES, facts.eyes)
    return None if content is None else JoinedEyes.unpack(content)


def _named_by_prompt(path: Path, digest: str) -> bytes | None:
    """The content of a file whose ``digest`` the prompt holds; None where that is empty."""
    if not digest:
        return None
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PromptError(
            "{path} cannot be read ({reason}). Without it the answers would be others. {restore}",
            path=path,
            reason=system_words(error),
            restore=_RESTORE,
        ) from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise PromptError(
            "{path} is damaged, or of another run: its content is not what was written. {restore}",
            path=path,
            restore=_RESTORE,
        )
    return content


_RESTORE = Sentence("Restore it, or run the same clipgrip run command again, which writes it anew.")


def _digest(learned: dict[str, Tensor], facts: dict[str, Any]) -> str:
    """SHA-256 over the learned values and the facts about them."""
    return hashlib.sha256(save(learned, {KEY: json.dumps(facts, sort_keys=True)})).hexdigest()


def pack_class_embeds(class_embeds: Tensor, prompt: bytes) -> bytes:
    """The bytes of the file of class embeddings, which saves the text tower when predicting.

    Its metadata hold the digests of the prompt that they belong to, and of themselves.
    """
    values = {"class_embeds": class_embeds.detach().contiguous().cpu()}
    digests = f"{hashlib.sha256(prompt).hexdigest()}:{_plain_digest(values)}"
    return save(values, {"prompt": digests})


def read_class_embeds(path: Path, prompt: bytes) -> Tensor | None:
    """(C, D), or None where the file is missing, damaged (a warning in the log) or belongs to another prompt."""
    try:
        open_file(path).close()  # refuses a pipe, on which safe_open would wait for ever
        with safe_open(path, framework="pt") as file:
            of, _, digest = (file.metadata() or {}).get("prompt", "").partition(":")
            if of != hashlib.sha256(prompt).hexdigest():
                return None
            values = {"class_embeds": file.get_tensor("class_embeds").clone()}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, SafetensorError):
        values, digest = {}, "damaged"
    if digest and digest != _plain_digest(values):  # files of older versions have none
        log.warning(
            "%s is damaged. What it held is made anew from the prompt each time, which takes a moment; the same "
            "clipgrip run command writes the file anew.",
            path,
        )
        return None
    return values["class_embeds"]


def _plain_digest(values: dict[str, Tensor]) -> str:
    return hashlib.sha256(save(values)).hexdigest()
