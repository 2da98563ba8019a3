"""The one place where failures of object storage become errors of blob stores.

What a client says may hold a signed request; only the status, the server's code for the mistake and
the key's name are taken over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, Protocol, TypeAlias

from findspot.core.errors import FindspotError, StorageFull
from findspot.store.errors import StoreUnreachable, StoreUnreadable, WriteRefused

Doing: TypeAlias = Literal["read", "write"]

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z]{1,60})</Code>")
_FULL: Final = frozenset(
    {"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "StorageFull", "NoSpaceLeft"}
)
_NO_BUCKET: Final = frozenset({"NoSuchBucket", "ContainerNotFound"})
_CREDENTIALS: Final = frozenset(
    {
        *("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"),
        *("AuthenticationFailed", "TokenRefreshRequired", "AuthFailure", "InvalidClientTokenId"),
    }
)


class Found(Protocol):
    """Where requests go, for messages."""

    @property
    def url(self) -> str: ...
    @property
    def endpoint(self) -> str: ...
    @property
    def credentials_advice(self) -> str: ...
    @property
    def endpoint_advice(self) -> str: ...


class Absent(Exception):
    """There is no object under a key; never leaves the store's own modules."""


class RangeRefused(Exception):
    """The object has no byte in the range; never leaves the store's own modules."""


class Changed(Exception):
    """The object is not the one that was asked for any more; never leaves the store's modules."""


class AlreadyThere(Exception):
    """An object that was to be new exists; never leaves the store's own modules."""


class NotConditional(Exception):
    """The server cannot put an object only if it is new; never leaves the store's own modules."""


@contextmanager
def object_failures(place: Found, doing: Doing) -> Iterator[None]:
    """Inside it, failures of the client are raised as what they mean."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # this machine's: a file that is sent cannot be read
        # Without the client's own error, which shows the whole request.
        raise meaning(error, place, doing) from None


def meaning(error: Exception, place: Found, doing: Doing) -> Exception:
    """What a failure of the client means; see the classes above and `findspot.store.errors`."""
    from obstore import exceptions

    text = str(error).partition("\n\nDebug source")[0]
    status = int(found[1]) if (found := _STATUS.search(text)) else 0
    code = found[1] if (found := _CODE.search(text)) else ""
    if code in _NO_BUCKET:
        return missing_bucket(place)
    if isinstance(error, FileNotFoundError):
        return Absent()
    if isinstance(error, exceptions.AlreadyExistsError):
        return AlreadyThere()
    if isinstance(error, exceptions.PreconditionError) or status == 412:
        return Changed()
    if status == 501 or isinstance(error, exceptions.NotSupportedError):
        return NotConditional()
    if status == 416 or "Requested range was invalid" in text or "Invalid range" in text:
        return RangeRefused()
    if status == 507 or code in _FULL or "No space left on device" in text:
        return StorageFull(place.url)
    refused = isinstance(
        error,
        (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError, PermissionError),
    )
    if refused or status in (401, 403) or code in _CREDENTIALS:
        return _refused(place, doing, code or (f"status {status}" if status else "no permission"))
    return StoreUnreachable(
        place.url, place.endpoint, _reason(text, status, code), how=_how(place, text, status)
    )


def missing_bucket(place: Found) -> FindspotError:
    """The error for a bucket (or container) that does not exist."""
    return StoreUnreachable(
        place.url,
        place.endpoint,
        "there is no such bucket",
        how="Make the bucket (Findspot makes none), or mend its name in the URL.",
    )


def _refused(place: Found, doing: Doing, reason: str) -> FindspotError:
    if reason in _CREDENTIALS:
        how = f"The credentials are wrong or have expired: {place.credentials_advice}."
    else:
        verb = "read and list" if doing == "read" else "write and delete"
        how = f"Let these credentials {verb} objects there, or {place.credentials_advice}."
    if doing == "write":
        return WriteRefused(place.url, reason, how=how)
    return StoreUnreadable(place.url, reason, how=how)


def _reason(text: str, status: int, code: str) -> str:
    if status:
        return f"it answers with status {status}" + (f" ({code})" if code else "")
    if "169.254.169.254" in text or "metadata.google" in text or "credential" in text.lower():
        return "there are no credentials to ask it with"
    if "timed out" in text or "timeout" in text.lower().replace("retry_timeout", ""):
        return "it does not answer in time"
    if "error sending request" in text or "HTTP error" in text:
        return "no connection, or it broke"
    return " ".join(text.partition(": ")[2].split())[:200] or "it fails"


def _how(place: Found, text: str, status: int) -> str:
    if status >= 500 or status == 429:
        return "The server is overloaded or broken: try again later, or ask who runs it."
    if "169.254.169.254" in text or "credential" in text.lower():
        return f"Give credentials: {place.credentials_advice}."
    return (
        "Check that the server runs and can be reached from here, and its address: "
        f"{place.endpoint_advice}."
    )
