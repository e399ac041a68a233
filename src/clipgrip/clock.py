"""The current time for people; no result depends on it."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """UTC to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def precisely() -> str:
    """UTC to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
