"""Wrong names planted among right ones: how many are found, and how many right ones are doubted.

    CLIPGRIP_DATA=FOLDER python -m benchmarks.names [--seeds 8] [--fit]

The weights and limits were fitted on even seeds (``--fit`` prints them anew); odd ones judge, and the two never share a
class of Caltech or ImageNet. One name in seven is planted, at least one a pool. Where there is no text tower, a code is
a random text as unlike the others as real ones are, and an unread script a text near the middle of all texts. Pools of
which the product says that the model knows nothing, and of two classes, are left out: no name is judged there.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks import situations as made
from benchmarks.features import with_prototypes
from benchmarks.knowledge import told
from benchmarks.record import machine, record
from benchmarks.situations import WORDS, Situation
from clipgrip.backbone.registry import load_backbone
from clipgrip.prompts.classifier import zero_shot
from clipgrip.seeds import generator
from clipgrip.trust.naming import FEW_CLASSES, Seen, look, naming
from clipgrip.types import ClassEmbeds, Labels

KINDS = ("absent thing", "code", "unread script", "another's words", "swapped")
SHARE = 0.15
FEW = 4
"""Images below which a name means too few to be judged by: counted apart."""
SHOTS = (0, 1, 2, 5)
"""Labels a class."""
SCRIPT = ("キズ", "打痕", "バリ", "汚れ", "欠け")


def main() -> None:
    """Plant, look, print, and write ``results/names.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--fit", action="store_true")
    given = parser.parse_args()
    print(machine())
    rows = [row for seed in range(given.seeds) for row in _rows(seed)]
    if given.fit:
        _fit([row for row in rows if row["seed"] % 2 == 0])
    result = {half: _table(rows, odd) for odd, half in enumerate(("chosen on", "judged on"))}
    for half, table in result.items():
        print(half)
        for line, cells in table.items():
            print(f"  {line:<34}", "   ".join(f"{kind} {cell}" for kind, cell in cells.items()))
    record("names", {"seeds": given.seeds, **result})


def pools(seed: int) -> Iterator[Situation]:
    """Models that know something, of all kinds."""
    for make in made.KNOWING:
        yield from make(seed)


def planted(one: Situation, seed: int, kind: str) -> tuple[Situation, Tensor] | None:
    """The pool with some wrong names (C', D) and their positions; None where the kind makes no sense there."""
    classes, draw = len(one.texts), generator(seed, f"wrong {kind}")
    if kind == "swapped":
        wrong = torch.randperm(classes, generator=draw)[: 2 * max(1, round(classes * SHARE / 2))]
        texts = one.texts.clone()
        texts[wrong] = one.texts[wrong.flip(0)]
        return replace(one, texts=texts), wrong
    wrong = torch.randperm(classes, generator=draw)[: max(1, round(classes * SHARE))]
    found = _texts(one, kind, wrong, seed, draw)
    if found is None:
        return None
    texts = one.texts.clone()
    texts[wrong] = found
    return replace(one, texts=texts), wrong


def _texts(
    one: Situation, kind: str, wrong: Tensor, seed: int, draw: torch.Generator
) -> ClassEmbeds | None:
    n = len(wrong)
    if kind == "another's words":
        right = [c for c in range(len(one.texts)) if c not in wrong.tolist()]
        whose = torch.tensor(right)[torch.randint(len(right), (n,), generator=draw)]
        apart = _words(n, seed) if one.kind == "demos" else made._like_real(n, seed + 11)
        middle = one.texts.mean(0) if one.kind == "demos" else _real().mean(0)
        return F.normalize(one.texts[whose] + 0.5 * (apart - middle), dim=1)
    if one.kind == "demos":
        return _of_nano(kind, n, seed)
    if "prototypes" in one.kind:  # means of images: only other things make sense
        return _prototypes(one, n, draw) if kind == "absent thing" else None
    if kind == "absent thing":
        other_half = _real().chunk(2)[(seed + 1) % 2]
        return other_half[torch.randperm(len(other_half), generator=draw)[:n]]
    noise = made._like_real(n, seed + 7)
    return noise if kind == "code" else F.normalize(_real().mean(0) * 0.7 + 0.3 * noise, dim=1)


def _of_nano(kind: str, n: int, seed: int) -> ClassEmbeds:
    if kind == "absent thing":
        return _words(n, seed)
    words = SCRIPT if kind == "unread script" else [f"A-{1034 + 37 * seed + i}" for i in range(n)]
    return zero_shot(load_backbone("nano"), list(words[:n]))


def _words(n: int, seed: int) -> ClassEmbeds:
    chosen = torch.randperm(len(WORDS), generator=generator(seed, "words"))[:n].tolist()
    return zero_shot(load_backbone("nano"), [WORDS[at] for at in chosen])


def _prototypes(one: Situation, n: int, draw: torch.Generator) -> ClassEmbeds:
    source, shots = one.kind.split()[0], 2 if one.name.startswith("2") else 1
    held = with_prototypes(source, "test", shots).classes
    strange = held[(held @ one.texts.T).max(1).values < 0.999]
    return strange[torch.randperm(len(strange), generator=draw)[:n]]


def _real() -> ClassEmbeds:
    return made._texts("imagenet1000").classes


