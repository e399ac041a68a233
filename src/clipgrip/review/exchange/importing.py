"""Labels from other tools, as answers of the person who brings them in."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from clipgrip.clock import precisely
from clipgrip.data.classes import canonical
from clipgrip.data.classfolders import folders_like
from clipgrip.data.nameindex import NameIndex
from clipgrip.errors import DataError, among
from clipgrip.review.exchange.archives import read_folders
from clipgrip.review.exchange.claims import REASONS, THE_FILE, Claimed, Left, Read, Reader, short
from clipgrip.review.exchange.coco import read_coco
from clipgrip.review.exchange.fiftyone import read_fiftyone
from clipgrip.review.exchange.finding import Finder, How, Place
from clipgrip.review.exchange.label_studio import read_label_studio
from clipgrip.review.exchange.tables import read_csv
from clipgrip.review.exchange.written import NAMED
from clipgrip.review.session import ReviewSession
from clipgrip.review.snapshot import ReviewSnapshot
from clipgrip.review.store import Answer, Change
from clipgrip.words import Words, mark

SHOWN = 20
"""Problems that are told in full."""
TAKEN: dict[How, str] = {
    "content": mark("found by content"),
    "path": mark("found by path"),
    "name": mark("found by a name that only one image has"),
    "case": mark("found by a name that differs in upper and lower case"),
    "other-content": mark("found by path or name, but the file is about another content: look at them"),
}  # fmt: skip
PARTS = mark("read from boxes around parts of images, as labels of the whole images")
UNSEEN = mark(
    "were a model's answers left to a person (decided_by), taken as yours: make sure that each was looked at"
)
SAME = mark("your answer already")
CHANGED = mark("another answer of yours before, which now counts no more")
UNKNOWN = mark('no import "{form}". Known: {known}.{nearest}')
EMPTY = mark("The file holds no entry at all.")


@dataclass
class _Sorted:
    """What a file's claims come to."""

    klass: dict[str, int] = field(default_factory=dict)
    """Content hash -> class id."""
    how: dict[str, tuple[How, str]] = field(default_factory=dict)
    """Content hash -> how it was found, and the file name as written."""
    parts: set[str] = field(default_factory=set)
    """Those whose label the file says of a part only."""
    unseen: set[str] = field(default_factory=set)
    """Those whose label was a model's answer."""
    left: list[Left] = field(default_factory=list)


def imported(
    session: ReviewSession,
    form: str,
    data: bytes,
    person: str,
    say: Words | None = None,
    called: str = THE_FILE,
) -> dict[str, Any]:
    """Keep what a file says; a table of what was taken, what was left out, and why. ``called``: a table's name.

    An image that the person has answered with the same class already is left as it is; an image of which the file says
    two different things gets no answer. What the model decided (column ``decided_by`` of our own export) is nobody's
    answer.

    Returns ``answers`` (new ones), ``problems`` (the first in full) and ``more`` (how many are not shown), and
    ``table``: lines with ``kind`` (taken, same or left), ``reason``, ``text`` in the reader's language, ``n`` and the
    ``first`` names. ``note`` says that there was nothing at all. DataError: there is no such format, or the file is not
    of it.
    """
    if form not in IMPORTS:
        raise DataError(UNKNOWN, form=form, **among(form, IMPORTS))
    before = session.snapshot
    class_of, view = _ClassOf(before, form), before.view
    rows = (*view.outcome.manifest.rows, *before.round.missing, *view.rows)
    reader = partial(read_csv, called=called) if form == "csv" else _READERS[form]
    read = list(reader(data, lambda name: class_of(name) is not None))
    _check(read)
    places = _places(Finder(rows), read)
    with session.lock:  # people went on meanwhile
        snapshot, when = session.snapshot, precisely()
        pairs = zip(read, places, strict=True)
        found = _sorted(_ClassOf(snapshot, form), snapshot.view.row_by_hash, pairs)
        earlier = {image: _earlier(snapshot, image, person) for image in found.klass}
        fresh = {image: klass for image, klass in found.klass.items() if earlier[image] != klass}
        answers = [_answer(snapshot, image, klass, person, when) for image, klass in fresh.items()]
        new = session.answer(answers) if answers else 0
        if new:
            session.store.record(Change("import", person, when, {"form": form, "answers": new}))
    changed = [image for image in fresh if earlier[image] is not None]
    same = [image for image in found.klass if image not in fresh]
    wrong = [left for left in found.left if not REASONS[left.reason].harmless]
    return {
        "answers": new,
        "problems": [left.problem for left in wrong[:SHOWN]],
        "more": max(0, len(wrong) - SHOWN),
        "table": _table(found, list(fresh), same, changed, say or Words("en")),
        "note": "" if read else (say or Words("en"))(EMPTY),
    }


class _ClassOf:
    """The class id that a name in a file stands for; folders are named as in `clipgrip run`."""

    def __init__(self, snapshot: ReviewSnapshot, form: str) -> None:
        table = snapshot.classes
        self.names = [canonical(one.name) for one in table.active]
        self._index = NameIndex(self.names)
        self._folders = folders_like(table.class_names) if form == "folders" else None
        self._columns = table.ids.tolist()

    def __call__(self, name: str) -> int | None:
        """None where it stands for none."""
        folders, index = self._folders, self._index
        position = index.find(canonical(name)) if folders is None else folders.position(name)
        return None if position is None else self._columns[position]


