"""URLs of data items: their schemes, and their secrets kept out of sight."""

from __future__ import annotations

import os
import re
from urllib.parse import unquote

from findspot.core.secret_names import HIDDEN, is_secret_parameter
from findspot.data.errors import BadUrl

SCHEMES = ("file", "http", "https", "s3", "gs", "az", "memory", "store")

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_IN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>)\]]+")
# Long runs that mix letters and digits, as keys and tokens do; dates, words and versions do not.
_TOKEN = re.compile(r"(?=[^&]*[A-Za-z])(?=[^&]*[0-9])[A-Za-z0-9_.~+/=%-]{32,}")


def scheme_of(text: str) -> str | None:
    """The scheme of a URL in lower case; None for a path.

    >>> scheme_of("S3://bucket/key"), scheme_of("data/a.csv")
    ('s3', None)
    """
    found = _SCHEME.match(text)
    return found[1].lower() if found else None


def without_secrets(url: str) -> str:
    """``url`` without user name, password and fragment, secret parameters replaced by three stars.

    >>> without_secrets("https://me:pw@example.org/a.csv?year=2020&token=abc")
    'https://***@example.org/a.csv?year=2020&token=***'
    """
    head, mark, rest = url.partition("://")
    if not mark:
        return url
    place, slash, tail = rest.partition("/")
    if "?" in place or "#" in place:
        cut = min(place.find(sign) for sign in "?#" if sign in place)
        place, slash, tail = place[:cut], "", place[cut:] + slash + tail
    if "@" in place:
        place = f"{HIDDEN}@{place.rpartition('@')[2]}"
    if head.lower() in ("http", "https"):
        tail = tail.partition("#")[0]
    path, question, query = tail.partition("?")
    if question:
        query = "&".join(map(_shown_parameter, query.split("&")))
    return f"{head}://{place}{slash}{path}{question}{query}"


def without_secrets_in(text: str) -> str:
    """``text`` with every URL in it as `without_secrets` shows it."""
    return _IN_TEXT.sub(lambda found: without_secrets(found[0]), text)


def check_url(url: str) -> str:
    """``url`` if it is text without characters that split a line or a request; else `BadUrl`."""
    if _CONTROL.search(url):
        raise BadUrl(
            without_secrets(_CONTROL.sub("?", url)),
            "it holds control characters",
            how="Write them percent-encoded, or leave them out.",
        )
    try:
        os.fsencode(url)
    except UnicodeEncodeError as error:
        shown = without_secrets(url.encode("utf-8", "replace").decode())
        raise BadUrl(shown, f"it is no text: {error.reason}") from None
    return url


def safe_file_name(name: str) -> str:
    """A name of one local file, in no folder but its own, that keeps the ending of ``name``.

    >>> safe_file_name("../../etc/passwd"), safe_file_name("a b.csv"), safe_file_name("..")
    ('.._.._etc_passwd', 'a b.csv', 'item')
    """
    cleaned = re.sub(r"[\x00-\x1f\x7f/\\:*?\"<>|]", "_", name).strip()
    cleaned = cleaned.encode("utf-8", "replace").decode()
    if not cleaned.strip("."):
        return "item"
    encoded = cleaned.encode()
    if len(encoded) <= 150:
        return cleaned
    ending = "".join(cleaned.rpartition(".")[1:])
    if not 1 < len(ending.encode()) <= 20:
        ending = ""
    return encoded[: 150 - len(ending.encode())].decode(errors="ignore") + ending


def last_part(path: str, *, quoted: bool = False) -> str:
    """What stands behind the last ``/`` that does not end the path."""
    part = path.rstrip("/").rpartition("/")[2]
    return unquote(part) if quoted else part


def _shown_parameter(parameter: str) -> str:
    name, equals, value = parameter.partition("=")
    if not equals:
        return HIDDEN if _TOKEN.fullmatch(name) else name
    secret = is_secret_parameter(unquote(name)) or _TOKEN.search(value)
    return f"{name}={HIDDEN if secret and value else value}"
