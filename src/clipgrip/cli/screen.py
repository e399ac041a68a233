"""What a running command shows: bars on a terminal, plain lines in a log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from clipgrip.cli.log import LOGGER
from clipgrip.runs.events import Listener
from clipgrip.words import ENGLISH, Sentence, Words, mark

STAGES = {
    "hash": mark("reading files"), "embed": mark("encoding images"), "pixels": mark("preparing images"),
    "round": mark("tuning the prompt"), "answer": mark("answering"), "stress": mark("trying noise"),
}  # fmt: skip
BY = mark("{stage} ({by})")
"""A stage, and the eye that is at work."""
LOG_SECONDS = 15.0


class Screen(Listener):
    """Progress on standard error; standard output stays for results."""

    def __init__(
        self,
        console: Console | None = None,
        *,
        say: Words = ENGLISH,
        quiet: bool = False,
    ) -> None:
        self.say = say
        self._console = console or Console(
            stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False
        )
        self._quiet = quiet
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._began: dict[str, float] = {}
        self._logged: dict[str, float] = {}
        self._round = 0

    @contextmanager
    def live(self) -> Iterator[None]:
        """Show bars while the work goes on, where there is a terminal; each time anew."""
        self._tasks, self._began, self._logged = {}, {}, {}
        self._round = 0
        if self._quiet or not self._console.is_terminal:
            yield
            return
        columns = (
            TextColumn("{task.description:<18}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console, transient=True) as self._progress:
            yield
        self._progress = None

    def progress(self, stage: str, done: int, total: int) -> None:
        """Move the stage's bar, or say a line now and then."""
        if done <= 1 or stage not in self._began:
            self._began[stage] = time.monotonic()
        rate = self._rate(stage, done)
        if done == total:
            seconds = time.monotonic() - self._began[stage]
            LOGGER.debug("%s: %d of %d in %.1f s", self._name(stage, ENGLISH), done, total, seconds)
        if self._quiet:
            return
        if self._progress is not None:
            self._move(stage, done, total, rate)
        elif stage != "round" or done < total:  # a round that is done has a line of its own
            self._say(stage, done, total, rate)

    def note(self, text: str) -> None:
        """A sentence of its own."""
        shown = self.say.translated(text)
        LOGGER.info("%s", shown)
        self._console.print(shown, markup=False, emoji=False)

    def step(self, text: str) -> None:
        """A sentence of its own, unless only results are wanted."""
        shown = self.say.translated(text)
        LOGGER.info("%s", shown)
        if not self._quiet:
            self._console.print(shown, markup=False, emoji=False)

    def detail(self, text: str) -> None:
        """In the log, which ``-v`` shows."""
        LOGGER.debug("%s", self.say.translated(text))

    def round_done(self, facts: dict[str, Any]) -> None:
        """One line per round, and one for those that were skipped before it."""
        if self._round and facts["number"] > self._round + 1:
            first, last = self._round + 1, facts["number"] - 1
            self.step(
                Sentence(
                    "rounds {first} to {last} skipped: the answers have settled",
                    first=first,
                    last=last,
                )
            )
        self._round = facts["number"]
        shown = self.say.translated(round_line(facts))
        LOGGER.info("%s", shown)
        if not self._quiet:
            self._console.print(shown)

    def _name(self, stage: str, words: Words) -> str:
        """What is done, and by which eye where it says so (``embed:texture``)."""
        what, _, by = stage.partition(":")
        name = words(STAGES[what])
        return words(BY, stage=name, by=by) if by else name

    def _move(self, stage: str, done: int, total: int, rate: str) -> None:
        assert self._progress is not None
        if stage not in self._tasks:
            name = self._name(stage, self.say)
            self._tasks[stage] = self._progress.add_task(name, total=total, rate="")
        self._progress.update(
            self._tasks[stage], completed=done, total=total, rate=rate, visible=done < total
        )

    def _say(self, stage: str, done: int, total: int, rate: str) -> None:
        now = time.monotonic()
        first = stage not in self._logged
        if first or now - self._logged[stage] > LOG_SECONDS or done == total:
            self._logged[stage] = now
            if done == total or not first:
                name = self._name(stage, self.say)
                line = self.say(
                    mark("{name}: {done} of {total}  {rate}"),
                    name=name,
                    done=done,
                    total=total,
                    rate=rate,
                )
                self._console.print(line.rstrip())

    def _rate(self, stage: str, done: int) -> str:
        seconds = time.monotonic() - self._began[stage]
        return f"{done / seconds:,.0f}/s" if done > 1 and seconds > 0.2 else ""


def round_line(facts: dict[str, Any]) -> Sentence:
    """``round  3  k 36   360 pseudolabels   changed  4.1%   test 91.2%``."""
    test: str = ""
    if facts["test"] is not None:
        accuracy = f"{100 * facts['test']['accuracy']:5.1f}"
        test = Sentence("   test accuracy {accuracy}%", accuracy=accuracy)
    return Sentence(
        "round {number}   {k}{chosen} pseudolabels   answers changed {changed}%{test}   {seconds} s",
        number=f"{facts['number']:>2}",
        k="" if facts.get("rule") == "everything" else f"k {facts['k']:>4}   ",
        chosen=f"{facts['chosen']:>6}",
        changed=f"{100 * facts['changed']:5.1f}",
        test=test,
        seconds=f"{facts['seconds']:.1f}",
    )
