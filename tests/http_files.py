"""A web server of a test's own on the loopback interface, well- or ill-behaved as the test says.

Take the fixture over in a ``conftest.py``::

    from http_files import web
"""

from __future__ import annotations

import hashlib
import http.server
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

_PIECE = 1 << 16


@dataclass
class WebFile:
    """One file of the server, and how it is served.

    Args:
        data: its bytes; ``repeat`` times over.
        etag: as it is sent; None: none. Left out: made of the bytes.
        modified: the Last-Modified header.
        ranges: whether ranges are understood.
        chunked: send it without saying how long it is.
        statuses: what to answer first, one request after the other, rather than the file.
        cuts: after how many bytes of the body to cut the connection, one GET after the other.
        then: its bytes from the first cut on.
        redirect: where to send the client instead.
        password: ``user:password`` that is asked for.
        longest: how many bytes of a range are sent at most.
        head: whether HEAD is answered (with 403 if not).
        media_type: the Content-Type header.
    """

    data: bytes = b""
    repeat: int = 1
    etag: str | None = ""
    modified: str | None = "Sat, 01 Feb 2025 10:00:00 GMT"
    ranges: bool = True
    chunked: bool = False
    statuses: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    then: bytes | None = None
    redirect: str | None = None
    password: str | None = None
    longest: int | None = None
    head: bool = True
    media_type: str | None = "application/octet-stream"

    @property
    def size(self) -> int:
        return len(self.data) * self.repeat

    @property
    def mark(self) -> str | None:
        if self.etag == "":
            return f'"{hashlib.sha256(self.data).hexdigest()[:16]}"'
        return self.etag

    def pieces(self, start: int, stop: int) -> Iterator[memoryview]:
        while start < stop:
            begin = start % len(self.data)
            end = min(len(self.data), begin + _PIECE, begin + stop - start)
            yield memoryview(self.data)[begin:end]
            start += end - begin


@dataclass(frozen=True)
class Seen:
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]


class WebServer:
    """Serves `files` by their raw path (percent-encoded, with the query)."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.files: dict[str, WebFile] = {}
        self.requests: list[Seen] = []
        self.deny_all = False
        """Answer everything with 403."""
        self.lock = threading.Lock()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def place(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"{self._scheme}://{self.place}"

    def add(self, path: str, data: bytes = b"", **options: Any) -> str:
        """Serve a file from now on; its URL."""
        self.files[path] = WebFile(data, **options)
        return self.url + path

    def count(self, method: str, path: str | None = None) -> int:
        """How many requests there were."""
        return sum(s.method == method and path in (None, s.path) for s in self.requests)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler_of(web: WebServer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Tests are quiet."""

        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def do_DELETE(self) -> None:
            self.seen()
            gone = web.files.pop(self.path, None)
            self.plain(404 if gone is None else 204)

        def do_PUT(self) -> None:
            self.seen()
            if self.path not in web.files:
                self.close_connection = True
                self.plain(405)
                return
            if "Content-Length" in self.headers:
                data = self.rfile.read(int(self.headers["Content-Length"]))
            else:
                data = b""
                while size := int(self.rfile.readline(), 16):
                    data += self.rfile.read(size)
                    self.rfile.readline()
            web.files[self.path].data = data
            self.plain(201)

        def seen(self) -> None:
            with web.lock:
                web.requests.append(Seen(self.command, self.path, dict(self.headers.items())))

        def plain(self, status: int, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            if status != 204:
                self.send_header("Content-Length", "0")
            self.end_headers()

        def answer(self) -> None:
            self.seen()
            file = web.files.get(self.path)
            if web.deny_all:
                self.plain(403)
            elif file is None:
                self.plain(404)
            elif file.statuses:
                self.plain(file.statuses.pop(0), Retry_After="0")
            elif file.redirect is not None:
                self.plain(302, Location=file.redirect)
            elif file.password is not None and not self.lets_in(file.password):
                self.plain(401, WWW_Authenticate='Basic realm="files"')
            elif self.command == "HEAD" and not file.head:
                self.plain(403)
            elif self.headers.get("If-Match", file.mark) != file.mark:
                self.plain(412)
            else:
                self.send_file(file)

        def lets_in(self, password: str) -> bool:
            import base64

            wanted = base64.b64encode(password.encode()).decode()
            return self.headers.get("Authorization") == f"Basic {wanted}"

        def send_file(self, file: WebFile) -> None:
            start, stop, partial = 0, file.size, False
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if asked and file.ranges and self.command == "GET":
                start, partial = int(asked[1]), True
                stop = min(stop, int(asked[2]) + 1) if asked[2] else stop
                stop = min(stop, start + (file.longest or stop))
                if start >= file.size:
                    self.plain(416, Content_Range=f"bytes */{file.size}")
                    return
            self.send_response(206 if partial else 200)
            if partial:
                self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{file.size}")
            if file.mark:
                self.send_header("ETag", file.mark)
            if file.modified:
                self.send_header("Last-Modified", file.modified)
            if file.media_type:
                self.send_header("Content-Type", file.media_type)
            if file.chunked:
                self.send_header("Transfer-Encoding", "chunked")
            else:
                self.send_header("Content-Length", str(stop - start))
            self.end_headers()
            if self.command == "GET":
                with suppress(ConnectionError):
                    self.send_body(file, start, stop)

        def send_body(self, file: WebFile, start: int, stop: int) -> None:
            cut = file.cuts.pop(0) if file.cuts else None
            if cut is not None and start + cut < stop:
                stop = start + cut
            else:
                cut = None
            for piece in file.pieces(start, stop):
                if file.chunked:
                    self.wfile.write(f"{len(piece):x}\r\n".encode())
                self.wfile.write(piece)
                if file.chunked:
                    self.wfile.write(b"\r\n")
            if cut is not None:
                if file.then is not None:
                    file.data, file.then = file.then, None
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
            elif file.chunked:
                self.wfile.write(b"0\r\n\r\n")

    return Handler


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """An empty web server, reached without a proxy."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    server = WebServer()
    try:
        yield server
    finally:
        server.close()
