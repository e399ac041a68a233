"""Options that take a number: what is none, or too small or large, is refused with what is allowed."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from typing import Any, get_args

from clipgrip.allowed import number_kind, shown
from clipgrip.errors import ConfigError
from clipgrip.words import mark


def number(info: Any, kind: type, option: str) -> Any:
    """A copy of what typer is told of an option, with our own reading of its number."""
    info = copy(info)
    info.parser = reader(option, kind, info.min, info.max)
    info.metavar = info.metavar or f"<{kind.__name__}>"
    return info


def number_type(kind: Any) -> type | None:
    """``int`` or ``float``, of one, of one or None, or of a list of them; None of anything else."""
    if kind in (int, float):
        return kind
    return next((found for one in get_args(kind) if (found := number_type(one))), None)


def reader(
    option: str, kind: type, least: float | None, most: float | None
) -> Callable[[Any], Any]:
    """What makes a number of a text, or says what is allowed."""

    def read(text: Any) -> Any:
        try:
            value = kind(text)
            is_allowed = math.isfinite(value)
            is_allowed &= (least is None or value >= least) and (most is None or value <= most)
        except (ValueError, OverflowError):
            is_allowed = False
        if not is_allowed:
            wanted = number_kind(kind, least, most)
            refused = mark("{option} {value} is not allowed. Give {wanted}.")
            raise ConfigError(refused, option=option, value=shown(text), wanted=wanted)
        return value

    return read
