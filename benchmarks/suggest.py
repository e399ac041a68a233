"""What a label is worth by how its image was chosen: 1, 2 and 4 labels a class, and the next labels after zero-shot.

    python -m benchmarks.suggest [--seeds 3] [--sets caltech58 ...]

``unnamed`` sets do without their class names. Other sets: surfaces, and ``imagenet N #S`` with N classes that seed S
draws. Rows of sets that are not named stay.

Each seed draws a pool of two thirds of the images (four fifths where the set has a test part of its own), so that
rules without chance vary too. After labeling, what the labels teach is joined with the texts where there are some, and
refined; no prompt is tuned, and no held-out label asks whether unlabeled images help. ``open`` is the accuracy on
images without a label, ``pool`` on all with the labels counted as right, ``test`` on other images, ``found`` the share
of classes with a label. The rules were chosen on the sets in ``CHOSEN_ON``; the others confirm.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.choosers import RIVALS, SOME_RIVALS, at_random, in_turn
from benchmarks.features import with_prototypes, with_text
from benchmarks.record import RESULTS, machine, record
from benchmarks.sets import load
from clipgrip.backbone.registry import load_backbone
from clipgrip.fewshot.head import HeadSettings
from clipgrip.fewshot.joint import Joint, joined_probs
from clipgrip.fewshot.teacher import Teacher, teaches
from clipgrip.labeling.acquire import helpful, representative
from clipgrip.method import PRESETS, refiner_of
from clipgrip.prompts.classifier import predict_proba, zero_shot
from clipgrip.pseudolabel import refine
from clipgrip.pseudolabel.select import selector
from clipgrip.seeds import generator
from clipgrip.strategy import choose
from clipgrip.task import ssl
from clipgrip.types import ClassEmbeds, ImageEmbeds, Labels, Probs

METHOD = PRESETS["default"]["textual"]
SCALE = 100.0
PER_CLASS = (1, 2, 4)
CHOSEN_ON = ("dtd", "caltech58", "imagenet 100 #0")
CONFIRMED_ON = ("flowers", "digits", "digits unnamed")
NOBODY = torch.zeros(0, dtype=torch.long)
Values = dict[str, float]


@dataclass(frozen=True)
class Pool:
    """Images to label and others to test on, with the truth; texts where there are any."""

    name: str
    images: ImageEmbeds = field(repr=False)
    truth: Labels = field(repr=False)
    test: ImageEmbeds = field(repr=False)
    test_truth: Labels = field(repr=False)
    classes: int
    texts: ClassEmbeds | None = field(repr=False)
    scale: float = SCALE

    def answers(self, rows: Tensor, method: str = "auto") -> Probs:
        """(N, C) with these rows labeled."""
        return self.learned(rows, method)[0]

    def learned(self, rows: Tensor, method: str = "auto") -> tuple[Probs, Joint | None]:
        """The same, and the classifier of new images; None where texts alone answer."""
        given = torch.full_like(self.truth, -1)
        given[rows] = self.truth[rows]
        task, settings = ssl(given, self.classes), replace(METHOD, refine=method)
        if self.texts is not None and not teaches(METHOD.head, task):
            scale = self.scale
            return refine(self.images, self.texts, logit_scale=scale, method=method), None
        zero_shot = None
        if self.texts is not None:
            zero_shot = predict_proba(self.images, self.texts, self.scale)
        teacher = Teacher.of(self.images, zero_shot, task, HeadSettings(), self.texts)
        refiner = refiner_of(settings, self.images, teacher.start, teacher)
        probs = refiner(teacher.start, task).probs
        chosen = choose(probs, task, 1, selector("everything"))
        return probs, teacher.joint(self.images, chosen)

    def scores(self, rows: Tensor) -> Values:
        """What labels of these rows are worth, in per cent."""
        (probs, joint), is_open = self.learned(rows), torch.ones(len(self.truth), dtype=torch.bool)
        is_open[rows] = False
        right = (probs.argmax(1) == self.truth).double()
        tested = (self._said_of_others(probs, joint) == self.test_truth).double()
        found = len(self.truth[rows].unique()) / self.classes
        return {
            "open": 100 * right[is_open].mean().item(),
            "pool": 100 * right.mean().item(),
            "test": 100 * tested.mean().item(),
            "found": 100 * found,
        }

    def _said_of_others(self, probs: Probs, joint: Joint | None) -> Labels:
        if joint is None:
            means = F.normalize(probs.T @ self.images, dim=1)
            return (self.test @ means.T).argmax(1)
        if self.texts is None:
            return joint.probs(self.test, None).argmax(1)
        return joined_probs(self.test, self.texts, self.scale, joint).argmax(1)


def main() -> None:
    """Measure, print each row as soon as it is there, and write ``results/suggest.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", default=[*CHOSEN_ON, *CONFIRMED_ON])
    chosen = parser.parse_args()
    rows = kept(chosen.sets)
    print(machine())
    for name in chosen.sets:
        pools = [part(load_set(name), seed) for seed in range(chosen.seeds)]
        for row in (*first_labels(pools), *next_labels(pools)):
            rows.append({"set": name, "chosen_on": name in CHOSEN_ON, **row})
            print(line(rows[-1]), flush=True)
            record("suggest", {"seeds": chosen.seeds, "rows": rows})


