"""Retention: which versions stay, by rules that people write.

The first rule that speaks of a version decides; a version of which no rule speaks stays. Rules come
from arguments, or from ``findspot.toml``::

    [[retention]]
    project = "iris"        # a glob; all projects where it is left out
    key = "checkpoints/*"   # a glob
    kind = "model"
    labels = {stage = "trial"}
    keep_last = 3           # the newest three of each artifact
    keep_days = 30          # and all that are younger than thirty days
    keep_tagged = true      # and those with a tag (this is the default)
    keep_lineage = true     # and what a version that stays descends from (the default)
    keep_links = true       # and what a version that stays links to (the default)
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from heapq import nlargest
from typing import TYPE_CHECKING, Any

from findspot.artifacts.settings import FILE_NAME, BadSettings
from findspot.core.errors import CheckFailed, Problem
from findspot.core.records import KINDS, VersionQuery, VersionRecord

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

_PAGE = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRule:
    """Which versions stay, of those that the rule speaks of; one reason to stay is enough.

    Args:
        project, key: globs (``*`` and ``?``) of the versions it speaks of.
        kind: their kind; None for any.
        labels: labels that they have.
        keep_last: so many of the newest of each artifact stay.
        keep_days: those younger than so many days stay.
        keep_tagged: those with a tag stay.
        keep_lineage: those stay that a version which stays was made from.
        keep_links: those stay that a version which stays links to: its extra data and updates.

    Raises:
        CheckFailed: neither ``keep_last`` nor ``keep_days`` is given, or one is negative, there is
            no such kind ...; all mistakes are listed.
    """

    project: str = "*"
    key: str = "*"
    kind: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    keep_last: int | None = None
    keep_days: float | None = None
    keep_tagged: bool = True
    keep_lineage: bool = True
    keep_links: bool = True

    def __post_init__(self) -> None:
        given = {name.name: getattr(self, name.name) for name in fields(self)}
        written = {name: value for name, value in given.items() if value is not None}
        mistakes = list(_mistakes(written, ""))
        if mistakes:
            problems = [Problem(place or "rule", message) for place, message in mistakes]
            raise CheckFailed("The rule of retention", problems)


@dataclass(frozen=True, slots=True)
class PlannedVersion:
    """What is to become of one version, and why."""

    uid: str
    project: str
    key: str
    number: int
    size: int
    tagged: bool
    goes: bool
    reason: str

    @property
    def name(self) -> str:
        """``project/key:number``, for people."""
        return f"{self.project}/{self.key}:{self.number}"


def retention_rules(space: ArtifactSpace) -> tuple[RetentionRule, ...]:
    """The rules in the workspace's ``findspot.toml``, in their order; none where it has none.

    Raises:
        BadSettings: lists everything that is wrong with them.
    """
    file = space.folder / FILE_NAME
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadSettings(
            str(space.folder), [Problem("$", f"it cannot be read: {error}", str(file))]
        ) from error
    return rules_from(document.get("retention", []), str(file))


def rules_from(tables: object, where: str) -> tuple[RetentionRule, ...]:
    """Rules from what TOML makes of ``[[retention]]``; `BadSettings` lists every mistake."""
    if not isinstance(tables, list):
        problem = Problem("retention", "write [[retention]] in double brackets", where)
        raise BadSettings(where, [problem])
    rules: list[RetentionRule] = []
    problems: list[Problem] = []
    for number, table in enumerate(tables):
        path = f"retention[{number}]"
        mistakes = list(_mistakes(table, path))
        if not mistakes:
            rules.append(RetentionRule(**table))
        problems += [Problem(place, message, where) for place, message in mistakes]
    if problems:
        raise BadSettings(where, problems)
    return tuple(rules)


def _mistakes(table: object, path: str) -> Iterator[tuple[str, str]]:
    """What is wrong with a rule's fields as they are written, with the place of each."""
    if not isinstance(table, Mapping):
        yield path, "it is no table"
        return
    known = {rule.name for rule in fields(RetentionRule)}
    for name, value in table.items():
        message = _mistake(name, value) if name in known else None
        if name not in known:
            message = f"a rule has {', '.join(sorted(known))}"
        if message is not None:
            yield f"{path}.{name}" if path else str(name), message
    if not {"keep_last", "keep_days"} & table.keys():
        yield path, "a rule needs keep_last or keep_days (0 keeps none for that reason)"


def _mistake(name: str, value: Any) -> str | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match name:
        case "project" | "key" | "kind" if not isinstance(value, str):
            return "it must be text"
        case "kind" if value not in KINDS:
            return f"there is no kind {value!r}; kinds are {', '.join(KINDS)}"
        case "keep_last" if not number or isinstance(value, float):
            return f"it must be a whole number, not {value!r}"
        case "keep_days" if not number:
            return f"it must be a number, not {value!r}"
        case "keep_last" | "keep_days" if not value >= 0:
            return f"it is {value!r}, and must not be negative"
        case "keep_tagged" | "keep_lineage" | "keep_links" if not isinstance(value, bool):
            return "it must be true or false"
        case "labels" if not isinstance(value, Mapping) or not all(
            isinstance(text, str) for text in value.values()
        ):
            return "it must be a table of texts"
    return None


# --------------------------------------------------------------------------- decisions


@dataclass(slots=True)
class _Candidate:
    uid: str
    project: str
    key: str
    number: int
    size: int
    tagged: bool
    rule: RetentionRule | None = None
    reason: str = ""
    """Why it stays; "" while nothing says that it does."""


