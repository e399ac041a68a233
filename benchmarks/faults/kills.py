"""SIGKILL at a random moment, then the same command again."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.faults.place import Place
from benchmarks.faults.trials import FINE, Attempt, Case, Outcome
from benchmarks.faults.works import DEMO, WORKS, Work, reference
from clipgrip.review.store import open_review

TRIES = 8
SOON = 1.5
"""Seconds in which a review that answers is killed."""


def cases(place: Place, quick: bool) -> Iterator[Case]:
    """Every command, and the review while it takes answers."""
    times = 2 if quick else 100
    yield Case("kills", "`review` killed while it takes answers", times, _review(place))
    for work in (*WORKS, DEMO):
        yield Case("kills", f"`{work.name}` killed, then again", times, _killed(place, work))


def _killed(place: Place, work: Work) -> Attempt:
    def attempt(chance: random.Random, _: int) -> Outcome:
        known = reference(place, work)
        most, seen = known.seconds, ""
        for _try in range(TRIES):  # on a machine whose load changes it may end before
            work.begin(place)
            moment = chance.uniform(0.005, most)
            if work.do(place, kill=moment).code == -signal.SIGKILL:
                seen = "killed"
                break
            most = moment
        again = work.do(place)  # some refuse to write again what is whole already
        if not again.is_sentence or not work.is_done(place, known.content):
            return Outcome(f"another result; {again.end}", seen)
        if place.parts():
            return Outcome(f"{place.parts()} stayed", seen)
        return Outcome(seen=seen)

    return attempt


def _review(place: Place) -> Attempt:
    def attempt(chance: random.Random, _: int) -> Outcome:
        place.gone("answered")
        folder = Path(shutil.copytree(place.folder / "whole", place.folder / "answered"))
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            try:
                _answer(folder, writing)
            finally:
                os._exit(1)
        os.close(writing)
        os.read(reading, 8)  # it has begun
        time.sleep(chance.uniform(0.0, SOON))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(reading, "r") as file:
            acknowledged = file.read().split("\n")[:-1]
        with open_review(folder) as store:
            kept = {answer.token for answer in store.answers()}
        lost = [token for token in acknowledged if token not in kept]
        if lost:
            return Outcome(f"{len(lost)} of {len(acknowledged)} acknowledged answers were lost")
        return FINE if not acknowledged else Outcome(seen="with answers acknowledged before")

    return attempt


def _answer(folder: Path, writing: int) -> None:
    """Answers through the page's own routes; each that was acknowledged is said."""
    from benchmarks.faults.browser import Browser
    from clipgrip.review.session import ReviewSession

    with open_review(folder, create=True) as store:
        session = ReviewSession(folder, store)
        classes = session.snapshot.classes.stored
        browser = Browser(session)
        images = [row.sha256 for row in session.snapshot.view.rows]
        os.write(writing, b"begun...")
        for number in range(100_000):
            token = f"token-{number:06d}"
            klass = classes[number % len(classes)].id
            said = {"token": token, "image": images[number % len(images)], "klass": klass}
            if browser.post("/api/answers", {"answers": [said]}).status_code == 200:
                os.write(writing, f"{token}\n".encode())
