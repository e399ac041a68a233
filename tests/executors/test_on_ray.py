"""On a Ray cluster too each part is answered once, and images have the same bytes, whatever dies."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from executors import works
from executors.test_embedding import embedded, equal, eye_called

from clipgrip.backbone.clip import ClipBackbone
from clipgrip.errors import ConfigError, RunError
from clipgrip.executors import executor_named, on_ray
from clipgrip.executors.base import Here
from clipgrip.executors.on_ray import OnRay


def test_each_part_is_answered_once(cluster: Any) -> None:
    assert sorted(OnRay().answers(works.doubled, range(9))) == [(n, 2 * n) for n in range(9)]
    assert list(OnRay().answers(works.doubled, [])) == []


def test_what_the_work_raises_is_raised(cluster: Any) -> None:
    with pytest.raises(ValueError, match="part 1 is torn"):
        list(OnRay().answers(works.torn, [1]))


@pytest.mark.parametrize("name", ["tiny", "prompted", "texture"])
def test_images_have_the_bytes_that_this_process_gives_them(
    name: str, tiny_clip: Path, cluster: Any
) -> None:
    tiny = ClipBackbone("tiny", tiny_clip, precision="float32")
    eye = eye_called(name, tiny)
    assert equal(embedded(eye, Here()), embedded(eye, OnRay()))


def test_a_worker_that_is_killed_costs_no_part(cluster: Any) -> None:
    found: dict[int, int] = {}
    for number, (process, value) in OnRay().answers(works.slowly, range(8)):
        if len(found) == 2:
            os.kill(process, signal.SIGKILL)
        assert number not in found
        found[number] = value
    assert found == {n: 2 * n for n in range(8)}


def test_a_node_that_is_lost_costs_no_part(cluster: Any) -> None:
    node = cluster.add_node(**cluster.settings)
    cluster.wait_for_nodes()
    executor, found = OnRay(), {}
    assert executor.workers == 2
    for number, (_, value) in executor.answers(works.slowly, range(16)):
        if len(found) == 3:
            cluster.remove_node(node, allow_graceful=False)
        found[number] = value
    assert found == {n: 2 * n for n in range(16)}


def test_work_that_no_worker_survives_ends_in_words(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_ray, "MOST_TRIES", 0)
    with pytest.raises(RunError, match="lack of memory"):
        list(OnRay().answers(works.deadly, [1]))


def test_parts_that_nobody_waits_for_are_given_up(cluster: Any) -> None:
    answers = OnRay().answers(works.slowly, range(1000))
    assert next(answers).value
    answers.close()  # type: ignore[attr-defined]
    assert list(OnRay().answers(works.doubled, [1])) == [(0, 2)]


def test_no_cluster_at_an_address_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")

    def down(*_: Any, **__: Any) -> None:
        raise ConnectionError("nobody listens")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", down)
    with pytest.raises(
        ConfigError, match=r"no Ray cluster answers at 10\.0\.0\.5:6379.*ray start --head"
    ):
        executor_named("ray:10.0.0.5:6379")
