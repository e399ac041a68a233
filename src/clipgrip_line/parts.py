"""What the parts of a bundle mean: model.json, arrays, towers and golden images, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from clipgrip_line import texture
from clipgrip_line.bundle import AGAIN, Bundle, array_bytes
from clipgrip_line.causes import cause
from clipgrip_line.errors import LineError
from clipgrip_line.promises import Promise
from clipgrip_line.scoring import Calibration, Column, Floats, Head, Scoring
from clipgrip_line.towers import OtherRevision, Tower, tower_from

MODEL, GOLDEN = "model.json", "golden.json"


class Parts(NamedTuple):
    """In the order in which `model.Model` takes them."""

    classes: tuple[str, ...]
    ok_classes: tuple[str, ...]
    promise: Promise | None
    info: Mapping[str, object]
    towers: tuple[Tower, ...]
    scoring: Scoring
    calibration: Calibration | None
    names: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Golden:
    """An image that travels with the bundle, and what clipgrip answered to it."""

    name: str
    data: bytes = field(repr=False)
    probs: Floats = field(repr=False)
    tolerance: float

    def check(self, found: Floats, path: Path) -> None:
        """LineError where the answer here is another one."""
        apart = float(np.abs(found - self.probs).max())
        if not apart <= self.tolerance:  # also where it is no number
            raise LineError(
                "{path}: its golden image {name} is answered otherwise on this machine than where the bundle was "
                "made ({apart} apart, allowed is {tolerance}). Do not use it here: bring ONNX Runtime up to date "
                "(pip install --upgrade onnxruntime), or make the bundle anew with --precision float32.",
                path=path,
                name=self.name,
                apart=f"{apart:.2g}",
                tolerance=f"{self.tolerance:g}",
            )


def read(bundle: Bundle, threads: int) -> Parts:
    """All that answers need. LineError: a part is missing, damaged, or not what such a part may be."""
    facts = bundle.json(MODEL)
    try:
        return _read(bundle, facts, threads)
    except LineError:
        raise
    except OtherRevision as error:
        raise LineError(
            '{path}: the eye "texture" that it sees with is that of another version of clipgrip (revision {theirs}, '
            "here {ours}). Use it with the clipgrip-line of its time, or run anew and make a bundle of that run.",
            path=bundle.path,
            theirs=str(error),
            ours=texture.REVISION,
        ) from None
    except Exception as error:  # ONNX Runtime raises its own for a graph that it cannot read
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise LineError(
            "{path}: its parts do not fit each other ({first}). {again}",
            path=bundle.path,
            first=cause(first[:200]),
            again=AGAIN,
        ) from error


def _read(bundle: Bundle, facts: Mapping[str, Any], threads: int) -> Parts:
    classes = tuple(map(str, facts["classes"]))
    ok_classes = tuple(map(str, facts["ok_classes"]))
    calibration, promise = facts["calibration"], facts["promise"]
    scoring = _scoring(bundle, facts)
    if len(scoring.class_embeds) != len(classes) or not set(ok_classes) <= set(classes):
        raise ValueError("classes")
    return Parts(
        classes,
        ok_classes,
        None if promise is None else Promise.from_dict(promise),
        facts["info"],
        tuple(
            tower_from(one, bundle.read(one["member"]) if "member" in one else None, threads)
            for one in facts["towers"]
        ),
        scoring,
        None if calibration is None else Calibration.from_dict(calibration),
        {language: tuple(map(str, names)) for language, names in facts["names"].items()},
    )


def _scoring(bundle: Bundle, facts: Mapping[str, Any]) -> Scoring:
    content = facts["scoring"]
    columns = [
        Column(bundle.array(f"arrays/eye{n}-mean.npy"), bundle.array(f"arrays/eye{n}-axes.npy"), float(length))
        for n, length in enumerate(content["eye_lengths"], 1)
    ]  # fmt: skip
    heads = [
        Head(*(bundle.array(f"arrays/head{n}-{part}.npy") for part in Head.__dataclass_fields__))
        for n in range(1, content["heads"] + 1)
    ]
    return Scoring(
        bundle.array("arrays/class_embeds.npy"),
        float(content["logit_scale"]),
        tuple(columns),
        float(content["text_weight"]),
        tuple(heads),
        bool(content["joins"]),
        tuple(map(int, content.get("absent", ()))),
        float(content.get("reluctance", 0.0)),
    )


def golden(bundle: Bundle) -> list[Golden]:
    """The golden images with their answers. LineError as `read`."""
    content = bundle.json(GOLDEN)
    return [
        Golden(
            one["member"], bundle.read(one["member"]), np.array(one["probs"]), content["tolerance"]
        )
        for one in content["images"]
    ]


def scoring_members(scoring: Scoring) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What model.json says of it, and its arrays as members."""
    arrays = {"class_embeds": scoring.class_embeds}
    for n, column in enumerate(scoring.columns, 1):
        arrays |= {f"eye{n}-mean": column.mean, f"eye{n}-axes": column.axes}
    for n, head in enumerate(scoring.heads, 1):
        arrays |= {f"head{n}-{part}": getattr(head, part) for part in Head.__dataclass_fields__}
    absent = {"absent": list(scoring.absent), "reluctance": scoring.reluctance}
    content = {
        "logit_scale": scoring.logit_scale,
        "eye_lengths": [column.length for column in scoring.columns],
        "text_weight": scoring.text_weight,
        "heads": len(scoring.heads),
        "joins": scoring.joins,
        **(absent if scoring.absent else {}),
    }
    return content, {f"arrays/{name}.npy": array_bytes(array) for name, array in arrays.items()}
