"""Selection rules and losses side by side on the demo sets, all paradigms, several seeds.

    python -m benchmarks.selection [--seeds 3] [--rounds 10] [--sets digits surfaces] [--variants balanced ...]

Each is GRIP without refinement, with one rule or one loss exchanged. What the last round chose is compared with the
pool's true labels, which no training sees, apart from those that a paradigm gives. Accuracy over the test images is
written down and chooses nothing. Nothing is random in UL, so its seeds agree and one is run.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.presets import BALANCED as BASE
from benchmarks.presets import score
from benchmarks.record import machine, record
from benchmarks.research.losses import LOSSES
from benchmarks.research.selectors import Known, register
from benchmarks.sets import DemoSet, load, task
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.registry import load_backbone
from clipgrip.method import Method, learn, schedule
from clipgrip.metrics import accuracy
from clipgrip.prompts.classifier import predict_proba, zero_shot
from clipgrip.pseudolabel.calibration import fitted_temperature
from clipgrip.starts import untuned
from clipgrip.strategy import Reached, Round
from clipgrip.stress.trial import balance
from clipgrip.task import Task
from clipgrip.types import Labels, Probs

SECOND_TEMPLATE = "{}."
"""The second model of the rule "models": the same CLIP, asked in other words."""


RULES = (
    *("own-best-class", "balanced", "margin", "threshold", "class-threshold", "neighbours"),
    *("models", "rounds", "candidate-sets", "everything"),
)
PAIRS = (
    *((rule, "cross-entropy") for rule in RULES),
    *(("balanced", loss) for loss in LOSSES if loss != "partial-label"),
    ("candidate-sets", "partial-label"),
)
"""Another rule, another loss, or both where they belong together."""


def variants() -> dict[str, tuple[str, str]]:
    """Rule and loss by the name of the pair."""
    return {_name(*pair): pair for pair in PAIRS}


def _name(rule: str, loss: str) -> str:
    return rule if loss == "cross-entropy" else f"{rule}, {loss}"


def _with(method: Method, rule: str, loss: str) -> Method:
    """The method, and what it prefers where labels abound, with this rule and this loss; all rounds are run."""
    many = _with(method.many_labels, rule, loss) if method.many_labels else None
    recipe = replace(method.recipe, loss=loss)
    return replace(method, select=rule, recipe=recipe, many_labels=many, stop=())


def main() -> None:
    """Measure, print a row as soon as it is there, and write ``results/selection.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--sets", nargs="+", default=["digits", "surfaces"])
    parser.add_argument("--paradigms", nargs="+", default=["UL", "SSL", "TRZSL"])
    parser.add_argument("--variants", nargs="+", default=list(variants()))
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "clipgrip-benchmarks"
    )
    parser.add_argument("--name", default="selection", help="of the file in results/")
    chosen = parser.parse_args()
    backbone, rows = load_backbone("nano"), []
    print(machine())
    for name, paradigm in itertools.product(chosen.sets, chosen.paradigms):
        bench = Bench(backbone, load(name, chosen.folder, backbone), paradigm, chosen.rounds)
        for variant in chosen.variants:
            seeds = range(1 if paradigm == "UL" else chosen.seeds)
            rows.append(bench.row(variant, seeds))
            print(line(rows[-1]), flush=True)
            record(chosen.name, {"seeds": chosen.seeds, "schedule": chosen.rounds, "rows": rows})


@dataclass(frozen=True)
class Bench:
    """A demo set under one paradigm."""

    backbone: ClipBackbone
    demo: DemoSet
    paradigm: str
    n_rounds: int

    def row(self, variant: str, seeds: Sequence[int]) -> dict[str, Any]:
        """Means and standard deviations over the seeds."""
        runs = [self.run(*variants()[variant], seed) for seed in seeds]
        row: dict[str, Any] = {"set": self.demo.name, "paradigm": self.paradigm, "variant": variant}
        for key in runs[0]:
            values = [run[key] for run in runs]
            row[key] = round(statistics.mean(values), 4)
            row[f"{key}_sd"] = round(statistics.stdev(values), 4) if len(values) > 1 else 0.0
        return row

    def run(self, rule: str, loss: str, seed: int) -> dict[str, float]:
        """Accuracy of pool and test after the last round, and what that round chose."""
        demo, given = self.demo, task(self.paradigm, self.demo, seed)
        first, rows = self._zero_shot(demo.template), given.labeled
        temperature = fitted_temperature(first[rows], given.labels[rows])
        register(Known.of(given, demo.pool, [self._zero_shot(SECOND_TEMPLATE)], temperature))
        method, began = _with(BASE, rule, loss).suited_to(given), time.perf_counter()
        prompts = demo.classes.prompts
        prompt = untuned(self.backbone, prompts, method, template=demo.template, seed=seed)
        done = list(
            learn(
                prompt,
                demo.pool,
                given,
                Reached(0, first),
                ks=schedule("grip", given, n_rounds=self.n_rounds),
                method=method,
                seed=seed,
            )
        )
        seconds, last = time.perf_counter() - began, done[-1]
        hidden = demo.pool_truth.masked_fill(given.labels >= 0, -1)
        return {
            "pool": accuracy(last.probs, hidden),
            "test": score(last.predict_proba(demo.test), demo.test_truth, given),
            **facts(last, given, hidden),
            "rounds": float(len(done)),
            "seconds": seconds,
        }

    def _zero_shot(self, template: str) -> Probs:
        embeds = zero_shot(self.backbone, self.demo.classes.prompts, template)
        return predict_proba(self.demo.pool, embeds, self.backbone.logit_scale)


def facts(last: Round, given: Task, truth: Labels) -> dict[str, float]:
    """Purity as it is and as confidence has it, coverage and balance of a round's pseudolabels; 0 where none is."""
    chosen = last.pseudolabels
    if not len(chosen.rows):
        return dict.fromkeys(("purity", "estimated_purity", "coverage", "balance"), 0.0)
    counts = torch.bincount(chosen.labels, minlength=given.n_classes)[given.candidate_classes]
    return {
        "purity": (chosen.labels == truth[chosen.rows]).double().mean().item(),
        "estimated_purity": chosen.confidence.double().mean().item(),
        "coverage": len(chosen.rows) / len(given.unlabeled),
        "balance": balance(counts),
    }


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    return (
        f"{row['set']:<9} {row['paradigm']:<6} {row['variant']:<29} "
        f"pool {100 * row['pool']:5.1f} ± {100 * row['pool_sd']:4.1f}   "
        f"test {100 * row['test']:5.1f} ± {100 * row['test_sd']:4.1f}   "
        f"purity {100 * row['purity']:5.1f} (said {100 * row['estimated_purity']:5.1f})   "
        f"coverage {100 * row['coverage']:5.1f}   balance {row['balance']:.3f}   "
        f"{row['rounds']:4.1f} rounds {row['seconds']:6.1f} s"
    )


if __name__ == "__main__":
    main()
