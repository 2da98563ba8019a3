"""Files behind ``http://`` and ``https://``, by the standard library.

The URL goes out as it was given, query and percent-encoding included; answers of unknown length are
taken as well. (obstore's client rebuilds paths and refuses answers without a length, so it serves
the buckets only.)
"""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, BinaryIO
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from findspot.core.errors import FindspotError, NotFound
from findspot.data.errors import (
    AccessDenied,
    BadUrl,
    ItemChanged,
    ItemReadOnly,
    ItemRefused,
    NoListing,
    Unreachable,
)
from findspot.data.protocol import CHUNK, Answer, Entry, ItemStat, Transient
from findspot.data.urls import last_part, without_secrets, without_secrets_in

TIMEOUT = 60.0
"""Seconds without a byte after which a connection counts as lost."""

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_HEADLESS = frozenset({400, 403, 405, 501})
"""What servers answer to HEAD that would answer GET (signed URLs hold for one method only)."""
_LONGEST_WAIT = 30.0


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https only, and takes no credentials to another place."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if req.get_method() not in ("GET", "HEAD"):
            return None
        target = urljoin(req.full_url, newurl)
        parts = urlsplit(target)
        if parts.scheme not in ("http", "https"):
            # Refused as what it is: an answer that is no file.
            return None
        kept = dict(req.header_items())
        before = urlsplit(req.full_url)
        if (parts.scheme, parts.netloc) != (before.scheme, before.netloc):
            kept = {k: v for k, v in kept.items() if k.lower() != "authorization"}
        kept = {k: v for k, v in kept.items() if k.lower() != "host"}
        return urllib.request.Request(_encoded(target), headers=kept, method=req.get_method())


@lru_cache(maxsize=4)
def _opener(proxies: tuple[tuple[str, str], ...]) -> urllib.request.OpenerDirector:
    # Put together by hand: the usual one would also open files and FTP.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(dict(proxies)),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        _Redirects(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    return opener


