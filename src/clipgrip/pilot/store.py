"""pilot.json: written once. A change is a new file beside it that says when, why, and what it replaces."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clipgrip.errors import ClipgripError, ConfigError, DataError
from clipgrip.files import read_file, sweep, system_words, utf8_bytes, write_bytes_once
from clipgrip.pilot.criteria import Criterion
from clipgrip.pilot.plan import Pilot, Plan
from clipgrip.sealed import is_whole, sealed
from clipgrip.sentences import mark

FORMAT = "clipgrip-pilot-2"
UNSEALED = "clipgrip-pilot-1"
"""An older format, without the digest of its own content."""
MAX_BYTES = 16 << 20
FIXED = mark(
    "{place} was fixed on {made} and stays as it is: criteria that change after the data "
    'are none. To add a dated version that says why, give --revise "REASON"; else choose '
    "another --out."
)


@dataclass(frozen=True)
class Version:
    """One set of criteria with the moment it was fixed (ISO time), by whom, and why where it replaces another."""

    number: int
    made: str
    by: str
    reason: str
    pilot: Pilot
    images_to_answer: int
    digest: str
    """SHA-256 of the file, which the next version names."""
    file: str


def write_version(
    place: Path,
    pilot: Pilot,
    worked: Plan,
    *,
    made: str,
    by: str = "",
    reason: str = "",
    before: Callable[[Version], None] = lambda _: None,
) -> Version:
    """Keep a pilot: the first version at ``place``, a later one beside it as ``NAME-2.json``, ``NAME-3.json``.

    ``before`` is given the version before it is kept: where that fails, nothing is.

    Raises:
        ConfigError: there is a version already and no ``reason`` for another, or a reason but no version.
        DataError: what is there cannot be read.
        OSError: the folder cannot be written.
    """
    earlier = read_versions(place) if place.exists() else ()
    if earlier and not reason.strip():
        raise ConfigError(FIXED, place=place, made=earlier[0].made)
    if reason and not earlier:
        raise ConfigError(
            "{place} is not there, so there is nothing to revise. Leave --revise out.", place=place
        )
    number = len(earlier) + 1
    target = _numbered(place, number)
    replaces = earlier[-1].digest if earlier else None
    content = {
        "format": FORMAT,
        "version": number,
        "made": made,
        "by": by,
        "replaces": replaces,
        "reason": reason,
        "pilot": asdict(pilot),
        "plan": {"images_to_answer": worked.images, **_plain(worked)},
    }
    text = json.dumps(sealed(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    data = utf8_bytes(text)
    version = _parsed(data, target, number, replaces)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        sweep(target.parent)
        write_bytes_once(target, data, lambda: before(version))
    except FileExistsError:
        raise ConfigError(
            "{target} appeared meanwhile. Look at it, then try again.", target=target
        ) from None
    return version


def read_versions(place: Path) -> tuple[Version, ...]:
    """The version at ``place`` and those beside it that replace it, oldest first.

    DataError: not a pilot, or one that was changed after a later version named it.
    """
    versions = [_read(place, 1, None)]
    while (following := _numbered(place, len(versions) + 1)).exists():
        versions.append(_read(following, len(versions) + 1, versions[-1].digest))
    return tuple(versions)


def in_force(versions: tuple[Version, ...], since: str | None) -> Version | None:
    """The newest version that was fixed before the first answer (ISO time); the newest where there is none yet."""
    before = [one for one in versions if since is None or moment(one.made) <= moment(since)]
    return before[-1] if before else None


def moment(iso: str) -> datetime:
    """An ISO time to compare; without a zone it is UTC. ValueError: not an ISO time."""
    when = datetime.fromisoformat(iso)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _numbered(place: Path, number: int) -> Path:
    return place if number == 1 else place.with_name(f"{place.stem}-{number}{place.suffix}")


def _read(place: Path, number: int, replaces: str | None) -> Version:
    try:
        data = read_file(place, MAX_BYTES)
    except OSError as error:
        raise DataError(
            "{place}: cannot be read ({reason}). Give the pilot.json that clipgrip audit plan wrote.",
            place=place,
            reason=system_words(error),
        ) from error
    return _parsed(data, place, number, replaces)


def _parsed(data: bytes, place: Path, number: int, replaces: str | None) -> Version:
    try:
        content = json.loads(data)
        if content["format"] not in (FORMAT, UNSEALED):
            raise KeyError(content["format"])
        if content["format"] == FORMAT and not is_whole(content):
            raise DataError(mark("it was changed after it was written, or is damaged"))
        version = _version(content, hashlib.sha256(data).hexdigest(), place.name)
    except (
        *(ValueError, KeyError, TypeError, AttributeError, RecursionError),
        ClipgripError,
    ) as error:
        raise DataError(
            "{place}: not a pilot as clipgrip audit plan writes it ({error}). Give the "
            "pilot.json as it was written.",
            place=place,
            error=error,
        ) from None
    if (version.number, content["replaces"]) != (number, replaces):
        raise DataError(
            "{place}: does not follow the version before it; one of the two was changed or "
            "exchanged after it was written. Bring back the files as they were.",
            place=place,
        )
    return version


def _version(content: Mapping[str, Any], digest: str, file: str) -> Version:
    given: dict[str, Any] = dict(content["pilot"])
    given["criteria"] = tuple(Criterion(**one) for one in given["criteria"])
    for key in ("classes", "ok_classes"):
        given[key] = tuple(given[key])
    pilot = Pilot(**given)
    moment(content["made"])
    return Version(
        content["version"],
        content["made"],
        content["by"],
        content["reason"],
        pilot,
        content["plan"]["images_to_answer"],
        digest,
        file,
    )


def _plain(worked: Plan) -> dict[str, Any]:
    return {
        "minutes": round(worked.minutes, 1),
        "needs": [asdict(need) for need in worked.needs],
        "to_measure": worked.to_measure,
        "chances": {
            name: [{key: round(value, 6) for key, value in asdict(one).items()} for one in ones]
            for name, ones in worked.chances.items()
        },
    }