def kept(sets: list[str]) -> list[dict[str, Any]]:
    """Rows of the sets that were measured before and are not measured now."""
    path = RESULTS / "suggest.json"
    before = json.loads(path.read_text("utf-8"))["rows"] if path.is_file() else []
    return [row for row in before if row["set"] not in sets]


def load_set(name: str) -> Pool:
    """A set whole; its test part is empty where it has none."""
    if name in ("dtd", "flowers"):
        pool, test = with_prototypes(name, "pool"), with_prototypes(name, "test")
        classes = len(pool.classes)
        return Pool(name, pool.images, pool.labels, test.images, test.labels, classes, None)
    if name.startswith(("digits", "surfaces")):
        made = demo(name.split()[0])
        return replace(made, name=name, texts=None) if name.endswith("unnamed") else made
    kind, *some = name.split()
    data = with_text("imagenet1000" if some else kind)
    kept = torch.arange(len(data.classes))
    if some:
        draw = generator(int(some[1][1:]), "classes")
        kept = torch.randperm(len(kept), generator=draw)[: int(some[0])].sort().values
    rows = torch.isin(data.labels, kept)
    place = torch.full((len(data.classes),), -1)
    place[kept] = torch.arange(len(kept))
    truth, nothing = place[data.labels[rows]], data.images[:0]
    return Pool(name, data.images[rows], truth, nothing, truth[:0], len(kept), data.classes[kept])


def demo(name: str) -> Pool:
    """A demo set as nano sees it."""
    backbone = load_backbone("nano")
    with tempfile.TemporaryDirectory() as folder:
        made = load(name, Path(folder), backbone)
    texts = zero_shot(backbone, made.classes.prompts, made.template).float()
    pool, test = made.pool.float(), made.test.float()
    parts = pool, made.pool_truth, test, made.test_truth
    return Pool(name, *parts, len(made.classes), texts, float(backbone.logit_scale))


def part(whole: Pool, seed: int) -> Pool:
    """The images that one seed draws; what it leaves is the test where there is no other."""
    rows, order = len(whole.truth), torch.randperm(len(whole.truth), generator=generator(seed))
    cut = int((0.8 if len(whole.test) else 0.67) * rows)
    kept, left = order[:cut].sort().values, order[cut:].sort().values
    test, truth = whole.test, whole.test_truth
    if not len(test):
        test, truth = whole.images[left], whole.truth[left]
    images, pool_truth = whole.images[kept], whole.truth[kept]
    return Pool(
        whole.name, images, pool_truth, test, truth, whole.classes, whole.texts, whole.scale
    )


