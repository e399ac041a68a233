"""Statements about images, matched to the images they mean."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clipgrip.data.classes import UNLABELED_MARKS, ClassNames, canonical
from clipgrip.data.classfolders import folders_like
from clipgrip.data.discover import Claim, Entry, Found, native, place_key
from clipgrip.data.issues import Issue
from clipgrip.data.nearby import difference, folded, nfc, without_ending
from clipgrip.errors import DataError, nearest
from clipgrip.sentences import Sentence, mark


@dataclass(frozen=True)
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
            mark(
                '{where}: unknown label "{label}". Known: {listing}.{nearest} Correct the label, or add '
                "the class."
            ),
            where=claim.where,
            label=label,
            listing=classes.listing(),
            nearest=nearest(label, classes.display),
        )
    return classes.index(label)


class PathIndex:
    """Finds the image that a written path means."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._exact: dict[str, Entry] = {}
        self._composed: dict[str, list[Entry]] = defaultdict(list)
        self._names: dict[str, list[Entry]] = defaultdict(list)
        self._like: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            self._exact[entry.key] = entry
            self._composed[nfc(entry.key)].append(entry)
            self._names[nfc(os.path.basename(entry.key))].append(entry)
            for place in {folded(entry.key), without_ending(entry.key)}:
                self._like[place].append(entry)
                self._like[os.path.basename(place)].append(entry)

    def by_place(self, path: str, bases: Sequence[str]) -> Entry | None:
        """The image at ``path``, absolute or relative to the first of ``bases`` that fits."""
        for text in dict.fromkeys((path, native(path))):
            for base in bases:
                key = place_key(os.path.join(base, text))
                alike = self._composed.get(nfc(key), [])
                found = self._exact.get(key) or (alike[0] if len(alike) == 1 else None)
                if found is not None:
                    return found
        return self._exact.get(path)

    def alike(self, path: str, bases: Sequence[str]) -> Entry | None:
        """The only image whose path, or else bare name, differs in upper and lower case or in its ending alone.

        A written name may lack the ending, as in many published tables; another ending is another file.
        """
        text = native(path)
        places = (folded(place_key(os.path.join(base, text))) for base in bases)
        for place in (*places, folded(os.path.basename(text))):
            if len(found := self._like.get(place, [])) == 1:
                return found[0]
        return None

    def by_name(self, path: str) -> Entry | None:
        """The only image with this file name, wherever it lies."""
        name = nfc(os.path.normcase(os.path.basename(native(path))))
        alike = self._names.get(name, [])
        return alike[0] if len(alike) == 1 else None


@dataclass(frozen=True)
class Matched:
    """Statements by the key of the image, and what could not be matched as written."""

    statements: dict[str, list[Statement]]
    issues: tuple[Issue, ...]


def match(
    found: Found, index: PathIndex, bases: Sequence[str], classes: ClassNames, shown: Sequence[str]
) -> Matched:
    """Bind each claim to an image; the file name alone decides only as a last resort.

    Raises:
        DataError: an unknown label, or claims of which none matches an image.
    """
    statements: dict[str, list[Statement]] = defaultdict(list)
    issues: list[Issue] = []
    for claim in found.claims:
        statement = Statement(position(claim, classes), claim.where)
        placed = index.by_place(claim.path, bases)
        entry = placed or index.by_name(claim.path) or index.alike(claim.path, bases)
        if entry is not None:
            statements[entry.key].append(statement)
        if placed is None:
            issues.append(_remark(claim, entry))
    if found.claims and not statements:
        raise _nothing_matches(found.claims, bases, shown)
    return Matched(statements, tuple(issues))


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
    written = ", ".join(claim.path for claim in claims[:3])
    known = ", ".join(shown[:3])
    return DataError(
        mark(
            "{where}: none of the {n_claims} paths is an image. Written are, for example: {written}. "
            "The images are, for example: {known}. Looked for as absolute paths, relative to "
            "{places}, and by file name. Write the paths relative to the images folder."
        ),
        where=claims[0].where,
        n_claims=len(claims),
        written=written,
        known=known,
        places=" and to ".join(dict.fromkeys(bases)),
    )
