"""Which step comes next: its predecessors are done, and what it needs is free."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

from findspot.engine.resources.budgets import Budget, Claim, Need, Supplied, needs_of

if TYPE_CHECKING:
    from findspot.engine.plans import Plan


class Item(NamedTuple):
    """A step, or one call of a mapped step.

    Args:
        position: in the plan's order.
        element: its number; -1 for a step itself.
        last: the number of the last element that is to follow.
    """

    position: int
    element: int = -1
    last: int = -1


class StepOrder:
    """Steps in the plan's order, as far as they are free to start.

    Of a mapped step only the next element is held, so that a waiting one costs nothing.

    Args:
        executor: never more than its supply is in use at once; no step needs more than that (see
            `check_needs`).
    """

    def __init__(self, plan: Plan, executor: Supplied) -> None:
        self._plan = plan
        needs = needs_of(plan)
        self._needs: dict[int, Need] = {}
        self._claims: dict[Item, Claim] = {}
        self._position = {name: index for index, name in enumerate(plan.order)}
        for name, step in plan.graph.steps.items():
            if step.task in needs:
                self._needs[self._position[name]] = needs[step.task]
        # What there is is asked for only where it matters.
        self._budget = Budget(executor.supply()) if self._needs else None
        self._waiting = {name: len(plan.waits[name]) for name in plan.order}
        self._ready = [Item(self._position[n]) for n in plan.order if not self._waiting[n]]
        self._held: dict[Need, list[Item]] = {}

    @property
    def pending(self) -> bool:
        """Whether a step is free to start, perhaps as soon as what it needs is."""
        return bool(self._ready) or (bool(self._held) and any(self._held.values()))

    def next(self) -> Item | None:
        """The next step that may start now."""
        if not self._needs:
            item = heapq.heappop(self._ready) if self._ready else None
        else:
            item = self._next_that_fits()
        if item is not None and item.element < item.last:
            heapq.heappush(self._ready, item._replace(element=item.element + 1))
        return item

    def add(self, item: Item) -> None:
        """Let a step that was put off start."""
        heapq.heappush(self._ready, item._replace(last=-1))

    def open(self, item: Item, count: int) -> None:
        """Let the calls of a mapped step start."""
        heapq.heappush(self._ready, Item(item.position, 0, count - 1))

    def take(self, item: Item) -> Claim | None:
        """The step starts; what it holds until it ends, if it asked for anything."""
        need = self._need(item) if self._needs else None
        if need is None or self._budget is None:
            return None
        claim = self._claims[item] = self._budget.take(need)
        return claim

    def give(self, item: Item) -> None:
        """The step ended."""
        claim = self._claims.pop(item, None)
        if claim is not None and self._budget is not None:
            self._budget.give(claim)

    def release(self, name: str) -> None:
        """The step is settled: others may be free now."""
        for follower in self._plan.followers.get(name, ()):
            self._waiting[follower] -= 1
            if not self._waiting[follower]:
                heapq.heappush(self._ready, Item(self._position[follower]))

    def _need(self, item: Item) -> Need | None:
        need = self._needs.get(item.position)
        if need is None:
            return None
        # A mapped step itself only takes its lists apart; its calls need something.
        return None if item.element < 0 and self._is_mapped(item) else need

    def _is_mapped(self, item: Item) -> bool:
        return bool(self._plan.graph.steps[self._plan.order[item.position]].each)

    def _fits(self, need: Need) -> bool:
        return self._budget is not None and self._budget.fits(need)

    def _next_that_fits(self) -> Item | None:
        while self._ready:
            need = self._need(self._ready[0])
            if need is None or self._fits(need):
                break
            heapq.heappush(self._held.setdefault(need, []), heapq.heappop(self._ready))
        found = self._ready
        for need, items in self._held.items():
            if items and self._fits(need) and (not found or items[0] < found[0]):
                found = items
        return heapq.heappop(found) if found else None
