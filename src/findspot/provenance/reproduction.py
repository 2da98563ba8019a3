"""What became of making a version again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from findspot.artifacts.comparing.changes import Change
from findspot.artifacts.comparing.contents import ContentDiff
from findspot.provenance.code import StepCode

Outcome = Literal["identical", "equal", "different", "undecided", "failed"]
"""``identical``: the same bytes. ``equal``: other bytes with the same content (within the
tolerance). ``different``: another content. ``undecided``: other bytes, by a handler that does not
always give the same ones, in a form that cannot be compared. ``failed``: it was not made again."""


@dataclass(frozen=True, slots=True)
class OutputComparison:
    """One recorded output of a job beside the one that was made again.

    Args:
        name: of the job's output; ``step.output`` of a step's; else the artifact's key.
        version: reference of the recorded version.
        before, after: digests of the contents; None where it was not made again.
        content: what differs inside the files.
        reason: why it failed, or could not be compared; "" otherwise.
    """

    name: str
    version: str
    outcome: Outcome
    before: str
    after: str | None
    content: tuple[ContentDiff, ...] = ()
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": self.version,
            "outcome": self.outcome,
            "before": self.before,
            "after": self.after,
            "content": [content.to_json() for content in self.content],
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """Whether a version could be made again; see `reproduce`.

    Args:
        version: reference of the version that was asked for.
        job: id of the job that made it.
        outcome: of that version.
        outputs: of all that the job made, by name, those of its steps included.
        first_different: steps that made something else though all they were given was the same:
            where to look first.
        failure: why the job, or the attempt to run it, failed; "" where it did not.
        log: what the job logged when it ran again.
        code: where the code that ran is not the recorded one.
        environment: what differs from the recorded environment.
        notes: what else was not as it was recorded, as sentences.
        seconds: how long it ran.
        folder: the scratch folder, where it was kept.
    """

    version: str
    job: str
    outcome: Outcome
    outputs: Mapping[str, OutputComparison]
    first_different: tuple[str, ...] = ()
    failure: str = ""
    log: str = ""
    code: tuple[StepCode, ...] = ()
    environment: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    folder: Path | None = None

    def __bool__(self) -> bool:
        """Whether the version was made again: identical, or of equal content."""
        return self.outcome in ("identical", "equal")

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON."""
        return {
            "version": self.version,
            "job": self.job,
            "outcome": self.outcome,
            "outputs": {name: output.to_json() for name, output in self.outputs.items()},
            "first_different": list(self.first_different),
            "failure": self.failure,
            "log": self.log,
            "code": [code.to_json() for code in self.code],
            "environment": [change.to_json() for change in self.environment],
            "notes": list(self.notes),
            "seconds": self.seconds,
            "folder": None if self.folder is None else str(self.folder),
        }

    def render(self) -> str:
        """As text to be read."""
        from findspot.provenance.reproduction_text import render

        return render(self)

    def __str__(self) -> str:
        return self.render()
