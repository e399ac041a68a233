"""Values as bytes: what a file name or a browser brought may hold what UTF-8 cannot."""

from __future__ import annotations

import json
from typing import Any

from fastapi.responses import HTMLResponse, JSONResponse


class Json(JSONResponse):
    """JSON in ASCII, so that any text can be sent."""

    def render(self, content: Any) -> bytes:
        """As JSONResponse, every other character escaped."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


class Page(HTMLResponse):
    """A page; what cannot be encoded is shown escaped."""

    def render(self, content: Any) -> bytes:
        """As HTMLResponse, for any text."""
        return str(content).encode("utf-8", "backslashreplace")
