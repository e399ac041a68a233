"""Shapes are checked while tests run: each call whose hints name one, arguments and result, by jaxtyping and beartype.

Other hints are mypy's: it has read them, and some of them (protocols) cannot be asked at run time.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import get_annotations, isclass
from typing import Any, get_args

import jaxtyping
from beartype import beartype
from jaxtyping import AbstractArray, install_import_hook

ROOMS = (
    *("backbone", "prompts", "pseudolabel", "fewshot", "training", "trust", "strategy", "evaluate"),
    *("method", "metrics", "starts", "runs", "estimator", "bench", "stress"),
)
"""Where tensors are computed with. Others hand them on, or take what people give and say in words what is wrong."""
DOORS = {
    f"clipgrip.pseudolabel.refine.{name}" for name in ("refine", "refined", "answers.input_of")
}
"""They take arrays of any library, compare the shapes themselves, and say in words what does not fit."""


def check_shapes() -> None:
    """For all that is imported from now on of the rooms that compute."""
    jaxtyping.jaxtyped = where_shapes(jaxtyping.jaxtyped)
    install_import_hook([f"clipgrip.{room}" for room in ROOMS], f"{__name__}.checked")


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose hints that hold a shape are checked at each call."""
    hints = {name: hint for name, hint in function.__annotations__.items() if has_shape(hint)}
    if not hints or f"{function.__module__}.{function.__qualname__}" in DOORS:
        return function
    function.__annotations__ = hints
    return beartype(function)


def where_shapes(jaxtyped: Callable[..., Any]) -> Callable[..., Any]:
    """jaxtyping's decorator, which leaves a function of which no hint holds a shape as it is.

    Else each call of it has frames of jaxtyping's above it, and a warning names those in place of who called.
    """

    def decorate(**known: Any) -> Callable[..., Any]:
        decorator = jaxtyped(**known)
        return lambda thing: decorator(thing) if isclass(thing) or names_shape(thing) else thing

    return decorate


def names_shape(thing: Any) -> bool:
    """Whether some hint holds a shape, as far as that is known where the function is written."""
    try:
        hints = get_annotations(getattr(thing, "__func__", thing), eval_str=True)
    except (NameError, TypeError):  # a name that only mypy reads or that stands below; a property
        return True
    return any(map(has_shape, hints.values()))


def has_shape(hint: object) -> bool:
    """Whether an array of some shape is asked for, by itself or within another hint."""
    if isclass(hint) and issubclass(hint, AbstractArray):
        return True
    return any(has_shape(part) for part in get_args(hint))
