"""A cache that is bounded by bytes."""

from __future__ import annotations

import threading
import time

import numpy as np

from clipgrip.data.groups import GroupCache


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    cache, loaded = GroupCache(max_bytes=20), []

    def ask(key: str) -> None:
        cache.get((key,), lambda: loaded.append(key) or np.zeros(10, np.uint8))

    for key in "abacab":
        ask(key)
    assert loaded == ["a", "b", "c", "b"]


def test_a_value_beyond_the_limit_is_still_given() -> None:
    assert GroupCache(max_bytes=1).get((1,), lambda: np.zeros(10)).nbytes == 80


def test_threads_that_ask_together_load_once() -> None:
    cache, loaded = GroupCache(), []

    def load() -> np.ndarray:
        time.sleep(0.01)
        loaded.append(1)
        return np.zeros(1)

    threads = [threading.Thread(target=cache.get, args=((1,), load)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loaded == [1]


def test_a_failed_load_is_tried_again() -> None:
    cache = GroupCache()

    def fail() -> None:
        raise OSError

    for load in (fail, lambda: np.ones(1)):
        try:
            value = cache.get((1,), load)
        except OSError:
            value = None
    assert value is not None
