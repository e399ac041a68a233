"""Sentences that are chosen by what is the case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clipgrip.review.draws import Kind
from clipgrip.review.measure import calibration, measured_rows
from clipgrip.review.overview import Overview, Step
from clipgrip.review.snapshot import ReviewSnapshot
from clipgrip.review.store import Change, ReviewRound
from clipgrip.sentences import both_forms
from clipgrip.trust.bounds import change_p_value
from clipgrip.trust.honesty import AUDITED
from clipgrip.words import Words, mark

QUEUE_NAMES = {
    "doubtful": mark("Most doubtful first"),
    "helpful": mark("What helps the model most"),
    "surest": mark("Surest first"),
    "disagree": mark("People disagree"),
    "asked": mark("Second opinion wanted"),
    "second": mark("Answered by one other person"),
    "answered": mark("Answered by people"),
}
STAGES = {
    "begin": mark("Getting ready"),
    "embed": mark("Looking at the images"),
    "pixels": mark("Preparing the images"),
    "round": mark("Learning from the answers"),
    "answer": mark("Answering all images anew"),
}
NEXT: dict[Step, str] = {
    "settle": mark(
        "People gave {n} images {n|a different class each: look at it and settle it|different classes: look at them "
        "and settle them}."
    ),
    "audit": mark(
        "Answer {n} more images of the random audit: only images drawn at random show how often the model is wrong."
    ),
    "more-audit": mark(
        "Answer about {n} more images of the audit: if {n|it is|they are} right, the model may decide more."
    ),
    "round": mark("Run the next round: the model has not learned from {n} new answers yet."),
    "review": mark("Look at the most doubtful images, “{klass}” first; {n} images are still open."),
    "rethink": mark(
        "The answers are no better than guesses. Take another model or other words, or label {n} images of those that "
        "help most{n||, of every class,} and run the next round."
    ),
    "second": mark("Look at {n} images for which somebody wishes a second opinion."),
    "done": mark("Every image has its answer. Export the labels, or use the model on new images."),
}
AUDIT_RESET = mark(
    "After a round the audit begins anew for the new answers: it draws from the images that have no label then. Images "
    "answered for an earlier audit still count, as the model never learns from them, and every answer stays."
)
CHANGES = {
    "begin": mark("review begun"),
    "add": mark("class added: {names}"),
    "edit": mark("class “{before}” ({before_text}) is now “{after}” ({after_text})"),
    "merge": mark("class “{klass}” merged into “{into}”"),
    "split": mark("class “{klass}” split into {into}"),
    "remove": mark("class “{klass}” taken away"),
    "round": mark("round {number} finished"),
    "back": mark("back to round {number}"),
    "hold": mark(
        "round {held} held back: it made the audited answers worse; round {number} stays in use"
    ),
    "import": mark("{n} answers brought in from a file"),
    "draw": mark("the random audit draws: {kind}"),
    "promise": mark("promise read: at most {error} wrong, {sure} sure"),
}
APART = mark("promise read: at most {error} misses and at most {error} overkill, {sure} sure")
"""Where a defect that is taken for another one is promised nothing of."""
KINDS: dict[Kind, str] = {
    "alike": mark("from all images alike: measures the model, and proves one promise for all"),
    "class": mark("each class apart: a promise for each class"),
    "ok": mark("OK and defects apart: a promise for misses and one for overkill"),
    "measure": mark("to measure: the accuracy from fewer answers, no promise"),
}
SCRIPT = (
    mark("saved"),
    mark("saving …"),
    mark(
        "{n} not saved yet: the server does not answer. They are kept in this browser and sent again."
    ),
    mark("{n} not saved: this page is too old. They are kept in this browser; reload the page."),
    mark("refused: {why}"),
    mark("taken back"),
    mark("nothing to take back"),
    mark("{n} selected"),
    mark("{n} left"),
    mark("{seconds} s an image"),
    mark("{n} answered on this visit"),
    mark("{now} answered; if all are right, the model may decide more at about {n}."),
    mark("Nothing is left here."),
    mark("The file is gone or cannot be shown."),
    mark("no answer would move"),
    mark("cannot tell"),
    mark("second opinion"),
    mark("about {time} left"),
    mark("the time left shows soon"),
    mark("The round was stopped. It goes on from there when it is started again."),
    mark("The round failed: {why}"),
    mark("{n} answers brought in."),
    mark("{n} entries were left out; the table says why."),
    mark("Nothing in the file could be used."),
    mark("What became of it"),
    mark("How many"),
    mark("The first of them"),
    mark("taken"),
    mark("left out"),
    mark("known"),
    mark("please check"),
    mark("Saved: {labels} labels of {images} images under review."),
    mark("{n} images are not in the file; the CSV has the labels of all."),
    mark("Why"),
    mark(", "),
    mark(" "),
    mark("The file is being written …"),
    mark("The model may decide {n} of {all} images; the promise is kept with name and time."),
    mark(
        "Nothing is proven yet: the model may decide none of the {all} images. "
        "The reading is stored with name and time."
    ),
    mark("{done} of {total} MB sent"),
    mark("sent; the labels are being read …"),
    mark(
        "Round {n}: its model answers again, instead of that of round {now}. Answers that people gave stay. "
        "Classes, their names and texts do not go back: they stay as they are now. No round is deleted."
    ),
    mark(
        "Take “{klass}” away? What was answered with this class becomes invalid ({n} answers), and comes back for "
        "review. A class that was taken away does not come back."
    ),
    mark(
        "Split “{klass}” into {names}? What was answered with “{klass}” becomes invalid ({n} answers), and comes back "
        "for review. A split cannot be undone."
    ),
    mark(
        "Merge “{klass}” into “{into}”? Its {n} answers count for “{into}” from now on. A merger cannot be undone."
    ),
    mark("Answer the alarm: “{meaning}”? This is not taken back."),
    mark("not kept yet"),
    mark(", "),
    mark("An input method is on, so the key cannot be read. Switch it off, or click."),
)
"""What the page's script says."""


