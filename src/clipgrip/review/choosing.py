"""A person says how the random audit draws from now on, which is kept with who and when."""

from __future__ import annotations

from collections.abc import Sequence

from clipgrip.clock import precisely
from clipgrip.errors import ConfigError, RunError
from clipgrip.review.draws import ACTION, ChosenDraw, Kind, answered, chosen_draw, to_ask
from clipgrip.review.measure import NO_AUDIT
from clipgrip.review.queues import audited
from clipgrip.review.session import ReviewSession
from clipgrip.review.store import Change
from clipgrip.runs.audit_sheet import apart_of
from clipgrip.sentences import Sentence, mark
from clipgrip.trust.planning import HALF, NONE_PROVES, usual_plan
from clipgrip.trust.terms import Terms

UNPLANNED = mark("Leave the number empty: every answer counts as it comes.")
STANDS = mark(
    "The plan stands: the promise is read at {plan} answers with nothing kept back, and every answer counts beside it."
)


def choose_draw(
    session: ReviewSession,
    kind: Kind,
    ok: Sequence[int],
    terms: Terms,
    planned: int,
    person: str,
    plan: int | None = None,
) -> ChosenDraw:
    """Draw in another way from now on; no answer is lost, and the way before can be chosen again.

    Args:
        ok: class ids that mean OK, where these are drawn apart from the others.
        plan: answers at which a promise by a draw from all images alike is read; the other ways leave it as it is.

    Raises:
        RunError: the classes were changed since the round, or people labeled everything.
        ConfigError: no class means OK, or all do; no group has enough images to prove anything; or another plan once
            an image is answered.
    """
    with session.lock:
        snapshot = session.snapshot
        audit, column = snapshot.round.draw.audit, snapshot.classes.column
        if audit is None or not snapshot.view.as_run:
            raise RunError(NO_AUDIT)
        names = [audit.classes.display[column[id_]] for id_ in ok if id_ in column]
        if kind == "ok" and not names:
            raise ConfigError(mark("mark at least one class that means OK."))
        apart = apart_of(audit.classes, kind == "class", names if kind == "ok" else [])
        plan = _plan(session, kind, plan, terms)
        chosen = ChosenDraw(kind, apart, terms, planned, plan)
        if apart and not len(to_ask(snapshot, chosen)) and not answered(snapshot, chosen):
            raise ConfigError(
                "no group has enough images to prove at most {error}% of errors: half of it would have to be "
                "answered, and more. Allow more errors, or draw from all images alike.",
                error=f"{100 * terms.max_error:g}",
            )
        facts = {
            "round": snapshot.round.number,
            "kind": kind,
            "apart": apart,
            "max_error": terms.max_error,
            "confidence": terms.confidence,
            "planned": planned,
            "plan": plan,
        }
        session.store.record(Change(ACTION, person, precisely(), facts))
        return chosen


def _plan(session: ReviewSession, kind: Kind, asked: int | None, terms: Terms) -> int | None:
    """The plan from now on: a number that is chosen when answers are known would be none."""
    snapshot = session.snapshot
    stands = chosen_draw(snapshot, session.store).plan
    if kind != "alike" or asked == stands:
        return stands
    if audited(snapshot).any():
        raise ConfigError(
            "images of this draw are answered already, and answers are planned before the first one. {stands}",
            stands=Sentence(UNPLANNED) if stands is None else Sentence(STANDS, plan=stands),
        )
    most = int((snapshot.round.draw.pool_rows >= 0).sum())
    if asked is not None and asked > most:
        usual = usual_plan(most, terms)
        raise ConfigError(
            "{asked} answers cannot be planned, for only {most} images can be drawn.{usual}",
            asked=asked,
            most=most,
            usual=Sentence(HALF, n=usual) if usual else Sentence(NONE_PROVES),
        )
    return asked
