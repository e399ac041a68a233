"""Runs on precomputed embeddings: their settings, their classes, their `PrecomputedModel`, and the rows' vectors."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from clipgrip.backbone.embed import Embedded
from clipgrip.backbone.names import EMBEDDINGS
from clipgrip.backbone.precomputed import PrecomputedBank, PrecomputedModel, unit
from clipgrip.config import Project, Settings
from clipgrip.data.classes import ClassNames, canonical
from clipgrip.data.embeddings import (
    Embeddings,
    check_unchanged,
    read_class_embeds,
    read_embeddings,
)
from clipgrip.data.embedlarge import as_float32
from clipgrip.data.embedlayout import text_first
from clipgrip.data.images import UndecodableImage
from clipgrip.data.manifest import Manifest
from clipgrip.data.rows import Row, Rows, decoded
from clipgrip.data.sources import EmbeddingSource
from clipgrip.errors import ConfigError, DataError, RunError, nearest
from clipgrip.files import AnyPath, write_bytes_atomic
from clipgrip.mapped import Allocate, picked, release_pages
from clipgrip.sentences import Sentence, mark, shortlist

FILE = "embeddings.safetensors"
"""The `PrecomputedModel` in a run's folder. The images' vectors stay in the file that was given."""
TOGETHER = 65_536
"""Vectors that are read and normalised together."""
TEMPLATE = "{}"
"""The template: texts are embedded already, so nothing stands around a class name."""
NEEDS_IMAGES = mark(
    "{file} holds embeddings, and {option} needs images. Leave {option} away, or give the images themselves."
)
OF_IMAGES = ("backbone", "prompt", "template", "precision", "engine")
"""Settings about how images and texts are encoded."""
NOT_USED = mark("{file} holds embeddings, which are taken as they are. Not used: {names}.")
NEEDS_EMBEDDINGS = mark(
    "{option} goes with a file of embeddings, and {images} is none. Leave {option} away, or give such a file "
    "(.npz, .npy, .parquet, .arrow)."
)
NO_CLASSES = mark(
    "{file}: nothing says what the classes are. Write class_names or labels into it, or give --classes FILE."
)
NO_CLASS = mark(
    '{file}: no class embedding for "{name}". Known: {known}.{nearest} Name the classes as the file does, or give '
    "each an embedding."
)
CLASSES_COUNT = mark(
    "{file}: {found} class embeddings without names for {wanted} classes. Give one for each class in the order of the "
    "classes, or name them (class_names)."
)
LABELS_OR_TEXTS = mark(
    "{file}: there are neither class embeddings nor labels of two classes, so nothing says what the images show. Write "
    "class_embeds or labels into it (clipgrip embed --classes FILE writes both), or give --class-embeds FILE or "
    "--labels FILE."
)
NO_BANK = mark(
    '{file}: no bank "{name}" of {width} numbers, which the run learned from. Found: {found}. Give the same model\'s '
    "embeddings under the same name."
)
NOT_EMBEDDINGS = mark(
    "{path} is an image, and the run learned from a file of embeddings, to which no model belongs. Embed the images by "
    "the same model as before, and give the file of their embeddings."
)
NOT_IMAGES = mark(
    "{path} is an embedding, and the run learned from images by the model {model}. Give the images themselves."
)
CHANGED = mark(
    "is no longer what the file held; bring the old file back, or run again to use the new one"
)


def classes_in(path: Path) -> ClassNames | None:
    """The classes that a file of embeddings names itself; None where it names fewer than two."""
    names = tuple(map(canonical, read_embeddings(path).names))
    return ClassNames(names, names) if len(names) > 1 else None


def classes_of(project: Project) -> ClassNames | Path:
    """The classes: the list that was given, else those of the file of embeddings.

    Raises:
        DataError: neither says what the classes are.
    """
    if project.classes is not None:
        return project.classes
    if (found := classes_in(project.images)) is not None:
        return found
    names = () if project.class_embeds is None else read_class_embeds(project.class_embeds)[1]
    if not names:
        raise DataError(NO_CLASSES, file=project.images)
    return ClassNames(names, names)


def image_settings(project: Project) -> Settings:
    """The settings of a run on images.

    Raises:
        ConfigError: a setting was given that needs embeddings.
    """
    for option, given in (
        ("--class-embeds", project.class_embeds is not None),
        (f"--backbone {EMBEDDINGS}", is_precomputed(project.settings)),
    ):
        if given:
            raise ConfigError(NEEDS_EMBEDDINGS, option=option, images=project.images)
    return project.settings


def embedding_settings(project: Project) -> Settings:
    """The settings of a run on a file of embeddings.

    Raises:
        ConfigError: a setting was given that needs images.
    """
    given, plain = project.model_fields_set, Settings()
    for name in (*OF_IMAGES, "eye"):
        value = getattr(project, name)
        if name in given and value not in (getattr(plain, name), EMBEDDINGS, TEMPLATE):
            raise ConfigError(NEEDS_IMAGES, file=project.images, option=f"--{name}")
    return project.settings.model_copy(update={"backbone": EMBEDDINGS, "template": TEMPLATE})


def unused_settings(project: Project) -> Sentence | None:
    """A sentence about the given settings that have no effect on embeddings; None without any."""
    names = [name for name in OF_IMAGES if name in project.model_fields_set]
    if not names or is_precomputed(project.settings):
        return None
    return Sentence(NOT_USED, file=project.images, names=", ".join(names))


def precomputed_model(
    images: Path, classes: ClassNames | None, class_embeds: Path | None = None
) -> PrecomputedModel:
    """The model of a file of embeddings for these classes; without classes it has banks only.

    Raises:
        DataError: a class has no embedding, or no bank is as wide as the class embeddings.
    """
    found, file = read_embeddings(images), images
    vectors, names, scale = found.class_embeds, found.class_names, found.logit_scale
    if class_embeds is not None:
        file = class_embeds
        vectors, names, own = read_class_embeds(file, found)
        scale = scale if own is None else own
    banks = found.banks if vectors is None else text_first(found.banks, vectors.shape[1])
    made = tuple(PrecomputedBank(name, bank.shape[1]) for name, bank in banks.items())
    if vectors is None or classes is None:
        return PrecomputedModel(made, (), None, scale)
    chosen = vectors[rows_of_classes(file, classes, names, len(vectors))]
    return PrecomputedModel(made, classes.prompts, unit(chosen), scale)


def model_of_run(project: Project, manifest: Manifest) -> PrecomputedModel:
    """`precomputed_model` for a run. DataError: also where there are neither texts nor labels of two classes."""
    model = precomputed_model(project.images, manifest.classes, project.class_embeds)
    known = set(manifest.labels[manifest.pool].tolist()) - {-1}
    if not model.texts and len(known) < 2:
        raise DataError(LABELS_OR_TEXTS, file=project.images)
    return model


def rows_of_classes(file: AnyPath, classes: ClassNames, names: Sequence[str], n: int) -> list[int]:
    """The row of each class's embedding: by its prompt, else by its name; in the same order if rows have no names."""
    if not names:
        if n != len(classes):
            raise DataError(CLASSES_COUNT, file=file, found=n, wanted=len(classes))
        return list(range(n))
    rows = {canonical(name): row for row, name in enumerate(names)}
    found = []
    for name, prompt in zip(classes.display, classes.prompts, strict=True):
        row = rows.get(prompt, rows.get(name))
        if row is None:
            known = shortlist(list(rows), 20)
            close = nearest(name, rows)
            raise DataError(NO_CLASS, file=file, name=name, known=known, nearest=close)
        found.append(row)
    return found


