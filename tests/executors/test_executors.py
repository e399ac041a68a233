"""Parts of a job are answered once each, whoever computes them and whoever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from executors import works
from waiting import until

from clipgrip.errors import ConfigError, MissingPackage, RunError
from clipgrip.executors import base, executor_named, processes, using
from clipgrip.executors.base import Executor, current
from clipgrip.executors.processes import AutoExecutor, Processes

BEGIN = """
if __name__ == "__main__":
    import sys
    sys.path[:0] = {path!r}
    from functools import partial
    from executors import works
    from clipgrip.executors.processes import Processes
    list(Processes(1).answers(partial(works.written, {folder!r}), [1]))
"""


UNGUARDED = """
import sys
sys.path[:0] = {path!r}
from executors import works
from clipgrip.errors import RunError
from clipgrip.executors import processes
processes.MOST_TRIES = 1
try:
    list(processes.Processes(1).answers(works.doubled, [1]))
except RunError as error:
    line = 'if __name__ == "__main__":'
    print("RunError:", line if line in str(error) else error)
"""


@pytest.fixture(scope="module")
def pool() -> Iterator[Processes]:
    made = Processes(2)
    yield made
    made.close()


@pytest.fixture(params=["here", "processes"])
def executor(request: pytest.FixtureRequest, pool: Processes) -> Executor:
    return pool if request.param == "processes" else Executor()


def test_each_part_is_answered_once(executor: Executor) -> None:
    assert sorted(executor.answers(works.doubled, range(9))) == [(n, 2 * n) for n in range(9)]


def test_what_the_work_raises_is_raised(executor: Executor) -> None:
    with pytest.raises(ValueError, match="part 1 is torn"):
        list(executor.answers(works.torn, [1]))


def test_an_error_that_cannot_travel_is_said_in_one_sentence(pool: Processes) -> None:
    with pytest.raises(RunError, match="cannot go on: Stubborn: this and that"):
        list(pool.answers(works.stubborn, [1]))
    assert list(pool.answers(works.doubled, [4])) == [(0, 8)]


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="Windows has no such signals")
def test_no_worker_hears_ctrl_c_and_the_first_process_still_does(pool: Processes) -> None:
    assert dict(pool.answers(works.hears_ctrl_c, range(4))) == dict.fromkeys(range(4), False)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_a_script_without_a_main_guard_is_told_of_it(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(UNGUARDED.format(path=sys.path))
    told = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert told.stdout == 'RunError: if __name__ == "__main__":\n'


def test_no_parts_have_no_answers(executor: Executor) -> None:
    assert list(executor.answers(works.doubled, [])) == []


def test_a_worker_that_is_killed_costs_no_part(pool: Processes) -> None:
    found: dict[int, int] = {}
    for number, (process, value) in pool.answers(works.slowly, range(12)):
        if len(found) in (1, 5):
            with suppress(ProcessLookupError):  # it may have been killed with this answer under way
                os.kill(process, signal.SIGKILL)
        assert number not in found
        found[number] = value
    assert found == {n: 2 * n for n in range(12)}


def test_work_that_no_worker_survives_ends_in_words(
    pool: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "MOST_TRIES", 1)
    with pytest.raises(RunError, match="lack of memory"):
        list(pool.answers(works.deadly, [1]))
    assert list(pool.answers(works.doubled, [4])) == [(0, 8)]


def test_parts_that_nobody_waits_for_are_given_up(executor: Executor) -> None:
    answers = executor.answers(works.slowly, range(1000))
    assert next(answers).value
    answers.close()  # type: ignore[attr-defined]
    assert list(executor.answers(works.doubled, [1])) == [(0, 2)]


def test_processes_end_with_the_one_that_began_them(tmp_path: Path) -> None:
    script = tmp_path / "begin.py"
    script.write_text(BEGIN.format(path=sys.path, folder=str(tmp_path)))
    with subprocess.Popen([sys.executable, str(script)]) as first:
        until(lambda: list(tmp_path.glob("[0-9]*")) or first.poll() is not None)
        assert first.poll() is None
        first.kill()
    (found,) = tmp_path.glob("[0-9]*")
    until(lambda: _ended(int(found.name)), "the process outlives the one that began it")


def _ended(process: int) -> bool:
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().split()[2] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True


def test_names_give_executors() -> None:
    assert type(executor_named("here")) is Executor
    assert executor_named("processes:3").workers == 3
    assert isinstance(executor_named("auto"), AutoExecutor)


@pytest.mark.parametrize("name", ["proceses", "processes:0", "processes:x", "here:2", ""])
def test_a_name_that_is_none_is_an_error_that_lists_them(name: str) -> None:
    with pytest.raises(ConfigError, match="auto, here, processes, processes:N, ray or ray:ADDRESS"):
        executor_named(name)


def test_without_ray_the_error_has_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingPackage, match=r"pip install 'clipgrip\[ray\]'"):
        executor_named("ray")


def test_auto_takes_more_processes_only_for_long_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "free_bytes", lambda: 64 << 30)
    auto = AutoExecutor(4)
    assert not auto.is_worth(0, 1000, 0.0)
    assert not auto.is_worth(100, 1000, 2.0)
    assert auto.is_worth(100, 100_000, 2.0)
    assert not AutoExecutor(1).is_worth(100, 100_000, 2.0)


def test_auto_takes_no_more_processes_than_the_memory_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "free_bytes", lambda: 5 << 30)
    assert AutoExecutor(8).workers == 2


def test_an_executor_is_at_work_only_within() -> None:
    made = Processes(1)
    with using(made):
        assert current() is made
    assert type(current()) is Executor


def test_parts_are_cut_in_order() -> None:
    assert [list(part) for part in base.cut(range(5), 2)] == [[0, 1], [2, 3], [4]]
    assert partial(works.doubled)(2) == 4
