"""The next round: the model learns anew from the images and from what people answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from clipgrip.clock import precisely
from clipgrip.config import Settings
from clipgrip.data.manifest import Manifest
from clipgrip.data.rows import Hashes, Row, Rows, hashes_of
from clipgrip.errors import RunError
from clipgrip.metrics import exact_interval
from clipgrip.review.answers import Opinion, effective, opinions
from clipgrip.review.class_table import ClassTable
from clipgrip.review.states import ImageState
from clipgrip.review.store import (
    ROUND,
    Change,
    ReviewRound,
    ReviewStore,
    StoredClass,
    open_review,
)
from clipgrip.review.view import RoundClassifier
from clipgrip.runs.events import Listener
from clipgrip.runs.identity import settings_of
from clipgrip.runs.lock import locked
from clipgrip.runs.outcome import Outcome
from clipgrip.runs.pipeline import carry_out
from clipgrip.runs.reopen import reopen
from clipgrip.runs.store import StoredRun, check_run, open_store
from clipgrip.sentences import mark, quoted

NEVER_OPEN = mark(
    "the review of {folder} never came to its first page. Begin it again with clipgrip review {folder}."
)
LEARNS = "grip"
"""The strategy of the rounds after a run whose own, zero-shot, learns from no answer."""


def next_round(folder: Path, person: str = "", listener: Listener | None = None) -> ReviewRound:
    """Run the next round of a review, or go on with one that was stopped; keep it in the review when it is done.

    Decided images are its labels; images of the random audit are its test images, so it never learns from them.

    Raises:
        RunError: there is no review, or nothing was answered since the last round.
        ClipgripError: as `clipgrip.runs.pipeline.run`.
    """
    listener = listener or Listener()
    check_run(folder)
    with locked(folder), open_review(folder) as store:
        rounds = store.rounds()
        if not rounds:
            raise RunError(NEVER_OPEN, folder=quoted(folder))
        number = len(rounds) + 1
        with open_store(folder / rounds[0].folder) as runs:
            first = runs.run(rounds[0].run)
            assert first is not None
            began_with = runs.manifest(first.id)
        classes = store.classes()  # as they are now: people go on while the round learns
        by_hash = opinions(store.answers(), effective(classes))
        manifest = manifest_of(began_with, classes, by_hash)
        before = reopen(folder / rounds[-1].folder, listener)
        _check_new(before.manifest, manifest)
        if candidate := next((r for r in rounds if r.number == rounds[-1].facts.get("held")), None):
            with open_store(folder / candidate.folder) as runs:
                _check_new(runs.manifest(candidate.run), manifest)
        place = folder / f"{ROUND}{number}"
        settings, seen = _rule(first, began_with, manifest, classes)
        outcome = carry_out(settings, manifest, place, listener, seen=seen, model=before.model)
        pool = began_with.rows.hashes[began_with.pool]
        facts = _gain(before, outcome, classes, by_hash, pool)
        done = ReviewRound(
            number,
            outcome.folder.relative_to(folder).as_posix(),
            outcome.run.id,
            precisely(),
            facts,
        )
        store.add_round(done)
        store.record(Change("round", person, done.at, {"number": number, "run": done.run}))
        if harms(facts):
            _hold_back(store, done, rounds[-1], person)
        return done


def harms(facts: Mapping[str, Any]) -> bool:
    """Whether a round made the audited answers worse: fewer right than before on the very same images.

    Any loss counts, and not only one beyond chance: what a round may have cost is no reason to use it.
    """
    return bool(facts.get("audited")) and facts["right_after"] < facts["right_before"]


def loss_p_value(facts: Mapping[str, Any]) -> float:
    """Chance of so many audited images put wrong, of all that changed, had the round been as good (McNemar, exact)."""
    changed = facts["put_right"] + facts["put_wrong"]
    return float(stats.binom.sf(facts["put_wrong"] - 1, changed, 0.5)) if changed else 1.0


def _hold_back(store: ReviewStore, done: ReviewRound, before: ReviewRound, person: str) -> None:
    """The round is kept, and the model before it stays in use; `go_back` to the round uses it anyway."""
    first = store.rounds()[0]
    came_from = before.facts.get("back_to", before.number if before.facts else first.number)
    facts = {"back_to": came_from, "held": done.number, "p_value": loss_p_value(done.facts)}
    again = replace(before, number=done.number + 1, at=precisely(), facts=facts)
    store.add_round(again)
    change = {"number": came_from, "run": again.run, "held": done.number}
    store.record(Change("hold", person, again.at, change))


def go_back(folder: Path, number: int, person: str = "") -> ReviewRound:
    """Work on with the model of an earlier round; nothing is deleted, and the answers stay.

    RunError: there is no such round, or it is the present one.
    """
    check_run(folder)
    with locked(folder), open_review(folder) as store:
        rounds = store.rounds()
        wanted = next((one for one in rounds if one.number == number), None)
        if wanted is None or wanted.run == rounds[-1].run:
            known = ", ".join(str(one.number) for one in rounds[:-1])
            raise RunError(
                "round {number} is no earlier round. Known: {known}.",
                number=number,
                known=known or "none",
            )
        again = replace(wanted, number=len(rounds) + 1, at=precisely(), facts={"back_to": number})
        store.add_round(again)
        store.record(Change("back", person, again.at, {"number": number, "run": again.run}))
        return again


def manifest_of(
    first: Manifest, classes: list[StoredClass], by_hash: Mapping[str, Opinion]
) -> Manifest:
    """The first run's images with the classes of now; labels from people, audited images as test."""
    table = ClassTable(tuple(classes))
    found = {n: table.of_first_run(n) for n in range(len(first.classes))}
    given = {n: table.column[id_] for n, id_ in found.items() if id_ is not None}

    def row(one: Row) -> Row:
        opinion = by_hash.get(one.sha256)
        if opinion is None or one.split == "test":
            return replace(one, label=given.get(one.label, -1))
        label = -1 if opinion.klass is None else table.column[opinion.klass]
        return replace(one, label=label, split="test" if opinion.audit else "pool")

    return Manifest(Rows.of(map(row, first.rows)), table.class_names)


