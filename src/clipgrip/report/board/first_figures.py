"""What brings figures to decide on where there are none, as commands to copy."""

from __future__ import annotations

from clipgrip.report.board.results import Results
from clipgrip.report.steps import Step
from clipgrip.sentences import quoted
from clipgrip.words import Words

OK_CLASS = "OK_CLASS"
"""Stands for the class that means OK, where nobody said which one does."""
PILOT = "pilot.json"


def first_figures(results: Results, say: Words) -> tuple[Step, ...]:
    """Criteria before the first answer, then answers, then hours and money; empty where there are figures."""
    if results.has_figures:
        return ()
    facts = results.facts
    run = quoted(facts.home or facts.folder)
    ok = " ".join(f"--ok-class {quoted(name)}" for name in results.ok_classes or (OK_CLASS,))
    return (
        *(() if facts.versions else (_criteria(f"{run} {ok}", say),)),
        Step(
            say("Answer images drawn at random"),
            say(
                "200 answers on the page tell the accuracy to about ±6 points, and misses and overkill; the page also "
                "measures the seconds per image. Then its overview says what the model may decide alone."
            ),
            f"clipgrip review {run}",
        ),
        Step(
            say("Write this report again, with what judging costs today"),
            say("The numbers are examples: put those of your line in their place."),
            f"clipgrip report {run} --for board --pilot {PILOT} {ok} --assume images_per_year=120000 "
            "--assume seconds_today=4 --assume hourly_cost=3500",
        ),
    )


def _criteria(place: str, say: Words) -> Step:
    return Step(
        say("Fix what counts as success, before the first answer"),
        say(
            "Yes at the first number, with conditions up to the second. Only criteria that were there first give this "
            "report a verdict. {ok} stands for the class of good parts; where there is none, leave --ok-class and "
            "--misses out.",
            ok=OK_CLASS,
        ),
        f"clipgrip audit plan {place} --accuracy 0.9:0.85 --misses 0.02:0.05 --automated 0.5 --payback 12",
    )
