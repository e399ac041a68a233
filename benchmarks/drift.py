"""Alarms at work: how often they ring without cause, and how soon they find a change.

    python -m benchmarks.drift [--quiet 300] [--changed 40] [--sets surfaces steel trash parts] [--go-on] [--bets-alone]

Images are embedded once by nano; reference and stream are drawn from them with replacement, so that they are
exchangeable up to the change. A new class is in no reference, among no anchors and not among the names. Beside the
bets stand what plants do: a Kolmogorov-Smirnov test of every score each 500 images (a week) at p < 0.05, the same with
Bonferroni within the week, and a bootstrap monitor: the mean of each score over the last 100 images outside the 99 %
interval of bootstrap means of the reference, read every 100 images. *Late* is the median number of images after the
change, which comes after 500 quiet ones, where the rule had not rung before; *found* the share of such streams.
Promises: answers after their error rate rises. After a change of the bets ``--bets-alone`` measures only theirs: the
other rules, whose streams are the same, keep their figures.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter
from scipy import stats
from torch import Tensor

from benchmarks.features import data_folder
from benchmarks.record import RESULTS, record
from clipgrip.backbone.embed import embed_images
from clipgrip.backbone.registry import load_backbone
from clipgrip.data.surfaces import DEMO_DOMAIN, SURFACE_CLASSES, render_surface
from clipgrip.prompts.classifier import cosine_logits, zero_shot
from clipgrip_line.pictures.appearance import appearance_of
from clipgrip_line.pictures.looks import Looks, looks_of
from clipgrip_line.trust.drift import (
    Monitors,
    bet,
    budgets,
    expected_shares,
    period_budget,
    ringing,
)
from clipgrip_line.trust.ranks import Codes, Counts, Ranks
from clipgrip_line.trust.ringing import ALPHA, OF_IMAGES
from clipgrip_line.trust.scores import LOOKS, SCORES, Anchors, scores_of
from clipgrip_line.trust.upheld import against

LENGTH, QUIET, AFTER = 3000, 500, 1500
"""Images of a quiet stream; of one that changes, before and after."""
WEEK, WINDOW = 500, 100
AT_ONCE = 100
"""Streams that are followed together."""
EACH = 720
"""Pictures that are drawn of the generated surfaces."""
Shown = tuple[NDArray[Any], NDArray[Any]]
"""Embeddings (N, D), and appearances, of pictures."""
Alter = Callable[[Image.Image], Image.Image]
CHANGES: dict[str, Alter] = {
    "same": lambda picture: picture,
    "10 % less light": lambda picture: ImageEnhance.Brightness(picture).enhance(0.9),
    "0.7 px blur": lambda picture: picture.filter(ImageFilter.GaussianBlur(0.7)),
}
NEW, TWICE = "a new class at 20 %", "one class twice as often"
RULES = ("bets", "ks weekly", "ks bonferroni", "bootstrap")


@dataclass(frozen=True)
class Bank:
    """All images of a set under one change: codes (N, M), answers and confidence (N,), true classes (N,)."""

    codes: Codes
    answers: Codes
    truth: Codes


def main() -> None:
    """Measure set by set, print each row, and write ``results/drift.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quiet", type=int, default=300)
    parser.add_argument("--changed", type=int, default=40)
    parser.add_argument("--sets", nargs="*", default=["surfaces", "steel", "trash", "parts"])
    parser.add_argument("--go-on", action="store_true", help="keep the sets already measured")
    parser.add_argument("--bets-alone", action="store_true", help="other rules keep their figures")
    chosen = parser.parse_args()
    path = RESULTS / "drift.json"
    keep = (chosen.go_on or chosen.bets_alone) and path.exists()
    known = json.loads(path.read_text("utf-8"))["sets"] if keep else {}
    promises = promise_rows(400)
    for row in promises:
        print(row, flush=True)
    for name in chosen.sets:
        if chosen.bets_alone:
            new = measured(name, chosen.quiet, chosen.changed, ("bets",))
            known[name] = {k: _joined(known[name][k], value) for k, value in new.items()}
        elif name not in known:
            known[name] = measured(name, chosen.quiet, chosen.changed)
        record("drift", {"alpha": ALPHA, "promises": promises, "sets": known})


