"""A finished run on the terminal, and its report on the disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipgrip.advice.doubted import in_short, where_to_look
from clipgrip.advice.labels import label_sentences
from clipgrip.advice.model import headline, reasons, remedies
from clipgrip.advice.unlearned import occurring_sentences, unlearned_sentences
from clipgrip.files import utf8_bytes
from clipgrip.pseudolabel.stop import stop_sentence
from clipgrip.runs.confidence import estimate_of
from clipgrip.runs.eyes import eye_sentences
from clipgrip.runs.knowledge import could_have_an_eye, doubts
from clipgrip.runs.naming import doubted_names, to_tell
from clipgrip.runs.outcome import Outcome
from clipgrip.runs.rounds import name_of_round, skipped_rounds
from clipgrip.sentences import combined, quoted
from clipgrip.trust.knowledge import knows_nothing
from clipgrip.words import Language, Sentence, Words, mark

if TYPE_CHECKING:
    from clipgrip.report.accuracy import AuditedFigure
    from clipgrip.report.audited import Audited
    from clipgrip.report.board.from_run import BoardRequest
    from clipgrip.runs.events import Listener

PARADIGMS = {
    "UL": mark("no labels (UL)"),
    "SSL": mark("a few labels (SSL)"),
    "TRZSL": mark("labels for some classes only (TRZSL)"),
}


def write_report(
    outcome: Outcome,
    language: Language,
    note: Callable[[str], None],
    groups: Path | None = None,
    page: Path | None = None,
    audited: Audited | None = None,
    encoding: str | None = None,
    history: tuple[AuditedFigure, ...] = (),
) -> Path:
    """The report as ``page``, else as report.html in the run's folder."""
    from clipgrip.report.build import build_report
    from clipgrip.report.from_run import facts

    html = build_report(facts(outcome, groups, audited, encoding, history), language)
    return _written(page or outcome.folder / "report.html", utf8_bytes(html), note)


def write_board(
    folder: Path, asked: BoardRequest, language: Language, listener: Listener, page: Path
) -> tuple[Path, Path]:
    """The page to print and, called alike, the Excel sheet."""
    from clipgrip.report.board.from_review import board_facts
    from clipgrip.report.board.page import build_board
    from clipgrip.report.board.sheet import build_sheet

    facts = board_facts(folder, asked, listener)
    html, sheet = build_board(facts, language), build_sheet(facts, language)
    at = _written(page.with_suffix(".xlsx"), sheet, listener.note)
    return _written(page, utf8_bytes(html), listener.note), at


def _written(path: Path, data: bytes, note: Callable[[str], None]) -> Path:
    from clipgrip.written import write_dated

    return write_dated(path, data, "report", note)


def summary(metrics: dict[str, Any], folder: Path, report: Path, language: Language = "en") -> str:
    """Plain sentences about a run; what speaks against its answers in the reader's language."""
    data, used = metrics["data"], metrics["data"]["pool"] + metrics["data"]["test"]
    say = Words(language)
    eyes = eye_sentences(metrics.get("eyes", ()), say)
    classes = [*occurring_sentences(metrics, say), *unlearned_sentences(metrics, say)]
    lines: list[str] = [
        Sentence(
            "{images} images of {classes} classes, {labels}, {rounds}",
            images=used,
            classes=len(data["classes"]),
            labels=_given(metrics),
            rounds=_rounds(metrics),
        ),
        *_stopped(metrics),
        *_doubts(metrics, folder, say),
        *_names(metrics, folder, say),
        *(Sentence("eyes         {text}", text=text) for text in eyes),
        # where they came from was said before
        *(
            Sentence("labels       {text}", text=text)
            for text in label_sentences(metrics.get("labels"), say)
        ),
        *(Sentence("classes      {text}", text=text) for text in classes),
        *_accuracy(metrics),
        *_calibration(metrics["calibration"]),
    ]
    if data["not_used"]:
        counted = remarks(data["not_used"], say)
        lines.append(Sentence("{counted}: {path}", counted=counted, path=folder / "issues.csv"))
    lines += [
        Sentence("predictions  {path}", path=folder / "predictions.csv"),
        Sentence("report       {page}", page=report),
        Sentence("review       clipgrip review {folder}", folder=quoted(folder)),
    ]
    return combined(lines, "\n")


def remarks(n: int, say: Words) -> str:
    """How many files there is something to say of."""
    return say("{n} remarks on files", n=say.number(n))


def _doubts(metrics: dict[str, Any], folder: Path, say: Words) -> list[str]:
    found = doubts(metrics)
    if not found:
        return []
    data, learns = metrics["data"], metrics["settings"]["strategy"] != "zero-shot"
    given, classes = data["labeled"], len(data["classes"])
    words, eye = quoted(folder), could_have_an_eye(metrics)
    advised = remedies(found, classes, say, given=given, learns=learns, run=words, eye=eye)
    helps = enumerate(advised, 1)
    in_words = [headline(say, found)] if knows_nothing(found) else []
    return [
        *(Sentence("doubt        {text}", text=text) for text in [*in_words, *reasons(found, say)]),
        *(f"  {n}. {text}" for n, text in helps),
    ]


def _given(metrics: dict[str, Any]) -> str:
    """What people had labeled."""
    every = metrics["data"]["labeled"] and not metrics["data"]["unlabeled"]
    return Sentence("all of them labeled" if every else PARADIGMS[metrics["paradigm"]])