def for_script(say: Words) -> dict[str, str]:
    """English sentence -> sentence of the reader's language; English with both forms of what it counts."""
    return {text: both_forms(text) if say.language == "en" else say(text) for text in SCRIPT}


def next_step(o: Overview, say: Words) -> str:
    """What to do now, in one sentence."""
    return say(NEXT[o.step], n=say.number(o.step_count), klass=o.step_class)


def held_back(rounds: Sequence[ReviewRound], say: Words) -> str:
    """That the newest round is not put to use, and by how many audited images; empty where it is."""
    facts = rounds[-1].facts
    if "held" not in facts:
        return ""
    return hold_said(rounds, facts, say)


def hold_said(rounds: Sequence[ReviewRound], facts: Mapping[str, Any], say: Words) -> str:
    """What a round that is held back did to the audited images; ``facts`` are those of the entry that says so."""
    measured = next(one for one in rounds if one.number == facts["held"]).facts
    return say(
        "Round {held} is held back: of {n} audited images {before} were right before it and {after} after it "
        "({broken} put wrong, {fixed} put right). The model of round {back} stays in use; answers and round are kept, "
        "and you may use it anyway.",
        held=facts["held"],
        n=say.number(measured["audited"]),
        before=say.number(measured["right_before"]),
        after=say.number(measured["right_after"]),
        broken=say.number(measured["put_wrong"]),
        fixed=say.number(measured["put_right"]),
        back=facts["back_to"],
    )


def audit_reset(rounds: Sequence[ReviewRound], say: Words) -> list[str]:
    """What a round does to the audit: said before the first, and after each that was run."""
    ran = [one.number for one in rounds if "labels" in one.facts]
    sentences = [say(AUDIT_RESET)]
    if ran:
        sentences.insert(
            0,
            say(
                "Since round {n} these images are drawn anew: that is how it should be, no answer was lost.",
                n=ran[-1],
            ),
        )
    return sentences


def words_of_change(change: Change, say: Words) -> str:
    """What somebody did."""
    facts = change.facts
    values: dict[str, object] = {}
    match change.action:
        case "add":
            values = {"names": say.names(facts["names"])}
        case "edit":
            (before, before_text), (after, after_text) = facts["from"], facts["to"]
            values = {"before": before, "before_text": before_text}
            values |= {"after": after, "after_text": after_text}
        case "merge":
            values = {"klass": facts["class"], "into": facts["into"]}
        case "split":
            values = {"klass": facts["class"], "into": say.names(facts["into"])}
        case "remove":
            values = {"klass": facts["class"]}
        case "round" | "back":
            values = {"number": facts["number"]}
        case "hold":
            values = {"number": facts["number"], "held": facts["held"]}
        case "import":
            values = {"n": say.number(facts["answers"])}
        case "draw":
            values = {"kind": say(KINDS[facts["kind"]])}
        case "promise":
            values = {
                "error": say.percent(facts["max_error"]),
                "sure": say.percent(facts["confidence"], 0),
            }
    apart = change.action == "promise" and not facts.get("every_error", True)
    return say(APART if apart else CHANGES[change.action], **values)


def worth_of_confidence(snapshot: ReviewSnapshot, say: Words) -> str:
    """Whether the confidence beside an answer means what it says."""
    found, rows = calibration(snapshot), measured_rows(snapshot)
    if found is None and (snapshot.states.klass[rows] >= 0).sum() >= AUDITED:
        return say(
            "The number is the model's own confidence: the answers of the random audit found no temperature that "
            "brings it nearer to the truth."
        )
    if found is None:
        return say(
            "The number is the model's own confidence, not calibrated. {n} answers of the random audit set it right.",
            n=AUDITED,
        )
    return say(
        "The number is the confidence calibrated by {n} answers of the random audit: of answers at 0.90, about 90 in "
        "100 are right.",
        n=say.number(found.n),
    )


def chance_of_change(facts: Mapping[str, Any], say: Words) -> str:
    """How often chance alone would change the audited images so unevenly (McNemar, exact, two-sided)."""
    p = change_p_value(facts["put_right"], facts["put_wrong"])
    return "< 0.1%" if p < 0.001 else say.percent(p)
