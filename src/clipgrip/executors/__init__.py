"""Executors compute the parts of a large job: in this process, in several, or on Ray, with equal bytes."""

from __future__ import annotations

from clipgrip.errors import ConfigError, nearest
from clipgrip.executors.base import Executor, PartAnswer, current, using
from clipgrip.executors.processes import AutoExecutor, Processes
from clipgrip.executors.resources import cores

__all__ = ["Executor", "PartAnswer", "current", "executor_named", "using"]


KNOWN = ("auto", "here", "processes", "ray")


def executor_named(name: str) -> Executor:
    """The executor that ``--on`` names: auto, here, processes, processes:4, ray or ray:ADDRESS.

    Raises:
        ConfigError: the name is none of these, or no cluster answers.
        MissingPackage: Ray is not installed.
    """
    kind, colon, rest = name.strip().partition(":")
    if kind == "here" and not colon:
        return Executor()
    if kind == "auto" and not colon:
        return AutoExecutor(cores())
    if kind == "processes" and (not colon or (rest.isdecimal() and 1 <= int(rest) <= 1024)):
        return Processes(int(rest or cores()))
    if kind == "ray" and (rest or not colon):
        from clipgrip.executors.on_ray import OnRay

        return OnRay(rest or None)
    raise ConfigError(
        '--on "{name}" is not known. Give auto, here, processes, processes:N, ray or ray:ADDRESS.{nearest}',
        name=name,
        nearest=nearest(kind, KNOWN),
    )
