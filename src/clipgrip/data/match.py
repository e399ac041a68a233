"""Statements about images, matched to the images they mean."""

from __future__ import annotations

import os
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from clipgrip.data.classes import UNLABELED_MARKS, ClassNames, canonical
from clipgrip.data.classfolders import folders_like
from clipgrip.data.entries import Claim, Entry, Found, native, place_key
from clipgrip.data.issues import Issue, Issues
from clipgrip.data.nearby import difference, folded, nfc, without_ending
from clipgrip.data.stores import local_of
from clipgrip.errors import DataError, nearest
from clipgrip.sentences import Sentence

SHOWN = 3
"""Paths that an error gives as examples."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A claim whose label is known to be a class position, or -1."""

    label: int
    where: str


def position(claim: Claim, classes: ClassNames) -> int:
    """Class position of a claim's label; -1 for a label cell that is empty or ``-1``.

    Raises:
        DataError: the label is not a class; says where, lists the classes and the nearest.
    """
    label = canonical(claim.label)
    if label in UNLABELED_MARKS:
        return -1
    if claim.folder and (found := folders_like(classes).position(label)) is not None:
        return found
    if label not in classes and claim.numbered and label.isdecimal() and int(label) < len(classes):
        return int(label)
    if label not in classes:
        raise DataError(
            '{where}: unknown label "{label}". Known: {listing}.{nearest} Correct the label, or add '
            "the class.",
            where=claim.where,
            label=label,
            listing=classes.listing(),
            nearest=nearest(label, classes.display),
        )
    return classes.index(label)


class PathIndex:
    """Finds the image that a written path means. What names look like is looked at where a place is not enough."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries

    @cached_property
    def _exact(self) -> dict[str, int]:
        return {entry.key: number for number, entry in enumerate(self._entries)}

    @cached_property
    def _composed(self) -> Numbers:
        return _numbers((nfc(key), number) for key, number in self._exact.items())

    @cached_property
    def _names(self) -> Numbers:
        return _numbers((nfc(os.path.basename(k)), number) for k, number in self._exact.items())

    @cached_property
    def _like(self) -> Numbers:
        return _numbers(
            (form, number)
            for key, number in self._exact.items()
            for place in {folded(key), without_ending(key)}
            for form in (place, os.path.basename(place))
        )

    def by_place(self, path: str, bases: Sequence[str]) -> Entry | None:
        """The image at ``path``, absolute or relative to the first of ``bases`` that fits."""
        for text in dict.fromkeys((path, native(local_of(path)))):
            for base in bases:
                key = place_key(os.path.join(base, text))
                if key in self._exact:
                    return self._entries[self._exact[key]]
                if (found := self._only(self._composed.get(nfc(key), ()))) is not None:
                    return found
        return self._entries[self._exact[path]] if path in self._exact else None

    def alike(self, path: str, bases: Sequence[str]) -> Entry | None:
        """The only image whose path, or else bare name, differs in upper and lower case or in its ending alone.

        A written name may lack the ending, as in many published tables; another ending is another file.
        """
        text = native(path)
        places = (folded(place_key(os.path.join(base, text))) for base in bases)
        for place in (*places, folded(os.path.basename(text))):
            if (found := self._only(self._like.get(place, ()))) is not None:
                return found
        return None

    def by_name(self, path: str) -> Entry | None:
        """The only image with this file name, wherever it lies."""
        name = nfc(os.path.normcase(os.path.basename(native(path))))
        return self._only(self._names.get(name, ()))

    def _only(self, numbers: Sequence[int]) -> Entry | None:
        return self._entries[numbers[0]] if len(numbers) == 1 else None


Numbers = Mapping[str, Sequence[int]]
"""A form of a path -> the entries that have it."""


def _numbers(pairs: Iterable[tuple[str, int]]) -> Numbers:
    found: dict[str, list[int]] = defaultdict(list)
    for form, number in pairs:
        found[form].append(number)
    return found


@dataclass(frozen=True)
class Matched:
    """Statements by the key of the image, and what could not be matched as written."""

    statements: dict[str, list[Statement]]
    issues: Issues


def match(
    found: Found, index: PathIndex, bases: Sequence[str], classes: ClassNames, shown: Sequence[str]
) -> Matched:
    """Bind each claim to an image; the file name alone decides only as a last resort, for images named by no place.

    Raises:
        DataError: an unknown label, or claims of which none matches an image.
    """
    statements: dict[str, list[Statement]] = defaultdict(list)
    issues, others = Issues(), array("q")
    for number, claim in enumerate(found.claims):
        statement = Statement(position(claim, classes), claim.where)
        placed = index.by_place(claim.path, bases)
        if placed is None:
            others.append(number)
        else:
            statements[placed.key].append(statement)
    exact = frozenset(
        statements
    )  # who names an image by its place does not mean it by another place too
    for claim in map(found.claims.__getitem__, others):
        entry = index.by_name(claim.path) or index.alike(claim.path, bases)
        entry = None if entry is not None and entry.key in exact else entry
        if entry is not None:
            statements[entry.key].append(Statement(position(claim, classes), claim.where))
        issues.append(_remark(claim, entry))
    if found.claims and not statements:
        raise _nothing_matches(found.claims, bases, shown)
    return Matched(statements, issues)


def _remark(claim: Claim, entry: Entry | None) -> Issue:
    if entry is None:
        return Issue(
            claim.path,
            "label-without-image",
            Sentence("{where}: there is no such image", where=claim.where),
        )
    if nfc(os.path.basename(native(claim.path))) == nfc(os.path.basename(entry.path)):
        how = Sentence("the only image of that name")
    else:
        apart = difference(native(claim.path), entry.path)
        how = Sentence("which differs in {difference}", difference=apart)
    detail = Sentence(
        "{where}: taken for {path}, {how}", where=claim.where, path=entry.path, how=how
    )
    return Issue(claim.path, "matched-by-name", detail)


def _nothing_matches(
    claims: Sequence[Claim], bases: Sequence[str], shown: Sequence[str]
) -> DataError:
    written = ", ".join(_short(claim.path) for claim in claims[:SHOWN])
    known = ", ".join(shown[:SHOWN])
    places = " and to ".join(dict.fromkeys(bases))
    if not shown:
        return DataError(
            "{where}: none of the {n_claims} paths is an image that is there. Written are, for example: "
            "{written}. Looked for as absolute paths and relative to {places}.",
            where=claims[0].where,
            n_claims=len(claims),
            written=written,
            places=places,
        )
    return DataError(
        "{where}: none of the {n_claims} paths is an image. Written are, for example: {written}. "
        "The images are, for example: {known}. Looked for as absolute paths, relative to "
        "{places}, and by file name. Write the paths relative to the images folder.",
        where=claims[0].where,
        n_claims=len(claims),
        written=written,
        known=known,
        places=places,
    )


def _short(path: str) -> str:
    """A path, or the beginning of what can be none."""
    return path if len(path) <= 200 else f"{path[:60]}…"
