"""Whether a bundle is whole, and answers its golden images here as where it was made."""

from __future__ import annotations

import argparse
from pathlib import Path

from clipgrip_line.parsing import document, words_of
from clipgrip_line.sentences import mark

WHOLE = mark("{path} is whole: {n} parts, {golden} golden images answered as where it was made.")


def add(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("bundle", type=Path, help="the file that clipgrip bundle wrote")


def run(args: argparse.Namespace) -> int:
    """Compare every part with its digest, then try the model."""
    from clipgrip_line import parts
    from clipgrip_line.bundle import Bundle
    from clipgrip_line.model import Model

    bundle = Bundle(args.bundle)
    n = len(bundle.read_all())
    model = Model.open(args.bundle)
    golden = len(parts.golden(bundle))
    facts = {"version": model.version, "parts": n, "golden": golden, "whole": True}
    say = words_of(args)
    print(document(facts) if args.json else say(WHOLE, path=args.bundle, n=n, golden=golden))
    return 0
