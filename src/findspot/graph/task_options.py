"""How a task is run: when it is reused, when it is tried again, and what it may take."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """When a step may be reused from an earlier job.

    Args:
        code: False: a change of the code alone does not make it run again.
        salt: any text; another text makes it run again.
        expires: seconds after which what was made counts no more; None: never.
        packages: installed packages (by the names that pip knows) whose versions count too.
    """

    code: bool = True
    salt: str = ""
    expires: float | None = None
    packages: tuple[str, ...] = ()


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
    """

    cache: bool | CachePolicy = True
    retries: int = 0
    timeout: float | None = None
    retry_delay: float = 0.0
    retry_factor: float = 1.0
    retry_jitter: float = 0.0
    retry_on: tuple[type[Exception], ...] = (Exception,)

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


_ALWAYS = CachePolicy()


def option_problems(options: TaskOptions) -> Iterator[str]:
    """What is wrong with options, a sentence each."""
    cache: Any = options.cache
    retries: Any = options.retries
    if isinstance(cache, CachePolicy):
        yield from _policy_problems(cache)
    elif not isinstance(cache, bool):
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
    for kind in _kinds(options.retry_on):
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            yield f"retry_on holds {kind!r}, which is no class of exceptions."


def _policy_problems(policy: CachePolicy) -> Iterator[str]:
    packages: Any = policy.packages
    if policy.expires is not None and not _seconds(policy.expires):
        yield f"expires is {policy.expires!r}, not a number of seconds."
    if not isinstance(packages, tuple) or not all(isinstance(name, str) for name in packages):
        yield f"packages is {packages!r}, not a tuple of names."


def _kinds(found: Any) -> tuple[Any, ...]:
    return found if isinstance(found, tuple) else (found,)


def _seconds(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value >= 0
    )
