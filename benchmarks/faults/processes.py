"""Three processes at once on one folder."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

from benchmarks.faults.place import Place
from benchmarks.faults.trials import FINE, Attempt, Case, Outcome
from benchmarks.faults.works import WORKS, Work, reference

PROCESSES = 3


def cases(place: Place, quick: bool) -> Iterator[Case]:
    """Each command three times at once."""
    for work in WORKS:
        kind = f"`{work.name}` three times at once"
        yield Case("processes", kind, 1 if quick else 20, _together(place, work))


def _together(place: Place, work: Work) -> Attempt:
    def attempt(_: random.Random, __: int) -> Outcome:
        known = reference(place, work)
        work.begin(place)
        children = []
        for _n in range(PROCESSES):
            child = os.fork()
            if child == 0:
                ended = work.do(place)
                if not ended.is_sentence:
                    place.folder.with_name(f"wrong-{os.getpid()}").write_text(ended.end)
                os._exit(0 if ended.is_sentence else 1)
            children.append(child)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        if any(codes):
            said = [path.read_text() for path in place.folder.parent.glob("wrong-*")]
            for path in place.folder.parent.glob("wrong-*"):
                path.unlink()
            return Outcome(" | ".join(said))
        again = work.do(place)
        if not again.is_sentence or not work.is_done(place, known.content):
            return Outcome(f"another result; {again.end}")
        return FINE if not place.parts() else Outcome(f"{place.parts()} stayed")

    return attempt
