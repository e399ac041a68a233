"""A Ray cluster, or Ray on this machine: it schedules the parts, tries them again, and carries what they need."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from typing import Any

from clipgrip import __version__
from clipgrip.errors import ConfigError, MissingPackage, RunError
from clipgrip.executors import worker
from clipgrip.executors.base import MOST_TRIES, Executor, PartAnswer, Work
from clipgrip.executors.processes import AHEAD, died
from clipgrip.sentences import mark

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no request leaves the machine
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # or it warns
    "RAY_py_gcs_connect_timeout_s": "10",
}
TRIES = "RAY_gcs_server_port_wait_time_s"
"""How often Ray asks whether a cluster is there. Asked once it waits half a minute, where its own 20 are many."""
PLACE = "/tmp" if os.path.isdir("/tmp") else None
"""Sockets lie in Ray's folder, and their paths may have 107 characters, which elsewhere are too few."""
TRIED_AGAIN = ("A worker died", "Task compute failed", "The node with node id")
"""How Ray's news begin that concern nobody: what was lost is computed again."""
NOT_LOADED = "failed to import on the worker"
UNABLE = mark(
    "a machine of the cluster cannot do the work: {error}. Install clipgrip {version} with the same packages on every "
    "machine."
)
FAILED = mark(
    "Ray lost a part of the work: {error}. What was stored is kept; run the same command again to go on."
)


class OnRay(Executor):
    """One Ray task for each part, a core for each; Ray itself tries a task again whose worker or node is lost."""

    name = "ray"

    def __init__(self, address: str | None = None) -> None:
        """Connect to the cluster at ``address`` or in RAY_ADDRESS; else start Ray here, for this process alone.

        Raises:
            MissingPackage: Ray is not installed.
            ConfigError: no cluster answers there.
        """
        self._ray = _imported()
        self._is_own = not self._ray.is_initialized()
        self._place: str | None = None
        if self._is_own:
            wanted = address or os.environ.get("RAY_ADDRESS")
            self._place = None if wanted else tempfile.mkdtemp(prefix="clipgrip-ray-", dir=PLACE)
            _connect(self._ray, wanted, self._place)
        self._compute = self._ray.remote(
            num_cpus=1, max_retries=MOST_TRIES, scheduling_strategy="SPREAD"
        )(worker.compute)

    @property
    def workers(self) -> int:  # type: ignore[override]
        """The cores of the cluster as it is now."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def is_worth(self, done: int, left: int, seconds: float) -> bool:
        """Always: somebody asked for it."""
        return True

    def answers(self, work: Work, parts: Iterable[Any]) -> Iterator[PartAnswer]:
        """As they come; a few are given at a time, so that the object store holds little."""
        ray, function = self._ray, self._ray.put(work)
        waiting = enumerate(parts)
        flying: dict[Any, int] = {}
        try:
            while True:
                while len(flying) < AHEAD * self.workers:
                    if (following := next(waiting, None)) is None:
                        break
                    number, part = following
                    task = self._compute.remote(function, part, __version__)
                    flying[task] = number
                if not flying:
                    return
                for done in ray.wait(list(flying), num_returns=1)[0]:
                    yield PartAnswer(flying.pop(done), self._got(done))
        finally:
            for task in flying:
                ray.cancel(task, force=True)

    def _got(self, task: Any) -> Any:
        """The answer; what the function raised comes as it was raised."""
        errors = self._ray.exceptions
        try:
            return self._ray.get(task)
        except errors.RayTaskError as error:
            if not isinstance(error.cause, errors.RayError) and NOT_LOADED not in str(error.cause):
                raise error.cause from None
            raise RunError(UNABLE, version=__version__, error=_first_line(error.cause)) from error
        except (errors.WorkerCrashedError, errors.OutOfMemoryError) as error:
            raise died(MOST_TRIES + 1) from error
        except errors.RayError as error:
            raise RunError(FAILED, error=_first_line(error)) from error

    def close(self) -> None:
        """Leave the cluster; Ray that was started here ends, and its files go."""
        if self._is_own:
            self._ray.shutdown()
        if self._place is not None:
            _remove(self._place)


def _imported() -> Any:
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise MissingPackage(
            mark("--on ray needs Ray. Install it with: pip install 'clipgrip[ray]'")
        ) from error
    return ray


def _remove(folder: str) -> None:
    """For some seconds Ray's last processes may still write what they have to say."""
    for _ in range(50):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.exists(folder):
            return
        time.sleep(0.1)


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0].rstrip(".")


def _hushed(ray: Any) -> None:
    """Ray writes its news into the standard output, several lines each; no setting of its own ends that."""
    worker: Any = getattr(getattr(ray, "_private", None), "worker", None)
    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = _say


def _say(news: Any, **_: Any) -> None:
    """The first line of what somebody may have to do something about, such as a cluster without a free core."""
    for lines in news["lines"]:
        first = str(lines).strip().split("\n", 1)[0]
        if not first.startswith(TRIED_AGAIN):
            print(f"Ray: {first}", file=sys.stderr)


def _connect(ray: Any, address: str | None, place: str | None) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    _hushed(ray)
    if address is None:
        ray.init(
            "local", include_dashboard=False, _node_ip_address="127.0.0.1", _temp_dir=place, **quiet
        )
        return
    patience = os.environ.get(TRIES)
    os.environ.setdefault(TRIES, "1")
    try:
        ray.init(address, **quiet)
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        raise ConfigError(
            "no Ray cluster answers at {address}: {error}. Start one with  ray start --head  and give the address "
            "it prints, such as --on ray:10.0.0.5:6379.",
            address=address,
            error=error,
        ) from error
    finally:  # a cluster that is begun later has all the time it needs
        if patience is None:
            os.environ.pop(TRIES, None)
