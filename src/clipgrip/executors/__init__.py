"""Where parts of a large job are computed: in this process, in several, or on a Ray cluster; the bytes are the same."""

from __future__ import annotations

from clipgrip.executors.base import Executor, PartAnswer, current, using
from clipgrip.executors.named import executor_named

__all__ = ["Executor", "PartAnswer", "current", "executor_named", "using"]
