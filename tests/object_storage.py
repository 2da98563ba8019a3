"""An S3 server of the test run's own on the loopback interface, and an empty bucket for a test.

The server is moto's, a program of its own that is started by the first test that needs it (by each
worker of pytest-xdist for itself) and ends with the test run, however that ends.

Take the fixtures over in a ``conftest.py``::

    from object_storage import s3_bucket, s3_server, s3_through_proxy
"""

from __future__ import annotations

import http.client
import itertools
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

_COUNTER = itertools.count(1)
# It ends when its input does, which happens however the test run ends.
_PROGRAM = """
import logging, sys
from moto.server import ThreadedMotoServer
logging.disable()
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class S3Server:
    """A running server.

    Args:
        endpoint: its URL, such as ``http://127.0.0.1:34567``.
    """

    endpoint: str

    def environment(self) -> dict[str, str]:
        """The variables by which programs find the server and are let in."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test-key",
            "AWS_SECRET_ACCESS_KEY": "test-secret",
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }

    def new_bucket(self) -> str:
        """A new, empty bucket; its name."""
        name = f"bucket-{next(_COUNTER)}"
        self.ask("PUT", f"/{name}")
        return name

    def ask(self, method: str, path: str, data: bytes | None = None) -> bytes:
        """Send a plain request, past all of Findspot; the answer's body."""
        request = urllib.request.Request(self.endpoint + path, data=data, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            body = answer.read()
            assert isinstance(body, bytes)
            return body


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """The S3 server of this test run."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            assert port, "moto's server did not start: pip install 'moto[server,s3]'"
            yield S3Server(f"http://127.0.0.1:{port}")
        finally:
            process.stdin.close()
            process.kill()


@pytest.fixture
def s3_bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty bucket; the environment says how to get to it, and nothing else."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "GOOGLE_", "AZURE_")):
            monkeypatch.delenv(name)
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    return f"s3://{s3_server.new_bucket()}"


@dataclass(frozen=True)
class Asked:
    """A request that came through the proxy; ``size`` is that of its body in bytes."""

    method: str
    path: str
    size: int


@dataclass(frozen=True)
class Answer:
    """An answer that the proxy gives in place of the server."""

    status: int
    body: bytes = b""

    @classmethod
    def error(cls, status: int, code: str) -> Answer:
        return cls(status, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode())


@dataclass(frozen=True)
class Cut:
    """The connection breaks after so many bytes of the server's answer."""

    after: int


Fault = Callable[[Asked], Answer | Cut | None]


@dataclass
class Proxy:
    """Stands before a server and passes everything on, except where `fault` says otherwise.

    Args:
        endpoint: its URL.
        asked: every request so far.
        fault: what goes wrong with a request; None: nothing.
        sent: bytes of answers that were passed on so far.
    """

    endpoint: str
    asked: list[Asked] = field(default_factory=list)
    fault: Fault = lambda asked: None
    sent: int = 0

    def uploaded(self) -> int:
        """Bytes of all bodies that were sent to the server."""
        return sum(asked.size for asked in self.asked)


@pytest.fixture
def s3_through_proxy(
    s3_server: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, Proxy]]:
    """The URL of an empty bucket, and the proxy that all requests to it go through."""
    proxy = Proxy("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            asked = Asked(self.command, self.path, len(body))
            proxy.asked.append(asked)
            fault = proxy.fault(asked)
            if isinstance(fault, Answer):
                self._answer(fault.status, {}, fault.body, len(fault.body))
                return
            server = http.client.HTTPConnection(s3_server.endpoint.removeprefix("http://"))
            try:
                server.request(self.command, self.path, body, dict(self.headers.items()))
                answer = server.getresponse()
                data = answer.read()
            finally:
                server.close()
            headers = {
                name: value
                for name, value in answer.getheaders()
                if name.lower() not in ("connection", "content-length", "transfer-encoding")
            }
            size = int(answer.headers.get("content-length") or len(data))
            self._answer(answer.status, headers, data[: fault.after] if fault else data, size)
            if fault:
                self.close_connection = True

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass_on  # noqa: N815

        def _answer(self, status: int, headers: dict[str, str], data: bytes, size: int) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(size))
            self.end_headers()
            if self.command != "HEAD":
                # The client may have given up.
                with suppress(ConnectionError):
                    self.wfile.write(data)
                    proxy.sent += len(data)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        proxy.endpoint = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield s3_bucket, proxy
        finally:
            server.shutdown()
            thread.join()
