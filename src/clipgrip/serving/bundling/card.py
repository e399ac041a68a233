"""The model card of a bundle: its classes and origin, how far it can be trusted, and its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from clipgrip.advice.model import headline
from clipgrip.words import Language, Words, mark

PARADIGMS = {
    "UL": mark("from unlabeled images alone"),
    "SSL": mark("from unlabeled images and a few labels"),
    "TRZSL": mark("from labels of some of the classes and unlabeled images"),
}
"""Paradigm -> how the run learned, in words."""

NO_PROMISE = mark(
    "Nothing was promised of it. Audit it before it decides anything: clipgrip audit."
)
UNCHECKED = mark("Its confidence is as the model says it, and was not checked by an audit.")
COMPARED = mark(
    "Image towers in {precision}. Of {n} images compared with the model in float32, {changed} got another class; the "
    "largest difference of a probability was {apart}."
)
COARSE = mark("The run itself computed in {precision}, which rounds more coarsely.")
DRAWN = mark("No image of the run could be read, so drawn patterns stand for golden images.")
PICTURES = mark(
    "Golden images inside are pictures of the run, made smaller: pass the file on as you would pass them on."
)
NO_REFERENCE = mark("It brings no reference for the watch: what is normal is learned at the line.")
ENDS = (
    mark("It knows these {n} classes alone: an image of anything else is called one of them."),
    mark("It was shown one kind of images: another camera, lamp or product is another task."),
    mark("It is no safety device, and no person's skill or health is judged by it."),
)


def card(model: Mapping[str, Any], language: str) -> str:
    """The card as Markdown."""
    say = Words(cast(Language, language))
    parts = (
        [f"# {say('Model card')}"],
        _origin(model, say),
        _classes(model, say),
        _trust(model, say),
        _line(model, say),
        _ends(model, say),
    )
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _origin(model: Mapping[str, Any], say: Words) -> Sequence[str]:
    info = model["info"]
    rows: list[tuple[str, str]] = [
        (say("model that sees the images"), f"{info['backbone']} ({info['fingerprint'][:12]})"),
        (say("eyes beside it"), say.names(info["eyes"], 20) or "–"),
        (say("prompt"), str(info["prompt"])),
        (say("run"), str(info["run"] or "–")),
        (say("learned at"), say.date(info["learned_at"]) or "–"),
        (say("images it learned from"), "–" if info["images"] is None else say.number(info["images"])),
        (say("labels it learned from"), "–" if info["labeled"] is None else say.number(info["labeled"])),
        (say("made by"), info["made_by"]),
    ]  # fmt: skip
    how = PARADIGMS.get(str(info["paradigm"]))
    text = (
        say("It tells images of these classes apart. It learned {how}.", how=say(how))
        if how
        else ""
    )
    return [*([text, ""] if text else []), "| | |", "|---|---|", *map(_row, rows)]


def _classes(model: Mapping[str, Any], say: Words) -> Sequence[str]:
    info, names = model["info"], model["names"]
    shown = zip(
        model["classes"],
        names.get("ja", ["–"] * len(model["classes"])),
        names.get("en", ["–"] * len(model["classes"])),
        info["prompts"],
        strict=True,
    )
    head = [say("class"), say("Japanese"), say("English"), say("what the model reads")]
    rows: list[Sequence[str]] = list(shown)
    if ok := model["ok_classes"]:
        head.append(say("means"))
        rows = [(*row, "OK" if row[0] in ok else "NG") for row in rows]
    lines = [_row(head), _row(["---"] * len(head)), *map(_row, rows)]
    templates = [say("Text around a name: {template}", template=one) for one in info["template"]]
    return [f"## {say('Its classes')}", "", *lines, "", *templates]


def _trust(model: Mapping[str, Any], say: Words) -> Sequence[str]:
    info, promise = model["info"], model["promise"]
    lines = [f"## {say('How far it may be trusted')}", ""]
    if info["guesses"]:
        lines += [headline(say), ""]
    if promise is None:
        lines.append(say(NO_PROMISE))
    elif not promise["scopes"]:
        lines.append(say("No promise stands: people decide every image."))
    else:
        lines.append(
            say(
                "Promised, with {confidence} confidence: of the answers within these scopes at most the share in the "
                "last column is wrong. All other images go to a person.",
                confidence=say.percent(promise["confidence"], 0),
            )
        )
        lines += ["", *_scopes(model, say)]
    if info["calibrated_by"]:
        n = say.number(info["calibrated_by"])
        lines += ["", say("Its confidence was set right by {n} audited answers.", n=n)]
    else:
        lines += ["", say(UNCHECKED)]
    return lines


def _scopes(model: Mapping[str, Any], say: Words) -> list[str]:
    head = (say("scope"), say("classes"), say("confidence at least"), say("wrong at most"))
    classes = model["classes"]
    rows = [
        (
            one["name"],
            say.names([classes[n] for n in one["classes"]], 20),
            f"{one['threshold']:.6f}",
            say.percent(one["rate"]),
        )
        for one in model["promise"]["scopes"]
    ]
    return [_row(head), _row(["---"] * len(head)), *map(_row, rows)]


def _line(model: Mapping[str, Any], say: Words) -> Sequence[str]:
    info = model["info"]
    lines = [
        f"## {say('At the line')}",
        "",
        say(
            COMPARED,
            precision=info["precision"],
            n=info["compared"],
            changed=info["changed"],
            apart=f"{info['apart']:.2g}",
        ),
    ]
    if info["run_precision"] != "float32":
        lines.append(say(COARSE, precision=info["run_precision"]))
    if info["golden_drawn"]:
        lines.append(say(DRAWN))
    else:
        lines.append(say(PICTURES))
    if not info["reference"]:
        lines.append(say(NO_REFERENCE))
    return lines


def _ends(model: Mapping[str, Any], say: Words) -> Sequence[str]:
    return [
        f"## {say('Where it ends')}",
        "",
        *(f"- {say(one, n=len(model['classes']))}" for one in ENDS),
    ]


def _row(cells: Sequence[str]) -> str:
    """A row of a Markdown table; bars are escaped and line breaks become spaces."""
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"
