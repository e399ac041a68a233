"""What it is worth to say which classes may occur: pools that hold a share of the classes of a list, as is and told.

    python -m benchmarks.occurring [--seeds 3] [--labels 2 | --counts] [--sets ...] [--write]

Half of the images are new and of every class; the other half lose those of the classes that do not occur. Accuracy on
the pool, on new images of classes that the pool had, and of those that it lacked: of zero-shot (for the pool also among
the classes that occur), of GRIP as it is and of GRIP with ``may_occur``. With ``--labels`` some images a class are
labeled. ``present`` is how many classes GRIP takes for present where nobody says it.

``--counts`` asks what is gained if somebody knows how often each class occurs, too: refined answers where presence is
known, and these brought to the true shares, and to shares of counts that are off by some 30 %; as the pool is and
thinned ten to one, beside the share of the commonest class.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.features import thinned
from benchmarks.few_labels import ours
from benchmarks.labeled_sets import Ints, Set, loaded
from benchmarks.record import machine, record
from clipgrip.pseudolabel import refined
from clipgrip.pseudolabel.refine.balance import sinkhorn
from clipgrip.seeds import generator

SETS = ("caltech58", "digits", "surfaces", "trash", "imagenet100", "parts", "steel")
"""The first four chose what is done; the others confirm it."""
SHARES = (0.2, 0.5)
MOST = 4000
"""Images of a set, half of them new."""
Figures = dict[str, float]


def main() -> None:
    """Measure, print each row, and write ``results/occurring.json`` where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--labels", type=int, default=0, help="labeled images a class")
    parser.add_argument("--counts", action="store_true", help="what known counts are worth")
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    print(machine())
    rows = []
    for name in chosen.sets:
        data = loaded(name)
        for share in SHARES:
            draws = [_draw(data, share, seed) for seed in range(chosen.seeds)]
            found = [
                dict(_counted(data, there, pool, seed))
                if chosen.counts
                else _answered(data, there, pool, new, seed, chosen.labels)
                for seed, (there, pool, new) in enumerate(draws)
            ]
            rows.append({"set": name, "share": share, "figures": _summary(found)})
            print(rows[-1], flush=True)
            if chosen.write:
                kind = "_counts" if chosen.counts else "_labels" if chosen.labels else ""
                facts = {"seeds": chosen.seeds, "labels": chosen.labels}
                record(f"occurring{kind}", {**facts, "rows": rows})


def _summary(found: list[Figures]) -> dict[str, list[float]]:
    """Mean and standard deviation over the draws."""
    columns = {key: [one[key] for one in found] for key in found[0]}
    return {
        key: [round(float(np.mean(v)), 2), round(float(np.std(v)), 2)] for key, v in columns.items()
    }


def _draw(data: Set, share: float, seed: int) -> tuple[Ints, Ints, Ints]:
    """The classes that occur, rows of the pool and new rows."""
    draw = np.random.default_rng(seed)
    there = draw.permutation(data.n_classes)[: max(2, round(share * data.n_classes))]
    rows = draw.permutation(len(data.images))[:MOST]
    pool, new = np.split(rows, [len(rows) // 2])
    return np.sort(there), pool[np.isin(data.labels[pool], there)], new


def _answered(data: Set, there: Ints, pool: Ints, new: Ints, seed: int, labels: int) -> Figures:
    """Per cent right, by answers and kind of images; columns of answers are classes in their order."""
    assert data.texts is not None
    given = np.full(len(pool), -1)
    for c in there:
        given[np.flatnonzero(data.labels[pool] == c)[:labels]] = c
    free, had = given < 0, np.isin(data.labels[new], there)
    among = np.isin(np.arange(data.n_classes), there)
    first_pool, first_new = (data.images[rows] @ data.texts.T for rows in (pool, new))
    as_is = ours(data, seed, "grip").fit(data.images[pool], given)
    names = [f"class {c:04d}" for c in there]
    said = ours(data, seed, "grip").set_params(may_occur=names).fit(data.images[pool], given)
    evidence = [one.evidence for one in as_is.rounds_ if one.evidence]
    taken = evidence[0].n_present if evidence else None
    found: Figures = {"there": len(there), "present": data.n_classes if taken is None else taken}
    pools = {
        "zero-shot": first_pool,
        "zero-shot among": np.where(among, first_pool, -np.inf),
        "as is": as_is.predict_proba(data.images[pool]),
        "said": said.predict_proba(data.images[pool]) * among,
    }
    for key, answers in pools.items():
        right = answers.argmax(1) == data.labels[pool]
        found[f"pool, {key}"] = 100 * right[free].mean()
    news = {
        "zero-shot": first_new,
        "as is": as_is.predict_proba(data.images[new]),
        "said": said.predict_proba(data.images[new]),
    }
    for key, answers in news.items():
        right = answers.argmax(1) == data.labels[new]
        found[f"had, {key}"] = 100 * right[had].mean()
        found[f"lacked, {key}"] = 100 * right[~had].mean()
    return found


def _counted(data: Set, there: Ints, pool: Ints, seed: int) -> Iterator[tuple[str, float]]:
    """What refining makes of the pool with classes and counts known, as it is and thinned ten to one."""
    assert data.texts is not None
    place = np.full(data.n_classes, -1)
    place[there] = np.arange(len(there))
    truth = torch.from_numpy(place[data.labels[pool]])
    images, texts = torch.from_numpy(data.images[pool]), torch.from_numpy(data.texts[there])
    draw = generator(seed, "occurring")
    tail = thinned(truth, 10, draw)
    for kind, rows in (("as it is", torch.arange(len(truth))), ("tail", tail)):
        own = truth[rows]
        shares = torch.bincount(own, minlength=len(there)) / len(own)

        def right(probs: torch.Tensor, own: torch.Tensor = own) -> float:
            return 100 * float((probs.argmax(1) == own).double().mean())

        presence = refined(images[rows], texts, logit_scale=data.scale).probs
        yield f"counts, {kind}: commonest", 100 * float(shares.max())
        yield f"counts, {kind}: presence", right(presence)
        yield f"counts, {kind}: counts", right(sinkhorn(presence, shares))
        off = shares * (0.3 * torch.randn(len(shares), generator=draw)).exp()
        yield f"counts, {kind}: off by 30 %", right(sinkhorn(presence, off / off.sum()))


if __name__ == "__main__":
    main()