def write_precomputed(folder: Path, model: PrecomputedModel) -> None:
    """Write `FILE` into the run's folder."""
    write_bytes_atomic(folder / FILE, model.pack())


def read_precomputed(folder: Path, fingerprint: str) -> PrecomputedModel:
    """The model in a run's folder.

    Raises:
        RunError: the file is missing, or is not the one that was written.
    """
    path = folder / FILE
    try:
        model = PrecomputedModel.unpack(path.read_bytes())
    except (OSError, ValueError, KeyError, SafetensorError):
        model = None
    if model is None or model.fingerprint != fingerprint:
        raise RunError(
            "{path} is missing, damaged or of another run. It says which embeddings the run learned from. Restore "
            "it, or run the same clipgrip run command again in another folder.",
            path=path,
        )
    return model


def is_precomputed(settings: Settings) -> bool:
    """Whether the settings are those of a run on embeddings."""
    return settings.backbone == EMBEDDINGS


def check_source_kind(rows: Sequence[Row], model: str) -> None:
    """DataError where rows are images and the model is precomputed embeddings, or the other way round."""
    others = np.flatnonzero(Rows.of(rows).of_embeddings() != (model == EMBEDDINGS))
    if len(others):
        path = rows[int(others[0])].path
        if model == EMBEDDINGS:
            raise DataError(NOT_EMBEDDINGS, path=path)
        raise DataError(NOT_IMAGES, path=path, model=model)


