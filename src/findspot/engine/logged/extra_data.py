"""Extra data: what belongs to a version (a chart, a report, a URL), by name, now or later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from findspot.artifacts.version import ArtifactVersion
from findspot.core.errors import CheckFailed, FindspotError, Problem
from findspot.core.names import check_name
from findspot.core.records import Link, now

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.engine.context import JobContext


@dataclass(frozen=True)
class Extra:
    """One of the extra data, fixed to what it is now.

    Args:
        uri: the full reference of a version, or a URL.
        target: the version's uid (which stays when an artifact is moved), or the URL.
    """

    name: str
    uri: str
    target: str
    kind: Literal["artifact", "url", "file"]


def resolve_extra(
    space: ArtifactSpace,
    key: str,
    given: Mapping[str, Any],
    *,
    project: str,
    job: JobContext | None,
) -> dict[str, Extra]:
    """What is given as extra data, fixed; files and values are saved as artifacts ``<key>/<name>``.

    Args:
        project: of the artifacts that are saved, and of references that name none.
        job: that they are logged in, if any; they become outputs of it.

    Raises:
        CheckFailed: lists every name and text that is wrong; nothing has been saved.
    """
    problems: list[Problem] = []
    fixed: dict[str, Extra] = {}
    unsaved: dict[str, Any] = {}
    named: Any = given
    if not isinstance(named, Mapping):
        found = type(named).__name__
        problems.append(Problem("extra_data", "it is no mapping of names", found=found))
        named = {}
    for name, value in named.items():
        path = f"extra_data.{name}"
        try:
            check_name(name, "name of extra data")
            known = _known(space, project, name, value)
        except FindspotError as error:
            problems.append(Problem(path, error.what, hint=error.how or ""))
            continue
        if isinstance(known, Extra):
            fixed[name] = known
        else:
            unsaved[name] = known
    if problems:
        raise CheckFailed(f"The extra data of {key!r}", problems)
    for name, value in unsaved.items():
        fixed[name] = _artifact(name, _save(space, project, job, f"{key}/{name}", value))
    return {name: fixed[name] for name in given}


def link_all(space: ArtifactSpace, version: ArtifactVersion, extras: Iterable[Extra]) -> None:
    """Record extra data as links of a version that is recorded already."""
    links = [
        Link(version.uid, extra.name, extra.target, extra.kind, space.owner, now())
        for extra in extras
    ]
    if links:
        space.catalog.add_links(links)


def _known(space: ArtifactSpace, project: str, name: str, value: Any) -> Any:
    """An `Extra` for what is somewhere already; else the value to be saved."""
    if isinstance(value, ArtifactVersion):
        return _artifact(name, value)
    url = getattr(value, "url", None)
    if isinstance(url, str) and type(value).__module__.startswith("findspot."):  # a data item
        meta = getattr(value, "meta", None)
        if isinstance(meta, ArtifactVersion):
            return _artifact(name, meta)
        return Path(url) if getattr(value, "kind", "") == "file" else _url(name, url)
    if isinstance(value, str):
        if value.startswith("store://"):
            return _artifact(name, space.get_artifact(value, project=project))
        if "://" in value:
            return _url(name, value)
        value = Path(value)
    if isinstance(value, Path) and not value.exists():
        raise FindspotError(
            f"there is no file {str(value)[:200]!r}",
            how="Give an artifact, a store:// reference, a URL, the path of a file, or a value.",
        )
    return value


def _save(
    space: ArtifactSpace, project: str, job: JobContext | None, key: str, value: Any
) -> ArtifactVersion:
    from findspot.engine.logged.plots import is_plot, plot_of

    drawn = plot_of(key, value) if is_plot(value) else None
    if job is not None:
        return job.log_artifact(key, value) if drawn is None else job.log_plot(key, value)
    if drawn is None:
        return space.save_artifact(value, key, project=project)
    return space.save_artifact(
        drawn.value,
        key,
        kind="plot",
        metadata=drawn.fields.to_metadata(),
        handler=drawn.handler,
        project=project,
    )


def _artifact(name: str, version: ArtifactVersion) -> Extra:
    return Extra(name, version.uri, version.uid, "artifact")


def _url(name: str, url: str) -> Extra:
    return Extra(name, url, url, "url")
