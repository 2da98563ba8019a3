"""Whether two recorded contents are the same although their bytes are not."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from findspot.artifacts.comparing.contents import ContentDiff
from findspot.artifacts.version import ArtifactVersion
from findspot.core.errors import BlobDamaged, BlobMissing, FindspotError
from findspot.core.records import FileEntry
from findspot.handlers.protocol import LoadFolder
from findspot.provenance.closeness import close_arrays, close_tables
from findspot.provenance.reproduction import Outcome, OutputComparison

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace


def compare_output(
    name: str,
    space: ArtifactSpace,
    before: ArtifactVersion,
    scratch: ArtifactSpace,
    after: ArtifactVersion | None,
    *,
    tolerance: float,
    reason: str = "",
) -> OutputComparison:
    """A recorded version of ``space`` beside the one that was made again in ``scratch``.

    Args:
        tolerance: the largest difference of two numbers in an array, a table or JSON that counts as
            none.
    """
    old = before.record
    if after is None:
        why = reason or "the job did not make it this time"
        return OutputComparison(name, before.uri, "failed", old.digest, None, reason=why)
    new = after.record
    if old.digest == new.digest:
        return OutputComparison(name, before.uri, "identical", old.digest, new.digest)
    outcome, content, why = _contents(space, before, scratch, after, tolerance)
    return OutputComparison(name, before.uri, outcome, old.digest, new.digest, content, why)


def is_equal(diff: ContentDiff) -> bool:
    """Whether what was found inside two files says that they have the same content."""
    found = diff.found
    if diff.reason:
        return False
    match diff.form:
        case "array":
            same = found["shape_before"] == found["shape_after"]
            same = same and found["dtype_before"] == found["dtype_after"]
            return bool(same and found.get("differing", 1) == 0)
        case "table":
            changed = any(found["schema"].values()) or found.get("columns_not_compared")
            rows = (found["rows_added"], found["rows_removed"], found["rows_changed"])
            return not changed and not any(rows)
        case "json":
            return not found["changes"]
        case "image":
            same = found["size_before"] == found["size_after"]
            same = same and found["mode_before"] == found["mode_after"]
            return bool(same and not found["differing"])
        case "text":
            return bool(found.get("only_line_ends"))
    return False


def _contents(
    space: ArtifactSpace,
    before: ArtifactVersion,
    scratch: ArtifactSpace,
    after: ArtifactVersion,
    tolerance: float,
) -> tuple[Outcome, tuple[ContentDiff, ...], str]:
    from findspot.artifacts.comparing.contents import compare_files

    drawn = _renditions(space, before.handler)
    old = {entry.path: entry for entry in before.files if entry.path not in drawn}
    new = {entry.path: entry for entry in after.files if entry.path not in drawn}
    if before.handler != after.handler:
        return "different", (), f"saved with {before.handler}, now with {after.handler}"
    if old.keys() != new.keys():
        return "different", (), "it has other files"
    left = space.load_folder(before.record, before.files)
    right = scratch.load_folder(after.record, after.files)
    pairs = [(old[path], new[path]) for path in old if old[path].digest != new[path].digest]
    found: list[ContentDiff] = []
    unequal: list[ContentDiff] = []
    try:
        for a, b in pairs:
            inside = compare_files(left, a, right, b)
            found.append(inside)
            if not is_equal(inside) and not _is_close(inside, left, a, right, b, tolerance):
                unequal.append(inside)
    except (BlobDamaged, BlobMissing) as error:
        return "different", (), f"the recorded bytes are not there to compare: {error.what}"
    if not unequal:
        return "equal", tuple(found), ""
    if all(diff.reason for diff in unequal) and not _is_deterministic(space, before.handler):
        why = f"{before.handler} does not always give the same bytes; {unequal[0].path}: "
        return "undecided", tuple(found), why + unequal[0].reason
    return "different", tuple(found), ""


def _is_close(
    diff: ContentDiff,
    before: LoadFolder,
    old: FileEntry,
    after: LoadFolder,
    new: FileEntry,
    tolerance: float,
) -> bool:
    if not tolerance or diff.reason:
        return False
    if diff.form == "json":
        return all(_same_number(change, tolerance) for change in diff.found["changes"])
    if diff.form == "array":
        return close_arrays(before, old, after, new, tolerance)
    if diff.form == "table" and not old.path.endswith(".csv"):
        return close_tables(before, old, after, new, tolerance)
    return False


def _renditions(space: ArtifactSpace, handler: str) -> Collection[str]:
    try:
        return getattr(space.handlers.by_name(handler), "renditions", ())
    except FindspotError:  # a plugin's
        return ()


def _is_deterministic(space: ArtifactSpace, handler: str) -> bool:
    try:
        return space.handlers.by_name(handler).deterministic
    except FindspotError:  # a plugin's
        return False


def _same_number(change: dict[str, Any], tolerance: float) -> bool:
    both = change.get("before"), change.get("after")
    if not all(isinstance(value, float) for value in both):
        return False
    return abs(float(both[0] or 0) - float(both[1] or 0)) <= tolerance
