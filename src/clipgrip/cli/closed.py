"""Options that take one of a few values: shown, completed, and refused with the nearest one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from copy import copy
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from typer.models import ArgumentInfo

from clipgrip.cli.numbers import number, number_type
from clipgrip.errors import ConfigError, among


def parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    """A parameter for typer; one that is a ``Literal``, or a list of them, takes only what is in it, one
    that is a number only numbers."""
    kind, *marks = get_args(annotation) if get_origin(annotation) is Annotated else [annotation]
    allowed = choices(kind)
    if allowed and marks:
        info = closed(marks[0], allowed)
        info.parser = _parser(_long(name, marks[0]), allowed)
        annotation = Annotated[_open(kind), info]
    elif marks and (numeric := number_type(kind)):
        annotation = Annotated[kind, number(marks[0], numeric, _long(name, marks[0]))]
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def _long(name: str, info: Any) -> str:
    """The option as people write it; nothing for an argument, whose name nobody writes."""
    if isinstance(info, ArgumentInfo):
        return ""
    named = (info.default, *(info.param_decls or ()))  # typer keeps the first apart
    longs = [one for one in named if isinstance(one, str) and one.startswith("--")]
    return [*longs, f"--{name}"][0].replace("_", "-")


def choices(kind: Any) -> tuple[str, ...]:
    """The values of a ``Literal``, of one or None, or of a list of them; none of anything else."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    for inner in get_args(kind):
        if found := choices(inner):
            return found
    return ()


def closed(info: Any, allowed: Sequence[str]) -> Any:
    """A copy of what typer is told of an option, that shows and completes the values."""
    info = copy(info)
    info.metavar = f"<{'|'.join(allowed)}>"
    info.autocompletion = lambda incomplete: [one for one in allowed if one.startswith(incomplete)]
    return info


def _parser(option: str, allowed: Sequence[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ConfigError(
                '{option}"{given}" is not known. Known: {known}.{nearest}',
                option=f"{option} " if option else "",
                given=text,
                **among(text, allowed),
            )
        return text

    return parse


def _open(kind: Any) -> Any:
    """The same kind with any text in the place of the ``Literal``."""
    if get_origin(kind) is Literal:
        return str
    if get_origin(kind) is list:
        return list[str]
    inner = next(one for one in get_args(kind) if one is not NoneType)
    return _open(inner) | None
