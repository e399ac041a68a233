"""Binds labels as they were written to the images that they mean, and to class positions."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from clipgrip.data.classes import UNLABELED_MARKS, ClassNames, canonical
from clipgrip.data.classfolders import folders_like
from clipgrip.data.entries import Entry, Found, WrittenLabel, keys_of, native_separators, place_key
from clipgrip.data.issues import Issue, Issues
from clipgrip.data.nearby import case_folded, difference, nfc, without_ending
from clipgrip.data.stores import local_of
from clipgrip.data.texts import Ints, TextIndex
from clipgrip.errors import DataError, nearest
from clipgrip.sentences import Sentence, combined, mark

SHOWN = 3
"""Paths that an error gives as examples."""
NUMBER = mark(
    '{where}: unknown label "{label}". Known: {listing}. A number in a table is the name of a class, not its '
    "position: write the names in its place."
)


@dataclass(frozen=True, slots=True)
class ResolvedLabel:
    """A label as a class position, or -1 for unlabeled; ``where`` says in errors where it stood."""

    label: int
    where: str


def position(written: WrittenLabel, classes: ClassNames) -> int:
    """The class position that a written label names; -1 where it is empty or ``-1``.

    Raises:
        DataError: the label names no class.
    """
    label = canonical(written.label)
    if label in UNLABELED_MARKS:
        return -1
    if written.folder and (found := folders_like(classes).position(label)) is not None:
        return found
    if (meant := classes.find(label)) is not None:
        return meant
    if written.numbered and label.isdecimal() and int(label) < len(classes):
        return int(label)
    if label.isdecimal() and not any(map(str.isdecimal, classes.display)):
        raise DataError(NUMBER, where=written.where, label=label, listing=classes.listing())
    raise DataError(
        '{where}: unknown label "{label}". Known: {listing}.{nearest} Correct the label, or add '
        "the class.",
        where=written.where,
        label=label,
        listing=classes.listing(),
        nearest=nearest(label, classes.display),
    )


class PathIndex:
    """Finds the position of the image that a written path means; the looser indexes are made when they are needed."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self._keys = keys_of(entries)

    @cached_property
    def exact(self) -> TextIndex:
        return TextIndex(self._keys)

    @cached_property
    def _by_nfc_key(self) -> TextIndex:
        return TextIndex(self._keys, lambda key: (nfc(key),))

    @cached_property
    def _by_nfc_name(self) -> TextIndex:
        return TextIndex(self._keys, lambda key: (nfc(os.path.basename(key)),))

    @cached_property
    def _by_folded_form(self) -> TextIndex:
        return TextIndex(self._keys, _folded_forms)

    def by_place(self, path: str, bases: Sequence[str]) -> int | None:
        """The image at ``path``, which is absolute or relative to one of ``bases``; the first that fits."""
        for text in dict.fromkeys((path, native_separators(local_of(path)))):
            for base in bases:
                key = place_key(os.path.join(base, text))
                if (found := self.exact.last_position(key)) is not None:
                    return found
                if (found := _only(self._by_nfc_key.positions(nfc(key)))) is not None:
                    return found
        return self.exact.last_position(path)

    def alike(self, path: str, bases: Sequence[str]) -> int | None:
        """The only image whose path, or else file name, differs just in case or in a missing ending; None without one.

        Many published tables leave the ending out. A different ending is a different file.
        """
        text = native_separators(path)
        places = (case_folded(place_key(os.path.join(base, text))) for base in bases)
        for place in (*places, case_folded(os.path.basename(text))):
            if (found := _only(self._by_folded_form.positions(place))) is not None:
                return found
        return None

    def by_name(self, path: str) -> int | None:
        """The only image with this file name, in any folder; None where there are several or none."""
        return _only(
            self._by_nfc_name.positions(
                nfc(os.path.normcase(os.path.basename(native_separators(path))))
            )
        )


def _folded_forms(key: str) -> list[str]:
    places = {case_folded(key), without_ending(key)}
    return [form for place in places for form in (place, os.path.basename(place))]


def _only(numbers: Sequence[int]) -> int | None:
    return numbers[0] if len(numbers) == 1 else None


Part = tuple[Ints, Ints, Callable[[int], ResolvedLabel]]
"""Positions of labeled images, ascending; for each, the position of its label; the function that makes that label."""