def first_labels(pools: list[Pool]) -> Iterator[dict[str, Any]]:
    """By labels a class: each rule from nothing."""
    for k in PER_CLASS:
        n = k * pools[0].classes
        if n > len(pools[0].truth) / 2:
            continue
        found: dict[str, list[Values]] = {}
        for seed, pool in enumerate(pools):
            for rule, rows in from_nothing(pool, n, seed):
                found.setdefault(rule, []).append(pool.scores(rows))
        for rule, values in found.items():
            yield {"start": "nothing", "per_class": k, "labels": n, "rule": rule} | means(values)


def from_nothing(pool: Pool, n: int, seed: int) -> Iterator[tuple[str, Tensor]]:
    """(rule, rows)"""
    images = pool.images
    yield "random", at_random(images, n, seed)
    yield "random of each class (needs the truth)", in_turn(pool.truth, pool.classes, n, seed)
    yield "representative", representative(images, n, seed=seed)
    for rule, pick in (RIVALS if pool.texts is None else SOME_RIVALS).items():
        yield rule, pick(images, n, seed)
    if pool.texts is not None:
        probs = pool.answers(NOBODY)
        yield "random of each answer", in_turn(probs.argmax(1), pool.classes, n, seed)
        yield "helpful", helpful(images, probs, n, seed=seed)


def next_labels(pools: list[Pool]) -> Iterator[dict[str, Any]]:
    """One label a class more: after zero-shot, or after one or two representative labels a class."""
    for k in (0,) if pools[0].texts is not None else (1, 2):
        n, found = pools[0].classes, dict[str, list[Values]]()
        for seed, pool in enumerate(pools):
            known = representative(pool.images, k * n) if k else NOBODY
            before = pool.scores(known)
            found.setdefault("nothing more", []).append(before)
            for rule, rows in after(pool, known, n, seed):
                scores = pool.scores(torch.cat([known, rows]))
                gained = (scores["pool"] - before["pool"]) / 100 * len(pool.truth) / n
                found.setdefault(rule, []).append(scores | {"right_per_answer": gained})
        start = f"{k} representative labels a class" if k else "zero-shot"
        for rule, values in found.items():
            yield {"start": start, "per_class": 1, "labels": n, "rule": rule} | means(values)


def after(pool: Pool, known: Tensor, n: int, seed: int) -> Iterator[tuple[str, Tensor]]:
    """(rule, rows) of the next labels."""
    images, probs = pool.images, pool.answers(known)
    is_open = torch.ones(len(images), dtype=torch.bool)
    is_open[known] = False
    rows = is_open.nonzero().squeeze(1)
    yield "random", rows[at_random(images[rows], n, seed)]
    yield "representative", representative(images, n, labeled=known)
    yield "helpful", helpful(images, probs, n, labeled=known)
    doubts = (1 - probs.max(1).values).masked_fill(~is_open, -1)
    yield "most doubtful", doubts.argsort(descending=True, stable=True)[:n]
    second = pool.answers(known, "propagation")
    yield "helpful, two models", helpful(images, probs, n, labeled=known, votes=[second])


def means(values: list[Values]) -> Values:
    """Mean and standard deviation over seeds."""
    made: Values = {}
    for key in values[0]:
        column = [value[key] for value in values]
        made[key] = round(statistics.fmean(column), 2)
        made[f"{key}_sd"] = round(statistics.stdev(column), 2) if len(column) > 1 else 0.0
    return made


def line(row: dict[str, Any]) -> str:
    """A row for people."""
    gained = (
        f"   {row['right_per_answer']:5.2f} right per answer" if "right_per_answer" in row else ""
    )
    return (
        f"{row['set']:<16} {row['start'][:12]:<12} +{row['labels']:<4} {row['rule'][:30]:<30} "
        f"open {row['open']:5.1f}   "
        f"pool {row['pool']:5.1f}   test {row['test']:5.1f} ± {row['test_sd']:4.1f}   found {row['found']:3.0f}{gained}"
    )


if __name__ == "__main__":
    main()
