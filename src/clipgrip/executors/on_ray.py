"""Computes parts on a Ray cluster, or by Ray on this machine; Ray schedules and retries them."""

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

RAY_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no request leaves the machine
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # or it warns
    "RAY_py_gcs_connect_timeout_s": "10",
}
TRIES = "RAY_gcs_server_port_wait_time_s"
"""Variable for how often Ray looks for the cluster. Once takes half a minute, and its default of 20 times too long."""
FOLDER_PARENT = "/tmp" if os.path.isdir("/tmp") else None
"""Parent of Ray's folder, which holds sockets: their paths may have 107 characters, so it has to be short."""
RETRIED = ("A worker died", "Task compute failed", "The node with node id")
"""How those messages of Ray begin that need no attention, as the lost work is computed again."""
NOT_LOADED = "failed to import on the worker"
UNABLE = mark(
    "a machine of the cluster cannot do the work: {error}. Install clipgrip {version} with the same packages on every "
    "machine."
)
FAILED = mark(
    "Ray lost a part of the work: {error}. What was stored is kept; run the same command again to go on."
)


class OnRay(Executor):
    """One Ray task of one core for each part; Ray itself retries a task whose worker or node is lost."""

    name = "ray"

    def __init__(self, address: str | None = None) -> None:
        """Connect to the cluster at ``address`` or RAY_ADDRESS; without either, start a private Ray here.

        Raises:
            MissingPackage: Ray is not installed.
            ConfigError: no cluster answers there.
        """
        self._ray = _import_ray()
        self._is_own = not self._ray.is_initialized()
        self._folder: str | None = None
        if self._is_own:
            wanted = address or os.environ.get("RAY_ADDRESS")
            self._folder = (
                None if wanted else tempfile.mkdtemp(prefix="clipgrip-ray-", dir=FOLDER_PARENT)
            )
            _connect(self._ray, wanted, self._folder)
        self._compute = self._ray.remote(
            num_cpus=1, max_retries=MOST_TRIES, scheduling_strategy="SPREAD"
        )(worker.compute)

    @property
    def workers(self) -> int:  # type: ignore[override]
        """The current number of cores of the cluster."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def is_worth(self, done: int, left: int, seconds: float) -> bool:
        """Always: the user chose this executor."""
        return True

    def answers(self, work: Work, parts: Iterable[Any]) -> Iterator[PartAnswer]:
        """As `Executor.answers`; only a few tasks exist at a time, so that the object store stays small."""
        ray, function = self._ray, self._ray.put(work)
        waiting = enumerate(parts)
        running: dict[Any, int] = {}
        try:
            while True:
                while len(running) < AHEAD * self.workers:
                    if (following := next(waiting, None)) is None:
                        break
                    number, part = following
                    task = self._compute.remote(function, part, __version__)
                    running[task] = number
                if not running:
                    return
                for done in ray.wait(list(running), num_returns=1)[0]:
                    yield PartAnswer(running.pop(done), self._result(done))
        finally:
            for task in running:
                ray.cancel(task, force=True)

    def _result(self, task: Any) -> Any:
        """The answer of a task; raises what the function raised."""
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
        """Leave the cluster, or end the private Ray and remove its files."""
        if self._is_own:
            self._ray.shutdown()
        if self._folder is not None:
            _remove(self._folder)


def _import_ray() -> Any:
    for name, value in RAY_SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise MissingPackage(
            mark("--on ray needs Ray. Install it with: pip install 'clipgrip[ray]'")
        ) from error
    return ray


def _remove(folder: str) -> None:
    """Remove Ray's folder, into which its last processes may still write for some seconds."""
    for _ in range(50):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.exists(folder):
            return
        time.sleep(0.1)


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0].rstrip(".")


def _redirect_messages(ray: Any) -> None:
    """Keep Ray from printing messages of several lines to the standard output, for which it has no setting."""
    worker: Any = getattr(getattr(ray, "_private", None), "worker", None)
    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = _print_message


def _print_message(message: Any, **_: Any) -> None:
    """Print the first line of a message that may need attention, such as a cluster without a free core."""
    for lines in message["lines"]:
        first = str(lines).strip().split("\n", 1)[0]
        if not first.startswith(RETRIED):
            print(f"Ray: {first}", file=sys.stderr)


def _connect(ray: Any, address: str | None, folder: str | None) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    _redirect_messages(ray)
    if address is None:
        ray.init(
            "local",
            include_dashboard=False,
            _node_ip_address="127.0.0.1",
            _temp_dir=folder,
            **quiet,
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
    finally:  # later connections of this process get Ray's usual patience
        if patience is None:
            os.environ.pop(TRIES, None)
