"""The rules for names that people give: one place, used by every layer.

A name is text in Unicode normalisation form NFC, of any alphabet. Names never become paths by
themselves, but they may be shown as paths (views, downloads), so the parts of a key can neither be
empty nor ``.`` nor ``..``, and hold no separators, control characters or the reference grammar's
marks.
"""

from __future__ import annotations

import unicodedata

from findspot.core.errors import InvalidName
from findspot.core.ids import is_uid

NAME_LENGTH = 128
KEY_LENGTH = 512
_FORBIDDEN = frozenset('\\:#@*?"<>|$`\x7f')


def check_name(value: object, role: str) -> str:
    """``value`` in normal form if it is a good name for ``role``; `InvalidName` if not.

    >>> check_name("iris", "project name")
    'iris'
    """
    text = _text(value, role, NAME_LENGTH)
    if "/" in text:
        raise InvalidName(role, value, "it holds '/'")
    _check_part(text, value, role)
    return text


def check_key(value: object, role: str = "artifact key") -> str:
    """``value`` in normal form if it is a good artifact key: names joined by ``/``.

    >>> check_key("reports/2026/confusion")
    'reports/2026/confusion'
    """
    text = _text(value, role, KEY_LENGTH)
    for part in text.split("/"):
        _check_part(part, value, role)
    _check_no_uid(text, value, role)
    return text


def check_tag(value: object, role: str = "tag") -> str:
    """``value`` in normal form if it may name a version: a name that is not ``latest``, no number
    and no uid."""
    text = check_name(value, role)
    if text == "latest":
        raise InvalidName(role, value, "'latest' always means the newest version")
    if text.isdigit():
        raise InvalidName(role, value, "a number means a version's number")
    _check_no_uid(text, value, role)
    return text


def _check_no_uid(text: str, value: object, role: str) -> None:
    """A reference of this form would mean a version by its uid."""
    if len(text) == 36 and is_uid(text.lower()):
        raise InvalidName(role, value, "it is written as a uid, and would be taken for one")


def _text(value: object, role: str, limit: int) -> str:
    if not isinstance(value, str):
        raise InvalidName(role, value, f"it is a {type(value).__name__}, not text")
    if not value:
        raise InvalidName(role, value, "it is empty")
    if len(value) > limit:
        raise InvalidName(
            role, value, f"it has {len(value)} characters, at most {limit} are allowed"
        )
    if value.isascii():
        return value
    return unicodedata.normalize("NFC", value)


def _check_part(part: str, value: object, role: str) -> None:
    if part.isalnum():
        return
    if not part:
        raise InvalidName(role, value, "a part between two '/' is empty")
    if part in (".", ".."):
        raise InvalidName(role, value, f"{part!r} is not allowed as a part")
    if part != part.strip():
        raise InvalidName(role, value, "it begins or ends with white space")
    for character in part:
        if character in _FORBIDDEN or unicodedata.category(character) in (
            "Cc",
            "Cs",
            "Zl",
            "Zp",
            "Cf",
        ):
            raise InvalidName(role, value, f"it holds {character!r}")


def check_file_path(value: object, role: str = "file name") -> str:
    """``value`` if it is a good relative path of a version's file: parts joined by ``/``.

    File names come from people's folders, so more characters are allowed than in keys; what could
    leave the folder (absolute paths, ``..``, NUL, backslashes) is not, nor what is no Unicode text.

    >>> check_file_path("images/0001 (copy).png")
    'images/0001 (copy).png'
    """
    if not isinstance(value, str):
        raise InvalidName(role, value, f"it is a {type(value).__name__}, not text")
    if value.isascii() and value.isalnum() and len(value) <= 255:
        return value
    if not value or len(value) > 4096:
        raise InvalidName(role, value, f"it has {len(value)} characters, 1 to 4096 are allowed")
    for part in value.split("/"):
        if part in ("", ".", ".."):
            raise InvalidName(role, value, f"{part!r} is not allowed as a part of a path")
        try:
            size = len(part.encode())
        except UnicodeEncodeError:
            raise InvalidName(role, value, "it is no text in UTF-8") from None
        if size > 255:
            raise InvalidName(role, value, "a part of it is longer than 255 bytes")
    if "\0" in value or "\\" in value:
        raise InvalidName(role, value, "it holds NUL or a backslash")
    return value
