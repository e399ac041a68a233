"""Statements about images, matched to the images they mean."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from clipgrip.data.classes import UNLABELED_MARKS, ClassNames, canonical
from clipgrip.data.classfolders import folders_like
from clipgrip.data.entries import Claim, Entry, Found, keys_of, native, place_key
from clipgrip.data.issues import Issue, Issues
from clipgrip.data.nearby import difference, folded, nfc, without_ending
from clipgrip.data.stores import local_of
from clipgrip.data.texts import Ints, Keyed
from clipgrip.errors import DataError, nearest
from clipgrip.sentences import Sentence, mark

SHOWN = 3
"""Paths that an error gives as examples."""
NUMBER = mark(
    '{where}: unknown label "{label}". Known: {listing}. A number in a table is the name of a class, not its '
    "position: write the names in its place."
)


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
    if (meant := classes.meant(label)) is not None:
        return meant
    if claim.numbered and label.isdecimal() and int(label) < len(classes):
        return int(label)
    if label.isdecimal() and not any(map(str.isdecimal, classes.display)):
        raise DataError(NUMBER, where=claim.where, label=label, listing=classes.listing())
    raise DataError(
        '{where}: unknown label "{label}". Known: {listing}.{nearest} Correct the label, or add '
        "the class.",
        where=claim.where,
        label=label,
        listing=classes.listing(),
        nearest=nearest(label, classes.display),
    )


class PathIndex:
    """Finds the image that a written path means. What names look like is looked at where a place is not enough."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self._keys = keys_of(entries)

    @cached_property
    def exact(self) -> Keyed:
        """The images by their keys."""
        return Keyed(self._keys)

    @cached_property
    def _composed(self) -> Keyed:
        return Keyed(self._keys, lambda key: (nfc(key),))

    @cached_property
    def _names(self) -> Keyed:
        return Keyed(self._keys, lambda key: (nfc(os.path.basename(key)),))

    @cached_property
    def _like(self) -> Keyed:
        return Keyed(self._keys, _folded_forms)

    def by_place(self, path: str, bases: Sequence[str]) -> int | None:
        """The number of the image at ``path``, absolute or relative to the first of ``bases`` that fits."""
        for text in dict.fromkeys((path, native(local_of(path)))):
            for base in bases:
                key = place_key(os.path.join(base, text))
                if (found := self.exact.number(key)) is not None:
                    return found
                if (found := _only(self._composed.numbers(nfc(key)))) is not None:
                    return found
        return self.exact.number(path)

    def alike(self, path: str, bases: Sequence[str]) -> int | None:
        """Of the only image whose path, or else bare name, differs in upper and lower case or in its ending alone.

        A written name may lack the ending, as in many published tables; another ending is another file.
        """
        text = native(path)
        places = (folded(place_key(os.path.join(base, text))) for base in bases)
        for place in (*places, folded(os.path.basename(text))):
            if (found := _only(self._like.numbers(place))) is not None:
                return found
        return None

    def by_name(self, path: str) -> int | None:
        """Of the only image with this file name, wherever it lies."""
        return _only(self._names.numbers(nfc(os.path.normcase(os.path.basename(native(path))))))


def _folded_forms(key: str) -> list[str]:
    places = {folded(key), without_ending(key)}
    return [form for place in places for form in (place, os.path.basename(place))]


def _only(numbers: Sequence[int]) -> int | None:
    return numbers[0] if len(numbers) == 1 else None


Part = tuple[Ints, Ints, Callable[[int], Statement]]
"""Numbers of images in their order, the place of what is said of each, and what makes the statement at a place."""


class Statements:
    """What is said of images, by their keys; a statement is made when it is asked for."""

    def __init__(self, keys: Keyed | None = None, parts: Sequence[Part] = ()) -> None:
        self._keys, self._parts = keys, parts

    @classmethod
    def of(cls, keys: Keyed, numbers: Ints, make: Callable[[int], Statement]) -> Statements:
        """``make`` gives what stands at a place; ``numbers`` say of which image that is."""
        order = np.argsort(numbers, kind="stable")
        return cls(keys, [(numbers[order], order, make)])

    def and_(self, others: Statements) -> Statements:
        """What these say of an image, and then what others say, of the same images."""
        return Statements(self._keys or others._keys, [*self._parts, *others._parts])

    def about(self, key: str) -> list[Statement]:
        """All that is said of an image."""
        number = self._keys.number(key) if self._keys is not None else None
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
        """Images of which something is said."""
        return len(np.unique(np.concatenate([[], *(numbers for numbers, *_ in self._parts)])))


@dataclass(frozen=True)
class Matched:
    """Statements by the key of the image, and remarks on what was not taken, or not as written."""

    statements: Statements = field(default_factory=Statements)
    issues: Issues = field(default_factory=Issues)


def match(
    found: Found, index: PathIndex, bases: Sequence[str], classes: ClassNames, shown: Sequence[str]
) -> Matched:
    """Bind each claim to an image; the file name alone decides only as a last resort, for images named by no place.

    Raises:
        DataError: an unknown label, or claims of which none matches an image.
    """
    numbers, labels, places = array("q"), array("q"), array("q")
    issues, claims = Issues(), found.claims
    others = array("q")
    for place, claim in enumerate(claims):
        label = position(claim, classes)
        number = index.by_place(claim.path, bases)
        if number is None:
            others.append(place)
            continue
        numbers.append(number)
        labels.append(label)
        places.append(place)
    exact = np.unique(np.array(numbers, np.int64))
    for place in others:
        claim = claims[place]
        number = _by_name(claim, index, bases, exact)
        issues.append(_remark(claim, None if number is None else index.entries[number]))
        if number is not None:
            numbers.append(number)
            labels.append(position(claim, classes))
            places.append(place)
    if claims and not numbers:
        raise _nothing_matches(claims, bases, shown)
    if not claims:
        return Matched(issues=issues)

    def made(one: int) -> Statement:
        return Statement(labels[one], claims[places[one]].where)

    return Matched(Statements.of(index.exact, np.array(numbers, np.int64), made), issues)


def _by_name(claim: Claim, index: PathIndex, bases: Sequence[str], exact: Ints) -> int | None:
    """The image that a claim of another place means; one that is named by its own place is not meant by another."""
    number = index.by_name(claim.path)
    number = index.alike(claim.path, bases) if number is None else number
    if number is None:
        return None
    first, last = exact.searchsorted([number, number + 1]).tolist()
    return number if first == last else None


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
