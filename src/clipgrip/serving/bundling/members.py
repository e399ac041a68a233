"""Collects all members of a bundle from a run's folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch import Tensor

from clipgrip import __version__
from clipgrip.allowed import check_classes
from clipgrip.data.classes import ClassNames
from clipgrip.data.glossary import is_foreign, is_japanese
from clipgrip.data.rows import NO_ROWS, Rows
from clipgrip.errors import ConfigError, DataError, RunError
from clipgrip.fewshot.head import Head
from clipgrip.runs.knowledge import is_guessing
from clipgrip.runs.store import NAME, StoredRun, open_store
from clipgrip.runs.watch.store import is_watched, open_watch
from clipgrip.sentences import mark
from clipgrip.serving.bundling.card import card
from clipgrip.serving.bundling.components import components, licences
from clipgrip.serving.bundling.golden import Compared, compare, golden_members
from clipgrip.serving.bundling.seeing import Precision, Seeing, pack_towers, plain_name
from clipgrip.serving.predictor import Predictor
from clipgrip.serving.reference import reference_scores
from clipgrip_line import parts, scoring
from clipgrip_line.bundle import array_bytes, json_bytes
from clipgrip_line.promises import Promise
from clipgrip_line.scoring import Column, Scoring
from clipgrip_line.trust.reference import facts_of
from clipgrip_line.words import LANGUAGES

Progress = Callable[[str, int, int], None]
AskedPrecision = Literal["auto", "float32", "int8"]
LONGEST = 40
"""The most characters of a prompt text that is used as an English class name."""
_PHOTO_OF = re.compile(
    r"^(an?|the)?\s*([\w-]+\s+){0,2}(photo|photograph|picture|image)s?\s+of\s+", re.IGNORECASE
)


@dataclass(frozen=True)
class Parts:
    """The members of a bundle, and what the command reports about them."""

    members: dict[str, bytes] = field(repr=False)
    model: dict[str, Any]
    """model.json."""
    compared: Compared = field(repr=False)


def parts_of(
    folder: Path,
    promise: Promise | None,
    *,
    ok_classes: Sequence[str] = (),
    precision: AskedPrecision = "auto",
    on_progress: Progress = lambda *_: None,
) -> Parts:
    """Everything that the model in a run's folder needs at the line, as members of a bundle.

    Raises:
        RunError: the folder holds no finished run, or one on precomputed embeddings; or the promise was audited in
            another precision.
        BackboneError: a model is not here, or cannot be written as ONNX.
        ConfigError: an OK class is none of the run's.
        MissingPackage: onnx or ONNX Runtime is not installed.
    """
    predictor = Predictor.open(folder)
    check_ok(ok_classes, predictor.classes.display)
    chosen = _precision(precision, predictor)
    _check_audited(promise, chosen, _precision("auto", predictor))
    run, rows = _stored_run(folder)
    seeing, scoring = Seeing.of(predictor), scoring_of(predictor)
    towers = pack_towers(seeing, chosen)
    compared = compare(rows, seeing, towers, scoring, chosen)
    golden, pictures = golden_members(compared, chosen)
    content, arrays = parts.scoring_members(scoring)
    reference = _reference(folder, predictor, run, on_progress)
    calibrated = predictor.calibrated
    model = {
        "classes": list(predictor.classes.display),
        "ok_classes": [name for name in predictor.classes.display if name in ok_classes],
        "names": names_of(predictor.classes),
        "towers": towers.facts,
        "scoring": content,
        "calibration": None if calibrated is None else calibrated.calibration.to_dict(),
        "promise": None if promise is None else promise.to_dict(),
        "info": _info(predictor, run, chosen, compared, has_reference=bool(reference))
        | {"guesses": run is not None and not (promise or calibrated) and is_guessing(run)},
    }
    documents = {f"model-card.{one}.md": card(model, one).encode() for one in LANGUAGES}
    members = {
        parts.MODEL: json_bytes(model),
        parts.GOLDEN: json_bytes(golden),
        "sbom.cdx.json": json_bytes(components(model, towers.graphs)),
        **licences(seeing.eyes),
        **documents,
        **towers.graphs,
        **arrays,
        **pictures,
        **reference,
    }
    return Parts(members, model, compared)


def check_ok(ok_classes: Sequence[str], classes: Sequence[str]) -> None:
    """ConfigError where an OK class is none of the run's, or all of them are."""
    check_classes("--ok-class", ok_classes, classes)
    if set(ok_classes) == set(classes):
        raise ConfigError(
            mark("every class is named as OK, so nothing could be NG. Name fewer with --ok-class.")
        )


def names_of(classes: ClassNames) -> dict[str, list[str]]:
    """Language -> class names, as far as they are known; Japanese classes often have English prompt texts.

    These are used without words such as "a photo of", and only if all are short and different.
    """
    display = list(classes.display)
    if not any(map(is_japanese, display)):
        return {"en": display}
    english = [_PHOTO_OF.sub("", text) for text in classes.prompts]
    names = not any(is_foreign(one) or len(one) > LONGEST for one in english)
    return {"ja": display, **({"en": english} if names and len({*english}) == len(display) else {})}