class ResolvedLabels:
    """Labels of images by their keys, made when they are read. An image may have several."""

    def __init__(self, keys: TextIndex | None = None, parts: Sequence[Part] = ()) -> None:
        self._keys, self._parts = keys, parts

    @classmethod
    def of(
        cls, keys: TextIndex, numbers: Ints, make: Callable[[int], ResolvedLabel]
    ) -> ResolvedLabels:
        """``make(i)`` gives the i-th label, which belongs to image ``numbers[i]``."""
        order = np.argsort(numbers, kind="stable")
        return cls(keys, [(numbers[order], order, make)])

    def and_(self, others: ResolvedLabels) -> ResolvedLabels:
        """These labels, followed by other labels of the same images."""
        return ResolvedLabels(self._keys or others._keys, [*self._parts, *others._parts])

    def about(self, key: str) -> list[ResolvedLabel]:
        """All labels of an image."""
        number = self._keys.last_position(key) if self._keys is not None else None
        if number is None:
            return []
        return [
            make(place)
            for numbers, order, make in self._parts
            for place in order[slice(*numbers.searchsorted([number, number + 1]))].tolist()
        ]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and bool(self.about(key))

    def __len__(self) -> int:
        """How many images have a label."""
        return len(np.unique(np.concatenate([[], *(numbers for numbers, *_ in self._parts)])))


@dataclass(frozen=True)
class Matched:
    """Labels by the keys of images, and issues for labels that were not used, or not as written."""

    labels: ResolvedLabels = field(default_factory=ResolvedLabels)
    issues: Issues = field(default_factory=Issues)


def match(
    found: Found, index: PathIndex, bases: Sequence[str], classes: ClassNames, shown: Sequence[str]
) -> Matched:
    """Bind each written label to an image.

    A path decides first. Only the remaining labels are bound by file name, and only to images that no path named.

    Raises:
        DataError: a label names no class, or there are labels and none of them matches an image.
    """
    written, issues = found.labels, Issues()
    # image, class, and index of the label, for each label that is bound; labels are many, so no objects are kept
    images, classes_of, label_indexes = array("q"), array("q"), array("q")
    unbound = array("q")

    def bind(image: int, index_of_label: int) -> None:
        images.append(image)
        classes_of.append(position(written[index_of_label], classes))
        label_indexes.append(index_of_label)

    for index_of_label, one in enumerate(written):
        image = index.by_place(one.path, bases)
        if image is None:
            position(one, classes)  # an unknown label is refused before any name is compared
            unbound.append(index_of_label)
        else:
            bind(image, index_of_label)
    by_path = np.unique(np.array(images, np.int64))
    for index_of_label in unbound:
        one = written[index_of_label]
        image = _by_name(one, index, bases, by_path)
        issues.append(_match_issue(one, None if image is None else index.entries[image]))
        if image is not None:
            bind(image, index_of_label)
    if not written:
        return Matched(issues=issues)
    if not images:
        raise _nothing_matches(written, bases, shown)

    def resolved(number: int) -> ResolvedLabel:
        return ResolvedLabel(classes_of[number], written[label_indexes[number]].where)

    return Matched(ResolvedLabels.of(index.exact, np.array(images, np.int64), resolved), issues)


def _by_name(
    written: WrittenLabel, index: PathIndex, bases: Sequence[str], by_path: Ints
) -> int | None:
    """The image with the same or almost the same name, unless its own path already bound a label (``by_path``)."""
    number = index.by_name(written.path)
    number = index.alike(written.path, bases) if number is None else number
    if number is None:
        return None
    first, last = by_path.searchsorted([number, number + 1]).tolist()
    return number if first == last else None


def _match_issue(written: WrittenLabel, entry: Entry | None) -> Issue:
    if entry is None:
        return Issue(
            written.path,
            "label-without-image",
            Sentence("{where}: there is no such image", where=written.where),
        )
    if nfc(os.path.basename(native_separators(written.path))) == nfc(os.path.basename(entry.path)):
        how = Sentence("the only image of that name")
    else:
        apart = difference(native_separators(written.path), entry.path)
        how = Sentence("which differs in {difference}", difference=apart)
    detail = Sentence(
        "{where}: taken for {path}, {how}", where=written.where, path=entry.path, how=how
    )
    return Issue(written.path, "matched-by-name", detail)


def _nothing_matches(
    labels: Sequence[WrittenLabel], bases: Sequence[str], shown: Sequence[str]
) -> DataError:
    written = ", ".join(_short(one.path) for one in labels[:SHOWN])
    places = combined(list(dict.fromkeys(bases)), mark(" and to "))
    values = {"where": labels[0].where, "n_claims": len(labels), "written": written}
    if not shown:
        return DataError(
            "{where}: none of the {n_claims} paths is an image that is there. Written are, for example: "
            "{written}. Looked for as absolute paths and relative to {places}. Write the paths in one of these ways.",
            places=places,
            **values,
        )
    return DataError(
        "{where}: none of the {n_claims} paths is an image. Written are, for example: {written}. "
        "The images are, for example: {known}. Looked for as absolute paths, relative to "
        "{places}, and by file name. Write the paths relative to the images folder.",
        known=", ".join(shown[:SHOWN]),
        places=places,
        **values,
    )


def _short(path: str) -> str:
    """A path, or the beginning of a text that is too long to be one."""
    return path if len(path) <= 200 else f"{path[:60]}…"
