"""When to stop: the rules of `benchmarks.research.stops` replayed over recorded rounds.

    python -m benchmarks.stopping [--seeds 3] [--sets digits surfaces] [--rounds 10] [--replay] [--provoked]

Every run goes on for all its rounds (``stop_below=0``) and writes down a summary, the seconds and the pool's accuracy
of each. A rule then reads the summaries alone and says where it would have stopped, and which round it would have kept.
The truth only measures what that costs. ``--replay`` reads the recorded rounds again instead of running.
``--provoked`` writes ``results/stopping_provoked.json`` instead: only answers over 0.95 are trusted, and tuned on ten
times as fast without decay, so that unsure classes starve.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.record import RESULTS, record
from benchmarks.research.selectors import Known, register
from benchmarks.research.stops import RULES, first_stop
from benchmarks.sets import DemoSet, load, task
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.registry import load_backbone
from clipgrip.method import PRESETS, Method, learn, schedule
from clipgrip.metrics import accuracy
from clipgrip.prompts.classifier import predict_proba, zero_shot
from clipgrip.pseudolabel.calibration import fitted_temperature
from clipgrip.pseudolabel.stop import Summary
from clipgrip.starts import untuned
from clipgrip.strategy import Reached, Watch
from clipgrip.training.loop import Recipe

NAME = "stopping"
AS_IT_IS = ("settled", "one more")
CHOICES = {name: (name,) for name in RULES} | {"the default as it is": AS_IT_IS}
"""The default trusts all images in every round, so that its last round is one more round of the same kind."""


def main() -> None:
    """Record, replay, print and write ``results/stopping.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", default=["digits", "surfaces"])
    parser.add_argument("--paradigms", nargs="+", default=["UL", "SSL", "TRZSL"])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--replay", action="store_true")
    parser.add_argument("--provoked", action="store_true")
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "clipgrip-benchmarks"
    )
    chosen = parser.parse_args()
    name = f"{NAME}_provoked" if chosen.provoked else NAME
    if chosen.replay:
        runs = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))["runs"]
        _finish(name, runs)
        return
    backbone, runs = load_backbone("nano"), []
    for seed, which in itertools.product(range(chosen.seeds), chosen.sets):
        demo = load(which, chosen.folder, backbone)
        for paradigm in chosen.paradigms:
            method = provoked() if chosen.provoked else PRESETS["default"]["textual"]
            runs.append(recorded(backbone, demo, paradigm, seed, chosen.rounds, method))
            _finish(name, runs)


def provoked() -> Method:
    """A method that goes astray."""
    register()
    recipe = Recipe(lr=0.3, weight_decay=0.0)
    return Method(select="threshold", recipe=recipe, refine="zero-shot")


def recorded(
    backbone: ClipBackbone,
    demo: DemoSet,
    paradigm: str,
    seed: int,
    n_rounds: int,
    method: Method,
) -> dict[str, Any]:
    """All rounds of one run: summary, seconds, and accuracy over the unlabeled images."""
    given = task(paradigm, demo, seed)
    method = replace(method.suited_to(given), stop_below=0.0, stop=())
    start = untuned(
        backbone, demo.classes.prompts, method, template=demo.template, seed=seed, kind="textual"
    )
    classes = zero_shot(backbone, demo.classes.prompts, demo.template)
    first = predict_proba(demo.pool, classes, backbone.logit_scale)
    labeled = given.labeled
    register(Known(temperature=fitted_temperature(first[labeled], given.labels[labeled])))
    rows, before, kept = given.unlabeled, first, []
    ks = schedule("grip", given, n_rounds=n_rounds)
    watch = Watch.over(given, first, demo.pool)
    assert watch
    began, reached = time.perf_counter(), Reached(0, first)
    for done in learn(start, demo.pool, given, reached, ks=ks, method=method, seed=seed):
        seconds = time.perf_counter() - began
        summary = watch.summary(done, before)
        right = accuracy(done.probs[rows], demo.pool_truth[rows])
        kept.append({"summary": asdict(summary), "seconds": seconds, "accuracy": right})
        before, began = done.probs, time.perf_counter()
    return {
        "set": demo.name,
        "paradigm": paradigm,
        "seed": seed,
        "zero_shot": accuracy(first[rows], demo.pool_truth[rows]),
        "first": asdict(watch.of_zero_shot),
        "rounds": kept,
    }


def replayed(run: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Where the rules stop: rounds run, share of time saved, accuracy against that of the last round."""
    rounds = run["rounds"]
    past = [Summary(**run["first"]), *(Summary(**one["summary"]) for one in rounds)]
    stops = ((n, first_stop(past[: n + 1], names[:1])) for n in range(1, len(past)))
    ran, stop = next(((n, stop) for n, stop in stops if stop), (len(rounds), None))
    if stop and names == AS_IT_IS:  # fewer changes than stop_below: only the last round is left
        ran, stop = min(ran + 1, len(rounds)), None
    best = stop.best if stop else ran
    right = rounds[best - 1]["accuracy"] if best else run["zero_shot"]
    seconds = [one["seconds"] for one in rounds]
    return {
        "ran": ran,
        "kept": best,
        "saved": 1 - sum(seconds[:ran]) / sum(seconds),
        "gain": right - rounds[-1]["accuracy"],
    }


def _finish(name: str, runs: list[dict[str, Any]]) -> None:
    table = []
    cells = sorted({(run["set"], run["paradigm"]) for run in runs})
    for (which, paradigm), (rule, names) in itertools.product(cells, CHOICES.items()):
        same = [run for run in runs if (run["set"], run["paradigm"]) == (which, paradigm)]
        found = [replayed(run, names) for run in same]
        row = {"set": which, "paradigm": paradigm, "rule": rule, "seeds": len(found)}
        for key in ("ran", "kept", "saved", "gain"):
            values = [one[key] for one in found]
            row[key] = statistics.mean(values)
            row[f"{key}_sd"] = statistics.stdev(values) if len(values) > 1 else 0.0
        table.append(row)
        print(_line(row), flush=True)
    record(name, {"table": table, "runs": runs})


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['set']:<9} {row['paradigm']:<6} {row['rule']:<20} {row['seeds']} seeds  ran {row['ran']:4.1f}  "
        f"kept {row['kept']:4.1f}  time saved {100 * row['saved']:3.0f} %  "
        f"accuracy {100 * row['gain']:+5.2f} ± {100 * row['gain_sd']:.2f} points"
    )


if __name__ == "__main__":
    main()