def _precision(asked: AskedPrecision, predictor: Predictor) -> Precision:
    """The asked precision; for auto, 8 bits if the run used that engine, else float32."""
    if asked != "auto":
        return asked
    return "int8" if predictor.facts.settings.get("engine") == "onnx-int8" else "float32"


def _check_audited(promise: Promise | None, chosen: Precision, audited: Precision) -> None:
    """RunError where a promise was audited in 8 bits and the bundle is in float32, or the other way round."""
    if promise is None or not promise.scopes or chosen == audited:
        return
    raise RunError(
        "a promise stands of answers in {audited}; in {chosen} some are others, and nobody has audited those. Pack "
        "with --precision {audited}, or make a run whose engine computes in {chosen} and audit that.",
        audited=audited,
        chosen=chosen,
    )


def _stored_run(folder: Path) -> tuple[StoredRun | None, Rows]:
    """The run and its images; neither for a folder of `GripClassifier.save`."""
    if not (folder / NAME).is_file():
        return None, NO_ROWS
    with open_store(folder) as store:
        run = store.run()
        return run, NO_ROWS if run is None else store.manifest(run.id).rows


def _reference(
    folder: Path, predictor: Predictor, run: StoredRun | None, on_progress: Progress
) -> dict[str, bytes]:
    """The members of the reference: from the watch's folder if one has begun, else from the run's own images."""
    if run is None:
        return {}
    given = ""
    if is_watched(folder):
        with open_watch(folder) as store:
            given = str(store.begun().facts.get("from") or "")
    place = Path(given) if given and Path(given).exists() else None
    try:
        sample = reference_scores(folder, predictor, place, on_progress)
    except (RunError, DataError):  # the images have been moved
        return {}
    return {
        "reference.json": json_bytes(facts_of(sample.anchors, len(sample.rows))),
        "reference/anchors.npy": array_bytes(sample.anchors.vectors.astype(np.float16)),
        "reference/codes.npy": array_bytes(sample.codes.astype(np.uint16)),
        "reference/labels.npy": array_bytes(sample.labels.astype(np.int64)),
        "reference/held_out.npy": array_bytes(sample.held_out.astype(np.uint8)),
        "reference/far.npy": array_bytes(sample.far.astype(np.uint8)),
    }


def _info(
    predictor: Predictor,
    run: StoredRun | None,
    precision: Precision,
    compared: Compared,
    *,
    has_reference: bool,
) -> dict[str, Any]:
    facts, calibrated = predictor.facts, predictor.calibrated
    data = {} if run is None else run.facts.get("data", {})
    eyes = () if predictor.beside is None else predictor.beside.eyes
    return {
        "made_by": f"clipgrip {__version__}",
        "run": facts.run,
        "learned_at": "" if run is None else run.finished or run.created,
        "images": data.get("pool"),
        "labeled": data.get("labeled"),
        "paradigm": None if run is None else run.facts.get("paradigm"),
        "backbone": plain_name(facts.settings["backbone"]),
        "fingerprint": facts.backbone_fingerprint,
        "eyes": [plain_name(one.name) for one in eyes],
        "prompt": facts.kind,
        "prompts": list(facts.class_prompts),
        "template": _templates(facts.settings.get("template")),
        "precision": precision,
        "run_precision": facts.precision,
        "compared": len(compared.pictures),
        "apart": float(f"{compared.apart:.3g}"),
        "changed": compared.changed,
        "golden_drawn": compared.drawn,
        "calibrated_by": None if calibrated is None else calibrated.n,
        "audited": None if calibrated is None else calibrated.evidence.get("after"),
        "reference": has_reference,
    }


def _templates(template: object) -> list[str]:
    if isinstance(template, str):
        return [template]
    return [str(one) for one in template] if isinstance(template, list | tuple) else []


def scoring_of(predictor: Predictor) -> Scoring:
    """The arithmetic after the towers, for NumPy."""
    facts, joint, beside = predictor.facts, predictor.joint, predictor.beside
    columns = () if beside is None else beside.banks.columns
    embeds = predictor.class_embeds
    made = Scoring(
        _array(embeds if joint is None else joint.class_embeds(embeds)).astype(np.float32),
        facts.logit_scale,
        tuple(Column(_array(one.mean), _array(one.axes), one.length) for one in columns),
    )
    if joint is None:
        return made
    heads = tuple(map(_head, joint.heads))
    joined = replace(made, text_weight=joint.text_weight, heads=heads, joins=True)
    return replace(joined, absent=joint.absent, reluctance=joint.reluctance)


def _head(head: Head) -> scoring.Head:
    return scoring.Head(*map(_array, (head.mean, head.weights, head.offsets, head.classes)))


def _array(values: Tensor) -> np.ndarray:
    return np.ascontiguousarray(values.detach().cpu().numpy())
