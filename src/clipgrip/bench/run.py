"""A grid from its settings to its files. What is finished is never run again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clipgrip.backbone.eyes import check_here
from clipgrip.backbone.registry import load_backbone
from clipgrip.bench.grid import PARADIGMS, STRATEGIES, Bench, GridCell, cells
from clipgrip.bench.known import KNOWN
from clipgrip.bench.results import CELLS, Finished, summary, write_results
from clipgrip.bench.source import Source, folder_classes, from_folders, from_known
from clipgrip.data.issues import Issues
from clipgrip.errors import ConfigError, among
from clipgrip.method import PRESETS, PROMPTS
from clipgrip.prompts.templates import check_template
from clipgrip.runs.embedding import embed_with_cache
from clipgrip.runs.events import Listener
from clipgrip.runs.identity import machine, versions
from clipgrip.runs.lock import NAME, locked
from clipgrip.sentences import Sentence, mark
from clipgrip.written import check_folder

DATA = "data"
"""Folder in ``out`` where a known set may be unpacked."""
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
        """The settings themselves. ConfigError: one is not allowed; the message says what is."""
        self._check_names()
        self._check_numbers()
        if self.template is not None:
            check_template(self.template)
        if self.known is None and self.out.resolve().is_relative_to(self.data.resolve()):
            raise ConfigError(
                "the results would lie among the class folders, in {out}. Choose --out elsewhere.",
                out=self.out,
            )
        if not self.cells():
            raise ConfigError(
                mark(
                    "no cell is left to run. Name at least one prompt, paradigm, strategy and preset; "
                    "supervised tuning needs labels, so SSL or TRZSL."
                )
            )
        return self

    def _check_names(self) -> None:
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
                        '{what} "{name}" is unknown; known are {known}.{nearest}',
                        what=what,
                        name=name,
                        **among(name, known),
                    )

    def _check_numbers(self) -> None:
        for what, number in (("--shots", self.shots), ("--repeats", self.seeds)):
            if number < 1:
                raise ConfigError(
                    "{what} {number} is not allowed. Give 1 or more.", what=what, number=number
                )
        if not 0 < self.test_share < 1:
            raise ConfigError(
                "--test-share {test_share} is not allowed. Give a number between 0 and 1.",
                test_share=self.test_share,
            )

    def cells(self) -> list[GridCell]:
        """What is to be run, in order."""
        return cells(self.prompts, self.paradigms, self.strategies, self.presets, self.seeds)


@dataclass(frozen=True)
class GridResult:
    """The summary rows of the cells that are done, and what they were measured on."""

    facts: dict[str, Any]
    rows: list[dict[str, Any]]


def run_grid(
    settings: GridSettings,
    listener: Listener | None = None,
    on_result: Callable[[GridResult], None] = lambda _: None,
) -> GridResult:
    """Run what is not finished; results.csv and results.json are up to date after each cell.

    ``on_result`` hears of each state that was written. ClipgripError: the settings or the data cannot be used, or
    another process is at work in the same folder.
    """
    listener, settings = listener or Listener(), settings.checked()
    check_here(settings.backbone)
    if settings.known is None:
        folder_classes(settings.data)
    _check_place(settings.out)
    settings.out.mkdir(parents=True, exist_ok=True)
    with locked(settings.out):
        finished = Finished(settings.out)
        bench = _bench(settings, _source(settings, listener), listener)
        return _run_all(settings, bench, finished, listener, on_result)


def _check_place(out: Path) -> None:
    """RunError where other things would be written over, or nothing may be written."""
    check_folder(out, CELLS, "grid", beside=(NAME, DATA))


def _run_all(
    settings: GridSettings,
    bench: Bench,
    finished: Finished,
    listener: Listener,
    on_result: Callable[[GridResult], None],
) -> GridResult:
    wanted = [(cell, bench.identity(cell)) for cell in settings.cells()]
    facts = _facts(settings, bench)

    def written() -> GridResult:
        done = [run for _, identity in wanted if (run := finished.get(identity))]
        counts = {"done": len(done), "cells": len(wanted)}
        result = GridResult(facts | counts, summary(bench.source.name, done))
        write_results(settings.out, result.facts, result.rows)
        on_result(result)
        return result

    for number, (cell, identity) in enumerate(wanted, 1):
        known = finished.get(identity)
        run = known or bench.run(
            cell, lambda step, steps, _: listener.progress("round", step, steps)
        )
        listener.note(
            Sentence(
                "{number} of {total}  {cell}",
                number=f"{number:>5}",
                total=len(wanted),
                cell=_line(cell, run),
            )
        )
        if known is None:
            finished.add(identity, run)
            written()
    return written()


def _source(settings: GridSettings, listener: Listener) -> Source:
    options: dict[str, Any] = {
        "test_share": settings.test_share,
        "per_class": SMOKE_PER_CLASS if settings.smoke else None,
        "on_progress": lambda done, total: listener.progress("hash", done, total),
    }
    if settings.known:
        work = settings.out / DATA
        source = from_known(KNOWN[settings.known], settings.data, work=work, **options)
    else:
        source = from_folders(settings.data, **options)
    if settings.template:
        source = replace(source, template=settings.template)
    return source


def _bench(settings: GridSettings, source: Source, listener: Listener) -> Bench:
    backbone = load_backbone(settings.backbone)
    found = embed_with_cache(backbone, source.manifest, listener)
    issues = Issues(source.issues, found.issues)
    if issues:
        listener.note(
            Sentence(
                "{counted}. The first: {path}: {detail}",
                counted=Sentence("{n} remarks on files", n=len(issues)),
                path=issues[0].path,
                detail=issues[0].detail,
            )
        )
    used = replace(source, manifest=found.manifest, issues=issues)
    quick = (SMOKE_ROUNDS, SMOKE_STEPS) if settings.smoke else (None, None)
    return Bench(used, backbone, found.embeds, settings.shots, *quick)


def _line(cell: GridCell, run: dict[str, Any]) -> Sentence:
    parts = (cell.paradigm, cell.strategy, cell.prompt, cell.preset)
    name = " ".join(part for part in parts if part)
    test = "    –" if run["test"] is None else f"{100 * run['test']:5.1f}"
    return Sentence(
        "{name} seed {seed}  test {test}%  {seconds} s",
        name=f"{name:<36}",
        seed=cell.seed,
        test=test,
        seconds=f"{run['seconds']:7.1f}",
    )


def _facts(settings: GridSettings, bench: Bench) -> dict[str, Any]:
    manifest = bench.source.manifest
    return {
        "data": bench.source.name,
        "fingerprint": manifest.fingerprint,
        "classes": list(manifest.classes.display),
        "pool": len(manifest.pool),
        "test": len(manifest.test),
        "split_by": bench.source.split_by,
        "remarks": len(bench.source.issues),
        "template": bench.source.template,
        "backbone": {"name": bench.backbone.name, "fingerprint": bench.backbone.fingerprint},
        "shots": settings.shots,
        "seeds": settings.seeds,
        "methods": {
            preset: {prompt: PRESETS[preset][prompt].facts() for prompt in settings.prompts}
            for preset in settings.presets
        },
        "size": "smoke" if settings.smoke else "full",
        "versions": versions(),
        "machine": machine(),
    }
