"""A running service around a fake model, and a client of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from line_fakes import FakeModel, app_of, service_of
from starlette.testclient import TestClient

from clipgrip_line.service import looking
from clipgrip_line.service.service import Service

Start = Callable[..., tuple[Service, TestClient]]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts services, and stops what still runs at the end; their watch looks when a test lets it, and at the end."""
    monkeypatch.setattr(looking, "EVERY", 3600.0)
    running: list[Service] = []

    def started(
        model: FakeModel | None = None, *, state: Path | None = None, **changes: Any
    ) -> tuple[Service, TestClient]:
        service = service_of(state or tmp_path / "line", model, **changes)
        app = app_of(service)
        service.start()
        running.append(service)
        return service, TestClient(app, raise_server_exceptions=False)

    yield started
    for service in running:
        if service.ready:
            service.stop()
