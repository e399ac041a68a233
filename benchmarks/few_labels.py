"""A few labels a class, with and without the unlabeled rest: clipgrip against the ordinary supervised methods.

    python -m benchmarks.few_labels [--sets steel trash ...] [--seeds 5] [--shots 1 2 5 10 20 all] [--banks]
    python -m benchmarks.few_labels --wrong [--sets ...] [...]

All see the same embeddings and the same labels. At most 2,000 images without a label are cut in halves: one is the
pool, the other is judged and no method learns from it; then the halves change places. Label spreading and TransCLIP,
which answer only for the images that they learn from, see both halves at once. ``alone`` is clipgrip without the pool
(strategy ``supervised``), ``pool`` with it, judged on new images; ``in pool`` are its answers for the pool itself.
Baselines: logistic regression with C by cross-validation, nearest class mean, Gaussian discriminants (shrinkage 0.5,
and Wang et al., ICLR 2024), Tip-Adapter without training (Zhang et al., ECCV 2022; beta 5.5, alpha 1, the text where
there is one), scikit-learn's label spreading, and TransCLIP with labels (Zanella et al., NeurIPS 2024).

A stored row of at least as many seeds and of today's method stays. Of another method's the rivals' figures stay.

With ``--banks`` MobileNetV2's embeddings stand beside the model's: all methods see both, the ordinary ones in one
matrix, the second bank centred and of unit length; a text reads the first bank alone.

With ``--wrong`` a quarter of the classes has another's text.
"""

from __future__ import annotations

import argparse
import json
import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from benchmarks.labeled_sets import BANKED, SETS, Draw, Set, drawn, loaded, with_second_bank
from benchmarks.record import RESULTS, machine, record
from benchmarks.supervised import SUPERVISED, nearest_mean, spread, transclip
from clipgrip import GripClassifier
from clipgrip.method import PRESETS

OURS = ("alone", "pool", "in pool")
SHOTS = ("1", "2", "5", "10", "20", "all")
Row = dict[str, Any]