def _check_new(before: Manifest, manifest: Manifest) -> None:
    """RunError where a round has learned from the very same already."""
    if before.fingerprint == manifest.fingerprint:
        raise RunError(
            mark(
                "no answer and no class has changed since the last round, so the next one would learn "
                "the same. Answer some images first."
            )
        )


def _seen(first: StoredRun, began_with: Manifest, classes: list[StoredClass]) -> list[str]:
    """Seen classes of the first run as they are called now, or what they were merged into."""
    table, seen = ClassTable(tuple(classes)), first.facts["data"]["seen"]
    ids = (table.of_first_run(began_with.classes.index(name)) for name in seen)
    return list(dict.fromkeys(table.names[id_] for id_ in ids if id_ is not None))


def _may_occur(
    settings: Settings, began_with: Manifest, manifest: Manifest, classes: list[StoredClass]
) -> tuple[str, ...] | None:
    """The classes that the first run named, as they are called now, those that people added, and those answered.

    None where none of them is left: then nobody has said which of the others may. An audited image teaches nothing, but
    its answer too shows that its class occurs.
    """
    if settings.may_occur is None:
        return None
    table, first = ClassTable(tuple(classes)), began_with.classes
    came_from = {name: table.of_first_run(n) for n, name in enumerate(first.display)}
    named = {came_from[name] for name in settings.may_occur}
    added = table.column.keys() - came_from.values()
    answered = set(manifest.labels[began_with.pool].tolist())
    found = [
        one.name for n, one in enumerate(table.active) if one.id in named | added or n in answered
    ]
    return tuple(found) or None


def _rule(
    first: StoredRun, began_with: Manifest, manifest: Manifest, classes: list[StoredClass]
) -> tuple[Settings, list[int] | None]:
    """The first run's settings, and positions of the seen classes that still have labels.

    Where some classes had all their labels, they keep them; else any image may be of any class. A first run that only
    asked the model (zero-shot) learned nothing; its rounds learn from the answers all the same.
    """
    settings, names = settings_of(first), enumerate(manifest.classes.display)
    may_occur = _may_occur(settings, began_with, manifest, classes)
    settings = settings.model_copy(update={"may_occur": may_occur})
    if settings.strategy == "zero-shot":
        settings = settings.model_copy(update={"strategy": LEARNS})
    seen, labeled = _seen(first, began_with, classes), set(manifest.labels.tolist())
    positions = [n for n, name in names if name in seen and n in labeled]
    if positions:
        return settings, positions
    return settings.model_copy(update={"candidates": "all"}), None


def _gain(
    before: Outcome,
    after: Outcome,
    classes: list[StoredClass],
    by_hash: Mapping[str, Opinion],
    pool: Hashes,
) -> dict[str, Any]:
    """Right answers before and after on the audited images, which neither has learned from, and answers changed."""
    old, new = (RoundClassifier.of(one, pool).view(classes) for one in (before, after))
    common = [image for image in new.row_by_hash if image in old.row_by_hash]
    hashes = hashes_of(common)
    was, is_ = (one.label[one.row_by_hash.of(hashes)] for one in (old, new))
    truth = np.array(
        [-1 if (o := by_hash.get(i)) is None or o.klass is None else o.klass for i in common]
    )
    rows = before.manifest.rows
    learned = set(rows.take((rows.labels >= 0) & ~rows.tests).sha256s())
    audit = np.array(
        [(o := by_hash.get(i)) is not None and o.audit and i not in learned for i in common],
        dtype=bool,
    )
    unsure = np.array(
        [(o := by_hash.get(i)) is not None and o.state == ImageState.UNSURE for i in common]
    )
    # where nobody can tell, it is wrong before and after, as on the overview
    judged = audit & ((truth >= 0) | unsure)
    right = [int((answers == truth)[judged].sum()) for answers in (was, is_)]
    n = int(judged.sum())
    labels = int((after.task.labels >= 0).sum())
    return {
        "labels": labels,
        "changed": int((was != is_).sum()),
        "images": len(common),
        "audited": n,
        "right_before": right[0],
        "right_after": right[1],
        "interval_before": list(exact_interval(right[0], n)) if n else None,
        "interval_after": list(exact_interval(right[1], n)) if n else None,
        "put_right": int((judged & (was != truth) & (is_ == truth)).sum()),
        "put_wrong": int((judged & (was == truth) & (is_ != truth)).sum()),
        "seconds": after.metrics["seconds"]["total"],
    }
