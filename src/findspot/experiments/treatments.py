"""Treatments: what a condition changes, said by hand, as a grid, at random, or by an optimiser."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from findspot.core.errors import FindspotError
from findspot.engine.seeds import derive_seed

if TYPE_CHECKING:
    from findspot.experiments.context import CellContext

BASELINE = "baseline"


@dataclass(frozen=True)
class Treatment:
    """A condition other than the baseline: what it changes, and its name.

    Args:
        name: new in its experiment; it becomes a folder's name in the readable view.
        change: parameters and their values (plain JSON values), by name or as ``step.name`` for one
            step only; or a function that is given the context and changes ``ctx.parameters``.

    >>> Treatment("deep", {"depth": 12}).parameters
    {'depth': 12}
    """

    name: str
    change: Mapping[str, Any] | Callable[[CellContext], object] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, Any]:
        """What it sets; empty where a function does it."""
        return dict(self.change) if isinstance(self.change, Mapping) else {}

    @property
    def function(self) -> Callable[[CellContext], object] | None:
        """The function that changes the context, if that is what it does."""
        return None if isinstance(self.change, Mapping) else self.change


def grid(name: str = "", /, **values: Iterable[Any]) -> list[Treatment]:
    """A treatment for every combination of the given values, named after them.

    Args:
        name: what the names begin with.
        values: of each parameter: a list, or another iterable that is no text.

    >>> [t.name for t in grid(depth=[2, 4], kind=["tree"])]
    ['depth=2 kind=tree', 'depth=4 kind=tree']
    """
    names = list(values)
    for parameter, options in values.items():
        if isinstance(options, str | bytes | Mapping) or not isinstance(options, Iterable):
            raise FindspotError(
                f"The values of {parameter!r} are {options!r}, which is no list.",
                how=f"Put what there is to try into a list: grid({parameter}=[{options!r}]).",
            )
    choices = [list(options) for options in values.values()]
    if not names or not all(choices):
        raise FindspotError(
            "The grid is empty.", how="Give each parameter at least one value: grid(depth=[2, 4])."
        )
    return [
        named_treatment(name, dict(zip(names, chosen, strict=True)))
        for chosen in itertools.product(*choices)
    ]


def random_search(
    count: int, /, name: str = "", *, seed: int = 0, **ranges: Any
) -> list[Treatment]:
    """Treatments with values drawn at random; equal seeds draw equal values.

    Args:
        count: how many.
        ranges: of each parameter: a list to choose from; a pair (low, high) of whole numbers (both
            included) or of floats; or a function that is given a `random.Random`.

    >>> random_search(1, seed=3, depth=(2, 9))[0].parameters
    {'depth': 7}
    """
    wanted: Any = count
    if not isinstance(wanted, int) or isinstance(wanted, bool) or wanted < 1 or not ranges:
        raise FindspotError(
            f"A random search of {count!r} treatments over {len(ranges)} parameters cannot be.",
            how="Say how many, and from what: random_search(10, depth=(2, 9)).",
        )
    found: dict[str, Treatment] = {}
    for number in range(count):
        drawn = random.Random(derive_seed(seed, "random search", number))
        values = {parameter: _drawn(range_, drawn) for parameter, range_ in ranges.items()}
        treatment = named_treatment(name, values)
        if treatment.name in found:
            treatment = Treatment(f"{treatment.name} ({number + 1})", values)
        found[treatment.name] = treatment
    return list(found.values())


def _drawn(range_: Any, drawn: random.Random) -> Any:
    if callable(range_):
        return range_(drawn)
    if isinstance(range_, tuple) and len(range_) == 2:
        low, high = range_
        if all(isinstance(end, int) and not isinstance(end, bool) for end in range_):
            return drawn.randint(low, high)
        if all(isinstance(end, int | float) for end in range_):
            return drawn.uniform(low, high)
    if isinstance(range_, Sequence) and not isinstance(range_, str) and range_:
        return drawn.choice(range_)
    raise FindspotError(
        f"{range_!r} is nothing to draw from.",
        how="Give a list, a pair (low, high), or a function of a random.Random.",
    )


def named_treatment(name: str, values: Mapping[str, Any]) -> Treatment:
    """A treatment that is named after its parameters; ``name`` is what its name begins with."""
    parts = [f"{parameter}={_shown(value)}" for parameter, value in values.items()]
    return Treatment(" ".join([name, *parts] if name else parts), dict(values))


def _shown(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return "".join(c if c.isalnum() or c in "._-+=" else "_" for c in text).strip() or "_"


class Optimiser(Protocol):
    """Proposes treatments and learns from what came of them.

    `Experiment.optimise` asks, runs what it is given, and tells, until nothing more is asked for.
    """

    def ask(self) -> Sequence[Treatment]:
        """The next treatments to run; none: the search has ended."""
        ...

    def tell(self, results: Mapping[str, Mapping[str, float]]) -> None:
        """The mean of each metric over the replicates, by treatment and metric."""
        ...


@runtime_checkable
class StagedOptimiser(Optimiser, Protocol):
    """An optimiser that may give treatments up before all of their replicates have run."""

    @property
    def stages(self) -> Sequence[int]:
        """After how many replicates it is asked, rising."""
        ...

    def keep(self, replicates: int, results: Mapping[str, Mapping[str, float]]) -> Collection[str]:
        """The names of the treatments that are worth more replicates.

        Args:
            results: as for `tell`, over so many replicates.
        """
        ...
