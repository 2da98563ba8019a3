"""Names under which secrets are kept: what stands under one is never recorded or shown."""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "***"
"""What is recorded and shown in place of a secret."""

_SECRET = (
    r"pass(word|wd|phrase|code)?$|pwd$|secret|token$|credential|auth(orization)?$|jwt$|bearer"
    r"|(api|access|private|secret|signing|encryption|account|subscription)[-_.]?key|^key$"
)
_NAME = re.compile(_SECRET, re.IGNORECASE)
# Words that mean other things elsewhere, but in a URL let whoever has it in.
_PARAMETER = re.compile(rf"{_SECRET}|signature$|^sig$|^code$|session", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Whether a value under this name is likely a secret.

    >>> [is_secret_name(n) for n in ("db_password", "API-KEY", "tokenizer", "max_tokens", "keys")]
    [True, True, False, False, False]
    """
    return _NAME.search(name) is not None


def is_secret_parameter(name: str) -> bool:
    """Whether the value of this parameter of a URL's query is likely a secret.

    >>> [is_secret_parameter(n) for n in ("X-Amz-Signature", "sig", "apikey", "year", "format")]
    [True, True, True, False, False]
    """
    return _PARAMETER.search(name) is not None
