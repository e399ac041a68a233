"""Steps of the refinement that no number leaves out: another function in the place of each, for `ablate`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any
from unittest.mock import patch

from clipgrip.pseudolabel.refine.answers import Refined, RefineInput
from clipgrip.types import Logits, Probs

auto, clusters, joined = (
    import_module(f"clipgrip.pseudolabel.refine.{name}") for name in ("auto", "clusters", "joined")
)
"""The modules: the package offers functions of the same names."""
Step = tuple[ModuleType, str, Callable[..., Any]]
"""Where a function is called, its name there, and what stands in its place."""


def _as_it_is(given: RefineInput, *_: Any) -> Refined:
    return Refined(given.probs, "zero-shot")


def _undamped(probs: Probs, *_: Any) -> Probs:
    return probs


def _log(_: Any, first: Probs, __: Any) -> Logits:
    return first.clamp_min(1e-12).log()


class _FirstRound:
    """Clusters of the first round, given back where the second is asked for."""

    def __init__(self) -> None:
        self.real, self.of, self.answers = clusters._cluster_once, object(), None

    def __call__(self, given: Any, pool: Any, *known: Any) -> Any:
        if self.of is not pool:
            self.of, self.answers = pool, self.real(given, pool, *known)
        return self.answers


STEPS: dict[str, tuple[Step, ...]] = {
    "no equal shares": ((auto, "balanced_assignment", _as_it_is),),
    "no half balance": ((auto, "half_balanced", _as_it_is),),
    "no damping of absent classes": tuple(
        (module, "damp_absent", _undamped) for module in (auto, clusters)
    ),
    "clusters of absent classes": ((clusters, "_present", lambda given: given.candidates),),
    "clusters not joined": ((auto, "join", lambda _, probs, __: Refined(probs, "clusters")),),
    "no neighbours where joined": ((joined, "propagated", _as_it_is),),
    "one round of clusters": ((clusters, "_cluster_once", _FirstRound()),),
    "no mixture": ((clusters, "mixture", lambda _, balanced, __: balanced.clone()),),
    "no discriminants": (
        (clusters, "discriminant", _log),
        (clusters, "tempered", lambda logits, *_: logits.softmax(1)),
    ),
    "prototypes not in the subspace": (
        (clusters, "_rescored_in_subspace", lambda given, *_: given),
    ),
}


@contextmanager
def left_out(name: str) -> Iterator[None]:
    """Without that step."""
    with ExitStack() as stack:
        for module, function, other in STEPS[name]:
            stack.enter_context(patch.object(module, function, other))
        yield


@contextmanager
def noted(called: set[str]) -> Iterator[None]:
    """The names of the steps that are called meanwhile are added to ``called``."""

    def note(real: Callable[..., Any], name: str, *given: Any, **known: Any) -> Any:
        called.add(name)
        return real(*given, **known)

    with ExitStack() as stack:
        for name, ((module, function, _), *_) in STEPS.items():
            real = partial(note, getattr(module, function), name)
            stack.enter_context(patch.object(module, function, real))
        yield
