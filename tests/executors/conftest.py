"""One Ray cluster for all tests, on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """A head with one core, connected; tests add nodes and take them away."""
    pytest.importorskip("ray")
    from clipgrip.executors import on_ray

    ray = on_ray._import_ray()
    from ray.cluster_utils import Cluster

    here = {"num_cpus": 1, "object_store_memory": 80 << 20}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))  # that of the workers
        made = Cluster(initialize_head=True, head_node_args={**here, "include_dashboard": False})
        ray.init(made.address, log_to_driver=False, logging_level="ERROR")
        made.settings = here
        yield made
        ray.shutdown()
        made.shutdown()
