"""A `VersionDiff` as text for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from findspot.artifacts.comparing.changes import Change, shown
from findspot.artifacts.version import uri_of

if TYPE_CHECKING:
    from findspot.artifacts.comparing.contents import ContentDiff
    from findspot.artifacts.diffing import VersionDiff

_LINES = 40
"""Lines of one section."""

_SECTIONS = (
    ("Record", "record"),
    ("Metadata", "metadata"),
    ("Labels", "labels"),
    ("Tags", "tags"),
    ("Parameters", "params"),
    ("Metrics", "metrics"),
    ("Code", "code"),
    ("Environment", "environment"),
)


def render(diff: VersionDiff) -> str:
    """The whole difference; control characters in names and values are shown, not obeyed."""
    lines = [f"--- {uri_of(diff.before)}", f"+++ {uri_of(diff.after)}"]
    if diff.same_content:
        lines.append("The contents are equal.")
    lines += _section("Files", _file_lines(diff))
    for title, name in _SECTIONS:
        lines += _section(title, [_change(change) for change in getattr(diff, name)])
    for content in diff.content:
        lines += _section(f"Inside {content.path}", _content_lines(content))
    return "\n".join(_visible(line) for line in lines)


def _section(title: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    left_out = [f"  ... and {len(lines) - _LINES} more"] if len(lines) > _LINES else []
    return [f"{title}:", *(f"  {line}" for line in lines[:_LINES]), *left_out]


def _file_lines(diff: VersionDiff) -> list[str]:
    files = diff.files
    return [
        *(f"~ {old.path}: {old.size} -> {new.size} bytes" for old, new in files.changed),
        *(f"- {entry.path}: {entry.size} bytes" for entry in files.removed),
        *(f"+ {entry.path}: {entry.size} bytes" for entry in files.added),
    ]


def _change(change: Change) -> str:
    both = change.before, change.after
    if all(isinstance(value, str) and value.startswith("blake3:") for value in both):
        # The digests say only that it is another.
        return f"~ {change.path.removeprefix('$.')}: {change.before[:19]} -> {change.after[:19]}"
    return str(change)


def _content_lines(content: ContentDiff) -> list[str]:
    if content.reason:
        return [f"not compared: {content.reason}"]
    found = content.found
    if content.form == "table":
        return list(_table_lines(found))
    if content.form == "array":
        return list(_array_lines(found))
    if content.form == "image":
        return list(_image_lines(found))
    if content.form == "json":
        return [str(Change(**{"before": None, "after": None, **c})) for c in found["changes"]]
    if "not_compared" in found:
        return [f"not compared: {found['not_compared']}"]
    if found.get("only_line_ends"):
        return ["only the ends of lines differ"]
    return [f"{found['lines_added']} lines added, {found['lines_removed']} removed", *found["diff"]]


def _table_lines(found: dict[str, Any]) -> Iterable[str]:
    schema = found["schema"]
    yield f"rows: {found['rows_before']} -> {found['rows_after']}" + (
        f" (matched on {', '.join(found['on'])})" if "on" in found else ""
    )
    yield (
        f"{found['rows_added']} rows added, {found['rows_removed']} removed, "
        f"{found['rows_changed']} changed"
    )
    yield from (f"+ column {name}: {kind}" for name, kind in schema["added"].items())
    yield from (f"- column {name}: {kind}" for name, kind in schema["removed"].items())
    yield from (f"~ column {n}: {old} -> {new}" for n, (old, new) in schema["changed"].items())
    if schema["reordered"]:
        yield "the columns' order changed"
    for name, column in found["columns"].items():
        gap = column.get("max_difference")
        yield f"~ {name}: {column['changed']} cells" + (f", by up to {gap:g}" if gap else "")
    for name in found.get("columns_not_compared", ()):
        yield f"{name}: not compared"
    for row in found["first"]:
        cells = (f"{n}: {shown(a, 20)} -> {shown(b, 20)}" for n, (a, b) in row["cells"].items())
        yield f"row {row['row_before']}: {', '.join(cells)}"
    for mark, rows in (("+", found["first_added"]), ("-", found["first_removed"])):
        for row in rows:
            cells = (f"{name}: {shown(value, 20)}" for name, value in row["cells"].items())
            yield f"{mark} row {row['row']}: {', '.join(cells)}"


def _array_lines(found: dict[str, Any]) -> Iterable[str]:
    for what in ("shape", "dtype"):
        before, after = found[f"{what}_before"], found[f"{what}_after"]
        if before != after:
            yield f"{what}: {before} -> {after}"
    if "elements" not in found:
        return
    yield f"{found['differing']} of {found['elements']} elements ({found['share_differing']:.2%})"
    if "max_difference" in found:
        mean = found["mean_difference"]
        mean_text = "not finite" if mean is None else f"{mean:g}"
        yield f"difference: at most {found['max_difference']:g}, on average {mean_text}"
    for place in found["first"]:
        yield f"{place['index']}: {shown(place['before'], 25)} -> {shown(place['after'], 25)}"


def _image_lines(found: dict[str, Any]) -> Iterable[str]:
    for what in ("size", "mode"):
        before, after = found[f"{what}_before"], found[f"{what}_after"]
        if before != after:
            yield f"{what}: {before} -> {after}"
    if "pixels" in found:
        yield f"{found['differing']} of {found['pixels']} pixels ({found['share_differing']:.2%})"
        yield f"difference: at most {found['max_difference']} of 255"
    if "box" in found:
        yield f"all within {found['box']} (left, top, right, bottom)"


def _visible(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(
        c if unicodedata.category(c) not in ("Cc", "Cf", "Cs") else repr(c)[1:-1] for c in line
    )
