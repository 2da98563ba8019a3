"""The client of an object store for a URL, set up from the usual environment variables."""

from __future__ import annotations

import importlib.util
import os
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from findspot.core.errors import FindspotError
from findspot.store.errors import KNOWN_STORES, ExtraMissing, UnknownStore

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

Scheme: TypeAlias = Literal["s3", "gs", "az"]

REGION: Final = "us-east-1"
"""The region where the environment names none; servers other than Amazon's take any."""

_CREDENTIALS: Final[dict[str, str]] = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SESSION_TOKEN for temporary ones)",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS (the path of a key file)",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
_ENDPOINTS: Final[dict[str, tuple[str, ...]]] = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "gs": ("GOOGLE_BASE_URL",),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
# Characters that every one of the three takes as they are, in a URL and in a signature.
_PREFIX = re.compile(r"[A-Za-z0-9_.=+-]+(/[A-Za-z0-9_.=+-]+)*")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")


class UsedInFork(FindspotError):
    """A forked child would wait for ever for the threads that its parent talks to servers with."""

    def __init__(self, where: str) -> None:
        super().__init__(
            "Object storage was used before this process was forked, and cannot be used in it.",
            where=where,
            how="Start the process by 'spawn' or 'forkserver', or fork before the first use.",
        )


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket and a prefix in it; ``scheme`` says in whose cloud (or of which make)."""

    scheme: Scheme
    bucket: str
    prefix: str

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")

    @property
    def endpoint(self) -> str:
        """The server that is asked, without user and password."""
        for name in _ENDPOINTS[self.scheme]:
            if value := os.environ.get(name):
                return re.sub(r"//[^/@]*@", "//", value).rstrip("/")
        if self.scheme == "s3":
            return f"https://s3.{region()}.amazonaws.com"
        if self.scheme == "gs":
            return "https://storage.googleapis.com"
        account = os.environ.get("AZURE_STORAGE_ACCOUNT_NAME", "<account>")
        return f"https://{account}.blob.core.windows.net"

    @property
    def credentials_advice(self) -> str:
        return f"set {_CREDENTIALS[self.scheme]} to credentials of this bucket's owner"

    @property
    def endpoint_advice(self) -> str:
        name = _ENDPOINTS[self.scheme][0] if self.scheme != "s3" else "AWS_ENDPOINT_URL"
        return f"set {name} to the server's address"


def region() -> str:
    """The region by the environment."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or REGION


def parse_place(url: str) -> Place:
    """``scheme://bucket/prefix`` as a place.

    Raises:
        UnknownStore: it is none; credentials in the URL are refused and not shown.
    """
    scheme, _, rest = url.partition("://")
    if "@" in rest:
        hidden = f"{scheme}://***@{rest.rpartition('@')[2]}"
        raise UnknownStore(hidden, "a URL is no place for credentials", KNOWN_STORES)
    bucket, _, prefix = rest.partition("/")
    prefix = prefix.strip("/")
    if not _BUCKET.fullmatch(bucket):
        raise UnknownStore(url, f"{bucket[:80]!r} is no name of a bucket", KNOWN_STORES)
    if prefix and (not _PREFIX.fullmatch(prefix) or {".", ".."} & set(prefix.split("/"))):
        raise UnknownStore(
            url, "its prefix may hold letters, digits and _ . = + - between /", KNOWN_STORES
        )
    if scheme not in _CREDENTIALS:
        raise UnknownStore(url, f"its scheme is {scheme[:40]!r}", KNOWN_STORES)
    return Place(scheme, bucket, prefix)  # type: ignore[arg-type]


def require_obstore(url: str) -> None:
    """`ExtraMissing` where obstore is not installed; it is not imported."""
    if importlib.util.find_spec("obstore") is None:
        raise ExtraMissing(url, "obstore", "s3")


SILENCE = timedelta(seconds=30)
"""How long a server may send nothing before what was asked for is asked for again."""


def new_client(place: Place, *, retries: int, reading: bool = False) -> ObjectStore:
    """A client of the bucket; nothing is sent yet.

    Args:
        retries: how often a failed request is sent again, with growing pauses.
        reading: give a connection up that has gone silent, as one does whose other end vanished.
            Not for large uploads: while a part travels over a slow line, the server is silent too.
    """
    from obstore.store import AzureStore, GCSStore, S3Store

    options: ClientConfig = {
        # One request moves at most one part, also over a slow line.
        "timeout": timedelta(minutes=10),
        "connect_timeout": timedelta(seconds=10),
    }
    if reading:
        options["read_timeout"] = SILENCE
    retry: RetryConfig = {
        "max_retries": retries,
        "retry_timeout": timedelta(minutes=2),
        "backoff": {
            "init_backoff": timedelta(milliseconds=100),
            "max_backoff": timedelta(seconds=5),
            "base": 2,
        },
    }
    prefix = place.prefix or None
    if place.endpoint.startswith("http://") and _http_allowed(place.scheme):
        options["allow_http"] = True
    if place.scheme == "s3":
        return S3Store(
            place.bucket, prefix=prefix, region=region(), client_options=options, retry_config=retry
        )
    if place.scheme == "gs":
        return GCSStore(place.bucket, prefix=prefix, client_options=options, retry_config=retry)
    return AzureStore(place.bucket, prefix=prefix, client_options=options, retry_config=retry)


def _http_allowed(scheme: Scheme) -> bool:
    """An endpoint that is written http:// is meant so, unless the environment forbids it."""
    name = {"s3": "AWS_ALLOW_HTTP", "gs": "GOOGLE_ALLOW_HTTP", "az": "AZURE_ALLOW_HTTP"}[scheme]
    return os.environ.get(name, "true").lower() not in ("0", "false", "no", "off")


_first_use: list[int] = []


def check_process(where: str) -> None:
    """`UsedInFork` where waiting for an answer would never end."""
    if not _first_use:
        _first_use.append(os.getpid())
    elif _first_use[0] != os.getpid():
        raise UsedInFork(where)
