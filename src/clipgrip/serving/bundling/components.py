"""The software bill of materials of a bundle (CycloneDX), and its licences."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clipgrip import __version__
from clipgrip.backbone.base import Eye
from clipgrip.backbone.prompted import PromptedBackbone
from clipgrip.backbone.texture import Texture
from clipgrip.serving.bundling.seeing import plain_name

RUNTIME = ("numpy", "pillow", "onnxruntime")
"""Packages that a bundle needs; none of them is inside."""
FILES = ("LICENSE*", "LICENCE*", "COPYING*", "NOTICE*")
MOST_BYTES = 1 << 20
OURS = f"""What clipgrip {__version__} wrote into this bundle (graphs, arrays, lists and documents) is licensed
under the Apache License, Version 2.0: https://www.apache.org/licenses/LICENSE-2.0

The weights of a model stay under the licence of the model: see the other files beside this one. Golden images are
the property of whoever took them.
"""
NONE = """No file of a licence lay beside the model "{name}" on the machine where the bundle was made. Where the model
was taken from says under which terms it may be used.
"""


def components(model: Mapping[str, Any], graphs: Mapping[str, bytes]) -> dict[str, Any]:
    """The list in CycloneDX 1.6; without a time, so that equal bundles have equal lists."""
    info = model["info"]
    towers = [_tower(one, graphs.get(one.get("member", ""))) for one in model["towers"]]
    packages = [
        {"type": "library", "name": name, "purl": f"pkg:pypi/{name}", "scope": "required", "bom-ref": f"pypi/{name}"}
        for name in RUNTIME
    ]  # fmt: skip
    tool = {"type": "application", "name": "clipgrip", "version": __version__}
    about = {
        "type": "machine-learning-model",
        "name": f"classifier on {info['backbone']}",
        "version": info["run"] or "unknown",
        "bom-ref": "bundle",
    }
    identity = hashlib.sha256(repr((info, towers)).encode()).hexdigest()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, identity)}",
        "version": 1,
        "metadata": {"tools": {"components": [tool]}, "component": about},
        "components": [*towers, *packages],
        "dependencies": [
            {"ref": "bundle", "dependsOn": [one["bom-ref"] for one in [*towers, *packages]]}
        ],
    }


def licences(eyes: Sequence[Eye]) -> dict[str, bytes]:
    """Texts of licences by member: clipgrip's own, and the files beside each model's weights."""
    found = {"licences/clipgrip.txt": OURS.encode()}
    for number, eye in enumerate(eyes):
        if isinstance(eye, Texture):
            continue
        inner = eye.backbone if isinstance(eye, PromptedBackbone) else eye
        folder = getattr(inner, "folder", None)
        texts = _beside(folder) if isinstance(folder, Path) else []
        if inner.name == "nano":
            texts = [b"nano is a part of clipgrip and under its licence: see clipgrip.txt.\n"]
        whole = b"\n".join(texts) or NONE.format(name=plain_name(inner.name)).encode()
        found[f"licences/{f'eye{number}' if number else 'model'}.txt"] = whole
    return found


def _beside(folder: Path) -> list[bytes]:
    paths = sorted({path for pattern in FILES for path in folder.glob(pattern) if path.is_file()})
    return [path.read_bytes()[:MOST_BYTES] for path in paths]


def _tower(facts: Mapping[str, Any], graph: bytes | None) -> dict[str, Any]:
    content: dict[str, Any] = {
        "type": "machine-learning-model",
        "name": facts["name"],
        "version": facts["fingerprint"][:12],
        "bom-ref": facts.get("member", facts["name"]),
    }
    if graph is not None:
        digest = hashlib.sha256(graph).hexdigest()
        content["hashes"] = [{"alg": "SHA-256", "content": digest}]
    return content
