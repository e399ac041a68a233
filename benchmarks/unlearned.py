"""What becomes of classes that the pool lacks, once new images show them: without labels, GRIP, on real embeddings.

    python -m benchmarks.unlearned [--seeds 3]

Each pool keeps a random share of its classes while all of them are offered as answers; half of the images are new and
of every class. Accuracy of zero-shot and of the run on new images, apart for classes that the pool had and lacked.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

import numpy as np

from benchmarks.few_labels import ours
from benchmarks.labeled_sets import Set, loaded
from benchmarks.record import machine, record

SETS = ("caltech58", "imagenet100", "digits", "surfaces")
SHARES = (0.7, 0.4)
MOST = 4000
"""Images of a set, half of them new."""


def main() -> None:
    """Measure, print each row, and write ``results/unlearned.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    chosen = parser.parse_args()
    print(machine())
    rows = []
    for name in chosen.sets:
        data = loaded(name)
        for share in SHARES:
            rows.append({"set": name, "share": share, **_row(data, share, chosen.seeds)})
            print(rows[-1], flush=True)
    record("unlearned", {"seeds": chosen.seeds, "rows": rows})


def _row(data: Set, share: float, seeds: int) -> dict[str, list[float]]:
    """By answer and kind of class: mean and standard deviation in per cent."""
    found = [accuracies(data, share, seed) for seed in range(seeds)]
    return {
        key: [
            round(100 * float(measure([one[key] for one in found])), 2)
            for measure in (statistics.mean, statistics.pstdev)
        ]
        for key in found[0]
    }


def accuracies(data: Set, share: float, seed: int) -> dict[str, float]:
    """Of new images of classes that the pool had, and that it lacked."""
    assert data.texts is not None
    draw = np.random.default_rng(seed)
    there = draw.permutation(data.n_classes)[: round(share * data.n_classes)]
    rows = draw.permutation(len(data.images))[:MOST]
    pool, new = np.split(rows, [len(rows) // 2])
    pool = pool[np.isin(data.labels[pool], there)]
    model = ours(data, seed, "grip").fit(data.images[pool], np.full(len(pool), -1))
    order: Any = [f"class {n:04d}" for n in range(data.n_classes)]
    truth = np.array(order)[data.labels[new]]
    answers = {
        "zero-shot": np.array(order)[(data.images[new] @ data.texts.T).argmax(1)],
        "grip": model.predict(data.images[new]),
    }
    known = np.isin(data.labels[new], there)
    return {
        f"{name}, {kind}": float((said[part] == truth[part]).mean())
        for name, said in answers.items()
        for kind, part in (("had", known), ("lacked", ~known))
    }


if __name__ == "__main__":
    main()
