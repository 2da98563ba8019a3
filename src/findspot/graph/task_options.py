"""How a task is run: when it is reused, when it is tried again, and what it may take."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from findspot.core.errors import CheckFailed, Problem
from findspot.core.pickling import quick_to_pickle


@quick_to_pickle
@dataclass(frozen=True, slots=True)
class CachePolicy:
    """When a step may be reused from an earlier job.

    Args:
        code: False: a change of the code alone does not make it run again.
        salt: any text; another text makes it run again.
        expires: seconds after which what was made counts no more; None: never.
        packages: installed packages (by the names that pip knows) whose versions count too.
        single: True: of all jobs, in whatever process, only one at a time runs an equal step; the
            others wait for it and reuse what it made. Without it they do so where they begin half
            a second later; jobs that begin at the same moment may each run it.

    Raises:
        CheckFailed: lists every field that is wrong.
    """

    code: bool = True
    salt: str = ""
    expires: float | None = None
    packages: tuple[str, ...] = ()
    single: bool = False

    def __post_init__(self) -> None:
        problems = list(_policy_problems(self))
        if problems:
            raise CheckFailed("The cache policy", problems)


@quick_to_pickle
@dataclass(frozen=True, slots=True)
class TaskOptions:
    """How a task is run.

    Args:
        cache: whether, or when, a step may be reused from an earlier job.
        retries: how often to try again after a failure.
        timeout: seconds one try may take; None for no limit.
        retry_delay: seconds to wait before the first new try.
        retry_factor: by which the wait grows from try to try (2.0 doubles it).
        retry_jitter: share of the wait, up to which a random time is added (0.5: up to half of it).
        retry_on: the failures that are worth a new try.
        cpus, gpus: cores and graphics cards that a step occupies; may be parts of one.
        memory: that it occupies, in bytes or as text (``"2 GiB"``).
    """

    cache: bool | CachePolicy = True
    retries: int = 0
    timeout: float | None = None
    retry_delay: float = 0.0
    retry_factor: float = 1.0
    retry_jitter: float = 0.0
    retry_on: tuple[type[Exception], ...] = (Exception,)
    cpus: float | None = None
    memory: int | str | None = None
    gpus: float | None = None

    @property
    def policy(self) -> CachePolicy | None:
        """When a step may be reused; None: never."""
        if isinstance(self.cache, CachePolicy):
            return self.cache
        return _ALWAYS if self.cache else None

    def wait(self, attempt: int, random: float) -> float:
        """Seconds to wait after the given failed attempt (1, 2, ...).

        Args:
            random: from 0 to 1, for the jitter.

        >>> TaskOptions(retry_delay=1.0, retry_factor=2.0).wait(3, 0.5)
        4.0
        """
        wait = self.retry_delay * self.retry_factor ** (attempt - 1)
        return wait * (1 + self.retry_jitter * random)


def option_problems(options: TaskOptions) -> Iterator[str]:
    """What is wrong with options, a sentence each."""
    cache: Any = options.cache
    retries: Any = options.retries
    if not isinstance(cache, bool | CachePolicy):
        yield f"cache is {cache!r}, not True, False or a CachePolicy."
    if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
        yield f"retries is {retries!r}, not a whole number from 0 on."
    if options.timeout is not None and not (_seconds(options.timeout) and options.timeout > 0):
        yield f"timeout is {options.timeout!r}, not a number of seconds above 0."
    if not _seconds(options.retry_delay):
        yield f"retry_delay is {options.retry_delay!r}, not a number of seconds."
    if not _seconds(options.retry_factor) or options.retry_factor < 1:
        yield f"retry_factor is {options.retry_factor!r}, not a number from 1 on."
    if not _seconds(options.retry_jitter):
        yield f"retry_jitter is {options.retry_jitter!r}, not a number from 0 on."
    for name, value in (("cpus", options.cpus), ("gpus", options.gpus)):
        if value is not None and not _seconds(value):
            yield f"{name} is {value!r}, not a number from 0 on."
    if options.memory is not None and not _is_memory(options.memory):
        yield f"memory is {options.memory!r}, not a number of bytes or a text such as '2 GiB'."
    for kind in _kinds(options.retry_on):
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            yield f"retry_on holds {kind!r}, which is no class of exceptions."


def byte_count(memory: int | str) -> int:
    """A size of memory in bytes.

    >>> byte_count("1.5 GiB"), byte_count("200MB"), byte_count(1024)
    (1610612736, 200000000, 1024)
    """
    if isinstance(memory, int):
        return memory
    found = _MEMORY.fullmatch(memory.strip())
    if found is None:
        raise ValueError(f"{memory!r} is no size of memory")
    return int(float(found["number"]) * _UNITS[found["unit"].lower()])


_MEMORY = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[kmgt]i?b|b|)", re.IGNORECASE)
_UNITS = {
    "": 1,
    "b": 1,
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgt", 1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", 1)},
}


def _is_memory(memory: Any) -> bool:
    if isinstance(memory, str):
        return _MEMORY.fullmatch(memory.strip()) is not None
    return isinstance(memory, int) and not isinstance(memory, bool) and memory >= 0


def _policy_problems(policy: CachePolicy) -> Iterator[Problem]:
    given: dict[str, Any] = {each.name: getattr(policy, each.name) for each in fields(policy)}
    for name in ("code", "single"):
        if not isinstance(given[name], bool):
            yield Problem(name, f"it is {given[name]!r}", expected="True or False")
    if not isinstance(given["salt"], str):
        yield Problem("salt", f"it is {given['salt']!r}", expected="a text")
    if given["expires"] is not None and not _seconds(given["expires"]):
        expected = "a number of seconds from 0 on, or None"
        yield Problem("expires", f"it is {given['expires']!r}", expected=expected)
    packages = given["packages"]
    if not isinstance(packages, tuple) or not all(isinstance(name, str) for name in packages):
        yield Problem("packages", f"it is {packages!r}", expected="a tuple of names")


def _kinds(found: Any) -> tuple[Any, ...]:
    return found if isinstance(found, tuple) else (found,)


def _seconds(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value >= 0
    )


_ALWAYS = CachePolicy()
