"""JSON objects that carry the SHA-256 of all their rest, so that a flipped bit or an edited figure is found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

DIGEST = "sha256"
"""The key of the digest."""


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content with its digest, which does not depend on the order of keys; one that it had is made anew."""
    rest = {key: value for key, value in content.items() if key != DIGEST}
    text = json.dumps(rest, sort_keys=True)
    return {**rest, DIGEST: hashlib.sha256(text.encode()).hexdigest()}


def is_whole(content: Mapping[str, Any]) -> bool:
    """Whether the content is what was sealed; what carries no digest is not."""
    return content.get(DIGEST) == sealed(content)[DIGEST]
