"""A browser without a network: the review's application, asked in this process."""

from __future__ import annotations

import re
from typing import Any

from starlette.testclient import TestClient

from clipgrip.review.session import ReviewSession
from clipgrip.review.web.address import Access
from clipgrip.review.web.app import create_app
from clipgrip.review.web.state import ServerState

PORT = 8765
BASE = f"http://127.0.0.1:{PORT}"


class Browser:
    """A browser that has opened a page, so that it may write."""

    def __init__(self, session: ReviewSession) -> None:
        self.server = ServerState(session, Access("127.0.0.1", PORT))
        self.app = create_app(self.server)
        self.client = TestClient(self.app, base_url=BASE, raise_server_exceptions=False)
        found = re.search(r'<meta name="csrf" content="(\w+)">', self.client.get("/files").text)
        assert found
        self._jar = dict(self.client.cookies)
        self.headers = {"x-csrf-token": found[1], "origin": BASE}

    def again(self) -> None:
        """With the cookies of the page that it opened."""
        self.client.cookies.clear()
        self.client.cookies.update(self._jar)

    def post(self, path: str, body: Any, **more: Any) -> Any:
        """JSON as the page sends it."""
        return self.client.post(path, headers=self.headers, json=body, **more)
