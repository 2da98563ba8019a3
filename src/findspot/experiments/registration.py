"""Registration: hypotheses fixed, digested and dated before the replicates they are tested on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from findspot.core.canonical import canonical_json
from findspot.core.digests import hash_bytes
from findspot.core.errors import FindspotError
from findspot.experiments.design import Design
from findspot.experiments.history import Run
from findspot.experiments.treatments import BASELINE

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.experiments.hypotheses import Hypothesis
    from findspot.experiments.results import Result

KEY = "registration"


@dataclass(frozen=True)
class Registration:
    """What was fixed, and when. It is an artifact, ``<experiment>/registration``: each registration
    is a version that nothing can change.

    Args:
        digest: of everything that was fixed.
        time: when the catalog recorded it.
        document: hypotheses, seed, replicates, parameters of the conditions, and digests of the
            code of each.
    """

    uri: str
    digest: str
    time: datetime
    document: dict[str, Any]

    def standing(self, hypothesis: Hypothesis, treatment: str, result: Result) -> str:
        """How a test relates to what was registered.

        ``exploratory``: the hypothesis, the treatment or its parameters were not registered so, or
        the number of replicates or the seed is another one. ``changed code``: some cell ran other
        code. ``reused data``: some cell was run before the registration. Else ``as registered``.
        """
        document = self.document
        conditions = document["conditions"]
        present = result.parameters
        if hypothesis.plain() not in document["hypotheses"]:
            return "exploratory"
        if (document["replicates"], document["seed"]) != (result.replicates, result.seed):
            return "exploratory"
        for condition in (BASELINE, treatment):
            if condition not in conditions or conditions[condition] != present.get(condition):
                return "exploratory"
        cells = [c for (name, _), c in result.cells.items() if name in (BASELINE, treatment)]
        if any(cell.code != document["code"][cell.condition] for cell in cells):
            return "changed code"
        if any(cell.started is None or cell.started < self.time for cell in cells):
            return "reused data"
        return "as registered"


def register(
    space: ArtifactSpace, project: str, design: Design, hypotheses: Sequence[Hypothesis]
) -> Registration:
    """Record what is to be tested; see `Experiment.register`. What is registered already keeps its
    date.

    Raises:
        FindspotError: there is no hypothesis.
    """
    if not hypotheses:
        raise FindspotError(
            "There is no hypothesis to register.",
            where=f"experiment {design.name}",
            how='Give it some: hypotheses=[Hypothesis("accuracy")].',
        )
    document = {
        "experiment": design.name,
        "hypotheses": [hypothesis.plain() for hypothesis in hypotheses],
        "replicates": design.replicates,
        "seed": design.seed,
        "conditions": design.conditions,
        "code": {condition: design.code_of(condition) for condition in design.conditions},
        "signature": design.signature,
    }
    newest = next(registrations(space, project, design.name), None)
    if newest is not None and canonical_json(newest.document) == canonical_json(document):
        return newest
    version = space.save_artifact(document, f"{design.name}/{KEY}", kind="value", project=project)
    digest = hash_bytes(canonical_json(document))
    return Registration(version.uri, digest, version.created, document)


def registrations(space: ArtifactSpace, project: str, experiment: str) -> Iterator[Registration]:
    """All registrations of an experiment, newest first; none where there is no workspace yet."""
    if not space.exists:
        return
    for version in space.iterate(name=f"{experiment}/{KEY}", project=project):
        document = space.load_version(version.record, version.files)
        yield Registration(
            version.uri, hash_bytes(canonical_json(document)), version.created, document
        )


def registration_of(space: ArtifactSpace, project: str, run: Run) -> Registration | None:
    """The registration that stood when a run's first cell began; if there was none by then, the
    newest one; None where there is none at all."""
    newest: Registration | None = None
    for found in registrations(space, project, run.name):
        newest = newest or found
        if run.started is None or found.time <= run.started:
            return found
    return newest
