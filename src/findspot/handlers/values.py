"""JSON values, text and bytes: what most steps pass, so the path to save one is short."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice
from typing import Any, ClassVar

from findspot.core.records import Preview
from findspot.handlers.errors import BadFiles, BadSelection, CannotConvert
from findspot.handlers.handler import PREVIEW_TEXT, Handler, text_preview
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.selecting import chosen_names

NESTING = 200
"""The deepest nesting of lists and dicts that is saved; Python's JSON reader allows little more."""

INT_BITS = 14_000
"""Longer integers are not written in decimal: Python refuses to read more than 4300 digits."""

# Not core.canonical's encoder: it sorts keys, and the order of a dict is part of its value here (a
# task that iterates over a reloaded dict must see what it saw the first time).
_encoder = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_pretty = json.JSONEncoder(indent=1, ensure_ascii=False)
_SCALARS = frozenset({type(None), bool, int, float, str})


def encode_json(value: object) -> bytes:
    """``value`` as JSON without white space, in UTF-8; lone surrogates in text are kept.

    NaN and infinities are written as Python's `json` writes them.
    """
    text = _encoder.encode(value)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def decode_json(data: bytes, *, where: str) -> Any:
    """What `encode_json` wrote; `BadFiles` if the bytes are no JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadFiles(f"it holds no JSON: {error}", where=where) from error


def is_exact_json(value: Any, depth: int = NESTING) -> bool:
    """Whether JSON holds ``value`` exactly: type for type, in order, no deeper than ``depth``."""
    kind = type(value)
    if kind is int:
        return bool(value.bit_length() <= INT_BITS)
    if kind in _SCALARS:
        return True
    if depth == 0:
        return False
    if kind is list:
        items = value
    elif kind is dict:
        if set(map(type, value)) - {str}:
            return False
        items = value.values()
    else:
        return False
    # A long list of numbers is looked at by C code alone.
    kinds = set(map(type, items))
    if kinds <= _SCALARS and int not in kinds:
        return True
    if kinds == {int}:
        return bool(max(map(int.bit_length, items)) <= INT_BITS)
    return all(is_exact_json(item, depth - 1) for item in items)


def json_preview(value: Any, limit: int = PREVIEW_TEXT) -> Preview:
    """The beginning of ``value`` as indented JSON; encodes no more than is shown."""
    parts: list[str] = []
    size = 0
    for part in _pretty.iterencode(value):
        # iterencode is lazy but for texts, which it writes whole.
        parts.append(part[: limit + 1])
        size += len(part)
        if size > limit:
            break
    return text_preview("".join(parts), limit)


class JsonHandler(Handler):
    """None, bool, int, float, and lists and dicts of them and of text, exactly as they are.

    Keys keep their order. One file, ``value.json``.
    """

    name: ClassVar[str] = "json"
    types = (type(None), bool, int, float, list, dict)
    deterministic = True
    representations = ("str", "pandas.DataFrame", "polars.DataFrame", "pyarrow.Table")
    selections = ("keys",)

    def accepts(self, value: Any) -> bool:
        return is_exact_json(value)

    def why_not(self, value: Any) -> str:
        return (
            "JSON does not hold it exactly (it takes None, bool, int, float, str, list, dict with "
            f"text keys, at most {NESTING} deep)"
        )

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        kind = type(value)
        if kind is int:
            folder.write("value.json", b"%d" % value)
        else:
            folder.write("value.json", encode_json(value))

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        return decode_json(folder.read("value.json"), where="value.json")

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        """The JSON text; a table of a list of records or of a dict of columns."""
        value = self.load_part(folder, what) if what else self.load(folder)
        if as_type == "str":
            return encode_json(value).decode("utf-8", "surrogatepass")
        return _table_of_json(value, as_type, self)

    def load_part(self, folder: LoadFolder, what: Mapping[str, Any], /, **args: Any) -> Any:
        """Some entries of a dict."""
        value = self.load(folder)
        if not isinstance(value, dict):
            raise BadSelection(f"It is a {type(value).__name__}, not a dict.", how="Load it whole.")
        return {key: value[key] for key in chosen_names(what["keys"], list(value), what="keys")}

    def describe(self, value: Any) -> Mapping[str, Any]:
        if isinstance(value, list):
            return {"length": len(value)}
        if isinstance(value, dict):
            return {"length": len(value), "keys": [shown_key(key) for key in islice(value, 50)]}
        return {}

    def preview(self, value: Any) -> Preview | None:
        if isinstance(value, list | dict):
            return json_preview(value)
        if type(value) is int:
            return Preview("text/plain", b"%d" % value)
        return Preview("text/plain", encode_json(value))


class TextHandler(Handler):
    """A str, character for character: UTF-8 in ``value.txt``.

    Text with lone surrogates, which UTF-8 cannot hold, goes to ``value.wtf8``, where each is
    written as UTF-8 would write a character of its number.
    """

    name = "text"
    types = (str,)
    representations = ("bytes",)

    def accepts(self, value: Any) -> bool:
        return type(value) is str

    def why_not(self, value: Any) -> str:
        return "it is a subclass of str, which would come back as plain str"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        try:
            data = value.encode()
        except UnicodeEncodeError:
            folder.write("value.wtf8", value.encode("utf-8", "surrogatepass"))
        else:
            folder.write("value.txt", data)

    def load(self, folder: LoadFolder, /, **args: Any) -> str:
        name = folder.files[0].path
        try:
            errors = "surrogatepass" if name == "value.wtf8" else "strict"
            return folder.read(name).decode("utf-8", errors)
        except UnicodeDecodeError as error:
            raise BadFiles(f"it is not text in UTF-8: {error}", where=name) from error

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> bytes:
        return folder.read(folder.files[0].path)

    def describe(self, value: Any) -> Mapping[str, Any]:
        return {"characters": len(value)}

    def preview(self, value: Any) -> Preview | None:
        return text_preview(value)


class BytesHandler(Handler):
    """bytes, bytearray and memoryview, byte for byte in ``value.bin``.

    The three come back as what they were: a bytearray is stored as ``value.bytearray``, a
    memoryview as ``value.memoryview`` and comes back read-only; memoryviews of anything but plain
    bytes are refused.
    """

    name = "bytes"
    types = (bytes, bytearray, memoryview)
    representations = ("bytes", "bytearray", "memoryview", "str")

    def accepts(self, value: Any) -> bool:
        kind = type(value)
        if kind is memoryview:
            return bool(value.format == "B" and value.ndim == 1 and value.c_contiguous)
        return kind in (bytes, bytearray)

    def why_not(self, value: Any) -> str:
        return "it takes bytes, bytearray and contiguous memoryviews of bytes, not subclasses"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        folder.write(_BYTES_FILES[type(value)], value)

    def load(self, folder: LoadFolder, /, **args: Any) -> bytes | bytearray | memoryview:
        name = folder.files[0].path
        data = folder.read(name)
        if name == "value.bytearray":
            return bytearray(data)
        return memoryview(data) if name == "value.memoryview" else data

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> bytes | bytearray | memoryview | str:
        data = folder.read(folder.files[0].path)
        if as_type != "str":
            made: bytes | bytearray | memoryview = _BYTES_LIKE[as_type](data)
            return made
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise CannotConvert(
                self.name, "str", self.representations, reason=f"it is no UTF-8: {error}"
            ) from error

    def describe(self, value: Any) -> Mapping[str, Any]:
        return {"bytes": value.nbytes if isinstance(value, memoryview) else len(value)}

    def preview(self, value: Any) -> Preview | None:
        return text_preview(bytes(value[:256]).hex(" ", 1))


_BYTES_FILES: dict[type, str] = {
    bytes: "value.bin",
    bytearray: "value.bytearray",
    memoryview: "value.memoryview",
}


_BYTES_LIKE: dict[str, type[Any]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
}


def _table_of_json(value: Any, as_type: str, handler: Handler) -> Any:
    import pyarrow as pa

    from findspot.handlers.table_views import table_as

    records = isinstance(value, list) and all(isinstance(item, dict) for item in value)
    columns = isinstance(value, dict) and all(isinstance(item, list) for item in value.values())
    reason = "a table is a list of records or a dict of columns"
    if records or columns:
        try:
            table = pa.Table.from_pylist(value) if records else pa.table(value)
            return table_as(table, as_type, handler.name)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            reason = f"its values make no columns: {error}"
    raise CannotConvert(handler.name, as_type, handler.representations, reason=reason)


def shown_key(key: str) -> str:
    """A key as metadata may hold it: short, and without lone surrogates."""
    return key[:100].encode("utf-8", "replace").decode()
