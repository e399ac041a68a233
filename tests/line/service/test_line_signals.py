"""A service that is stopped closes all it has opened, whatever stops it."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from line_fakes import GOOD
from waiting import LONG

from clipgrip_line.service.ledger import NAME

SERVE = """
import sys
from dataclasses import replace
from pathlib import Path
from line_fakes import FakeModel, settings
from clipgrip_line.service.server import bound, serve
from clipgrip_line.web.address import Access

listening = bound("127.0.0.1", 0)
port = listening.getsockname()[1]
given = replace(settings(Path(sys.argv[1])), access=Access("127.0.0.1", port), keep=10**6, keep_share=1.0)
try:
    serve(given, FakeModel(), listening, lambda: print(port, flush=True))
finally:
    print("closed")
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
@pytest.mark.parametrize(
    ("number", "codes"), [(signal.SIGTERM, {0}), (signal.SIGINT, {0, 1, -signal.SIGINT})]
)
def test_what_was_open_is_closed_by_either_signal(
    tmp_path: Path, number: signal.Signals, codes: set[int]
) -> None:
    command = [sys.executable, "-c", SERVE, str(tmp_path / "line")]
    places = os.pathsep.join(path for path in sys.path if path)
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": places},
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=LONG)) as client:
            client.request("POST", "/v1/predict", GOOD)
            assert client.getresponse().status == 200
        process.send_signal(number)
        assert process.stdout.read().endswith("closed\n")
        ended = process.wait(LONG)
    assert ended in codes, "a KeyboardInterrupt, if Python saw it before the server ended"
    assert not (tmp_path / "line" / f"{NAME}-wal").exists(), "the database was closed"
    assert len(list((tmp_path / "line").rglob("*.png"))) == 1, "a picture for the next round"
