"""Checks which class names fit the images, before anything is learned; the facts are stored with the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clipgrip.runs.prepare import Prepared
from clipgrip.trust.knowledge import Finding, knows_nothing
from clipgrip.trust.naming import naming


def name_facts(ready: Prepared, findings: tuple[Finding, ...]) -> dict[str, Any] | None:
    """The part of metrics.json about names; None where the model seems to know none of them.

    The finding that labels are answered no better than by chance is ignored here: names may be swapped.
    """
    if not ready.start.has_texts or knows_nothing(
        tuple(one for one in findings if one.kind != "no-better")
    ):
        return None
    start, embeds = ready.start, ready.embeds
    scale = start.prompt.logit_scale
    seen = naming(embeds.pool, start.zero_shot, scale, ready.task.labels)
    names, rows = start.classes.display, embeds.pool_rows
    return {
        "classes": [
            {
                "name": names[one.position],
                "fit": None if one.fit is None else round(one.fit, 4),
                "verdict": one.verdict,
                "group": None if one.group is None else names[one.group],
                "labeled": one.labeled,
                "points_at": [rows[row].sha256 for row in one.rows],
            }
            for one in seen.names
        ],
        "nameless": [rows[row].sha256 for row in seen.nameless],
    }


def labels_alone_decide(facts: Mapping[str, Any]) -> bool:
    """Whether held-out labels gave the class names no weight, so that they change no answer."""
    return (facts.get("labels") or {}).get("text_weight") == 0


def doubted_names(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The facts of the names that do not fit, worst first; empty where labels alone decide.

    Runs of older versions have no such facts.
    """
    if labels_alone_decide(metrics):
        return []
    classes = (metrics.get("names") or {}).get("classes", ())
    found = [one for one in classes if one["verdict"] in ("nothing", "other")]
    return sorted(found, key=lambda one: float(one["fit"]))
