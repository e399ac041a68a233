"""The handshake of an inspection station: a small machine of values, without a clock, a network or a model.

In come trigger, acknowledgement, the wish for a configuration, and what the model found; out go the lines that a PLC
reads. A trigger that comes while the station is not ready is an error with a code, and changes nothing else: the part
that is being inspected keeps its result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import IntEnum
from typing import Any, Literal

Phase = Literal["ready", "busy", "results", "configuring"]
NO_CLASS = -1
"""The class number where there was no image."""


class Code(IntEnum):
    """What went wrong, as a number that a PLC can compare."""

    NONE = 0
    NO_IMAGE = 1
    UNREADABLE = 2
    NOT_READY = 3
    FULL = 4
    NO_CONFIGURATION = 5
    FAILED = 6


@dataclass(frozen=True)
class Station:
    """What a station shows. ``ok`` and ``ng`` are both false where a person decides, or before a result."""

    phase: Phase = "ready"
    ok: bool = False
    ng: bool = False
    person: bool = False
    class_number: int = NO_CLASS
    class_name: str = ""
    confidence: float = 0.0
    code: Code = Code.NONE
    lot: str = ""
    serial: str = ""
    image_id: str = ""
    version: str = ""
    at: str = ""
    configuration: str = ""
    """The one that was asked for last."""
    inspected: int = 0
    """Results since the service began: it tells one result from the next."""

    def outputs(self) -> dict[str, Any]:
        """The lines out, and the result."""
        about = asdict(self)
        about["code"] = int(self.code)
        return {
            "ready": self.phase == "ready",
            "busy": self.phase in ("busy", "configuring"),
            "results_ready": self.phase == "results",
            "error": self.code != Code.NONE,
            **about,
        }


def trigger(station: Station, lot: str = "", serial: str = "") -> Station:
    """An inspection begins; what was passed through comes back with its result."""
    if station.phase != "ready":
        return replace(station, code=Code.NOT_READY)
    return Station(
        "busy",
        lot=lot,
        serial=serial,
        configuration=station.configuration,
        inspected=station.inspected,
    )


def found(station: Station, answer: Mapping[str, Any], classes: Sequence[str]) -> Station:
    """The model's answer is there and kept."""
    if station.phase != "busy":
        return replace(station, code=Code.NOT_READY)
    name = str(answer["class"])
    return replace(
        station,
        phase="results",
        ok=answer["verdict"] == "ok",
        ng=answer["verdict"] == "ng",
        person=answer["verdict"] == "person",
        class_number=classes.index(name) if name in classes else NO_CLASS,
        class_name=name,
        confidence=float(answer["confidence"]),
        image_id=str(answer["image_id"]),
        version=str(answer["version"]),
        at=str(answer["at"]),
        inspected=station.inspected + 1,
    )


def failed(station: Station, code: Code, at: str = "") -> Station:
    """There is no answer: the result is class -1 with a code, and waits to be acknowledged like any other."""
    if station.phase != "busy":
        return replace(station, code=Code.NOT_READY)
    return replace(station, phase="results", code=code, at=at, inspected=station.inspected + 1)


def acknowledge(station: Station) -> Station:
    """The results were taken; the station is ready again. An early one changes nothing."""
    if station.phase != "results":
        return station
    return Station(configuration=station.configuration, inspected=station.inspected)


def configure(station: Station, name: str, known: bool) -> Station:
    """Another product is asked for; until it answers, the station is busy."""
    if station.phase != "ready":
        return replace(station, code=Code.NOT_READY)
    if not known:
        return replace(station, code=Code.NO_CONFIGURATION)
    return replace(station, phase="configuring", configuration=name, code=Code.NONE)


def configured(station: Station) -> Station:
    """The configuration that was asked for answers now."""
    return replace(station, phase="ready") if station.phase == "configuring" else station


def reset(station: Station) -> Station:
    """Whatever stood, the station is ready; what is under way ends without being shown."""
    return Station(configuration=station.configuration, inspected=station.inspected)
