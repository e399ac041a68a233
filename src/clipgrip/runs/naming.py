"""Checks which class names fit the images, before anything is learned; the facts are stored with the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clipgrip.advice.doubted import ToldName, exchanged
from clipgrip.data.rows import Rows
from clipgrip.runs.prepare import Prepared
from clipgrip.trust.knowledge import Finding, knows_no_name
from clipgrip.trust.naming import naming
from clipgrip.types import Labels


def name_facts(ready: Prepared, findings: tuple[Finding, ...]) -> dict[str, Any] | None:
    """The part of metrics.json about names; None where the model seems to know none of them."""
    if not ready.start.has_texts or knows_no_name(findings):
        return None
    start, embeds = ready.start, ready.embeds
    scale, task = start.prompt.logit_scale, ready.task
    seen = naming(embeds.pool, start.zero_shot, scale, task.labels, task.occurring)
    names, rows = start.classes.display, embeds.pool_rows
    return {
        "classes": [
            {
                "name": names[one.position],
                "fit": None if one.fit is None else round(one.fit, 4),
                "verdict": one.verdict,
                "group": None if one.group is None else names[one.group],
                "labeled": one.labeled,
                "example": example_of(task.labels, one.position, rows) if one.doubted else "",
                "points_at": [rows[row].sha256 for row in one.rows],
            }
            for one in seen.names
        ],
        "nameless": [rows[row].sha256 for row in seen.nameless],
    }


def example_of(labels: Labels, position: int, rows: Rows) -> str:
    """Where an image that people gave a class lies; empty where there is none. ``labels`` (N,) are of the rows."""
    given = (labels == position).nonzero().flatten().tolist()
    return str(rows[given[0]].path) if given else ""


def labels_alone_decide(facts: Mapping[str, Any]) -> bool:
    """Whether held-out labels gave the class names no weight, so that they change no answer."""
    return (facts.get("labels") or {}).get("text_weight") == 0


def doubted_names(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The facts of the names that do not fit, worst first.

    Where labels alone decide only names that changed places with others: that may be the labels' fault. Runs of older
    versions have no such facts.
    """
    classes = (metrics.get("names") or {}).get("classes", ())
    found = [one for one in classes if one["verdict"] in ("nothing", "other")]
    if labels_alone_decide(metrics):
        rings = exchanged(map(to_tell, found))
        found = [one for one in found if one["name"] in rings]
    return sorted(found, key=lambda one: float(one["fit"]))


def to_tell(one: Mapping[str, Any]) -> ToldName:
    """Facts of a name, to be said."""
    example = one.get("example", "")
    return ToldName(one["name"], one["verdict"], one["group"], one["labeled"], example)