def main() -> None:
    """Measure, print a row as soon as it is there, and write ``results/few_labels.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=SETS)
    parser.add_argument("--banks", action="store_true", help="a second encoder beside the model")
    parser.add_argument("--wrong", action="store_true", help="a quarter of the texts exchanged")
    parser.add_argument("--shots", nargs="+", default=SHOTS, choices=SHOTS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--name")
    chosen = parser.parse_args()
    chosen.sets = chosen.sets or list(BANKED if chosen.banks else SETS)
    kind = "_banks" if chosen.banks else "_wrong" if chosen.wrong else ""
    chosen.name = chosen.name or f"few_labels{kind}"
    if chosen.banks and (alone := [name for name in chosen.sets if name not in BANKED]):
        raise SystemExit(
            f"no second bank of {', '.join(alone)}. There is one of: {', '.join(BANKED)}"
        )
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.filterwarnings("ignore", "The number of unique classes")  # one label a class
    rows = stored(chosen.name)
    print(machine())
    for name in chosen.sets:
        wanted = [shots for shots in chosen.shots if not _is_today(rows.get((name, shots)), chosen)]
        if not wanted:
            continue
        data = with_second_bank(name) if chosen.banks else loaded(name)
        data = data.misnamed() if chosen.wrong else data
        for shots in wanted:
            row = measured(data, shots, chosen.seeds, rows.get((name, shots)))
            if row is None:
                continue
            rows[name, shots] = row
            print(_line(row), flush=True)
            record(chosen.name, {"rows": sorted(rows.values(), key=_place)})
    print(_summary([*rows.values()]))


def stored(name: str) -> dict[tuple[str, str], Row]:
    """Rows that an earlier call wrote, by set and shots."""
    path = RESULTS / f"{name}.json"
    rows = json.loads(path.read_text("utf-8"))["rows"] if path.is_file() else []
    return {(row["set"], row["shots"]): row for row in rows}


def method_of_today() -> str:
    """What tells rows of one version of clipgrip from those of another."""
    return PRESETS["default"]["textual"].fingerprint()


def _is_today(row: Row | None, chosen: argparse.Namespace) -> bool:
    known = row or {}
    return known.get("seeds", 0) >= chosen.seeds and known.get("method") == method_of_today()


def _place(row: Row) -> tuple[int, int]:
    return SETS.index(row["set"]), SHOTS.index(row["shots"])


def measured(data: Set, shots: str, seeds: int, before: Row | None = None) -> Row | None:
    """Mean and deviation over the seeds, in per cent; None where the set is too small, or too large for ``all``.

    The other methods' figures in ``before`` stand if its draws are still these: their nearest mean tells.
    """
    if shots == "all" and len(data.labels) > 2000:
        return None
    draws = [drawn(data.labels, shots, seed) for seed in range(seeds)]
    if any(draw is None for draw in draws):
        return None
    some = [draw for draw in draws if draw is not None]
    told = [_rivals(data, draw, {"nearest mean": nearest_mean}) for draw in some]
    cells = _cells(told)
    if before and before["accuracy"]["nearest mean"] == cells["nearest mean"]:
        cells = {name: cell for name, cell in before["accuracy"].items() if name not in OURS}
    else:
        cells = _cells([_rivals(data, draw, SUPERVISED) | _others(data, draw) for draw in some])
    cells |= _cells([_ours(data, draw, seed) for seed, draw in enumerate(some)])
    facts = {"set": data.name, "shots": shots, "classes": data.n_classes, "seeds": seeds}
    return {**facts, "method": method_of_today(), "accuracy": cells}


def _cells(found: list[dict[str, float]]) -> dict[str, list[float]]:
    """Mean and standard deviation of each method in per cent, of a share for each seed."""
    columns = {name: [100 * one[name] for one in found] for name in found[0]}
    return {
        name: [round(float(np.mean(v)), 2), round(float(np.std(v, ddof=1)) if v[1:] else 0, 2)]
        for name, v in columns.items()
    }


def _rivals(data: Set, draw: Draw, methods: dict[str, Any]) -> dict[str, float]:
    """Share right on the judged images, method by method."""
    images, labels = data.images[draw.labeled], data.labels[draw.labeled]
    new, truth = data.images[draw.judged], data.labels[draw.judged]
    answers = {name: answer(images, labels, new, data) for name, answer in methods.items()}
    return {name: float((said == truth).mean()) for name, said in answers.items()}


def _others(data: Set, draw: Draw) -> dict[str, float]:
    """Of those that learn from the judged images too, and of the text alone."""
    found = _rivals(data, draw, {"label spreading": spread, "TransCLIP": transclip})
    if data.texts is not None:
        said = (data.images[draw.judged] @ data.texts.T).argmax(1)
        found["text"] = float((said == data.labels[draw.judged]).mean())
    return found


def _ours(data: Set, draw: Draw, seed: int) -> dict[str, float]:
    images, labels = data.images[draw.labeled], data.labels[draw.labeled]
    alone = ours(data, seed, "supervised").fit(data.banks(images), labels)
    said = alone.predict(data.banks(data.images[draw.judged]))
    right: dict[str, list[Any]] = {"pool": [], "in pool": []}
    for pool, judged in (draw.halves, draw.halves[::-1]):
        every = np.concatenate([images, data.images[pool]])
        given = np.concatenate([labels, np.full(len(pool), -1)])
        model = ours(data, seed, "grip").fit(data.banks(every), given)
        for what, rows in (("pool", judged), ("in pool", pool)):
            found_in = model.predict(data.banks(data.images[rows]))
            right[what].extend(found_in == data.labels[rows])
    found = {"alone": float((said == data.labels[draw.judged]).mean())}
    return found | {name: float(np.mean(hits)) for name, hits in right.items()}


def ours(data: Set, seed: int, strategy: str) -> GripClassifier:
    names = [f"class {n:04d}" for n in range(data.n_classes)]
    return GripClassifier(
        names,
        backbone="embeddings",
        class_embeds=data.texts[:, : data.width or None] if data.texts is not None else None,
        logit_scale=data.scale,
        strategy=strategy,
        candidates="all",
        seed=seed,
    )


def _best(row: Row) -> float:
    return float(max(row["accuracy"][name][0] for name in SUPERVISED))


def _line(row: Row) -> str:
    cells = "  ".join(f"{name} {mean:.1f}" for name, (mean, _) in row["accuracy"].items())
    gap = {what: row["accuracy"][what][0] - _best(row) for what in ("alone", "pool")}
    return (
        f"{row['set']:<12}{row['shots']:>4}  {cells}  | against the best supervised: "
        f"alone {gap['alone']:+.1f}, with the pool {gap['pool']:+.1f}"
    )


def _summary(rows: list[Row]) -> str:
    lines = []
    for what in ("alone", "pool"):
        gaps = [row["accuracy"][what][0] - _best(row) for row in rows]
        lines.append(
            f"{what}: {np.mean(gaps):+.2f} on the mean of {len(gaps)} rows, worst {min(gaps):+.1f}, "
            f"{sum(gap < -1 for gap in gaps)} rows more than 1 point below"
        )
    gaps = [row["accuracy"]["in pool"][0] - _best(row) for row in rows]
    lines.append(f"in pool: {np.mean(gaps):+.2f}, worst {min(gaps):+.1f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
