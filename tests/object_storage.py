"""An S3 server of the test run's own on the loopback interface, and an empty bucket for a test.

The server is moto's, a program of its own that is started by the first test that needs it (by each
worker of pytest-xdist for itself) and ends with the test run, however that ends.

Take the fixtures over in a ``conftest.py``::

    from object_storage import s3_bucket, s3_server
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

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
        with urllib.request.urlopen(request, timeout=30) as answer:
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