class HttpSource:
    """One URL. Servers without ranges are read from the start, and the rest is dropped."""

    def __init__(self, url: str) -> None:
        self.url = without_secrets(url)
        self.identity = url
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise BadUrl(self.url, str(error)) from None
        if not host:
            raise BadUrl(self.url, "it names no host", how="Write https://host/path.")
        self.scheme = parts.scheme.lower()
        self.name = last_part(parts.path, quoted=True) or host
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "findspot"}
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            encoded = base64.b64encode(pair.encode()).decode()
            self._headers["Authorization"] = f"Basic {encoded}"
        try:
            place = host if host.isascii() else host.encode("idna").decode()
        except UnicodeError as error:
            raise BadUrl(self.url, f"its host is no name: {error}") from None
        if ":" in place:
            place = f"[{place}]"
        netloc = place if port is None else f"{place}:{port}"
        self._target = _encoded(urlunsplit((self.scheme, netloc, parts.path, parts.query, "")))

    def path(self) -> Path | None:
        return None

    def stat(self) -> ItemStat:
        try:
            with self._request("HEAD") as response:
                return _described(response.headers, _length(response.headers))
        except HTTPError as error:
            error.close()
            if error.code not in _HEADLESS:
                raise self._refusal(error) from None
        answer = self.open(0, 1, None)
        answer.close()
        return answer.stat

    def open(self, start: int, stop: int | None, pinned: ItemStat | None) -> Answer:
        headers = {}
        if start or stop is not None:
            headers["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
        if pinned is not None and pinned.etag is not None and not pinned.etag.startswith("W/"):
            headers["If-Match"] = pinned.etag
        try:
            response = self._request("GET", headers)
        except HTTPError as error:
            error.close()
            if error.code == 416:
                # There is nothing at or behind ``start``.
                size = _total(error.headers)
                return Answer(_described(error.headers, size), start, start, iter(()), _nothing)
            raise self._refusal(error) from None
        length = _length(response.headers)
        if response.status == 206:
            total = _total(response.headers)
            first = _first(response.headers, start)
        else:
            total, first = length, 0
        end = None if length is None else first + length
        stat = _described(response.headers, total)
        if pinned is not None and pinned.differs(stat):
            response.close()
            raise ItemChanged(self.url)
        return Answer(stat, first, end, self._chunks(response), response.close)

    def write(self, reader: BinaryIO, *, append: bool) -> None:
        if append:
            raise ItemReadOnly(self.url, "append", how="Put the whole content.")
        headers = {"Content-Type": "application/octet-stream"}
        if reader.seekable():
            size = reader.seek(0, 2) - reader.seek(0)
            headers["Content-Length"] = str(size)
        try:
            self._request("PUT", headers, reader).close()
        except HTTPError as error:
            error.close()
            raise self._refusal(error, "put") from None

    def delete(self) -> None:
        try:
            self._request("DELETE").close()
        except HTTPError as error:
            error.close()
            raise self._refusal(error, "delete") from None

    def entries(self) -> list[Entry]:
        raise NoListing(self.url, "web servers have no listing of their own")

    def child(self, entry: Entry) -> HttpSource:
        return HttpSource(f"{self.identity.rstrip('/')}/{quote(entry.name)}")

    # ------------------------------------------------------------------ inside

    def _request(
        self, method: str, headers: dict[str, str] | None = None, data: Any = None
    ) -> http.client.HTTPResponse:
        request = urllib.request.Request(
            self._target, data=data, headers={**self._headers, **(headers or {})}, method=method
        )
        try:
            proxies = tuple(sorted(urllib.request.getproxies().items()))
            response = _opener(proxies).open(request, timeout=TIMEOUT)
        except HTTPError:
            raise
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error) from None
        except ValueError as error:
            raise BadUrl(self.url, without_secrets_in(str(error))) from None
        assert isinstance(response, http.client.HTTPResponse)
        return response

    def _chunks(self, response: http.client.HTTPResponse) -> Iterator[bytes]:
        try:
            while data := response.read(CHUNK):
                yield data
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error) from None

    def _lost(self, error: Exception) -> Exception:
        """What a failed connection means: most failures may pass, some never do."""
        reason: object = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            return Unreachable(
                self.url,
                f"its certificate is not trusted ({reason.verify_message})",
                how="Check the host's name; SSL_CERT_FILE may name a file of further authorities.",
            )
        if isinstance(reason, socket.gaierror):
            unknown = Unreachable(self.url, f"its host is not known ({reason.strerror})")
            return Transient(unknown) if reason.errno == socket.EAI_AGAIN else unknown
        if isinstance(reason, ConnectionRefusedError):
            return Transient(Unreachable(self.url, "the connection was refused"))
        if isinstance(reason, TimeoutError):
            return Transient(Unreachable(self.url, "no answer came in time"))
        text = without_secrets_in(f"{type(reason).__name__}: {reason}")
        return Transient(Unreachable(self.url, text))

    def _refusal(self, error: HTTPError, operation: str = "") -> Exception:
        status = error.code
        said = f"the server answered {status} {http.client.responses.get(status, '')}".rstrip()
        refusal: FindspotError
        if status in (401, 403, 407):
            return AccessDenied(self.url, self.scheme, said)
        if status in (404, 410):
            return NotFound("item", self.url)
        if status == 412:
            return ItemChanged(self.url)
        if status in (405, 501) and operation:
            return ItemReadOnly(
                self.url, operation, how=f"The server takes none ({said}); use another place."
            )
        if 300 <= status < 400:
            target = without_secrets(error.headers.get("Location", "nowhere"))
            said = f"it redirects to {target[:300]}, and is not followed there"
        refusal = ItemRefused(self.url, said, status=status)
        if status in _PASSING:
            wait = error.headers.get("Retry-After", "")
            after = float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 6 else 0.0
            return Transient(refusal, after=min(after, _LONGEST_WAIT))
        return refusal


def _encoded(url: str) -> str:
    """``url`` with what URLs cannot hold percent-encoded; what is encoded stays as it is."""
    parts = urlsplit(url)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~?[]{}|\\^`")
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def _described(headers: Message, size: int | None) -> ItemStat:
    modified: datetime | None
    try:
        modified = parsedate_to_datetime(headers["Last-Modified"]).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        modified = None
    kind = headers["Content-Type"]
    return ItemStat(
        size=size,
        modified=modified,
        content_type=kind.split(";")[0].strip().lower() if kind else None,
        etag=headers["ETag"] or None,
    )


def _number(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _length(headers: Message) -> int | None:
    return None if headers["Transfer-Encoding"] else _number(headers["Content-Length"])


def _total(headers: Message) -> int | None:
    return _number((headers["Content-Range"] or "").rpartition("/")[2])


def _first(headers: Message, asked: int) -> int:
    found = _number((headers["Content-Range"] or "").removeprefix("bytes ").partition("-")[0])
    return asked if found is None else found


def _nothing() -> None:
    """There is no connection to give up."""
