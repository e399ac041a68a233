"""A grid from its settings to its files. What is finished is never run again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipgrip.backbone.cache import EmbeddingCache
from clipgrip.backbone.registry import load_backbone
from clipgrip.bench.grid import PARADIGMS, STRATEGIES, Bench, Cell, cells
from clipgrip.bench.results import Finished, summary, write_results
from clipgrip.bench.source import Source, from_folders, from_known
from clipgrip.data.known import KNOWN
from clipgrip.errors import ConfigError, nearest
from clipgrip.method import PRESETS, PROMPTS
from clipgrip.runs.embedding import embed_manifest
from clipgrip.runs.events import Listener
from clipgrip.runs.identity import machine, versions

SMOKE_PER_CLASS = 12
SMOKE_ROUNDS = 2
SMOKE_STEPS = 3


@dataclass(frozen=True)
class GridSettings:
    """What is run on what."""

    data: Path
    out: Path
    known: str | None = None
    prompts: tuple[str, ...] = ("textual",)
    paradigms: tuple[str, ...] = PARADIGMS
    strategies: tuple[str, ...] = STRATEGIES
    presets: tuple[str, ...] = ("default",)
    backbone: str = "nano"
    template: str | None = None
    shots: int = 2
    seeds: int = 3
    test_share: float = 0.3
    smoke: bool = False

    def checked(self) -> GridSettings:
        """The settings themselves.

        Raises:
            ConfigError: one is not allowed; the message lists what is.
        """
        for what, chosen, known in (
            ("prompt", self.prompts, PROMPTS),
            ("paradigm", self.paradigms, PARADIGMS),
            ("strategy", self.strategies, STRATEGIES),
            ("preset", self.presets, tuple(PRESETS)),
            ("set", (self.known,) if self.known else (), tuple(KNOWN)),
        ):
            for name in chosen:
                if name not in known:
                    raise ConfigError(
                        f'{what} "{name}" is unknown; known are {", ".join(known)}.{nearest(name, known)}'
                    )
        for what, number, lowest in (("shots", self.shots, 1), ("seeds", self.seeds, 1)):
            if number < lowest:
                raise ConfigError(f"{what} = {number} is not allowed: give {lowest} or more.")
        if not 0 < self.test_share < 1:
            raise ConfigError(
                f"test-share = {self.test_share} is not allowed: give a number between 0 and 1."
            )
        return self


@dataclass(frozen=True)
class GridResult:
    """The summary rows, and what they were measured on."""

    facts: dict[str, Any]
    rows: list[dict[str, Any]]


def run_grid(settings: GridSettings, listener: Listener | None = None) -> GridResult:
    """Run what is not finished, then write results.csv and results.json.

    Raises:
        ClipgripError: the settings or the data cannot be used.
    """
    hear, settings = listener or Listener(), settings.checked()
    source = _source(settings, hear)
    finished = Finished(settings.out)
    bench = _bench(settings, source, hear)
    wanted = cells(
        settings.prompts, settings.paradigms, settings.strategies, settings.presets, settings.seeds
    )
    runs = [
        _figures(bench, cell, finished, hear, f"{n} of {len(wanted)}")
        for n, cell in enumerate(wanted, 1)
    ]
    rows = summary(source.name, runs)
    facts = _facts(settings, bench)
    write_results(settings.out, facts, rows)
    return GridResult(facts, rows)


def _source(settings: GridSettings, hear: Listener) -> Source:
    options: dict[str, Any] = {
        "test_share": settings.test_share,
        "per_class": SMOKE_PER_CLASS if settings.smoke else None,
        "on_progress": lambda done, total: hear.progress("hash", done, total),
    }
    if settings.known:
        work = settings.out / "data"
        source = from_known(KNOWN[settings.known], settings.data, work=work, **options)
    else:
        source = from_folders(settings.data, **options)
    if source.issues:
        first = source.issues[0]
        hear.note(
            f"{len(source.issues)} remarks on the files; the first: {first.path}: {first.detail}"
        )
    if settings.template:
        source = Source(source.name, source.manifest, settings.template, source.issues)
    return source


def _bench(settings: GridSettings, source: Source, hear: Listener) -> Bench:
    backbone = load_backbone(settings.backbone)
    embedded = embed_manifest(
        backbone,
        source.manifest,
        cache=EmbeddingCache.for_backbone(backbone),
        on_progress=lambda done, total: hear.progress("embed", done, total),
    )
    kept = Source(source.name, embedded.manifest, source.template, source.issues)
    quick = (SMOKE_ROUNDS, SMOKE_STEPS) if settings.smoke else (None, None)
    return Bench(kept, backbone, embedded.embeds, settings.shots, *quick)


def _figures(
    bench: Bench, cell: Cell, finished: Finished, hear: Listener, where: str
) -> dict[str, Any]:
    identity = bench.identity(cell)
    known = finished.get(identity)
    if known is None:
        known = bench.run(cell, lambda step, steps, _: hear.progress("round", step, steps))
        finished.add(identity, known)
    name = " ".join(
        part for part in (cell.paradigm, cell.strategy, cell.prompt, cell.preset) if part
    )
    hear.note(
        f"{where:>10}  {name:<36} seed {cell.seed}  test {100 * known['test']:5.1f} %  {known['seconds']:7.1f} s"
    )
    return known


def _facts(settings: GridSettings, bench: Bench) -> dict[str, Any]:
    manifest = bench.source.manifest
    return {
        "data": bench.source.name,
        "fingerprint": manifest.fingerprint,
        "classes": list(manifest.classes.display),
        "pool": len(manifest.pool),
        "test": len(manifest.test),
        "template": bench.source.template,
        "backbone": {"name": bench.backbone.name, "fingerprint": bench.backbone.fingerprint},
        "shots": settings.shots,
        "seeds": settings.seeds,
        "size": "smoke" if settings.smoke else "full",
        "versions": versions(),
        "machine": machine(),
    }


def names(text: str) -> tuple[str, ...]:
    """``a,b`` as a user types it."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
