"""Templates of artifact paths: readable places with variables such as ``{{project}}`` in them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from findspot.core.errors import CheckFailed, FindspotError, Problem

VARIABLES = (
    *("project", "job.id", "run.uid", "experiment", "version", "condition", "replicate", "step"),
    *("name", "date"),
)
_PLACE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


class BadArtifactPath(FindspotError):
    """An artifact path leads out of its root, or to nowhere."""

    exit_code = 2


def check_template(path: str) -> None:
    """Find mistakes in an artifact path whose variables are not filled in yet.

    Raises:
        CheckFailed: lists every variable that does not exist.
        BadArtifactPath: it is empty, or a part of it is ``..``.
    """
    expand(path, dict.fromkeys(VARIABLES, "x"))


def expand(template: str, values: Mapping[str, str]) -> str:
    """A path template with its variables filled in.

    Raises:
        CheckFailed: lists every variable that does not exist, or has no value here.
        BadArtifactPath: it is empty, or a part of it is ``..``.

    >>> expand("out/{{project}}/{{ job.id }}", {"project": "iris", "job.id": "17"})
    'out/iris/17'
    """
    problems: list[Problem] = []

    def value_of(found: re.Match[str]) -> str:
        name = found[1]
        value = values.get(name)
        if name not in VARIABLES:
            known = ", ".join(VARIABLES)
            problems.append(Problem(f"{{{{{name}}}}}", "there is no such variable", expected=known))
        elif value is None:
            problems.append(
                Problem(f"{{{{{name}}}}}", "it has no value here", hint=_ABSENT.get(name, ""))
            )
        return value or ""

    path = _PLACE.sub(value_of, template)
    rest = _PLACE.sub("", template)
    problems += [
        Problem(brace, "it belongs to no variable", expected="{{name}}")
        for brace in ("{{", "}}")
        if brace in rest
    ]
    if problems:
        raise CheckFailed(f"The artifact path {template!r}", problems)
    if "\0" in path or not path.strip():
        raise BadArtifactPath("The artifact path is empty, or holds NUL.", where=repr(template))
    if ".." in re.split(r"[/\\]", path.partition("://")[2] or path):
        raise BadArtifactPath(
            "The artifact path leaves its root.",
            where=template,
            how="Leave '..' out of it; write the folder's full path where it is elsewhere.",
        )
    return path


_ABSENT = {
    "experiment": "Give the job an experiment, or another artifact_path.",
    "condition": "Only what the steps of an experiment log has one.",
    "replicate": "Only what the steps of an experiment log has one.",
}


def join(root: str, *parts: str) -> str:
    """A path below an artifact path, which may be a URL.

    Raises:
        BadArtifactPath: a part leads out of it.

    >>> join("s3://bucket/iris/", "models", "tree.pkl")
    's3://bucket/iris/models/tree.pkl'
    """
    for part in parts:
        given: object = part
        if not isinstance(given, str):
            raise BadArtifactPath(
                f"{given!r} is no part of an artifact path.", where=root, how="Give names as text."
            )
        if part in ("", "..") or part.startswith(("/", "\\")) or "\0" in part:
            raise BadArtifactPath(
                f"{part!r} leads out of the artifact path.", where=root, how="Give plain names."
            )
        if ".." in re.split(r"[/\\]", part):
            raise BadArtifactPath(f"{part!r} leads out of the artifact path.", where=root)
    return f"{root.rstrip('/')}/{'/'.join(parts)}" if parts else root
