"""Small values of the standard library as JSON: numbers, dates, paths and such, exactly.

Each is written as ``{"$": <tag>, ...}``. The tags and their fields are a file format: they may be
added to, and never changed.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

Node: TypeAlias = Any
"""A JSON value."""


def encode_int(value: int) -> Node:
    return {"$": "int", "hex": f"{value:x}"}


def _zone(zone: tzinfo | None) -> Node:
    if zone is None:
        return None
    if isinstance(zone, ZoneInfo):
        return {"key": zone.key}
    offset = zone.utcoffset(None)
    assert offset is not None
    node: dict[str, Any] = {"offset": [offset.days, offset.seconds, offset.microseconds]}
    if zone != UTC and zone.tzname(None) != timezone(offset).tzname(None):
        node["name"] = zone.tzname(None)
    return node


def _unzone(node: Node) -> tzinfo | None:
    if node is None:
        return None
    if "key" in node:
        return ZoneInfo(node["key"])
    offset = timedelta(*node["offset"])
    if "name" in node:
        return timezone(offset, node["name"])
    return timezone(offset) if offset else UTC


def knows_zone(zone: tzinfo | None) -> bool:
    """Whether a time zone can be written: none, a fixed offset, or one of the IANA database."""
    if zone is None or type(zone) is timezone:
        return True
    return type(zone) is ZoneInfo and zone.key is not None


def _moment(value: datetime | time) -> dict[str, Any]:
    node: dict[str, Any] = {"iso": value.replace(tzinfo=None).isoformat()}
    if value.tzinfo is not None:
        node["zone"] = _zone(value.tzinfo)
    if value.fold:
        node["fold"] = 1
    return node


def _whole(value: int) -> Node:
    return f"{value:x}"


ENCODE: dict[type, tuple[str, Callable[[Any], dict[str, Any]]]] = {
    complex: ("complex", lambda v: {"parts": [v.real, v.imag]}),
    range: ("range", lambda v: {"hex": [_whole(v.start), _whole(v.stop), _whole(v.step)]}),
    bytes: ("bytes", lambda v: {"base64": base64.b64encode(v).decode()}),
    bytearray: ("bytearray", lambda v: {"base64": base64.b64encode(v).decode()}),
    Decimal: ("decimal", lambda v: {"text": str(v)}),
    Fraction: ("fraction", lambda v: {"hex": [_whole(v.numerator), _whole(v.denominator)]}),
    UUID: ("uuid", lambda v: {"text": str(v)}),
    datetime: ("datetime", _moment),
    time: ("time", _moment),
    date: ("date", lambda v: {"iso": v.isoformat()}),
    timedelta: ("timedelta", lambda v: {"parts": [v.days, v.seconds, v.microseconds]}),
    PurePosixPath: ("posix-path", lambda v: {"text": str(v)}),
    PureWindowsPath: ("windows-path", lambda v: {"text": str(v)}),
}


def _un_datetime(node: Node) -> datetime:
    moment = datetime.fromisoformat(node["iso"])
    return moment.replace(tzinfo=_unzone(node.get("zone")), fold=node.get("fold", 0))


def _un_time(node: Node) -> time:
    moment = time.fromisoformat(node["iso"])
    return moment.replace(tzinfo=_unzone(node.get("zone")), fold=node.get("fold", 0))


def _un_range(node: Node) -> range:
    start, stop, step = (int(text, 16) for text in node["hex"])
    return range(start, stop, step)


def _un_fraction(node: Node) -> Fraction:
    numerator, denominator = (int(text, 16) for text in node["hex"])
    return Fraction(numerator, denominator)


DECODE: dict[str, Callable[[Node], Any]] = {
    "int": lambda node: int(node["hex"], 16),
    "complex": lambda node: complex(*node["parts"]),
    "range": _un_range,
    "bytes": lambda node: base64.b64decode(node["base64"], validate=True),
    "bytearray": lambda node: bytearray(base64.b64decode(node["base64"], validate=True)),
    "decimal": lambda node: Decimal(node["text"]),
    "fraction": _un_fraction,
    "uuid": lambda node: UUID(node["text"]),
    "datetime": _un_datetime,
    "time": _un_time,
    "date": lambda node: date.fromisoformat(node["iso"]),
    "timedelta": lambda node: timedelta(*node["parts"]),
    "posix-path": lambda node: PurePosixPath(node["text"]),
    "windows-path": lambda node: PureWindowsPath(node["text"]),
}