def _names(metrics: dict[str, Any], folder: Path, say: Words) -> list[str]:
    doubted = [to_tell(one) for one in doubted_names(metrics)]
    if not doubted:
        return []
    in_words = in_short(doubted, len(metrics["data"]["classes"]), say)
    text = f"{in_words}{say(' ')}{where_to_look(f'clipgrip names {quoted(folder)}', say)}"
    return [Sentence("names        {text}", text=text)]


def _rounds(metrics: dict[str, Any]) -> str:
    rounds, strategy = metrics["rounds"], metrics["settings"]["strategy"]
    number = len(rounds)
    if number == 0:
        return Sentence("zero-shot, nothing tuned")
    if number == 1:
        return Sentence("1 round of {strategy}", strategy=strategy)
    counted = Sentence("{n} rounds of {strategy}", n=number, strategy=strategy)
    if skipped := skipped_rounds(rounds):
        first, last = skipped
        text = mark("{rounds} ({first} to {last} skipped: the answers had settled)")
        return Sentence(text, rounds=counted, first=first, last=last)
    return counted


def _stopped(metrics: dict[str, Any]) -> list[str]:
    if (stopped := metrics["stopped"]) is None:
        return []
    return [
        Sentence(
            "stopped      in round {round}: {reason}; the answers are those of {back}",
            round=stopped["round"],
            reason=stop_sentence(stopped["reason"]),
            back=name_of_round(stopped["kept"], taught=bool(metrics.get("labels"))),
        )
    ]


def _accuracy(metrics: dict[str, Any]) -> list[str]:
    before, after = (metrics["zero_shot"] or {}).get("test"), metrics["final"]["test"]
    if after is None:
        why = Sentence("accuracy     unknown: {why}", why=_unknown(metrics))
        return [why, *_estimate(estimate_of(metrics))]
    low, high = (f"{100 * edge:.1f}" for edge in after["interval"])
    back = (metrics["stopped"] or {}).get("kept") == 0
    is_tuned, taught = metrics["rounds"] and not back, metrics.get("labels")
    lines: list[str] = [
        Sentence(
            "tuned        {right}%   (95% interval {low} to {high}, {n} test images)"
            if is_tuned
            else "labels alone {right}%   (95% interval {low} to {high}, {n} test images)"
            if taught
            else "zero-shot    {right}%   (95% interval {low} to {high}, {n} test images)",
            right=f"{100 * after['accuracy']:.1f}",
            low=low,
            high=high,
            n=after["n"],
        ),
        *_commonest(after, metrics["data"]["classes"]),
    ]
    if (is_tuned or taught) and before is not None:
        lines.insert(0, Sentence("zero-shot    {right}%", right=f"{100 * before['accuracy']:.1f}"))
    if "harmonic_mean" in after:
        lines.append(
            Sentence(
                "             seen {seen}, unseen {unseen}, harmonic mean {mean}",
                seen=_percent(after["seen"]),
                unseen=_percent(after["unseen"]),
                mean=_percent(after["harmonic_mean"]),
            )
        )
    return lines


def _unknown(metrics: dict[str, Any]) -> str:
    """Why it is, and what would tell it."""
    if metrics["data"]["unlabeled"]:
        return Sentence("nobody has answered a random sample; the review draws one and asks")
    return Sentence(
        "every image here has a label, and none was kept to measure on; keep some as --test"
    )


def _commonest(after: dict[str, Any], names: list[str]) -> list[str]:
    position, count = after["commonest"]
    share = count / after["n"]
    return [
        Sentence(
            "             worse than {name} for every test image: {share}%"
            if after["accuracy"] < share
            else "             {name} for every test image: {share}%",
            name=names[position],
            share=f"{100 * share:.1f}",
        )
    ]


def _estimate(guess: dict[str, Any] | None) -> list[str]:
    if guess is None:
        return []
    low, high = (f"{100 * edge:.0f}" for edge in guess["interval"])
    right = f"{100 * guess['accuracy']:.0f}"
    if guess.get("signal") == "labels":
        return [
            Sentence(
                "             zero-shot's is {right}% on the {labels} labeled images "
                "(95% interval {low} to {high}); they speak for images like them",
                right=right,
                labels=guess["labels"],
                low=low,
                high=high,
            )
        ]
    return [
        Sentence(
            "             zero-shot's is perhaps {right}% ({low} to {high}): an estimate "
            "without labels, no measurement, and it can be further off",
            right=right,
            low=low,
            high=high,
        )
    ]


def _calibration(found: dict[str, Any] | None) -> list[str]:
    if found is None or found["answers"] != "final":
        return []
    off = [found[when]["ece_equal_mass"] for when in ("before", "after")]
    before, after = (f"{100 * one:.1f}" for one in off)
    if off[1] >= off[0]:
        text = mark(
            "confidence   off by {before} points on average (calibration error); no temperature brings it nearer"
        )
        return [Sentence(text, before=before)]
    return [
        Sentence(
            "confidence   off by {before} points on average (calibration error); "
            "by {after} at temperature {temperature}",
            before=before,
            after=after,
            temperature=f"{found['temperature']:.2f}",
        )
    ]


def _percent(share: float | None) -> str:
    return Sentence("unknown") if share is None else f"{100 * share:.1f}%"
