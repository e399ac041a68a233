"""On a Ray cluster too each part is answered once, and images have the same bytes, whatever dies."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from executors import works
from executors.test_embedding import embedded, equal, eye_called

from clipgrip.backbone.clip import ClipBackbone
from clipgrip.errors import ConfigError, RunError
from clipgrip.executors import executor_named, on_ray
from clipgrip.executors.base import Executor
from clipgrip.executors.on_ray import OnRay


def test_each_part_is_answered_once(cluster: Any) -> None:
    assert sorted(OnRay().answers(works.doubled, range(9))) == [(n, 2 * n) for n in range(9)]
    assert list(OnRay().answers(works.doubled, [])) == []


def test_what_the_work_raises_is_raised(cluster: Any) -> None:
    with pytest.raises(ValueError, match="part 1 is torn"):
        list(OnRay().answers(works.torn, [1]))


def test_an_error_that_cannot_travel_is_said_in_one_sentence(cluster: Any) -> None:
    with pytest.raises(RunError, match="cannot go on: Stubborn: this and that"):
        list(OnRay().answers(works.stubborn, [1]))


def test_a_machine_that_lacks_a_package_is_told_of_in_one_sentence(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("def echo(part):\n    return part\n")
    monkeypatch.syspath_prepend(tmp_path)
    echo = importlib.import_module("only_here").echo
    with pytest.raises(RunError, match=r"'only_here'\. Install clipgrip .* on every"):
        list(OnRay().answers(echo, [1]))


@pytest.mark.parametrize("name", ["tiny", "prompted", "texture"])
def test_images_have_the_bytes_that_this_process_gives_them(
    name: str, tiny_clip: Path, cluster: Any
) -> None:
    tiny = ClipBackbone("tiny", tiny_clip, precision="float32")
    eye = eye_called(name, tiny)
    assert equal(embedded(eye, Executor()), embedded(eye, OnRay()))


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


OWN = """
import sys
sys.path[:0] = {path!r}
from executors import works
from clipgrip.executors import executor_named, on_ray
on_ray.FOLDER_PARENT = {place!r}
ray = executor_named("ray")
print(sorted(ray.answers(works.doubled, [1, 2])))
ray.close()
"""
KILLED = """
import os, signal, sys, time
sys.path[:0] = {path!r}
from executors import works
from clipgrip.executors import executor_named
ray = executor_named("ray")
for part, (process, value) in ray.answers(works.slowly, range(6)):
    if part == 0:
        os.kill(process, signal.SIGKILL)
    print(part, value)
time.sleep(3)  # Ray's news come later
ray.close()
"""
NOBODY = """
from clipgrip.errors import ConfigError
from clipgrip.executors import executor_named
try:
    executor_named("ray:127.0.0.1:{port}")
except ConfigError as error:
    print(error)
"""


def answered(code: str, stderr: int | None = None, **more: str) -> str:
    """What a process of its own prints."""
    paths = os.pathsep.join(filter(None, sys.path))
    environment = {**os.environ, "PYTHONPATH": paths, **more}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        check=True,
        timeout=600,
    ).stdout


def test_ray_that_is_begun_for_a_command_leaves_nothing_behind() -> None:
    pytest.importorskip("ray")
    with tempfile.TemporaryDirectory(
        dir=on_ray.FOLDER_PARENT
    ) as place:  # a short path: sockets lie there
        assert answered(OWN.format(path=sys.path, place=place)).startswith("[PartAnswer(part=0")
        assert os.listdir(place) == []


def test_of_a_worker_that_is_killed_ray_itself_says_nothing() -> None:
    pytest.importorskip("ray")
    told = answered(KILLED.format(path=sys.path), stderr=subprocess.STDOUT)
    assert sorted(told.splitlines()) == [f"{n} {2 * n}" for n in range(6)]


def test_what_somebody_has_to_do_something_about_is_said_in_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    on_ray._print_message(
        {"lines": ["Task compute failed. There are", "No core is free.\nAdd some."]}
    )
    assert capsys.readouterr() == ("", "Ray: No core is free.\n")


def test_an_address_where_nobody_listens_is_told_of_within_a_minute() -> None:
    """Ray itself would ask for a quarter of an hour; the limit here is only far below that."""
    pytest.importorskip("ray")
    told = answered(NOBODY.format(port=1), RAY_py_gcs_connect_timeout_s="1")
    assert told.startswith("no Ray cluster answers at 127.0.0.1:1")


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
