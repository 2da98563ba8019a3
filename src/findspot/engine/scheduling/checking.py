"""Every mistake in a schedule, before it is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

from findspot.core.canonical import is_plain
from findspot.core.errors import CheckFailed, FindspotError, Problem
from findspot.core.names import check_name
from findspot.engine.errors import UnknownExecutor
from findspot.engine.executors.choosing import EXECUTORS
from findspot.engine.scheduling.definitions import (
    CATCH_UPS,
    OVERLAPS,
    ScheduleDefinition,
    found_target,
    relative,
    relative_target,
)
from findspot.engine.scheduling.errors import BadCron
from findspot.engine.scheduling.times import Timetable
from findspot.engine.targets.stored import Runnable, stored_entrypoint
from findspot.engine.targets.target_jobs import mistakes_in_values, target_graph
from findspot.engine.targets.targets import find_target
from findspot.graph.values import parse_parameters

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

RESERVED = ("schedule", "due")
"""Labels that every job of a schedule gets."""


def checked(
    space: ArtifactSpace,
    name: str,
    written: ScheduleDefinition,
    texts: Mapping[str, str],
    *,
    project: str,
    replaces: bool,
) -> ScheduleDefinition:
    """A definition as it is kept: its places found, its parameters read, everything in it checked.

    Args:
        written: as somebody wrote it, from the current folder.
        texts: parameters as text, to be read by their types.
        replaces: whether a schedule of this name may be there.

    Raises:
        CheckFailed: lists every mistake in it; also those in the code or file that it runs.
    """
    return _Check(space, name, written, project).make(texts, replaces=replaces)


class _Check:
    def __init__(
        self, space: ArtifactSpace, name: str, written: ScheduleDefinition, project: str
    ) -> None:
        self._space = space
        self._name = name
        self._written = written
        self._project = project
        self._problems: list[Problem] = []

    def make(self, texts: Mapping[str, str], *, replaces: bool) -> ScheduleDefinition:
        written, space = self._written, self._space
        self._check_name(replaces)
        self._check_times()
        self._check_words()
        placed = replace(
            written,
            target=relative_target(space, written.target, written.kind),
            folder=relative(space, Path.cwd()),
        )
        target = self._load(placed)
        if target is not None:
            params = self._check_values(target, texts)
            placed = replace(placed, params=params)
        if self._problems:
            raise CheckFailed(f"The schedule {self._name!r}", self._problems)
        return placed

    def _check_name(self, replaces: bool) -> None:
        try:
            name = check_name(self._name, "schedule name")
        except FindspotError as error:
            self._add("name", error)
            return
        if replaces or not self._space.exists:
            return
        if self._space.catalog.schedule(self._project, name) is not None:
            self._problem(
                "name",
                f"there is a schedule {name!r} already",
                hint="Choose another name, or replace it (--replace).",
            )

    def _check_times(self) -> None:
        zone = "UTC"
        try:
            Timetable("@daily", self._written.timezone)
            zone = self._written.timezone
        except FindspotError as error:
            self._add("timezone", error)
        try:
            Timetable(self._written.cron, zone)
        except BadCron as error:
            self._add("cron", error)

    def _check_words(self) -> None:
        written = self._written
        choices = (
            ("catch_up", written.catch_up, CATCH_UPS),
            ("overlap", written.overlap, OVERLAPS),
        )
        for field, word, known in choices:
            if word not in known:
                self._problem(
                    field, f"{word!r} is no choice", hint=f"Choose one of {', '.join(known)}."
                )
        if written.experiment is not None:
            self._check_one_name("experiment", written.experiment, "experiment name")
        for label in written.labels:
            self._check_one_name("labels", label, "label")
            if label in RESERVED:
                self._problem("labels", f"{label!r} is set by the schedule itself")
        executor = written.executor
        if executor is not None and not any(
            executor == known or (known.endswith(":") and executor.startswith(known))
            for known in EXECUTORS
        ):
            self._add("executor", UnknownExecutor(executor))

    def _check_one_name(self, field: str, value: str, role: str) -> None:
        try:
            check_name(value, role)
        except FindspotError as error:
            self._add(field, error)

    def _load(self, placed: ScheduleDefinition) -> Runnable | None:
        """What is to be run; None, with a problem noted, where it cannot be had."""
        try:
            if placed.kind != "entrypoint":
                return find_target(found_target(self._space, placed))
            return stored_entrypoint(self._space, placed.target, self._project)
        except CheckFailed as error:
            self._problems.extend(error.problems)
        except FindspotError as error:
            self._add("target", error)
        except Exception as error:  # the user's module, as it is imported
            self._problem("target", f"it cannot be read: {type(error).__name__}: {error}")
        return None

    def _check_values(self, target: Runnable, texts: Mapping[str, str]) -> dict[str, Any]:
        """The parameters, read; what is wrong with them is noted."""

        params, artifacts = dict(self._written.params), self._written.artifacts
        for name, value in params.items():
            if not is_plain(value):
                self._problem(
                    name,
                    "a parameter is a plain JSON value",
                    hint="Save other objects, and give their references as artifacts.",
                )
        try:
            graph, problems = target_graph(self._space, target)
            self._problems.extend(problems)
            known = {name: text for name, text in texts.items() if name in graph.parameters}
            values, wrong = parse_parameters(graph, known)
            self._problems.extend(wrong)
            params.update({name: text for name, text in texts.items() if name not in known})
            params.update(values)
            unread = known.keys() - values.keys()
            if isinstance(target, FunctionType):
                if self._written.executor is not None:
                    self._problem("executor", "a function runs in its own process")
                params.update({name: known[name] for name in unread})
            if not problems:
                self._problems += mistakes_in_values(
                    self._space, target, graph, params, artifacts, self._project, unread=unread
                )
        except CheckFailed as error:
            self._problems.extend(error.problems)
        except FindspotError as error:
            self._add("target", error)
        return params

    def _add(self, field: str, error: FindspotError) -> None:
        self._problem(field, error.what, hint=error.how or "")

    def _problem(self, field: str, message: str, *, hint: str = "") -> None:
        self._problems.append(Problem(field, message, hint=hint))
