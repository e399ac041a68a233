"""clipgrip doctor."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from clipgrip.cli.columns import padded
from clipgrip.cli.ui import Result, Ui
from clipgrip.errors import ClipgripError
from clipgrip.files import system_words
from clipgrip.words import Sentence, mark


class Diagnosis(NamedTuple):
    """One line: what was looked at, what was found, and what to do if it is bad."""

    good: bool
    subject: str
    found: str
    remedy: str = ""


def doctor(
    ui: Ui,
    measure: Annotated[
        bool, typer.Option("--measure", help="Also measure which engine is fastest here; seconds.")
    ] = False,
) -> Result:
    """Check this machine: versions, memory, threads, torchvision, folders and models.

    Exit code 1 where something must be mended.
    """
    findings, lines = list(_findings(measure)), []
    for one in findings:
        mark_of = ui.say(mark("ok ") if one.good else mark("BAD"))
        subject = padded(ui.say.translated(one.subject), 14)
        lines.append(f"{mark_of}  {subject}  {ui.say.translated(one.found)}")
        if one.remedy:
            lines.append(f"     {'':<14}  -> {ui.say.translated(one.remedy)}")
    good = all(one.good for one in findings)
    facts = {"good": good, "findings": [one._asdict() for one in findings]}
    return Result(lines, facts, code=0 if good else 1)


def _findings(measure: bool) -> Iterator[Diagnosis]:
    from clipgrip.runs.identity import versions

    found = versions()
    packages = ", ".join(f"{name} {number}" for name, number in found.items() if name != "python")
    yield Diagnosis(
        sys.version_info >= (3, 11),
        "python",
        Sentence("{version} on {platform}", version=found["python"], platform=platform.platform()),
    )
    missing = [name for name, number in found.items() if number == "not installed"]
    yield Diagnosis(
        not missing,
        Sentence("packages"),
        packages,
        f"pip install {' '.join(missing)}" if missing else "",
    )
    yield from _hardware()
    yield _torchvision()
    yield from _folders()
    yield from _models()
    yield from _engines(measure)


def _hardware() -> Iterator[Diagnosis]:
    import torch

    from clipgrip.backbone.device import choose_precision

    precision = choose_precision("auto", torch.device("cpu"))
    yield Diagnosis(
        True,
        Sentence("threads"),
        Sentence(
            "{threads} of {processors} processors, {precision}",
            threads=torch.get_num_threads(),
            processors=os.cpu_count(),
            precision=precision,
        ),
    )
    memory = _memory_gigabytes()
    if memory is not None:
        remedy = (
            ""
            if memory >= 4
            else Sentence("4 GB are needed for ViT-B/32; use nano, or a bigger machine")
        )
        yield Diagnosis(
            memory >= 4, Sentence("memory"), Sentence("{memory} GB", memory=f"{memory:.1f}"), remedy
        )


def _memory_gigabytes() -> float | None:
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" not in names:
        return None
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30


def _torchvision() -> Diagnosis:
    """A torchvision that does not fit torch breaks transformers too; a process of its own finds out."""
    code = "import importlib.util as u; print(u.find_spec('torchvision') is not None); import torchvision"
    tried = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False
    )
    if not tried.stdout.startswith("True"):
        return Diagnosis(True, "torchvision", Sentence("not installed, not needed"))
    if tried.returncode == 0:
        return Diagnosis(True, "torchvision", Sentence("installed and whole, not needed"))
    last = tried.stderr.strip().splitlines()[-1]
    return Diagnosis(
        False, "torchvision", Sentence("broken: {last}", last=last), "pip uninstall torchvision"
    )


def _folders() -> Iterator[Diagnosis]:
    from clipgrip.backbone.cache import default_root

    for subject, folder in ((mark("cache"), default_root()), (mark("this folder"), Path.cwd())):
        yield _writable(subject, folder)


def _writable(subject: str, folder: Path) -> Diagnosis:
    probe = folder / f".clipgrip-doctor-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        return Diagnosis(
            False,
            subject,
            Sentence("{folder}: {reason}", folder=folder, reason=system_words(error)),
            Sentence("choose another (CLIPGRIP_CACHE for the cache)"),
        )
    free = shutil.disk_usage(folder).free / 2**30
    remedy = "" if free >= 1 else Sentence("make at least 1 GB free")
    return Diagnosis(
        free >= 1,
        subject,
        Sentence("{folder}, {free} GB free", folder=folder, free=f"{free:.0f}"),
        remedy,
    )


def _models() -> Iterator[Diagnosis]:
    from clipgrip.backbone.checkpoint import Checkpoint
    from clipgrip.backbone.model_store import added_models
    from clipgrip.backbone.registry import models

    noted = {model.folder: model.fingerprint for model in added_models()}
    for model in models():
        if model.folder is None:
            continue
        try:
            fingerprint = Checkpoint.open(model.folder).fingerprint()
        except ClipgripError as error:
            yield Diagnosis(
                False,
                Sentence("model"),
                Sentence("{name}: {error}", name=model.name, error=error.sentence),
                Sentence("copy the model again"),
            )
            continue
        if noted.get(model.folder, fingerprint) != fingerprint:
            remedy = Sentence("clipgrip models remove {name}, then add it again", name=model.name)
            yield Diagnosis(
                False,
                Sentence("model"),
                Sentence("{name}: changed since it was added", name=model.name),
                remedy,
            )
        else:
            yield Diagnosis(
                True,
                Sentence("model"),
                Sentence("{name}  {fingerprint}", name=model.name, fingerprint=fingerprint[:16]),
                _only_for(model.name),
            )


def _only_for(name: str) -> str:
    demo = Sentence(
        "knows only drawn digits and metal surfaces, for its demos; for photographs see clipgrip "
        "models"
    )
    return demo if name == "nano" else ""


def _engines(measure: bool) -> Iterator[Diagnosis]:
    from clipgrip.backbone.fastest import is_installed, measure_engines, stored_rates

    here = is_installed()
    remedy = (
        "" if here else Sentence("pip install 'clipgrip[onnx]' for --engine onnx and onnx-int8")
    )
    rates = measure_engines(1.0) if measure else stored_rates()
    if rates is None:
        engines = "torch, onnx, onnx-int8" if here else "torch"
        found = Sentence("{found}; --measure says which is fastest here", found=engines)
    else:
        exact = rates["torch float32"]
        speeds = ", ".join(f"{name} {rate / exact:.2f}" for name, rate in rates.items())
        found = Sentence("speed against torch float32: {found}", found=speeds)
    yield Diagnosis(True, Sentence("engines"), found, remedy)
    if rates is not None:
        first = max(rates, key=lambda name: rates[name])
        engine, _, precision = first.partition(" ")
        option = f"--engine {engine}" + (f" with precision {precision}" if precision else "")
        yield Diagnosis(True, Sentence("fastest"), f"{first}: {option}")
    yield Diagnosis(
        True, Sentence("--engine auto"), _default_engine(measure_engines=rates is not None)
    )


def _default_engine(*, measure_engines: bool) -> str:
    """What computes images where nobody says it, and why."""
    from clipgrip.backbone.fastest import fastest, is_installed, multiplies_bfloat16

    if multiplies_bfloat16():
        return Sentence("torch, as this processor multiplies bfloat16")
    if not is_installed():
        return Sentence("torch, as ONNX Runtime is not installed")
    if not measure_engines:
        return Sentence("measured by the first run")
    return Sentence("{engine}, as measured here", engine=fastest())
