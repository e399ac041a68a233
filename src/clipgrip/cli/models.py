"""clipgrip models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clipgrip.backbone.names import TEXTURE
from clipgrip.cli.arguments import option
from clipgrip.cli.columns import padded
from clipgrip.cli.ui import Result, Ui
from clipgrip.words import Sentence, mark


def list_(ui: Ui) -> Result:
    """Models that can be used, which are on this machine, and how to bring one to it."""
    from clipgrip.backbone.checkpoint import SUPPORTED, VISION
    from clipgrip.backbone.model_store import models_root
    from clipgrip.backbone.registry import ONLINE_VARIABLE, models, pickle_recipe, recipe

    known = models()
    width = max(len(model.name) for model in known)
    lines = [
        f"{model.name:<{width}}  {padded(ui.say(mark('here') if model.folder else mark('not here')), 8)}  "
        f"{model.megabytes:>5} MB  {ui.say.translated(model.note)}"
        for model in known
    ]
    kinds, eyes = (
        "\n".join(f"  {kind:<26}{ui.say.translated(who)}" for kind, who in some.items())
        for some in (SUPPORTED, VISION)
    )
    lines.append(
        Sentence(
            "\nOther models of these kinds (model_type in config.json) work too:\n{kinds}\n"
            "Give a hub name to --backbone, pinned as NAME@REVISION if you like, or a folder.\n"
            "\nModels that see images and know no words go beside CLIP (--eye NAME); texture needs no weights:\n"
            "{eyes}\n\n"
            "With a connection: set {variable}=1 for one run; later runs need none.\n"
            "Without: {recipe}\n{pickles}\nAdded models lie in {root}.",
            kinds=kinds,
            eyes=eyes,
            variable=ONLINE_VARIABLE,
            recipe=recipe("ORGANISATION/NAME"),
            pickles=pickle_recipe("ORGANISATION/NAME"),
            root=models_root(),
        )
    )
    facts = {
        "models": [
            {"name": m.name, "folder": m.folder, "megabytes": m.megabytes, "note": m.note}
            for m in known
        ],
        "kinds": list(SUPPORTED),
        "eyes": [TEXTURE, *VISION],
        "added": models_root(),
    }
    return Result(lines, facts)


def add(
    folder: Annotated[Path, typer.Argument(help="Folder that holds config.json and the weights.")],
    name: Annotated[
        str | None,
        option("What to call it, for example its hub name.  [default: the folder's name]"),
    ] = None,
) -> Result:
    """Check a model that was copied by hand, and copy it into clipgrip's own folder of models.

    It is read and used once; only configuration, tokenizer and safetensors weights are copied. Files that can run code
    (pickles, Python) are left where they are.
    """
    from clipgrip.backbone.model_import import add_model

    made = add_model(folder, name)
    lines = [
        Sentence("model        {name}", name=made.model.name),
        Sentence("fingerprint  {fingerprint}", fingerprint=made.model.fingerprint),
        Sentence("folder       {folder}", folder=made.model.folder),
    ]
    if made.left:
        lines.append(
            Sentence("not copied   {left}  (can run code, not needed)", left=", ".join(made.left))
        )
    lines.append(
        Sentence(
            "next         clipgrip run IMAGES --classes FILE {option} {name}",
            option="--backbone" if made.words else "--eye",
            name=made.model.name,
        )
    )
    facts = {
        "name": made.model.name,
        "fingerprint": made.model.fingerprint,
        "folder": made.model.folder,
        "not_copied": list(made.left),
    }
    return Result(lines, facts)


def remove(name: Annotated[str, typer.Argument(help="Name of a model that was added.")]) -> Result:
    """Delete a model that was added; those in the Hugging Face cache stay."""
    from clipgrip.backbone.model_store import remove_model

    gone = remove_model(name)
    return Result([Sentence("removed {gone}", gone=gone)], {"removed": gone})
