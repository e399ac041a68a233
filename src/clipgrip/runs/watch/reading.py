"""Reads a filled daily sheet: stores new answers in the order of the draw, and corrections of earlier ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from clipgrip.data.classes import ClassNames
from clipgrip.errors import DataError
from clipgrip.runs.sheet_answers import answers_in
from clipgrip.runs.watch.daily import DailySheet, answered_so_far, drawn_images, is_shown, line_id
from clipgrip.runs.watch.store import SeenImage, WatchStore
from clipgrip.words import mark

NO_IMAGE = mark('{where}: "{path}" is no image of this draw. Keep the sheet as it was drawn.')


@dataclass(frozen=True)
class ReadSheet:
    """How many answers are new, how many are corrections, and new ones whose file holds another picture."""

    new: int
    corrected: int
    other: Sequence[SeenImage] = field(repr=False)


def read_answers(
    store: WatchStore,
    sheet: DailySheet,
    classes: ClassNames,
    by: str,
    now: str,
    *,
    correct: bool = False,
) -> ReadSheet:
    """Store the answers of a sheet, which count in the order of the draw and may have no gap.

    With ``correct``, an answer that differs from an earlier one corrects it: it counts in the place of that one, which
    stays in the record. DataError: another line's sheet, a label that is no class, a gap, or a different answer without
    ``correct``.
    """
    if not sheet.mark.endswith(line_id(store)):
        raise DataError(
            "{name}: it was drawn for another line. Give the run that it was drawn for.",
            name=sheet.table.name,
        )
    answered = _answered(sheet, drawn_images(store, sheet.draw), classes)
    known = answered_so_far(store)
    changed = [(one, label) for one, label in answered if known.get(one.sha256, label) != label]
    if changed and not correct:
        raise DataError(
            '{name}: "{path}" was answered otherwise before. If the first answer was wrong, read the sheet with '
            "--correct: the first one stays in the record. Else give the answer as it was.",
            name=sheet.table.name,
            path=changed[0][0].path,
        )
    fresh = [(image, label) for image, label in answered if image.sha256 not in known]
    with store.db:
        store.db.executemany(
            "INSERT INTO answer (sha256, label, predicted, confidence, said_by, said_at) VALUES (?, ?, ?, ?, ?, ?)",
            ((i.sha256, label, i.label, i.confidence, by, now) for i, label in fresh),
        )
        store.db.executemany(
            "INSERT INTO correction (answer, label, said_by, said_at) "
            "SELECT number, ?, ?, ? FROM answer WHERE sha256 = ?",
            ((label, by, now, image.sha256) for image, label in changed),
        )
        store.seals.renew("answer")
        store.seals.renew("correction")
    return ReadSheet(len(fresh), len(changed), [one for one, _ in fresh if not is_shown(one)])


def _answered(
    sheet: DailySheet, drawn: Sequence[SeenImage], classes: ClassNames
) -> list[tuple[SeenImage, int]]:
    """The answered images with their classes, in the order of the draw."""
    given = answers_in(sheet.table, {one.path: one.path for one in drawn}, classes, NO_IMAGE)
    order = [one.path for one in drawn]
    _check_gaps(sheet.table.name, order, given)
    images = {one.path: one for one in drawn}
    return [(images[path], given[path]) for path in order[: len(given)]]


def _check_gaps(name: str, order: Sequence[str], given: Mapping[str, int]) -> None:
    if [path for path in order if path in given] == order[: len(given)]:
        return
    raise DataError(
        "{name}: image {gap} of the draw has no answer, though later ones have. Answer from the top without a gap: "
        "choosing which images to answer makes the sample no longer random.",
        name=name,
        gap=next(n for n, path in enumerate(order, 1) if path not in given),
    )
