"""clipgrip versions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from clipgrip.cli.arguments import argument, run_folders
from clipgrip.cli.ui import Result, Ui
from clipgrip.sentences import Sentence
from clipgrip.words import Words, mark

if TYPE_CHECKING:
    from clipgrip.runs.watch.standing import Standing

ENDING = "*.clipgrip"
ROUND = mark("round {number}  {at}  {accuracy}  {promise}  {folder}")
BUNDLE = mark("bundle   {version}  {of}  {accuracy}  {promise}  {path}")
OF_ROUND = mark("of round {number}")
OF_ANOTHER = mark("of another run")
AUDITED = mark("{right} right ({span}, {n} audited)")
UNAUDITED = mark("not audited")
PROMISED = mark("at most {rate} wrong promised")
FALLEN = mark("no promise stands")
UNPROMISED = mark("nothing promised")


def versions(
    ui: Ui,
    run: Annotated[
        Path, argument("Folder of a finished run, reviewed or not.", autocompletion=run_folders)
    ],
    bundles: Annotated[
        list[Path] | None,
        argument(
            "Files that clipgrip bundle wrote, or folders of them.  [default: those in the run's folder]"
        ),
    ] = None,
) -> Result:
    """List the rounds of a run and the bundles made of them, with what audits say and what is promised of each."""
    from clipgrip.report.accuracy import history
    from clipgrip.review.store import newest_round
    from clipgrip.runs.reopen import reopen

    with ui.screen.live():
        outcome = reopen(newest_round(run), ui.screen)
        figures = {one.version: one for one in history(run, outcome)}
    rounds = _rounds(run, figures)
    places = [sorted(one.glob(ENDING)) if one.is_dir() else [one] for one in bundles or [run]]
    made, say = [_bundle(path, rounds) for paths in places for path in paths], ui.say
    lines = [line for one in rounds for line in _round_lines(one, say)]
    lines += [_bundle_line(one, say) for one in made]
    return Result(lines, {"rounds": rounds, "bundles": made})


def _rounds(run: Path, figures: dict[int, Any]) -> list[dict[str, Any]]:
    from dataclasses import asdict

    from clipgrip.review.store import round_folders
    from clipgrip.runs.audit_store import was_read
    from clipgrip.runs.store import open_store
    from clipgrip.runs.watch.standing import bundled_promise, standing

    # a review begins with its run as the first round: one folder, named twice
    found, distinct = [], {folder.resolve(): folder for folder in round_folders(run)}
    before = any(map(was_read, distinct))  # as `standing_at_work`: one may go back to any of them
    for number, folder in enumerate(distinct.values(), 1):
        with open_store(folder) as store:
            stored = store.run()
        stands = standing(folder, before=before)
        promise = bundled_promise(stands)
        figure = figures.get(number)
        found.append(
            {
                "round": number,
                "folder": folder,
                "run": None if stored is None else stored.id,
                "at": "" if stored is None else stored.finished or stored.created,
                "audited": None if figure is None else asdict(figure),
                "promise": None if promise is None else promise.to_dict(),
                "kept": [] if stands is None else _promises(stands),
            }
        )
    return found


def _promises(stands: Standing) -> list[dict[str, Any]]:
    """The newest promise of each audit of a round, with the groups of it that were withdrawn at work."""
    from dataclasses import asdict

    made = [(one, list(stands.fallen_of(one.audit))) for one in stands.promises]
    return [asdict(one) | {"withdrawn": bool(gone), "fallen": gone} for one, gone in made]


def _bundle(path: Path, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    from clipgrip_line.bundle import Bundle
    from clipgrip_line.parts import MODEL

    bundle = Bundle(path)
    model = bundle.json(MODEL)
    mine = [one for one in rounds if one["run"] and one["run"] == model["info"]["run"]]
    return {
        "bundle": path,
        "version": bundle.version,
        "run": model["info"]["run"],
        "round": mine[-1]["round"] if mine else None,
        "audited": mine[-1]["audited"] if mine else None,
        "promise": model["promise"],
    }


def _round_lines(one: dict[str, Any], say: Words) -> list[str]:
    from clipgrip.cli.promise_lines import kept_line

    line = Sentence(
        ROUND,
        number=one["round"],
        at=say.date(one["at"]),
        accuracy=_accuracy(one["audited"], say),
        promise=_promise(one["promise"], say),
        folder=one["folder"],
    )
    return [line, *(kept_line(promise, say) for promise in one["kept"])]


def _bundle_line(one: dict[str, Any], say: Words) -> str:
    number = one["round"]
    return Sentence(
        BUNDLE,
        version=one["version"],
        of=say(OF_ANOTHER) if number is None else say(OF_ROUND, number=number),
        accuracy=_accuracy(one["audited"], say),
        promise=_promise(one["promise"], say),
        path=one["bundle"],
    )


def _accuracy(figure: dict[str, Any] | None, say: Words) -> str:
    if figure is None:
        return say(UNAUDITED)
    span = say.span((figure["low"], figure["high"]))
    return say(AUDITED, right=say.percent(figure["value"]), span=span, n=figure["answers"])


def _promise(promise: dict[str, Any] | None, say: Words) -> str:
    if promise is None:
        return say(UNPROMISED)
    return say(PROMISED, rate=say.percent(promise["rate"])) if promise["scopes"] else say(FALLEN)
