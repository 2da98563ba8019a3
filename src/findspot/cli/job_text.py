"""A job for people: its fields, its steps, and why it failed."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import typer

from findspot.cli.printing import (
    coloured,
    duration,
    print_fields,
    print_table,
    printable,
    short_digest,
    short_id,
)
from findspot.cli.printing import size as file_size

if TYPE_CHECKING:
    from findspot.core.records import Failure, SourceRead
    from findspot.engine.jobs import Job

_LONGEST = 2000
_WARNINGS = 5
_LIBRARY = re.compile(
    r"[/\\](site-packages|dist-packages|lib[/\\]python3\.\d+)[/\\]|"
    + re.escape(str(Path(__file__).parent.parent) + os.sep)
    + "|^<frozen"
)
_FRAME = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+), in (?P<name>.+)$', re.MULTILINE)


def print_job(job: Job, *, failure_to: TextIO) -> None:
    """Print a job on standard output, and its failure to ``failure_to``."""
    environment = job.environment
    git = environment.get("git") or {}
    commit = str(git.get("commit") or "")[:12]
    print_fields(
        [
            ("job", job.id),
            ("name", job.name),
            ("status", coloured(job.status)),
            ("project", job.project),
            ("experiment", job.experiment),
            ("created", f"{job.created.astimezone():%Y-%m-%d %H:%M:%S} by {job.owner}"),
            ("took", duration(job.duration)),
            ("parameters", dict(job.params)),
            ("inputs", {name: v.uri for name, v in job.inputs.items()}),
            ("read", [source_text(source) for source in job.sources]),
            ("labels", dict(job.labels)),
            ("artifact path", job.record.options.get("artifact_path")),
            ("seed", job.seed),
            ("metrics", {name: round(value, 6) for name, value in job.metrics.items()}),
            ("commit", commit + (" (with changes)" if git.get("dirty") else "")),
        ]
    )
    if job.steps:
        typer.echo()
        print_table(
            ("step", "task", "status", "took", "outputs"),
            (
                (
                    step.name,
                    step.task,
                    coloured("reused" if step.cached else step.status),
                    duration(step.duration),
                    ", ".join(f"{v.key}:{v.version}" for v in step.outputs.values()),
                )
                for step in job.steps.values()
            ),
            empty="",
            whole=("step", "status", "took"),
        )
    if job.outputs:
        typer.echo()
        print_fields((name, version.uri) for name, version in job.outputs.items())
    print_warnings(job, to=failure_to)
    if job.failure is not None:
        id = short_id(job.id)
        hint = f"Log: findspot job log {id}; go on: findspot job resume {id}"
        typer.echo(f"\n{failure_text(job.failure)}\n{hint}", file=failure_to)


def print_warnings(job: Job, *, to: TextIO) -> None:
    """What Findspot or the job's own code warns of in the log; of a very long log its beginning."""
    lines = (line for _, line in job.space.catalog.log(job.id))
    found = [line for line in lines if (line.source, line.level) == ("findspot", "WARNING")]
    if found:
        typer.echo(file=to)
    for line in found[:_WARNINGS]:
        where = f"step {line.step}: " if line.step else ""
        typer.echo(f"warning: {printable(where + line.text)}", file=to)
    if len(found) > _WARNINGS:
        more = f"{len(found) - _WARNINGS} more warnings"
        typer.echo(f"{more}: findspot job log {short_id(job.id)}", file=to)


def source_text(source: SourceRead) -> str:
    """Where bytes from outside the workspace were read, and which they were."""
    facts = []
    if source.size is not None:
        facts.append(file_size(source.size))
    if source.digest is not None:
        facts.append(short_digest(source.digest))
    elif source.etag is not None:
        facts.append(f"etag {source.etag}")
    return f"{source.url} ({', '.join(facts)})" if facts else source.url


def failure_text(failure: Failure) -> str:
    """What went wrong, and the line of code where it did, of the user's own code where it is in the
    traceback, which is in the log.

    >>> from findspot.core.records import Failure
    >>> trace = 'Traceback (most recent call last):\\n  File "fit.py", line 3, in fit\\n    1 / 0'
    >>> print(failure_text(Failure("ZeroDivisionError", "division by zero", trace)))
    division by zero
      fit.py:3 in fit: 1 / 0
    """
    message = failure.message
    if len(message) > _LONGEST:
        message = f"{message[:_LONGEST]}..."
    frames = list(_FRAME.finditer(failure.traceback))
    if not frames:
        return message
    last = next(
        (frame for frame in reversed(frames) if not _LIBRARY.search(frame["file"])), frames[-1]
    )
    following = failure.traceback[last.end() :].lstrip("\n").splitlines()
    code = following[0].strip() if following and following[0].startswith("    ") else ""
    place = f"{last['file']}:{last['line']} in {last['name']}"
    return f"{message}\n  {place}{': ' + code if code else ''}"
