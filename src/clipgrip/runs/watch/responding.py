"""The answer to an alarm, and what counts as normal after it."""

from __future__ import annotations

from clipgrip.errors import RunError
from clipgrip.runs.watch.store import Alarm, State, WatchStore
from clipgrip.sentences import mark
from clipgrip_line.trust.responding import Verdict, after


def answer_alarm(
    store: WatchStore, verdict: Verdict, *, by: str, note: str, at: str, number: int | None = None
) -> Alarm:
    """Answer the alarm that rings; the monitors begin again, with what is left of the lifetime budget.

    ``number``: the alarm that the person saw, where that may not be the one that rings now. RunError: nothing rings, or
    another alarm.
    """
    store.begun()
    alarms, state = store.alarms(), store.state()
    if not alarms or alarms[-1].response is not None:
        raise RunError(
            mark("no alarm rings, so there is nothing to answer. See clipgrip watch status.")
        )
    alarm = alarms[-1]
    if number not in (None, alarm.number):
        raise RunError(
            "alarm {number} does not ring any more; alarm {now} does. Reload the page.",
            number=number,
            now=alarm.number,
        )
    since = store.images(int(alarm.facts["since"]))
    monitors = after(verdict, state.monitors, since)
    response = {"verdict": verdict, "note": note, "by": by, "at": at}
    store.respond(alarm, response, State(state.period + 1, state.images, monitors))
    return store.alarms()[-1]