def _joined(before: Any, new: Any) -> Any:
    return before | new if isinstance(new, dict) else new


def measured(name: str, quiet: int, changed: int, rules: Sequence[str] = RULES) -> dict[str, Any]:
    """False alarms and delays of the rules on one set."""
    banks, classes = banks_of(name)
    made = [stream(banks, "same", seed, classes, LENGTH) for seed in range(quiet)]
    false = rang(made, classes, rules)
    row: dict[str, Any] = {
        "streams": quiet,
        "classes": classes,
        "images": len(banks["same"].truth),
        "ever alarm": {r: float(np.mean([one[r] is not None for one in false])) for r in rules},
    }
    print(name, row, flush=True)
    for change in (*list(CHANGES)[1:], NEW, TWICE):
        seeds = range(10_000, 10_000 + changed)
        made = [stream(banks, change, seed, classes, QUIET + AFTER) for seed in seeds]
        found = rang(made, classes, rules)
        row[change] = {rule: _delay([one[rule] for one in found]) for rule in rules}
        print(name, change, row[change], flush=True)
    return row


def _delay(at: Sequence[int | None]) -> dict[str, float | None]:
    """Of streams that had not rung before the change: how many were found, and after how many images by median."""
    honest = [one for one in at if one is None or one >= QUIET]
    late = [one - QUIET + 1 if one is not None else np.inf for one in honest]
    median = float(np.median(late)) if late else np.inf
    return {
        "late": median if np.isfinite(median) else None,
        "found": float(np.mean(np.isfinite(late))) if late else None,
        "rang before": 1 - len(honest) / len(at),
    }


@dataclass(frozen=True)
class Stream:
    """A reference (n, M) with the answers of which it may tell, and images (T, M) in their order."""

    reference: Codes
    codes: Codes
    answers: Codes
    seed: int


