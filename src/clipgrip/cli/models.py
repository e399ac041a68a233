"""clipgrip models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Models that can be used, which are on this machine, and how to bring one to it.",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def models(context: typer.Context) -> None:
    """Models that can be used, which are on this machine, and how to bring one to it."""
    if context.invoked_subcommand is not None:
        return
    from clipgrip.backbone.added import models_root
    from clipgrip.backbone.checkpoint import SUPPORTED
    from clipgrip.backbone.registry import ONLINE_VARIABLE, pickle_recipe, recipe
    from clipgrip.backbone.registry import models as known_models
    from clipgrip.cli.screen import utf8_output

    utf8_output()
    known = known_models()
    width = max(len(model.name) for model in known)
    for model in known:
        here = "here" if model.folder else "not here"
        typer.echo(f"{model.name:<{width}}  {here:<8}  {model.megabytes:>5} MB  {model.note}")
    kinds = "\n".join(f"  {kind:<26}{who}" for kind, who in SUPPORTED.items())
    typer.echo(
        f"\nOther models of these kinds (model_type in config.json) work too:\n{kinds}\n"
        "Give a hub name to --backbone, pinned as NAME@REVISION if you like, or a folder.\n"
        f"With a connection: set {ONLINE_VARIABLE}=1 for one run; later runs need none.\n"
        f"Without: {recipe('ORGANISATION/NAME').rpartition(chr(10))[0]}\n"
        f"{pickle_recipe('ORGANISATION/NAME')}\n"
        f"Added models lie in {models_root()}."
    )


@app.command()
def add(
    folder: Annotated[Path, typer.Argument(help="Folder that holds config.json and the weights.")],
    name: Annotated[
        str | None,
        typer.Option(
            help="What to call it, for example its hub name.  [default: the folder's name]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Check a model that was copied by hand, and copy it into clipgrip's own folder of models.

    It is read and used once; only configuration, tokenizer and safetensors weights are copied. Files that can run code
    (pickles, Python) are left where they are.
    """
    from clipgrip.backbone.adding import add_model
    from clipgrip.cli.screen import utf8_output

    utf8_output()
    made = add_model(folder, name)
    typer.echo(f"model        {made.model.name}")
    typer.echo(f"fingerprint  {made.model.fingerprint}")
    typer.echo(f"folder       {made.model.folder}")
    if made.left:
        typer.echo(f"not copied   {', '.join(made.left)}  (can run code, not needed)")
    typer.echo(f"next         clipgrip run IMAGES --classes FILE --backbone {made.model.name}")


@app.command()
def remove(name: Annotated[str, typer.Argument(help="Name of a model that was added.")]) -> None:
    """Delete a model that was added; those in the Hugging Face cache stay."""
    from clipgrip.backbone.added import remove_model

    typer.echo(f"removed {remove_model(name)}")
