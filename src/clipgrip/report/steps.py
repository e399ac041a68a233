"""How to go on, as commands to copy."""

from __future__ import annotations

from dataclasses import dataclass

from clipgrip.backbone.names import NANO
from clipgrip.report.reading import Reading
from clipgrip.report.refining import would_divide
from clipgrip.sentences import quoted
from clipgrip.trust.knowledge import helps
from clipgrip.words import Words

LARGER = "openai/clip-vit-base-patch32"
ENOUGH_TEST_IMAGES = 200


@dataclass(frozen=True)
class Step:
    """Something to do, why, and the command; an empty command where it is done by hand."""

    title: str
    why: str
    command: str = ""


def steps(run: Reading, say: Words) -> list[Step]:
    """What makes sense after this run, the most useful first."""
    if run.guesses:  # there is nothing to sort new images by, and little to measure
        by_help = {"model": _larger(run, say), "labels": _label(run, say), "words": _prompts(say)}
        found = [by_help[one] for one in helps(run.doubts)]
        return [step for part in (*found, _test(run, say)) for step in part]
    parts = (
        _test(run, say),
        _tune(run, say),
        _predict(run, say),
        _label(run, say),
        _larger(run, say),
        _prompts(say),
    )
    return [step for part in parts for step in part]


def _run(options: str) -> str:
    return f"clipgrip run IMAGES --classes CLASSES {options}"


def _review(run: Reading) -> str:
    return f"clipgrip review {quoted(run.facts.folder)}"


def _test(run: Reading, say: Words) -> list[Step]:
    if run.after and run.after["n"] >= ENOUGH_TEST_IMAGES:
        return []
    why = say(
        "The page draws images at random and asks you about them: nothing else tells how often the model is wrong. "
        "They are never learned from."
    )
    title = say("Enlarge the test") if run.after else say("Measure the accuracy")
    return [Step(title, why, _review(run))]


def _tune(run: Reading, say: Words) -> list[Step]:
    if run.is_tuned:
        return []
    given = int(run.data.get("labeled", 0))
    if given:
        why = say(
            "People labeled {n} images, and zero-shot learns nothing from them. GRIP does.",
            n=say.number(given),
        )
        return [Step(say("Learn from the labels"), why, _run("--strategy grip"))]
    why = say("GRIP tunes the prompt on the surest answers and needs no label.")
    return [Step(say("Tune the prompt"), why, _run("--strategy grip"))]


def _predict(run: Reading, say: Words) -> list[Step]:
    why = say("One answer with its confidence for each image of a folder.")
    return [
        Step(say("Sort new images"), why, f"clipgrip predict {quoted(run.facts.folder)} NEW_IMAGES")
    ]


def _label(run: Reading, say: Words) -> list[Step]:
    if run.data.get("labeled") and (not run.is_tuned or not run.data.get("unlabeled", 1)):
        return []  # there are labels that nothing learned from yet, or no image is left to label
    why = say(
        "A few answers per class help most. The same page shows the most doubtful images first, takes many answers at "
        "a time, and runs the next round with them."
    )
    if would_divide(run):
        why = say(
            "One class gets very many of the answers. Only labels can tell whether it holds as many of the images or "
            "is answered too often, so the answers stay nearly as they are. The same page shows the most doubtful "
            "images first: label some of the other classes, and run the next round."
        )
    given = run.metrics.get("paradigm") != "UL"
    return [Step(say("Give more labels") if given else say("Give a few labels"), why, _review(run))]


def _larger(run: Reading, say: Words) -> list[Step]:
    if run.settings.get("backbone") != NANO:
        return []
    why = say(
        "This run used nano, the small model that ships with clipgrip. The larger CLIP sees more; clipgrip models says "
        "how it comes to this machine."
    )
    return [Step(say("Take a larger model"), why, _run(f"--backbone {LARGER}"))]


def _prompts(say: Words) -> list[Step]:
    why = say(
        "CLIP reads the class through its text. In the file of classes the column prompt may describe what is seen, "
        "in English: “a deep scratch on a metal surface” says more than “NG-3”."
    )
    return [Step(say("Describe the classes better"), why)]
