"""clipgrip models."""

from __future__ import annotations

import typer


def models() -> None:
    """Models that can be used, which are on this machine, and how to bring one to it."""
    from clipgrip.backbone.registry import ONLINE_VARIABLE
    from clipgrip.backbone.registry import models as known_models
    from clipgrip.cli.screen import utf8_output

    utf8_output()
    known = known_models()
    width = max(len(model.name) for model in known)
    for model in known:
        here = "here" if model.folder else "not here"
        typer.echo(f"{model.name:<{width}}  {here:<8}  {model.megabytes:>5} MB  {model.note}")
    typer.echo(
        "\nAny other CLIP model of transformers works too: give its hub name or its folder to --backbone.\n"
        f"With a connection: set {ONLINE_VARIABLE}=1 for one run; later runs need none.\n"
        "Without: on a machine that has one, run\n"
        '  hf download NAME --include "*.json" --include "*.txt" --include "*.safetensors" --local-dir FOLDER\n'
        "copy FOLDER to this machine, and give its path to --backbone."
    )
