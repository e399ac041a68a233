"""What a bundle is: its classes, promise and version, or one of its documents."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipgrip_line.parsing import document, words_of
from clipgrip_line.sentences import mark

if TYPE_CHECKING:
    from clipgrip_line.bundle import Bundle
    from clipgrip_line.words import Words

VERSION = mark("version {version}")


def add(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("bundle", type=Path, help="the file that clipgrip bundle wrote")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument(
        "--card", action="store_true", help="print the model card, in the language of --lang"
    )
    kinds.add_argument(
        "--sbom", action="store_true", help="print the list of components (CycloneDX)"
    )


def run(args: argparse.Namespace) -> int:
    """Print it; no model is read."""
    from clipgrip_line.bundle import Bundle

    bundle, say = Bundle(args.bundle), words_of(args)
    if args.sbom:
        print(bundle.read("sbom.cdx.json").decode(), end="")
        return 0
    if args.card:
        print(bundle.read(f"model-card.{say.language}.md").decode(), end="")
        return 0
    facts = facts_of(bundle)
    print(document(facts) if args.json else "\n".join(lines_of(facts, say)))
    return 0


def facts_of(bundle: Bundle) -> dict[str, Any]:
    """What is known of a bundle without reading its towers."""
    from clipgrip_line.parts import MODEL

    content = bundle.json(MODEL)
    size = sum(int(one["bytes"]) for one in bundle.members.values())
    about = {name: content[name] for name in ("classes", "ok_classes", "promise", "names")}
    return {"version": bundle.version, "bytes": size, **about, **content["info"]}


def lines_of(facts: dict[str, Any], say: Words) -> list[str]:
    """For people."""
    promise = facts["promise"]
    lines = [
        say(VERSION, version=facts["version"]),
        say("classes: {names}", names=say.names(facts["classes"], 20)),
        say(
            "model: {backbone}, {precision}",
            backbone=facts["backbone"],
            precision=facts["precision"],
        ),
    ]
    if facts["ok_classes"]:
        lines.append(say("OK are: {names}", names=say.names(facts["ok_classes"], 20)))
    if promise is None:
        lines.append(say("nothing was promised: the model decides every image"))
    elif not promise["scopes"]:
        lines.append(say("no promise stands: people decide every image"))
    else:
        lines.append(
            say(
                "promise: at most {rate} of what the model decides is wrong ({confidence} sure); the rest goes to "
                "people",
                rate=say.percent(promise["rate"]),
                confidence=say.percent(promise["confidence"], 0),
            )
        )
    return lines
