"""JSON text, quickly: the standard library's encoder, made once and not for each value."""

from __future__ import annotations

from collections.abc import Callable
from json import JSONEncoder, encoder


def json_encoder(
    *, sort_keys: bool, ensure_ascii: bool, separators: tuple[str, str] = (",", ":")
) -> Callable[[object], str]:
    """A function that gives what `json.dumps` does.

    `json` prepares its C encoder anew for each text, which takes longer than most texts that are
    kept with steps and artifacts do. The function raises TypeError for what JSON does not know, and
    ValueError for cycles. Many threads may call it at once.

    >>> encode = json_encoder(sort_keys=True, ensure_ascii=False)
    >>> encode({"b": [1.0, None], "a": "ä"})
    '{"a":"ä","b":[1.0,null]}'
    """
    standard = JSONEncoder(
        sort_keys=sort_keys, ensure_ascii=ensure_ascii, separators=separators, check_circular=False
    )
    make = getattr(encoder, "c_make_encoder", None)  # not in every Python
    texts = encoder.encode_basestring_ascii if ensure_ascii else encoder.encode_basestring
    # Without a table of what it is inside of, as one would be shared by all threads.
    between, colon = separators
    parts = make and make(
        None, standard.default, texts, None, colon, between, sort_keys, False, True
    )

    def encode(value: object) -> str:
        try:
            return "".join(parts(value, 0)) if parts else standard.encode(value)
        except RecursionError:
            raise ValueError("it is nested too deeply, or contains itself") from None

    return encode
