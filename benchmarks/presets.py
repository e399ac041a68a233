"""Which way to tune a prompt: presets side by side on the demo sets, all paradigms, several seeds.

    python -m benchmarks.presets [--seeds 3] [--sets digits surfaces] [--variants default paper ...]

A preset is chosen by the accuracy over the *pool* (its true labels are known here, and no training sees them, apart
from those that a paradigm gives). Accuracy over the test images is written down beside it, and chooses nothing.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.record import machine, record
from benchmarks.research.selectors import register
from benchmarks.sets import DemoSet, load, task
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.registry import load_backbone
from clipgrip.method import PRESETS, Method, learn, schedule, teacher_of
from clipgrip.metrics import accuracy, seen_unseen
from clipgrip.prompts.classifier import predict_proba, zero_shot
from clipgrip.starts import untuned
from clipgrip.strategy import Reached, best_round
from clipgrip.task import Task
from clipgrip.training.loop import Recipe
from clipgrip.types import ImageEmbeds, Labels, Probs

DEFAULT = PRESETS["default"]["textual"]
HARD: dict[str, Any] = {"select": "balanced", "refine": "zero-shot"}
BALANCED = replace(DEFAULT, **HARD, many_labels=replace(DEFAULT.many_labels or DEFAULT, **HARD))
"""The default without refinement, on the k surest of each class: what rules and optimisers are compared on."""


def variants() -> dict[str, Method]:
    """What is compared: the presets, balanced top-K, and that with one thing changed, whether labels abound or not."""
    register()
    plain = replace(BALANCED, many_labels=None)
    changed: dict[str, dict[str, Any]] = {
        "plain top-K": {},
        "random start": {"init": "random"},
        "never stop": {"stop_below": 0.0},
        "own best class": {"select": "own-best-class"},
        "labels 0.2": {"labeled_share": 0.2},
        "labels 0.8": {"labeled_share": 0.8},
    }
    recipes = {
        f"{steps} steps, lr {lr}, decay {decay}": {
            "recipe": Recipe(steps=steps, lr=lr, weight_decay=decay)
        }
        for steps, lr, decay in itertools.product((60, 150), (0.005, 0.01, 0.03), (0.0, 1.0))
    }
    presets = {name: methods["textual"] for name, methods in PRESETS.items()}
    never = {"labels never abound": replace(DEFAULT, many_labels=None), "balanced top-K": BALANCED}
    never["prompt alone"] = _without_head(DEFAULT)
    return presets | never | {n: replace(plain, **v) for n, v in (changed | recipes).items()}


def _without_head(method: Method) -> Method:
    """The method, also where labels abound, without a classifier of the images beside the prompt."""
    many = method.many_labels
    return replace(method, head=None, many_labels=many and replace(many, head=None))


def main() -> None:
    """Measure, print a row as soon as it is there, and write ``results/presets.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", default=["digits", "surfaces"])
    parser.add_argument("--paradigms", nargs="+", default=["UL", "SSL", "TRZSL"])
    parser.add_argument("--strategies", nargs="+", default=["grip"])
    parser.add_argument("--variants", nargs="+", default=list(variants()))
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "clipgrip-benchmarks"
    )
    parser.add_argument("--name", default="presets", help="of the file in results/")
    chosen = parser.parse_args()
    backbone, rows = load_backbone("nano"), []
    print(machine())
    for name in chosen.sets:
        demo = load(name, chosen.folder, backbone)
        for cell in itertools.product(chosen.paradigms, chosen.strategies, chosen.variants):
            rows.append(_row(backbone, demo, *cell, seeds=chosen.seeds))
            print(line(rows[-1]), flush=True)
            record(chosen.name, {"seeds": chosen.seeds, "rows": rows})


def _row(
    backbone: ClipBackbone, demo: DemoSet, paradigm: str, strategy: str, variant: str, *, seeds: int
) -> dict[str, Any]:
    runs = [
        one_run(backbone, demo, paradigm, strategy, variants()[variant], s) for s in range(seeds)
    ]
    columns = {key: [run[key] for run in runs] for key in runs[0]}
    return {
        "set": demo.name,
        "paradigm": paradigm,
        "strategy": strategy,
        "variant": variant,
        **{key: round(statistics.mean(values), 4) for key, values in columns.items()},
        **{
            f"{key}_sd": round(statistics.stdev(values), 4) if seeds > 1 else 0.0
            for key, values in columns.items()
        },
    }


def one_run(
    backbone: ClipBackbone, demo: DemoSet, paradigm: str, strategy: str, method: Method, seed: int
) -> dict[str, float]:
    """Accuracy of zero-shot and of the last round over pool and test, rounds and seconds."""
    given = task(paradigm, demo, seed)
    method = method.suited_to(given)
    zero = zero_shot(backbone, demo.classes.prompts, demo.template)
    scale = backbone.logit_scale
    began = time.perf_counter()
    prompt = untuned(backbone, demo.classes.prompts, method, template=demo.template, seed=seed)
    reached = Reached(0, predict_proba(demo.pool, zero, scale))
    ks = schedule(strategy, given)
    teacher = teacher_of(method, given, demo.pool, reached.probs, zero, seed=seed)
    begun = reached if teacher is None else Reached(0, teacher.start)
    rounds = list(
        learn(prompt, demo.pool, given, begun, ks=ks, method=method, seed=seed, teacher=teacher)
    )
    seconds = time.perf_counter() - began
    best = best_round(rounds)

    def answers(embeds: ImageEmbeds) -> Probs:
        return best.predict_proba(embeds) if best else predict_proba(embeds, zero, scale)

    hidden = demo.pool_truth.masked_fill(given.labels >= 0, -1)
    return {
        "pool_zero_shot": accuracy(reached.probs, hidden),
        "pool": accuracy(answers(demo.pool), hidden),
        "test_zero_shot": score(predict_proba(demo.test, zero, scale), demo.test_truth, given),
        "test": score(answers(demo.test), demo.test_truth, given),
        "rounds": float(len(rounds)),
        "seconds": seconds,
    }


def score(probs: Probs, truth: Labels, given: Task) -> float:
    """Accuracy; the harmonic mean of seen and unseen where some classes are seen."""
    if bool(given.candidates.all()):
        return accuracy(probs, truth)
    return seen_unseen(probs, truth, given.candidates)[2]


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    return (
        f"{row['set']:<9} {row['paradigm']:<6} {row['strategy']:<6} {row['variant']:<20} "
        f"pool {100 * row['pool_zero_shot']:5.1f} -> {100 * row['pool']:5.1f} ± {100 * row['pool_sd']:4.1f}   "
        f"test {100 * row['test_zero_shot']:5.1f} -> {100 * row['test']:5.1f} ± {100 * row['test_sd']:4.1f}   "
        f"{row['rounds']:4.1f} rounds {row['seconds']:7.1f} s"
    )


if __name__ == "__main__":
    main()