def vectors_of(
    rows: Sequence[Row],
    bank: PrecomputedBank,
    *,
    alone: bool = False,
    others: Collection[str] = (),
    allocate: Allocate = torch.zeros,
) -> Embedded:
    """Unit vectors (N, D) of a bank; rows that have gone from their file, or changed in it, are failures.

    ``alone`` and ``others`` as in `bank_of`; ``allocate`` makes the array of zeros for the vectors.

    Raises:
        DataError: the file is gone, or it has no such bank.
    """
    by_file: dict[str, list[tuple[int, int]]] = defaultdict(list)
    images = Rows.of(rows)
    for number, source in enumerate(images.sources()):
        assert isinstance(source, EmbeddingSource)
        by_file[source.path].append((number, source.row))
    hashes = images.hashes
    vectors = allocate((len(rows), bank.embed_dim))
    there = np.zeros(len(rows), dtype=bool)
    files = [read_embeddings(path) for path in by_file]
    for found, pairs in zip(files, by_file.values(), strict=True):
        numbers, places = np.array(pairs, dtype=np.int64).T
        there_before = found.hashes[places.clip(max=len(found.hashes) - 1)]
        same = (places < len(found.hashes)) & (there_before == hashes[numbers])
        own = bank_of(found, bank, alone=alone, others=others) if same.any() else vectors.numpy()
        there[numbers[same]] = True
        for start in range(0, len(numbers), TOGETHER):
            part = np.flatnonzero(same[start : start + TOGETHER]) + start
            vectors[numbers[part]] = unit(as_float32(own[places[part]]))
            release_pages(vectors, slice(0, len(vectors)))
        if isinstance(own, np.memmap):
            check_unchanged(found)
    failures: list[tuple[str, DataError]] = [
        (row.sha256, UndecodableImage("changed", Sentence(CHANGED))) for row in images.take(~there)
    ]
    whole = bool(there.all())
    sha256s = hashes if whole else hashes[there]
    usable = picked(vectors, torch.from_numpy(np.flatnonzero(there)))
    return Embedded(usable, decoded(sha256s), failures, tuple(files))


def bank_of(
    found: Embeddings, bank: PrecomputedBank, *, alone: bool = False, others: Collection[str] = ()
) -> NDArray[Any]:
    """(N, D) the bank as it stands in a file; DataError where it has no such bank.

    ``alone``: no other bank is needed, so the only bank of a file may have any name but those of ``others``.
    """
    own = found.banks.get(bank.name)
    if own is None and alone and len(found.banks) == 1 and not found.banks.keys() & {*others}:
        own = next(iter(found.banks.values()))
    if own is None or own.shape[1] != bank.embed_dim:
        shown = ", ".join(f"{name} {one.shape}" for name, one in found.banks.items())
        raise DataError(
            NO_BANK,
            file=os.path.basename(found.path),
            name=bank.name,
            width=bank.embed_dim,
            found=shown,
        )
    return own
