"""The time at the line, for people: images count in the order in which they came, never by a clock."""

from __future__ import annotations

from datetime import datetime


def now() -> datetime:
    """On the wall's clock, with its offset."""
    return datetime.now().astimezone()


def written(moment: datetime) -> str:
    """ISO 8601 with milliseconds and offset."""
    return moment.isoformat(timespec="milliseconds")
