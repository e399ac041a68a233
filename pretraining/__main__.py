"""One command from a seed to the weights: render, train, export."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from pretraining import captions, corpus, curve, export, loop, model

RENDERED = Path(__file__).parent / "rendered"
WEIGHTS = Path("src/clipgrip/backbone/nano/weights")
WATCHED = 500


def main() -> None:
    """Run what is not yet done; an interrupted run goes on from its last checkpoint."""
    options = _options()
    torch.set_num_threads(options.threads)
    folder = options.folder / f"seed{options.seed}-steps{options.steps}"
    folder.mkdir(parents=True, exist_ok=True)
    pictures = render(options.folder / f"seed{options.seed}", seed=options.seed)
    words = model.tokenizer(captions.all_sentences())
    clip = model.create(words, seed=options.seed)
    settings = loop.Settings(seed=options.seed, steps=options.steps)
    trained = loop.train(clip, words, *pictures, settings, folder)
    export.export(trained, words, options.out)
    curve.publish(folder / "curve.csv", Path(__file__).parent)


def render(
    folder: Path, *, seed: int
) -> tuple[dict[str, corpus.Pictures], dict[str, corpus.Pictures]]:
    """The training pictures and the held-out ones, rendered unless they are there."""
    train, held_out = folder / "train", folder / "held-out"
    for name, family in corpus.FAMILIES.items():
        corpus.render_family(name, train, seed=seed, count=family.count, held_out=False)
        corpus.render_family(name, held_out, seed=seed, count=WATCHED, held_out=True)
    return (
        {name: corpus.load(name, train) for name in corpus.FAMILIES},
        {name: corpus.load(name, held_out) for name in corpus.FAMILIES},
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pretraining", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--folder", type=Path, default=RENDERED)
    return parser.parse_args()


if __name__ == "__main__":
    main()
