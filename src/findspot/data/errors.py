"""What can be wrong with a data item. URLs in these errors never show credentials."""

from __future__ import annotations

from collections.abc import Sequence

from findspot.core.errors import FindspotError

_CREDENTIALS = {
    "s3": "Set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION (AWS_SKIP_SIGNATURE=true "
    "for a public bucket), and check that they may do this.",
    "gs": "Set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account that may do this.",
    "az": "Set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_SAS_TOKEN "
    "or AZURE_STORAGE_CONNECTION_STRING, and check that they may do this.",
    "http": "Give a user name and a password in the URL (https://user:password@host/...), or a URL "
    "that is signed.",
    "file": "Change the permissions of the file, or of its folder.",
}


class BadUrl(FindspotError):
    """A text is no URL of a data item."""

    exit_code = 2

    def __init__(self, url: str, reason: str, *, how: str | None = None) -> None:
        self.url, self.reason = url, reason
        super().__init__(f"{url[:300]!r} is no URL of a data item: {reason}.", how=how)


class UnknownScheme(FindspotError):
    """A URL begins with a scheme that data items do not know."""

    exit_code = 2

    def __init__(self, url: str, scheme: str, known: Sequence[str]) -> None:
        self.url, self.scheme, self.known = url, scheme, tuple(known)
        super().__init__(
            f"There are no data items of scheme {scheme[:80]!r}.",
            where=url[:300],
            how=f"Give a local path, or a URL of scheme {', '.join(known)}.",
        )


class Unreachable(FindspotError):
    """Nobody answers where the item is said to be."""

    exit_code = 6

    def __init__(self, url: str, reason: str, *, how: str | None = None) -> None:
        self.url, self.reason = url, reason
        super().__init__(
            f"The item cannot be reached: {reason}.",
            where=url,
            how=how or "Check the host, the port and the network, and that the server runs.",
        )


class AccessDenied(FindspotError):
    """The item's keeper wants credentials, or other ones (HTTP 401 and 403)."""

    exit_code = 6

    def __init__(self, url: str, scheme: str, reason: str = "") -> None:
        self.url, self.scheme, self.reason = url, scheme, reason
        super().__init__(
            f"Access is denied{f': {reason}' if reason else ''}.",
            where=url,
            how=_CREDENTIALS.get("http" if scheme == "https" else scheme),
        )


class ItemRefused(FindspotError):
    """The item's keeper answers with an error that is none of the others."""

    exit_code = 6

    def __init__(
        self, url: str, reason: str, *, status: int | None = None, how: str | None = None
    ) -> None:
        self.url, self.reason, self.status = url, reason, status
        super().__init__(
            f"The request was refused: {reason}.",
            where=url,
            how=how
            or "Check the URL; if it is right, ask those who run the server, or try again later.",
        )


class TransferFailed(FindspotError):
    """The connection was cut, again and again; nothing was kept of what had come."""

    exit_code = 6

    def __init__(self, url: str, received: int, expected: int | None, reason: str) -> None:
        self.url, self.received, self.expected, self.reason = url, received, expected, reason
        of = "" if expected is None else f" of {expected}"
        super().__init__(
            f"The transfer broke off after {received}{of} bytes: {reason}.",
            where=url,
            how="Check the network and try again.",
        )


class ItemChanged(FindspotError):
    """The item was replaced while it was read; nothing was kept of what had come."""

    exit_code = 4

    def __init__(self, url: str) -> None:
        self.url = url
        super().__init__(
            "The item was changed while it was read.",
            where=url,
            how="Read it again; get the item anew if you want its present state.",
        )


class ItemReadOnly(FindspotError):
    """The item can be read only."""

    exit_code = 2

    def __init__(self, url: str, operation: str, *, how: str) -> None:
        self.url, self.operation = url, operation
        super().__init__(f"The item is read-only: {operation} is refused.", where=url, how=how)


class NotAFile(FindspotError):
    """The item is a folder (or several files, or a device) where one file is needed."""

    exit_code = 2

    def __init__(self, url: str, what: str, *, how: str | None = None) -> None:
        self.url = url
        super().__init__(
            f"It is {what}, not a file.",
            where=url,
            how=how or "Name a file in it; ls() and listdir() say what there is.",
        )


class NoListing(FindspotError):
    """What is inside the item cannot be listed."""

    exit_code = 2

    def __init__(self, url: str, reason: str) -> None:
        self.url, self.reason = url, reason
        super().__init__(
            f"It cannot be listed: {reason}.", where=url, how="Name the items that you need."
        )


class UnknownFormat(FindspotError):
    """The item has no format that can be read so."""

    exit_code = 2

    def __init__(self, url: str, found: str, wanted: str, known: Sequence[str]) -> None:
        self.url, self.found, self.known = url, found, tuple(known)
        super().__init__(
            f"It cannot be read as {wanted}: {found}.",
            where=url,
            how=f"Say the format, one of {', '.join(known)} (format=...)." if known else None,
        )


class BadTable(FindspotError):
    """The item's bytes are not what its format (or the options) say."""

    def __init__(self, url: str, format: str, error: BaseException) -> None:
        self.url, self.format = url, format
        reason = str(error).strip() or "no reason given"
        super().__init__(
            f"It cannot be read as {format}: {type(error).__name__}: {reason[:500]}",
            where=url,
            how="Check the file, the format (format=...), the columns and the options.",
        )


class MissingLibrary(FindspotError):
    """A library that is needed here is not installed."""

    exit_code = 3

    def __init__(self, purpose: str, library: str, install: str) -> None:
        self.library, self.install = library, install
        super().__init__(
            f"{purpose} needs {library}, which is not installed here.",
            how=f"Install it: pip install {install}",
        )
