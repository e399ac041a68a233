"""JSON objects with a SHA-256 over all other keys, by which damage and edits are found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

DIGEST = "sha256"


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content with its digest, which does not depend on the order of the keys; an existing one is replaced."""
    rest = {key: value for key, value in content.items() if key != DIGEST}
    text = json.dumps(rest, sort_keys=True)
    return {**rest, DIGEST: hashlib.sha256(text.encode()).hexdigest()}


def is_whole(content: Mapping[str, Any]) -> bool:
    """Whether the content is as it was sealed; False without a digest."""
    return content.get(DIGEST) == sealed(content)[DIGEST]
