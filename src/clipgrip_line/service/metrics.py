"""/metrics in the text format of Prometheus (0.0.4)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from clipgrip_line.service import people
from clipgrip_line.service.bell import letters
from clipgrip_line.service.service import Service
from clipgrip_line.service.tallies import SECONDS

LIGHTS = ("quiet", "perhaps", "alarm")


def metrics_text(service: Service) -> str:
    """All series."""
    return "\n".join([*_requests(service), *_engine(service), *_line(service)]) + "\n"


def _head(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP clipgrip_line_{name} {text}", f"# TYPE clipgrip_line_{name} {kind}"]


def _one(name: str, value: float, labels: Mapping[str, str] | None = None) -> str:
    inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in (labels or {}).items())
    return f"clipgrip_line_{name}{'{' + inner + '}' if inner else ''} {value:.10g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _requests(service: Service) -> Iterator[str]:
    counters = service.counters
    yield from _head("requests_total", "counter", "Requests of /v1/predict by status.")
    for status, n in sorted(counters.requests.items()):
        yield _one("requests_total", n, {"status": str(status)})
    yield from _head("images_total", "counter", "Images answered, by version, class and verdict.")
    for (version, name, verdict), n in sorted(counters.verdicts.items()):
        yield _one("images_total", n, {"version": version, "class": name, "verdict": verdict})
    yield from _head("images_unreadable_total", "counter", "Images that could not be read.")
    yield _one("images_unreadable_total", counters.images_refused)
    yield from _head("request_seconds", "histogram", "Time of a request of /v1/predict.")
    total = 0
    for end, n in zip(SECONDS, counters.times, strict=False):
        total += n
        yield _one("request_seconds_bucket", total, {"le": f"{end:g}"})
    total += counters.times[-1]
    yield _one("request_seconds_bucket", total, {"le": "+Inf"})
    yield _one("request_seconds_sum", counters.seconds)
    yield _one("request_seconds_count", total)


def _engine(service: Service) -> Iterator[str]:
    engine, ledger = service.engine, service.ledger
    for name, kind, text, value in (
        (
            "queue_images",
            "gauge",
            "Images taken that have no answer yet.",
            service.admission.images,
        ),
        ("queue_limit", "gauge", "Images that the queue takes.", service.admission.most),
        ("batches_total", "counter", "Batches that the model saw.", engine.batches),
        ("engine_seconds_total", "counter", "Time that the model worked.", engine.busy),
        (
            "ledger_commits_total",
            "counter",
            "Groups of answers written to the disk.",
            ledger.groups,
        ),
        ("ledger_failing", "gauge", "1 while answers cannot be kept.", bool(ledger.failing)),
        (
            "samples_failing",
            "gauge",
            "1 while pictures for the next round cannot be kept.",
            service.sampling is not None and bool(service.sampling.failing),
        ),
        ("resident_bytes", "gauge", "Memory of the process.", resident()),
        ("start_time_seconds", "gauge", "When the service began.", service.begun),
    ):
        yield from _head(name, kind, text)
        yield _one(name, value)


def _line(service: Service) -> Iterator[str]:
    status, model = service.watching.status, service.model
    yield from _head("info", "gauge", "The version that answers.")
    yield _one("info", 1, {"version": model.version})
    yield from _head("waiting_images", "gauge", "Images that wait for a person.")
    yield _one("waiting_images", people.how_many(service.ledger.reader))
    yield from _head("watch_light", "gauge", "The light of the watch: 1 for the one that shines.")
    for light in LIGHTS:
        yield _one("watch_light", light == status.light, {"light": light})
    yield from _head(
        "watch_level", "gauge", "How near the nearest monitor is to an alarm: 1 rings."
    )
    yield _one("watch_level", min(status.level, 1e9))
    yield from _head("watch_images_total", "counter", "Images that were bet on.")
    yield _one("watch_images_total", status.images)
    yield from _head("alarms_total", "counter", "Alarms of this version.")
    yield _one("alarms_total", status.alarms)
    waiting, dead = letters(service.ledger.reader)
    yield from _head("alarm_messages", "gauge", "Messages of alarms that have not arrived.")
    yield _one("alarm_messages", waiting, {"state": "waiting"})
    yield _one("alarm_messages", dead, {"state": "dead"})
    yield from _head("promise_withdrawn", "gauge", "1 where a promise was withdrawn at work.")
    for one in status.promises:
        labels = {"version": model.version, "group": one.name}
        yield _one("promise_withdrawn", one.withdrawn is not None, labels)


def resident() -> int:
    """Bytes of memory in use; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return 0
