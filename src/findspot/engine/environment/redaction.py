"""Keep secrets out of what is recorded: in URLs and in the arguments of a program."""

from __future__ import annotations

import re
from collections.abc import Iterable

from findspot.core.secret_names import HIDDEN, is_secret_name, is_secret_parameter

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<user>[^/?#\s@]*@)(?P<rest>\S*)")
_PARAMETER = re.compile(r"(?P<before>[?&;])(?P<name>[^=&;#\s]+)=(?P<value>[^&;#\s]*)")


def without_credentials(url: str) -> str:
    """``url`` without user name, password, query and fragment; other text as it is.

    >>> without_credentials("https://me:secret@example.org/team/project.git?token=1")
    'https://example.org/team/project.git'
    >>> without_credentials("git@example.org:team/project.git")
    'git@example.org:team/project.git'
    """
    if "::" in url:
        # A program of the user's own, with any arguments.
        return HIDDEN
    if "://" not in url:
        return url
    bare = re.split(r"[?#]", url, maxsplit=1)[0]
    scheme, _, rest = bare.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path}"


def redacted(arguments: Iterable[str]) -> list[str]:
    """The arguments of a program, with what looks like a secret replaced by three stars.

    >>> redacted(["train.py", "--lr=0.1", "--api-key", "abc", "-p", "password=x"])
    ['train.py', '--lr=0.1', '--api-key', '***', '-p', 'password=***']
    """
    shown: list[str] = []
    secret_next = False
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        option = argument.startswith("-")
        if secret_next and not option:
            shown.append(HIDDEN)
        elif equals and is_secret_name(name.lstrip("-")):
            shown.append(f"{name}={HIDDEN}")
        else:
            shown.append(_PARAMETER.sub(_hide, _URL.sub(r"\g<scheme>\g<rest>", argument)))
        secret_next = option and not equals and is_secret_name(argument.lstrip("-"))
    return shown


def _hide(match: re.Match[str]) -> str:
    value = HIDDEN if is_secret_parameter(match["name"]) else match["value"]
    return f"{match['before']}{match['name']}={value}"