def _rows(seed: int) -> Iterator[dict[str, Any]]:
    for one in pools(seed):
        for kind in ("none", *KINDS):
            found = (
                (one, torch.empty(0, dtype=torch.long))
                if kind == "none"
                else planted(one, seed, kind)
            )
            if found is not None and not told(found[0]):
                for shots in SHOTS:
                    yield from _of(found[0], found[1].tolist(), seed, kind, shots, one.texts)


def _of(
    one: Situation, wrong: list[int], seed: int, kind: str, shots: int, right: ClassEmbeds
) -> Iterator[dict[str, Any]]:
    labels = few_labels(one.truth, len(one.texts), shots, seed)
    seen = look(one.images, one.texts, one.scale, labels)
    for fit in naming(one.images, one.texts, one.scale, labels).names:
        c = fit.position
        here = int((one.truth == c).sum())
        if here == 0 and shots:
            continue
        whose = (one.texts[c] @ right.T).argmax() if kind in KINDS[3:] else -1
        yield {
            "seed": seed,
            "pool": one.kind,
            "classes": len(one.texts),
            "kind": kind,
            "shots": shots,
            "wrong": c in wrong,
            "few": here < FEW,
            "verdict": fit.verdict,
            "doubted": fit.doubted,
            "right_group": fit.group == int(whose),
            "figures": figures(seen, c),
        }


def few_labels(truth: Labels, classes: int, shots: int, seed: int) -> Labels:
    """(N,) so many labels a class, -1 elsewhere."""
    labels, draw = torch.full_like(truth, -1), generator(seed, "labels")
    for c in range(classes if shots else 0):
        rows = (truth == c).nonzero().squeeze(1)
        labels[rows[torch.randperm(len(rows), generator=draw)[:shots]]] = c
    return labels


def figures(seen: Seen, c: int) -> list[float]:
    """Of one class, as `clipgrip.trust.naming` weighs them."""
    free = seen.free[c].tolist()
    return [free[0], free[2], *seen.taught[c].tolist()] if int(seen.labeled[c]) else free


def _table(rows: list[dict[str, Any]], odd: int) -> dict[str, dict[str, str]]:
    half = [r for r in rows if r["seed"] % 2 == odd and r["classes"] >= FEW_CLASSES]
    table: dict[str, dict[str, str]] = {}
    for shots in SHOTS:
        mine = [r for r in half if r["shots"] == shots and not r["few"]]
        name = f"{shots} labels a class"
        table[name] = {kind: _mean(mine, kind) for kind in KINDS}
        unswapped = [r for r in mine if r["kind"] != "swapped"]
        table[name]["found"] = _over_seeds([r for r in unswapped if r["wrong"]])
        table[name]["false"] = _over_seeds([r for r in mine if not r["wrong"]])
        pointed = [r for r in mine if r["wrong"] and r["kind"] in KINDS[3:] and r["doubted"]]
        table[name]["whose group"] = f"{fmean(r['right_group'] for r in pointed):.3f}"
    free = [r for r in half if r["shots"] == 0]
    for pool in sorted({r["pool"] for r in free}):
        mine = [r for r in free if r["pool"] == pool and not r["few"] and r["kind"] != "swapped"]
        found = [r["doubted"] for r in mine if r["wrong"]]
        false = [r["doubted"] for r in mine if not r["wrong"]]
        table[f"no label: {pool}"] = {"found": _share(found), "false": _share(false)}
    small = [r for r in free if r["few"] and not r["wrong"]]
    table["no label: right names of 0 to 3 images"] = {
        "doubted": _share([r["doubted"] for r in small])
    }
    return table


def _mean(rows: list[dict[str, Any]], kind: str) -> str:
    return _over_seeds([r for r in rows if r["wrong"] and r["kind"] == kind])


def _over_seeds(rows: list[dict[str, Any]]) -> str:
    """Mean and deviation of the seeds' shares, and the names."""
    seeds: dict[int, list[bool]] = defaultdict(list)
    for row in rows:
        seeds[row["seed"]].append(row["doubted"])
    shares = [fmean(values) for values in seeds.values()]
    return f"{fmean(shares):.3f} ± {stdev(shares) if len(shares) > 1 else 0:.3f} of {len(rows)}"


def _share(values: list[bool]) -> str:
    return f"{fmean(values):.3f} of {len(values)}" if values else "–"


def _fit(rows: list[dict[str, Any]]) -> None:
    """Weights by logistic regression, and the limit that 96 % of the right names keep."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    for name, taught in (("FREE", False), ("TAUGHT", True)):
        mine = [r for r in rows if bool(r["shots"]) == taught and not r["few"]]
        mine = [
            r for r in mine if taught or (r["kind"] != "swapped" and r["classes"] >= FEW_CLASSES)
        ]
        x, y = np.array([r["figures"] for r in mine]), np.array([r["wrong"] for r in mine])
        scaler = StandardScaler().fit(x)
        model = LogisticRegression(class_weight="balanced").fit(scaler.transform(x), y)
        weights = model.coef_[0] / scaler.scale_
        limit = np.quantile((x @ weights)[~y], 0.96)
        print(name, weights.round(3).tolist(), "limit", round(float(limit), 3))


if __name__ == "__main__":
    main()
