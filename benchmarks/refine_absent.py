"""What ``refine`` makes of pools that lack classes, and of wrong logit scales, on real CLIP embeddings.

    python -m benchmarks.refine_absent [--seeds 3]

Each pool keeps a random share of its classes while all of them are offered as answers. The design was chosen on the
pools of dtd and flowers and on caltech58; the test splits confirm it.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator
from typing import Any

import torch

from benchmarks.features import FeatureSet, with_prototypes, with_text
from benchmarks.record import machine, record
from clipgrip.pseudolabel import refined
from clipgrip.seeds import generator

SHARES = (0.1, 0.3, 0.6)
SCALES = (1.0, 30.0, 200.0)


def main() -> None:
    """Measure, print each row, and write ``results/refine_absent.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    rows: list[dict[str, Any]] = []
    print(machine())
    for what, scale, cases in _cases(seeds):
        rows.append({"what": what, "logit_scale": scale, **_row(cases, scale)})
        print(rows[-1], flush=True)
    record("refine_absent", {"seeds": seeds, "rows": rows})


def _cases(seeds: int) -> Iterator[tuple[str, float, list[FeatureSet]]]:
    """(what, logit scale, one pool per seed)."""
    sets = [with_text("caltech58")]
    sets += [
        with_prototypes(name, part) for part in ("pool", "test") for name in ("dtd", "flowers")
    ]
    for data in sets:
        for share in SHARES:
            pools = [_with_share(data, share, seed) for seed in range(seeds)]
            yield f"{data.name}, {share:.0%} of the classes", 100.0, pools
        for scale in SCALES:
            yield data.name, scale, [data]


def _with_share(data: FeatureSet, share: float, seed: int) -> FeatureSet:
    """The images of a random share of the classes."""
    n_classes = len(data.classes)
    order = torch.randperm(n_classes, generator=generator(seed, "absent"))
    return data.rows(torch.isin(data.labels, order[: int(share * n_classes)]).nonzero().squeeze(1))


def _row(cases: list[FeatureSet], scale: float) -> dict[str, Any]:
    starts, ends, methods = [], [], []
    for data in cases:
        found = refined(data.images, data.classes, logit_scale=scale)
        starts.append(_accuracy(data.images @ data.classes.T, data))
        ends.append(_accuracy(found.probs, data))
        methods.append(found.method)
    gains = [end - start for start, end in zip(starts, ends, strict=True)]
    return {
        "start": round(statistics.mean(starts), 1),
        "refined": round(statistics.mean(ends), 1),
        "refined_sd": round(statistics.stdev(ends), 1) if len(ends) > 1 else 0.0,
        "worst_gain": round(min(gains), 1),
        "methods": methods,
    }


def _accuracy(scores: torch.Tensor, data: FeatureSet) -> float:
    return 100 * float((scores.argmax(1) == data.labels).double().mean())


if __name__ == "__main__":
    main()