def stream(banks: dict[str, Bank], change: str, seed: int, classes: int, length: int) -> Stream:
    """A reference of half as many images as the set has, and images in their order; the change after `QUIET`."""
    draw, n = np.random.default_rng([3, seed]), len(banks["same"].truth)
    missing = int(draw.integers(classes)) if change == NEW else -1
    same = banks[f"without {missing}" if change == NEW else "same"]
    pool = np.flatnonzero(same.truth != missing)
    reference = draw.choice(pool, n // 2)
    before = draw.choice(pool, length if change == "same" else QUIET)
    after = _after(change, draw, same, pool, missing, length - len(before))
    later = banks.get(change, same)
    codes = np.concatenate([same.codes[before], later.codes[after]])
    answers = np.concatenate([same.answers[before], later.answers[after]])
    return Stream(same.codes[reference], codes, answers, seed)


def _after(
    change: str, draw: np.random.Generator, bank: Bank, pool: Codes, missing: int, n: int
) -> Codes:
    if change == NEW:
        new = np.flatnonzero(bank.truth == missing)
        return np.where(draw.random(n) < 0.2, draw.choice(new, n), draw.choice(pool, n))
    if change == TWICE:
        shares = np.bincount(bank.answers[pool])
        usual = np.flatnonzero((shares >= 0.05 * len(pool)) & (shares <= 0.34 * len(pool)))
        more = int(draw.choice(usual)) if len(usual) else int(shares.argmax())
        weights = np.where(bank.answers[pool] == more, 2.0, 1.0)
        share = shares[more] / len(pool)
        weights[bank.answers[pool] != more] = (1 - 2 * share) / (1 - share)
        return draw.choice(pool, n, p=weights / weights.sum())
    return draw.choice(pool, n)


def rang(
    streams: Sequence[Stream], classes: int, rules: Sequence[str]
) -> list[dict[str, int | None]]:
    """Position of the first alarm of each rule in each stream; None where it never rings."""
    found = []
    for first in range(0, len(streams), AT_ONCE):
        some = streams[first : first + AT_ONCE]
        for made, bets in zip(some, _bets(some, classes), strict=True):
            if tuple(rules) == ("bets",):
                found.append({"bets": bets})
                continue
            at = (bets, *_weekly(made), _bootstrap(made))
            found.append(dict(zip(RULES, at, strict=True)))
    return found


def _bets(streams: Sequence[Stream], classes: int) -> list[int | None]:
    """As `drift.follow` of each, all streams at once: to the bets, theirs are only more monitors."""
    n, scores = len(streams), len(SCORES)
    seen, codes = _seen(streams)
    ranks, labels = Ranks(seen), np.zeros((n, classes), dtype=np.int64)
    answers = np.stack([one.answers for one in streams], 1)
    draws = [np.random.default_rng([4, one.seed]) for one in streams]
    # as many as were drawn when shares were ranked too: these are still the streams of former figures
    drawn = [one.random((LENGTH, scores + classes))[:, :scores] for one in draws]
    chances = np.stack(drawn, 1)
    now = Monitors.of(
        np.zeros((n * scores, 1, 1), dtype=np.int64), np.zeros(n * classes, dtype=np.int64)
    )
    alpha = period_budget(OF_IMAGES * ALPHA, 1)
    limits = budgets(scores, classes, alpha)
    limit = np.concatenate([np.tile(limits[:scores], n), np.tile(limits[scores:], n)])
    first = np.full(n, -1)
    for t in range(len(codes)):
        p = ranks.add(codes[t], chances[t].ravel())
        shares, inside = expected_shares(labels), np.zeros_like(labels)
        inside[np.arange(n), answers[t]] = 1
        labels += inside
        now = bet(now, p, inside.ravel(), shares.ravel())
        loud = ringing(now.wealth, limit)
        rings = loud[: n * scores].reshape(n, -1).any(1) | loud[n * scores :].reshape(n, -1).any(1)
        first = np.where((first < 0) & rings, t, first)
        if (first >= 0).all():
            break
    return [int(at) if at >= 0 else None for at in first]


def _seen(streams: Sequence[Stream]) -> tuple[Counts, Codes]:
    """Counts (S * M, B, B) of the references, and the codes (T, S * M) of all streams.

    Ranks ask only for the order of codes, so each stream's are numbered anew, without gaps: small counts, equal ranks.
    """
    numbered = []
    for one in streams:
        both = np.concatenate([one.reference, one.codes])
        places = [np.unique(column, return_inverse=True)[1] for column in both.T]
        numbered.append(np.stack(places, 1))
    block = int(np.ceil((max(one.max() for one in numbered) + 1) ** 0.5))
    counts = []
    for one, codes in zip(streams, numbered, strict=True):
        reference = codes[: len(one.reference)].T
        counts.append([np.bincount(column, minlength=block * block) for column in reference])
    seen = np.concatenate(counts).reshape(-1, block, block)
    seen[LOOKS :: len(SCORES)] = 0  # confidence begins with new images, as without test images
    later = [codes[len(one.reference) :] for one, codes in zip(streams, numbered, strict=True)]
    return seen, np.concatenate(later, 1)


def _weekly(made: Stream) -> tuple[int | None, int | None]:
    n = len(made.codes) // WEEK
    least = np.ones((n, len(SCORES)))
    for week in range(n):
        part = made.codes[week * WEEK : (week + 1) * WEEK]
        for score in range(len(SCORES)):
            if len(np.unique(part[:, score])) > 1:
                found = stats.ks_2samp(made.reference[:, score], part[:, score], method="asymp")
                least[week, score] = found.pvalue
    plain, strict = (least < 0.05).any(1), (least < 0.05 / len(SCORES)).any(1)
    return tuple(  # type: ignore[return-value]
        None if at is None else (at + 1) * WEEK - 1 for at in (_first(plain), _first(strict))
    )


def _bootstrap(made: Stream) -> int | None:
    draw = np.random.default_rng([5, made.seed])
    rows = draw.integers(0, len(made.reference), (400, WINDOW))
    means = made.reference[rows].mean(1)
    low, high = np.percentile(means, (0.5, 99.5), axis=0)
    parts = made.codes[: len(made.codes) // WINDOW * WINDOW].reshape(-1, WINDOW, len(SCORES))
    outside = ((parts.mean(1) < low) | (parts.mean(1) > high)).any(1)
    at = _first(outside)
    return None if at is None else (at + 1) * WINDOW - 1


def _first(flags: Any) -> int | None:
    return int(flags.argmax()) if flags.any() else None


def banks_of(name: str) -> tuple[dict[str, Bank], int]:
    """Every change of every image, decoded and embedded once, the set without each class, and how many there are."""
    pictures, truth, names = _pictures(name)
    backbone = load_backbone("nano")
    texts, scale = zero_shot(backbone, names), backbone.logit_scale
    banks, everything = {}, np.arange(len(truth))
    for change, alter in CHANGES.items():
        made = [alter(picture) for picture in pictures]
        items = [(f"{name} {change} {n}", lambda one=one: one) for n, one in enumerate(made)]
        embeds = embed_images(backbone, items).embeds
        shown = embeds.numpy(), np.stack([appearance_of(one) for one in made])
        if change == "same":
            usual = shown
        looks = [looks_of(one) for one in made]
        logits = cosine_logits(embeds, texts, scale)
        far = _others(shown, usual, everything[::2])
        banks[change] = _bank(looks, logits, far, truth)
        for missing in range(len(names)) if change == "same" else ():
            rest = everything[truth != missing][::2]
            known = logits.clone()
            known[:, missing] = -torch.inf
            banks[f"without {missing}"] = _bank(looks, known, _others(usual, usual, rest), truth)
    return banks, len(names)


def _bank(looks: Sequence[Looks], logits: Tensor, far: NDArray[Any], truth: Codes) -> Bank:
    confidence, answers = logits.softmax(1).max(1)
    codes = scores_of(looks, confidence.numpy(), far)
    return Bank(codes, answers.numpy().astype(np.int64), truth)


def _others(shown: Shown, usual: Shown, anchors: Codes) -> NDArray[Any]:
    """Distances to the anchors, rows of ``usual``; an anchor's own is to the others, or it would stand apart."""
    known = Anchors.of(usual[0][anchors], usual[1][anchors])
    far = known.distances(*shown)
    for place, row in enumerate(anchors.tolist()):
        others = Anchors(np.delete(known.vectors, place, 0), known.weight)
        far[row] = others.distances(*(part[row : row + 1] for part in shown))[0]
    return far


def _pictures(name: str) -> tuple[list[Image.Image], Codes, list[str]]:
    if name == "surfaces":
        truth = np.arange(EACH, dtype=np.int64) % len(SURFACE_CLASSES)
        draws = [np.random.default_rng([1, n]) for n in range(EACH)]
        made = [
            render_surface(SURFACE_CLASSES[label], DEMO_DOMAIN, draw, 160)
            for label, draw in zip(truth.tolist(), draws, strict=True)
        ]
        return made, truth, list(SURFACE_CLASSES)
    root = Path(data_folder("photos")) / name
    names = sorted(path.name for path in root.iterdir() if path.is_dir())
    files = [(path, n) for n, one in enumerate(names) for path in sorted((root / one).iterdir())]
    pictures = [Image.open(path).convert("RGB") for path, _ in files]
    return pictures, np.array([label for _, label in files], dtype=np.int64), names


def promise_rows(draws: int) -> list[dict[str, Any]]:
    """A promised 2 %: false withdrawals in 2,000 answers at the limit, and answers until 6 % are found."""
    alpha = period_budget((1 - OF_IMAGES) * ALPHA, 1)
    held = [
        bool(
            against(np.random.default_rng([6, n]).random(2000) < 0.02, 0.02, alpha)[-1] * alpha >= 1
        )
        for n in range(draws)
    ]
    rows: list[dict[str, Any]] = [
        {"error": 0.02, "answers": 2000, "withdrawn": float(np.mean(held))}
    ]
    for before, quiet in ((0.0, 0), (0.02, 200), (0.01, 200), (0.02, 1000)):
        late = []
        for n in range(draws):
            draw = np.random.default_rng([7, n])
            wrong = np.concatenate([draw.random(quiet) < before, draw.random(1500) < 0.06])
            at = _first(against(wrong, 0.02, alpha) * alpha >= 1)
            late.append(np.inf if at is None else max(0, at + 1 - quiet))
        rows.append(
            {"from": before, "to": 0.06, "quiet answers": quiet, "late": float(np.median(late))}
        )
    return rows


if __name__ == "__main__":
    main()
