"""What each step of a plan contributes to its cache key beside its arguments: code, policy, seed,
handlers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from findspot.core.digests import Digest, hash_bytes
from findspot.engine.caching.keys import key_parts, sources_document
from findspot.engine.code.task_sources import PluginHandler
from findspot.graph.task_options import CachePolicy

if TYPE_CHECKING:
    from findspot.engine.calls import SavePlan
    from findspot.engine.code.fingerprint import Fingerprint
    from findspot.engine.plans import Plan
    from findspot.graph.spec import Step

CacheMode = Literal["on", "refresh", "off"]


class StepKeys:
    """The keys of one run of a plan; the code of each task is looked at once.

    Args:
        cache: ``on`` reuses what equal steps made before; ``refresh`` runs every step, for later
            jobs to reuse; ``off`` runs every step, and nothing of it is reused later.
        seed: each step gets a seed of its own derived from it; None: none.
        keep: told once of each document with the text of a task's code.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        cache: CacheMode,
        seed: int | None,
        keep: Callable[[Digest, bytes], None],
    ) -> None:
        self._plan = plan
        self._cache = cache
        self._seed = seed
        self._keep = keep
        self._codes: dict[str, Fingerprint] = {}
        self._sources: dict[str, Digest] = {}

    def policy(self, step: Step) -> CachePolicy | None:
        """When the step may be reused; None: never."""
        if self._cache == "off" or step.cache is False:
            return None
        policy = self._plan.sources[step.task].options.policy
        return CachePolicy() if policy is None and step.cache else policy

    def seed(self, step: str) -> int | None:
        """The step's own seed."""
        if self._seed is None:
            return None
        from findspot.engine.seeds import derive_seed

        return derive_seed(self._seed, step)

    def code(self, task: str) -> Fingerprint:
        """What the code of a task is."""
        found = self._codes.get(task)
        if found is None:
            found = self._codes[task] = self._plan.sources[task].fingerprint()
        return found

    def sources(self, task: str) -> Digest:
        """The digest of the document with the text of a task's code, which is kept."""
        found = self._sources.get(task)
        if found is None:
            document = sources_document(self.code(task))
            found = self._sources[task] = hash_bytes(document)
            self._keep(found, document)
        return found

    def parts(
        self,
        step: Step,
        named: Mapping[str, Any],
        saves: tuple[SavePlan, ...],
        *,
        policy: CachePolicy | None,
        seed: int | None,
    ) -> dict[str, Any]:
        """The named parts of a step's key, as plain JSON."""
        return key_parts(
            self._plan.graph.tasks[step.task],
            self.code(step.task).digest,
            named,
            policy=policy,
            seed=seed,
            handlers=_chosen_handlers(saves),
        )


def _chosen_handlers(saves: tuple[SavePlan, ...]) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for save in saves:
        if isinstance(save.handler, PluginHandler):
            handler = [save.handler.class_name, save.handler.code]
            chosen[save.name] = [*handler, dict(save.handler_args)]
        elif save.handler is not None:
            chosen[save.name] = [save.handler, dict(save.handler_args)]
    return chosen