def _places(finder: Finder, read: Sequence[Read]) -> list[Place]:
    """The image of each; a name in other case means none that the file speaks of by its own name too."""
    places = [
        finder.find(one.path if isinstance(one, Claimed) else one.name, one.sha256) for one in read
    ]
    named = {place.image for place in places if place.how != "case"} - {None}
    return [
        Place(None, "case") if one.how == "case" and one.image in named else one for one in places
    ]


def _check(read: Sequence[Read]) -> None:
    """DataError where not a single row is as the format has it."""
    wrong = [one for one in read if isinstance(one, Left) and one.reason == "malformed"]
    if wrong and len(wrong) == len(read):
        raise DataError(wrong[0].problem.template, **wrong[0].problem.values)


def _sorted(
    class_of: _ClassOf, reviewed: Mapping[str, int], read: Iterable[tuple[Read, Place]]
) -> _Sorted:
    found, spoiled = _Sorted(), set[str]()
    labels: dict[str, set[int]] = defaultdict(set)
    for one, place in read:
        left = one if isinstance(one, Left) else _refused(one, place, class_of, reviewed)
        klass = class_of(one.label) if left is None and isinstance(one, Claimed) else None
        if isinstance(one, Claimed) and klass is not None and place.image is not None:
            if labels[place.image] and klass not in labels[place.image]:
                left = Left("disagree", one.where, one.path, sha256=one.sha256)
            labels[place.image].add(klass)
            found.how.setdefault(place.image, (place.how, one.path))
            found.klass.setdefault(place.image, klass)
            if one.of_part:
                found.parts.add(place.image)
            if one.of_model:
                found.unseen.add(place.image)
        if left is not None:
            found.left.append(left)
            if REASONS[left.reason].spoils and place.image is not None:
                spoiled.add(place.image)
    for image in spoiled & found.klass.keys():
        del found.klass[image]
    return found


def _refused(
    claim: Claimed, place: Place, class_of: _ClassOf, reviewed: Mapping[str, int]
) -> Left | None:
    """Why a claim cannot be used."""
    where, path = claim.where, claim.path
    if place.image is None:
        return Left("ambiguous" if place.ambiguous else "no-image", where, path)
    if place.image not in reviewed:
        return Left("elsewhere", where, path)
    if class_of(claim.label) is None:
        return Left("class", where, path, claim.label, known=class_of.names)
    return None


def _earlier(snapshot: ReviewSnapshot, image: str, person: str) -> int | None:
    """The class that a person gave an image; None for none, or one that cannot be told."""
    opinion = snapshot.opinions.get(image)
    return None if opinion is None else dict(opinion.by_person).get(person)


def _answer(snapshot: ReviewSnapshot, image: str, klass: int, person: str, when: str) -> Answer:
    row = snapshot.row(image)
    return Answer(
        token=uuid.uuid4().hex,
        image=image,
        verdict="class",
        klass=klass,
        purpose="import",
        person=person,
        at=when,
        seconds=None,
        round=snapshot.round.number,
        proposed=int(snapshot.view.label[row]),
        confidence=float(snapshot.view.confidence[row]),
    )


def _table(
    found: _Sorted, fresh: Sequence[str], same: Sequence[str], changed: Sequence[str], say: Words
) -> list[dict[str, Any]]:
    """Taken, there already, and left out: how many for each reason, and the first file names."""

    def line(kind: str, reason: str, text: str, names: Sequence[str]) -> dict[str, Any]:
        first = list(dict.fromkeys(names))[:NAMED]
        return {"kind": kind, "reason": reason, "text": say(text), "n": len(names), "first": first}

    def written(images: Iterable[str]) -> list[str]:
        return [short(found.how[image][1]) for image in images]

    lines = [
        line("taken", how, text, written(i for i in fresh if found.how[i][0] == how))
        for how, text in TAKEN.items()
    ]
    lines += [
        line("changed", "changed", CHANGED, written(changed)),
        line("same", "same", SAME, written(same)),
    ]
    lines += [
        line("note", "parts", PARTS, written(i for i in fresh if i in found.parts)),
        line("note", "unseen", UNSEEN, written(i for i in fresh if i in found.unseen)),
    ]
    reasons = Counter(left.reason for left in found.left)
    lines += [
        line(
            "left",
            slug,
            reason.text,
            [left.shown(say) for left in found.left if left.reason == slug],
        )
        for slug, reason in REASONS.items()
        if reasons[slug]
    ]
    return [one for one in lines if one["n"]]


_READERS: dict[str, Reader] = {
    "csv": read_csv,
    "folders": read_folders,
    "label-studio": read_label_studio,
    "coco": read_coco,
    "fiftyone": read_fiftyone,
}
IMPORTS = {
    "csv": mark("CSV with the columns path and label, or one column for each class (Roboflow)"),
    "folders": mark("Class folders in a ZIP"),
    "label-studio": mark("Label Studio: JSON, JSON-MIN, CSV or TSV"),
    "coco": mark("COCO JSON"),
    "fiftyone": mark("FiftyOne: labels.json or samples.json"),
}
