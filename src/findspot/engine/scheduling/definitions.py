"""What a schedule runs, with which values, and when: its definition, kept as snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from findspot.artifacts.location import FOLDER_NAME
from findspot.engine.scheduling.times import Timetable
from findspot.engine.targets.stored import TargetKind

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.core.records import Snapshot

FORMAT = 1
CatchUp = Literal["skip", "all"]
Overlap = Literal["skip", "allow"]
CATCH_UPS: tuple[str, ...] = get_args(CatchUp)
OVERLAPS: tuple[str, ...] = get_args(Overlap)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDefinition:
    """One immutable state of what a schedule says.

    Places below the folder that the workspace is in are relative to it, so that they are found
    from anywhere, and also after the folder was moved.

    Args:
        target: ``file.py:name``, a YAML file, ``module:name``; or the name of a recorded
            entrypoint, with ``:number`` for one of its versions.
        kind: which of them it is.
        folder: the current folder of its jobs, in which modules are looked for.
        params: values of parameters. artifacts: references for artifact inputs, looked up
            whenever a job starts.
        cron, timezone: as of `Timetable`.
        catch_up: what becomes of times at which no worker was there: ``skip`` starts one job for
            all of them, for the latest; ``all`` starts one for each, one after another.
        overlap: when a time comes while a job of the schedule still runs: ``skip`` passes the time
            over (with ``catch_up="all"`` it waits instead), ``allow`` starts another one beside it.
    """

    target: str
    kind: TargetKind
    folder: str = "."
    params: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, str] = field(default_factory=dict)
    experiment: str | None = None
    executor: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    cron: str
    timezone: str = "UTC"
    catch_up: CatchUp = "skip"
    overlap: Overlap = "skip"

    def to_json(self) -> dict[str, Any]:
        """The body of its snapshot."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def of(cls, snapshot: Snapshot) -> ScheduleDefinition:
        """The definition in a snapshot."""
        fields = {name: value for name, value in snapshot.body.items() if name != "format"}
        return cls(**fields)

    def timetable(self) -> Timetable:
        """When it is due."""
        return Timetable(self.cron, self.timezone)


def home(space: ArtifactSpace) -> Path:
    """The folder that a workspace is in."""
    folder = space.folder.resolve()
    return folder.parent if folder.name == FOLDER_NAME else folder


def relative(space: ArtifactSpace, path: Path) -> str:
    """A path as definitions keep it."""
    whole = path.resolve()
    base = home(space)
    return whole.relative_to(base).as_posix() if whole.is_relative_to(base) else str(whole)


def relative_target(space: ArtifactSpace, target: str, kind: TargetKind) -> str:
    """A target as definitions keep it."""
    if kind != "file":
        return target
    path, colon, name = (
        target.rpartition(":")
        if target.rpartition(":")[0].endswith(".py")
        else (
            target,
            "",
            "",
        )
    )
    return f"{relative(space, Path(path))}{colon}{name}"


def found_target(space: ArtifactSpace, definition: ScheduleDefinition) -> str:
    """A definition's file or module as `find_target` takes it, from any folder."""
    target = definition.target
    return str(home(space) / target) if definition.kind == "file" else target


def found_folder(space: ArtifactSpace, definition: ScheduleDefinition) -> Path:
    """The current folder of a definition's jobs."""
    return home(space) / definition.folder
