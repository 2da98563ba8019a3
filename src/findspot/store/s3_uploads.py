"""Uploads in parts that nobody finished, in an S3 bucket: invisible, but paid for.

The client library can neither list nor abort those of a killed process, so that these few requests
are signed here (AWS Signature Version 4) with the credentials of the environment.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

from findspot.store.errors import StoreUnreachable, StoreUnreadable, WriteRefused
from findspot.store.object_clients import Place, region

_EMPTY: Final = hashlib.sha256(b"").hexdigest()
_TIMEOUT: Final = 30.0


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that is under way or was left."""

    key: str
    id: str
    started: datetime


class UnfinishedUploads:
    """The unfinished uploads below a prefix of a bucket.

    Args:
        place: the bucket and prefix.
    """

    def __init__(self, place: Place) -> None:
        self._place = place

    @property
    def can_ask(self) -> bool:
        """Whether the environment holds credentials to ask with."""
        return bool(os.environ.get("AWS_ACCESS_KEY_ID") and os.environ.get("AWS_SECRET_ACCESS_KEY"))

    def remove(self, older_than_seconds: float) -> int:
        """Abort those that were begun longer ago; the bytes of their parts, which are freed."""
        oldest = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
        freed = 0
        for upload in list(self.list()):
            if upload.started <= oldest:
                size = self.size(upload)
                self._ask("DELETE", upload.key, {"uploadId": upload.id})
                freed += size
        return freed

    def list(self) -> Iterator[Upload]:
        """All of them, in the order of their keys."""
        prefix = f"{self._place.prefix}/" if self._place.prefix else ""
        marks: dict[str, str] = {}
        while True:
            page = self._ask("GET", "", {"uploads": "", "prefix": prefix, **marks})
            for item in page.iter("Upload"):
                # Of this store only, whatever else is in the bucket.
                key = _text(item, "Key")
                if key.removeprefix(prefix).partition("/")[0] in ("tmp", "blake3"):
                    yield Upload(key, _text(item, "UploadId"), _time(_text(item, "Initiated")))
            if _text(page, "IsTruncated") != "true":
                return
            marks = {
                "key-marker": _text(page, "NextKeyMarker"),
                "upload-id-marker": _text(page, "NextUploadIdMarker"),
            }

    def size(self, upload: Upload) -> int:
        """Bytes of the parts that have arrived."""
        total = 0
        marks: dict[str, str] = {}
        while True:
            page = self._ask("GET", upload.key, {"uploadId": upload.id, **marks})
            total += sum(int(_text(part, "Size") or 0) for part in page.iter("Part"))
            if _text(page, "IsTruncated") != "true":
                return total
            marks = {"part-number-marker": _text(page, "NextPartNumberMarker")}

    def _ask(self, method: str, key: str, query: Mapping[str, str]) -> ElementTree.Element:
        """The answer; an empty element where there is nothing (any more)."""
        place = self._place
        base = urlsplit(place.endpoint)
        path = f"{base.path}/{place.bucket}" + (f"/{quote(key)}" if key else "")
        text = "&".join(
            f"{quote(name, safe='')}={quote(value, safe='')}"
            for name, value in sorted(query.items())
        )
        request = urllib.request.Request(
            f"{base.scheme}://{base.netloc}{path}?{text}",
            method=method,
            headers=_signed(method, base.netloc, path, text),
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
                return _parsed(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return ElementTree.Element("nothing")
                how = (
                    f"Let these credentials list and abort uploads, or {place.credentials_advice}."
                )
                if error.code in (401, 403):
                    reason = f"status {error.code} for its unfinished uploads"
                    if method == "DELETE":
                        raise WriteRefused(place.url, reason, how=how) from None
                    raise StoreUnreadable(place.url, reason, how=how) from None
                raise StoreUnreachable(
                    place.url,
                    place.endpoint,
                    f"it answers with status {error.code} when asked for unfinished uploads",
                    how="Try again later, or let a lifecycle rule of the bucket abort them.",
                ) from None
        except (OSError, ElementTree.ParseError) as error:
            raise StoreUnreachable(
                place.url,
                place.endpoint,
                f"{type(error).__name__} when asked for unfinished uploads",
                how=f"Check that the server runs, and its address: {place.endpoint_advice}.",
            ) from None


def _parsed(data: bytes) -> ElementTree.Element:
    root = ElementTree.fromstring(data) if data else ElementTree.Element("nothing")
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _text(element: ElementTree.Element, name: str) -> str:
    return element.findtext(name) or ""


def _time(text: str) -> datetime:
    with suppress(ValueError):
        return datetime.fromisoformat(text)
    # Not understood: never old enough to be removed.
    return datetime.max.replace(tzinfo=UTC)


def _signed(method: str, host: str, path: str, query: str) -> dict[str, str]:
    """The headers of a request without a body, signed."""
    now = datetime.now(UTC)
    time, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    headers = {"host": host, "x-amz-content-sha256": _EMPTY, "x-amz-date": time}
    if token := os.environ.get("AWS_SESSION_TOKEN"):
        headers["x-amz-security-token"] = token
    names = ";".join(sorted(headers))
    canonical = "\n".join(
        [
            *(method, path, query),
            *(f"{name}:{headers[name]}" for name in sorted(headers)),
            *("", names, _EMPTY),
        ]
    )
    scope = f"{day}/{region()}/s3/aws4_request"
    what = "\n".join(
        ["AWS4-HMAC-SHA256", time, scope, hashlib.sha256(canonical.encode()).hexdigest()]
    )
    key = f"AWS4{os.environ['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in (day, region(), "s3", "aws4_request"):
        key = _hmac(key, part)
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}, "
        f"SignedHeaders={names}, Signature={_hmac(key, what).hex()}"
    )
    del headers["host"]  # urllib sends it
    return headers


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
