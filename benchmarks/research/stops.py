"""Rules that would end a run early: they save time and lose what the last rounds bring (docs/decisions/0017)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from clipgrip.pseudolabel.stop import Stop, Summary, best_round, collapse
from clipgrip.sentences import Sentence

Rule = Callable[[Sequence[Summary]], Stop | None]


def settled(past: Sequence[Summary], *, below: float = 0.01, times: int = 1) -> Stop | None:
    """Fewer than ``below`` of the answers changed in each of the last ``times`` rounds."""
    last = past[-times:]
    if len(last) < times or any(one.changed >= below for one in last):
        return None
    few = Sentence("fewer than {share}% of the answers changed", share=f"{100 * below:g}")
    return Stop(few, past[-1].number)


def no_gain(
    past: Sequence[Summary], by: str, *, patience: int = 2, margin: float = 0.002
) -> Stop | None:
    """What is estimated has not risen by ``margin`` for ``patience`` rounds."""
    if len(past) <= patience:
        return None
    before = max(getattr(one, by) for one in past[:-patience])
    if any(getattr(one, by) > before + margin for one in past[-patience:]):
        return None
    return Stop(Sentence("the estimated {by} no longer rises", by=by), best_round(past, by))


RULES: Mapping[str, Rule] = {
    "settled": settled,
    **{name: partial(no_gain, by=name) for name in ("purity", "agreement", "accuracy")},
    "collapse": collapse,
}


def first_stop(past: Sequence[Summary], names: Sequence[str]) -> Stop | None:
    """The first of the named rules that stops, the collapse alarm before all others.

    ``past`` may begin with zero-shot, which only the alarm sees.
    """
    ordered = sorted(names, key=lambda name: name != "collapse")
    tuned = [one for one in past if one.number]
    stops = (RULES[name](past if name == "collapse" else tuned) for name in ordered)
    return next((stop for stop in stops if stop), None) if tuned else None
