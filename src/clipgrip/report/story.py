"""What a run did, in plain words: its labels, its classes, how its prompt was tuned, and what is left out."""

from __future__ import annotations

from clipgrip.report.reading import Reading
from clipgrip.report.refining import never_refined
from clipgrip.runs.rounds import skipped_rounds
from clipgrip.runs.tuning_sample import sample_sentence
from clipgrip.words import Words, mark

PARADIGMS = {
    "UL": mark("no labels (UL): only the class names were given"),
    "SSL": mark("a few labels (SSL): people had labeled {labeled} of the images"),
    "TRZSL": mark(
        "labels for some classes only (TRZSL): people had labeled {labeled} of the images"
    ),
}
ALL_LABELED = mark("labels for all of them: people had labeled {labeled} of the images")
STRATEGIES = {
    "zero-shot": mark("CLIP answered from the class names alone; nothing was tuned."),
    "supervised": mark("The prompt was tuned on the given labels only, without pseudolabels."),
    "fpl": mark(
        "FPL: the surest images of each class became pseudolabels, and the prompt was tuned on them once."
    ),
    "ifpl": mark(
        "IFPL: in each round the surest images of each class became pseudolabels, as many each time, "
        "and the prompt was tuned anew."
    ),
    "grip": mark(
        "GRIP: the surest images of each class became pseudolabels, more of them in each round, "
        "and the prompt was tuned anew."
    ),
}
ALL_IMAGES = {
    "fpl": mark(
        "FPL: the answers were improved by what the images have in common, and the prompt was tuned once on all "
        "images, each with its probabilities in the place of a hard label."
    ),
    "ifpl": mark(
        "IFPL: in each round the answers were improved by what the images have in common, and the prompt was tuned "
        "anew on all images, each with its probabilities in the place of a hard label."
    ),
    "grip": mark(
        "GRIP: in each round the answers were improved by what the images have in common, and the prompt was tuned "
        "anew on all images, each with its probabilities in the place of a hard label."
    ),
}
"""The same where a method trusts all images softly."""
LEFT_ALONE = {
    "fpl": mark(
        "FPL: what the images have in common could not safely improve the answers, so the prompt was tuned once on "
        "all images, each with CLIP's own probabilities in the place of a hard label."
    ),
    "ifpl": mark(
        "IFPL: what the images have in common could not safely improve the answers, so in each round the prompt was "
        "tuned anew on all images, each with the model's own probabilities in the place of a hard label."
    ),
    "grip": mark(
        "GRIP: what the images have in common could not safely improve the answers, so in each round the prompt was "
        "tuned anew on all images, each with the model's own probabilities in the place of a hard label."
    ),
}
"""The same where no round found that the images bear it."""


def done(run: Reading, say: Words) -> str:
    """How many images and classes, and what people gave."""
    every = run.data.get("labeled") and not run.data.get("unlabeled", 1)
    paradigm = say(
        ALL_LABELED if every else PARADIGMS[run.metrics.get("paradigm", "UL")],
        labeled=say.number(int(run.data.get("labeled", 0))),
    )
    return say(
        "{images} in {classes}, with {paradigm}.",
        images=say("{n} images", n=say.number(int(run.data.get("pool", len(run.facts.paths))))),
        classes=say("{n} classes", n=say.number(len(run.names))),
        paradigm=paradigm,
    )


def strategy(run: Reading, say: Words) -> str:
    """How the prompt was tuned, and in how many rounds."""
    pseudolabeled = any(entry["k"] for entry in run.rounds)
    trusting_all = LEFT_ALONE if never_refined(run) else ALL_IMAGES
    texts = trusting_all if run.takes_all and pseudolabeled else STRATEGIES
    text = say(texts[run.strategy if pseudolabeled or not run.rounds else "supervised"])
    if sampled := sample_sentence(run.metrics):
        text = f"{text}{say(' ')}{say.translated(sampled)}"
    if run.strategy not in ("ifpl", "grip") or not run.rounds:
        return text
    rounds = say("{n} rounds were run.", n=say.number(len(run.rounds)))
    text = f"{text}{say(' ')}{rounds}"
    if skipped := skipped_rounds(run.rounds):
        first, last = skipped
        why = say(
            "Rounds {first} to {last} were skipped: the answers had settled.",
            first=first,
            last=last,
        )
        text = f"{text}{say(' ')}{why}"
    return text


def missing(run: Reading, say: Words) -> list[str]:
    """What the figures are not about, and what cannot be shown."""
    all_ = int(run.data.get("pool", 0)) + int(run.data.get("test", 0))
    values = {"all": say.number(all_)}
    sentences = []
    if run.facts.lost:
        text = mark(
            "{n} of the {all} images of the run are gone or cannot be read; this report is about the others only."
        )
        sentences.append(say(text, n=say.number(run.facts.lost), **values))
    if run.facts.unseen:
        text = mark(
            "{n} of the {all} images have no file any more: counted all the same, but not shown."
        )
        sentences.append(say(text, n=say.number(run.facts.unseen), **values))
    return sentences
