"""What becomes of a pool that one class fills, as good parts fill a factory's: zero-shot, refinement, GRIP.

    python -m benchmarks.dominated [--seeds 3] [--sets surfaces digits]

One class holds 30, 60 or 90 % of the pool ("no defect" of the surfaces; of the digits another with each seed), the
other classes share the rest alike. *Always clusters* is the default with its refinement forced to divide the pool up.
Accuracy is that of the pool's unlabeled images, whose truth nothing here sees but the labels that SSL gives.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.presets import DEFAULT, one_run
from benchmarks.record import machine, record
from benchmarks.sets import DemoSet, load
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.registry import load_backbone
from clipgrip.metrics import accuracy
from clipgrip.prompts.classifier import zero_shot
from clipgrip.pseudolabel import refine
from clipgrip.seeds import generator

SHARES = (0.0, 0.3, 0.6, 0.9)
"""Of the class that fills the pool; 0: as it comes, all classes about equally frequent."""
FEWEST = 3
"""Images of each other class, at least."""


def main() -> None:
    """Measure, print a row as soon as it is there, and write ``results/dominated.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", default=["surfaces", "digits"])
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "clipgrip-benchmarks"
    )
    chosen = parser.parse_args()
    backbone, rows = load_backbone("nano"), []
    print(machine())
    for name in chosen.sets:
        demo = load(name, chosen.folder, backbone)
        for share in SHARES:
            pools = [filled(demo, share, seed) for seed in range(chosen.seeds)]
            rows += [_refined(backbone, pools, share)]
            rows += [_tuned(backbone, pools, share, paradigm) for paradigm in ("UL", "SSL")]
            for row in rows[-3:]:
                print(_line(row), flush=True)
            record("dominated", {"seeds": chosen.seeds, "rows": rows})


def filled(demo: DemoSet, share: float, seed: int) -> DemoSet:
    """The set with a pool of which one class holds ``share``."""
    if not share:
        return demo
    draw, names = generator(seed, "filled"), list(demo.classes.display)
    large = names.index("no defect") if "no defect" in names else seed % len(names)
    most = int(torch.bincount(demo.pool_truth)[large])
    others = max(FEWEST, round(most * (1 / share - 1) / (len(names) - 1)))
    kept = []
    for c in range(len(names)):
        rows = (demo.pool_truth == c).nonzero().squeeze(1)
        count = most if c == large else others
        kept.append(rows[torch.randperm(len(rows), generator=draw)[:count]])
    rows = torch.cat(kept).sort().values
    return replace(demo, pool=demo.pool[rows], pool_truth=demo.pool_truth[rows])


def _refined(backbone: ClipBackbone, pools: list[DemoSet], share: float) -> dict[str, Any]:
    starts: list[float] = []
    found: dict[str, list[float]] = {"auto": [], "clusters": []}
    for demo in pools:
        classes = zero_shot(backbone, demo.classes.prompts, demo.template)
        starts.append(accuracy(demo.pool @ classes.T, demo.pool_truth))
        for method, values in found.items():
            probs = refine(demo.pool, classes, logit_scale=backbone.logit_scale, method=method)
            values.append(accuracy(probs, demo.pool_truth))
    return _row(pools[0], share, "refine", starts, found["auto"], found["clusters"])


def _tuned(
    backbone: ClipBackbone, pools: list[DemoSet], share: float, paradigm: str
) -> dict[str, Any]:
    forced = replace(DEFAULT, refine="clusters", stop=(), many_labels=None)
    runs = [
        [one_run(backbone, demo, paradigm, "grip", method, seed) for seed, demo in enumerate(pools)]
        for method in (DEFAULT, forced)
    ]
    starts = [run["pool_zero_shot"] for run in runs[0]]
    ends = ([run["pool"] for run in some] for some in runs)
    return _row(pools[0], share, f"GRIP, {paradigm}", starts, *ends)


def _row(
    demo: DemoSet,
    share: float,
    what: str,
    starts: list[float],
    ends: list[float],
    forced: list[float],
) -> dict[str, Any]:
    gains = [100 * (end - start) for start, end in zip(starts, ends, strict=True)]
    without = [100 * (end - start) for start, end in zip(starts, forced, strict=True)]
    return {
        "set": demo.name,
        "share": share,
        "images": len(demo.pool),
        "what": what,
        "zero_shot": round(100 * statistics.mean(starts), 1),
        **_spread("gain", gains),
        **_spread("always_clusters", without),
    }


def _spread(name: str, values: list[float]) -> dict[str, float]:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return {
        name: round(statistics.mean(values), 1),
        f"{name}_sd": round(deviation, 1),
        f"{name}_worst": round(min(values), 1),
    }


def _line(row: dict[str, Any]) -> str:
    start = f"{row['set']:<9} {100 * row['share']:3.0f} % of {row['images']:4}  {row['what']:<10}"
    gain, forced = (
        f"{row[name]:+6.1f} ± {row[name + '_sd']:4.1f}, worst {row[name + '_worst']:+6.1f}"
        for name in ("gain", "always_clusters")
    )
    return f"{start} zero-shot {row['zero_shot']:5.1f}   {gain}   always clusters {forced}"


if __name__ == "__main__":
    main()
