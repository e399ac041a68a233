"""clipgrip bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from clipgrip.cli.arguments import Run, ok_option
from clipgrip.cli.ui import Result, Ui
from clipgrip.sentences import Sentence

BUNDLE = "bundle"


def bundle(
    ui: Ui,
    run: Run,
    out: Annotated[Path, typer.Option(help="Where to write the file.")] = Path("model.clipgrip"),
    ok_class: Annotated[
        list[str] | None, ok_option("A class that means OK; all others mean NG. Once for each.")
    ] = None,
    precision: Annotated[
        Literal["auto", "float32", "int8"],
        typer.Option(help="How the line computes; int8 is faster, and answers differ a little."),
    ] = "auto",
) -> Result:
    """Pack a model into one file for the line, where clipgrip-line answers images without the training stack.

    The same run gives the same bytes. docs/line.md says what is inside.
    """
    from clipgrip.cli.reviewed import at_work, classes_at_work
    from clipgrip.review.deciding import standing_at_work
    from clipgrip.runs.watch.standing import bundled_promise
    from clipgrip.serving.bundling.members import check_ok, parts_of
    from clipgrip.written import check_output, write_output
    from clipgrip_line.bundle import Bundle, packed

    check_ok(ok_class or (), classes_at_work(run).display)
    check_output(out, BUNDLE, reads=(run,))
    newest = at_work(run, ui.screen)
    with ui.screen.live():
        parts = parts_of(
            newest,
            bundled_promise(standing_at_work(run)),
            ok_classes=ok_class or (),
            precision=precision,
            on_progress=ui.screen.progress,
        )
    data = packed(parts.members)
    write_output(out, data, BUNDLE)
    version, compared = Bundle(out).version, parts.compared
    facts: dict[str, Any] = {
        "bundle": out,
        "version": version,
        "bytes": len(data),
        **{name: parts.model[name] for name in ("ok_classes", "promise", "info")},
    }
    return Result([*_lines(out, version, len(data), parts.model), *_compared(compared)], facts)


def _lines(out: Path, version: str, size: int, model: dict[str, Any]) -> list[str]:
    from clipgrip.advice.model import HEADLINE

    lines: list[str] = [
        Sentence("bundle {version}, {megabytes} MB: {out}", version=version, megabytes=f"{size / 1e6:.1f}", out=out),
    ]  # fmt: skip
    promise = model["promise"]
    if promise is None:
        lines.append(Sentence("nothing was promised: at the line the model decides every image"))
    elif not promise["scopes"]:
        lines.append(Sentence("no promise stands: at the line people decide every image"))
    if model["info"]["guesses"]:
        lines.append(Sentence(HEADLINE))
    if not model["info"]["reference"]:
        lines.append(
            Sentence(
                "too few of the run's images can be read here, so the watch at the line begins without a reference"
            )
        )
    return lines


def _compared(compared: Any) -> list[str]:
    return [
        Sentence(
            "compared with the model in float32 on {n} images: {changed} with another class, probabilities up to "
            "{apart} apart",
            n=len(compared.pictures),
            changed=compared.changed,
            apart=f"{compared.apart:.2g}",
        )
    ]
