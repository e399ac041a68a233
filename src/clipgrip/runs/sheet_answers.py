"""Reads the answers that people wrote into a sheet: path -> class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from clipgrip.data.classes import UNLABELED_MARKS, ClassNames, canonical
from clipgrip.data.entries import PATH_COLUMNS, WrittenLabel
from clipgrip.data.match import position
from clipgrip.data.table import Table
from clipgrip.errors import DataError, nearest
from clipgrip.sentences import mark

ANSWER_COLUMNS = ("answer", "label", "class")
CONTRADICTED = mark(
    '{where}: the column "{column}" says "{other}", and "{taken}" says "{answer}". Keep one column of answers.'
)

Key = TypeVar("Key")


def _check_one_answer(table: Table, answers: int) -> None:
    """DataError where a second column of answers contradicts the first, or is filled where that is empty."""
    for name in ANSWER_COLUMNS:
        other = table.find((name,))
        if other is None or other == answers:
            continue
        for number, cells in enumerate(table.rows):
            if canonical(cells[other]) not in (*UNLABELED_MARKS, canonical(cells[answers])):
                raise DataError(
                    CONTRADICTED,
                    where=table.where(number),
                    column=table.columns[other],
                    other=cells[other],
                    taken=table.columns[answers],
                    answer=cells[answers],
                )


def answers_in(
    table: Table, images: Mapping[str, Key], classes: ClassNames, no_image: str
) -> dict[Key, int]:
    """The class of each answered image, by its key in ``images`` (path -> key), in the order of the sheet.

    DataError: a path is not in ``images`` (with the sentence ``no_image``), an answer is no class, or an image has two
    different answers.
    """
    paths, answers = table.need(PATH_COLUMNS), table.need(ANSWER_COLUMNS)
    _check_one_answer(table, answers)
    known = {canonical(path): key for path, key in images.items()}
    found: dict[Key, int] = {}
    for number, cells in enumerate(table.rows):
        where, path = table.where(number), canonical(cells[paths])
        if path not in known:
            near = nearest(path, known)
            raise DataError(no_image, where=where, path=cells[paths], nearest=near)
        if canonical(cells[answers]) in UNLABELED_MARKS:
            continue
        label = position(WrittenLabel(path, cells[answers], where), classes)
        if found.setdefault(known[path], label) != label:
            raise DataError(
                '{where}: "{path}" has two different answers. Keep one of them.',
                where=where,
                path=cells[paths],
            )
    return found
