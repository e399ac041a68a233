"""A small reverse proxy, as IT puts one in front: another name, a path of its own, the prefix kept or taken away."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from waiting import LONG

HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


@contextmanager
def proxied(port: int, prefix: str, *, strips: bool, host: str = "") -> Iterator[int]:
    """The port of a proxy that offers ``127.0.0.1:port`` below ``prefix`` and nothing elsewhere.

    ``host`` is what it says to the server; empty: what the browser said.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            if not (self.path == prefix or self.path.startswith((prefix + "/", prefix + "?"))):
                self.send_error(404, "not below the prefix")
                return
            path = (self.path[len(prefix) :] or "/") if strips else self.path
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {
                k: v for k, v in self.headers.items() if k.lower() not in ("connection", "host")
            }
            headers |= {"Host": host or self.headers["host"], "X-Forwarded-Proto": "http"}
            # closed before the answer goes on: a browser that has left by then breaks that off
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=LONG)) as asked:
                asked.request(self.command, path, body or None, headers)
                told = asked.getresponse()
                data = told.read()
            self.send_response(told.status)
            for name, value in told.getheaders():
                if name.lower() not in HOP:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else data)

        do_GET = do_POST = do_HEAD = _pass_on  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