def decide(
    space: ArtifactSpace,
    rules: Iterable[RetentionRule],
    now: datetime,
    kept: Mapping[str, str],
) -> list[PlannedVersion]:
    """What is to become of every version in the workspace, newest first in each project.

    Args:
        kept: uids of versions that stay whatever the rules say, and why.
    """
    matchers = [_Matcher(rule) for rule in rules]
    candidates: dict[str, _Candidate] = {}
    for project in space.existing_catalog.projects():
        for candidate in _of_project(space, project, matchers, now):
            candidates[candidate.uid] = candidate
            if not candidate.reason and candidate.uid in kept:
                candidate.reason = kept[candidate.uid]
    _keep_reached(space, candidates)
    return [
        PlannedVersion(
            c.uid,
            c.project,
            c.key,
            c.number,
            c.size,
            c.tagged,
            not c.reason,
            c.reason or _why_it_goes(c),
        )
        for c in candidates.values()
    ]


def _of_project(
    space: ArtifactSpace, project: str, matchers: list[_Matcher], now: datetime
) -> list[_Candidate]:
    found: list[_Candidate] = []
    together: dict[tuple[str, int], tuple[RetentionRule, list[_Candidate]]] = {}
    for record in _records(space, project):
        candidate = _Candidate(
            record.uid, project, record.key, record.number, record.size, bool(record.tags)
        )
        found.append(candidate)
        matcher = next((m for m in matchers if m.speaks_of(record)), None)
        if matcher is None:
            candidate.reason = "no rule speaks of it"
            continue
        rule = candidate.rule = matcher.rule
        together.setdefault((record.key, id(rule)), (rule, []))[1].append(candidate)
        if rule.keep_tagged and record.tags:
            candidate.reason = f"tagged {', '.join(record.tags)}"
        elif rule.keep_days is not None and now - record.created < timedelta(rule.keep_days):
            candidate.reason = f"younger than {rule.keep_days:g} days"
    for rule, group in together.values():
        if rule.keep_last:
            for candidate in nlargest(rule.keep_last, group, key=lambda c: c.number):
                candidate.reason = f"one of the newest {rule.keep_last}"
    return found


def _records(space: ArtifactSpace, project: str) -> Iterator[VersionRecord]:
    cursor = None
    while True:
        query = VersionQuery(project=project, limit=_PAGE, cursor=cursor)
        page = space.existing_catalog.search_versions(query)
        yield from page.items
        cursor = page.next
        if cursor is None:
            return


def _keep_reached(space: ArtifactSpace, candidates: Mapping[str, _Candidate]) -> None:
    """Give those a reason to stay that went into versions that stay, or that these link to.

    A version that leads only through others that go to one that stays has gone into it as well. A
    link counts only where the version that has it stays. Circles end, as nothing is kept twice.
    """
    if not any(
        not c.reason and c.rule is not None and (c.rule.keep_lineage or c.rule.keep_links)
        for c in candidates.values()
    ):
        return
    catalog = space.existing_catalog
    kept = {uid: uid for uid, c in candidates.items() if c.reason}
    passed: dict[str, str] = {}
    """Versions that go, or are gone already, and the version that stays which they went into."""
    descended: set[str] = set()
    while kept or passed:
        frontier = passed | kept
        newly: dict[str, str] = {}
        passed = {}
        for uid, parents in catalog.parents(frontier).items():
            child = frontier[uid]
            for parent in parents - descended:
                descended.add(parent)
                candidate = candidates.get(parent)
                if candidate is None:
                    passed[parent] = child
                elif candidate.reason:
                    continue  # its own parents are looked at because it stays
                elif candidate.rule is not None and candidate.rule.keep_lineage:
                    candidate.reason = f"{_short(candidates[child])} descends from it"
                    newly[parent] = parent
                else:
                    passed[parent] = child
        for uid, targets in catalog.linked(kept).items():
            for target in targets:
                candidate = candidates.get(target)
                if candidate is None or candidate.reason or candidate.rule is None:
                    continue
                if candidate.rule.keep_links:
                    candidate.reason = f"{_short(candidates[uid])} links to it"
                    newly[target] = target
        kept = newly


def _short(candidate: _Candidate) -> str:
    return f"{candidate.key}:{candidate.number}"


def _why_it_goes(candidate: _Candidate) -> str:
    rule = candidate.rule
    assert rule is not None
    reasons = []
    if rule.keep_last is not None:
        reasons.append(f"not one of the newest {rule.keep_last}")
    if rule.keep_days is not None:
        reasons.append(f"older than {rule.keep_days:g} days")
    return " and ".join(reasons)


class _Matcher:
    """A rule, ready to be asked of many versions."""

    def __init__(self, rule: RetentionRule) -> None:
        self.rule = rule
        self._project, self._key = _glob(rule.project), _glob(rule.key)
        self._labels = dict(rule.labels).items()

    def speaks_of(self, record: VersionRecord) -> bool:
        rule = self.rule
        return (
            (rule.kind is None or rule.kind == record.kind)
            and (self._project is None or self._project.fullmatch(record.project) is not None)
            and (self._key is None or self._key.fullmatch(record.key) is not None)
            and self._labels <= record.labels.items()
        )


def _glob(pattern: str) -> re.Pattern[str] | None:
    if pattern == "*":
        return None
    text = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(text, re.DOTALL)
