"""A job as a Workflow Run RO-Crate: a folder with what it ran, was given and made, described in
``ro-crate-metadata.json`` by the words of schema.org."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from findspot.artifacts.version import ArtifactVersion
from findspot.core.names import check_file_path
from findspot.core.records import ENDED
from findspot.engine.jobs import Job, get_job
from findspot.provenance.crate_code import CodeFile, code_files
from findspot.provenance.errors import FolderInUse, NotEnded
from findspot.provenance.job_diff import input_uids
from findspot.provenance.made import made_by

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

Entity = dict[str, Any]

METADATA = "ro-crate-metadata.json"
_CONTEXTS = [
    "https://w3id.org/ro/crate/1.1/context",
    "https://w3id.org/ro/terms/workflow-run/context",
]
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
_TYPES = {bool: "Boolean", int: "Integer", float: "Float", str: "Text"}
_BLOCK = 4 << 20


def to_ro_crate(
    space: ArtifactSpace,
    job: str | Job,
    folder: str | os.PathLike[str],
    *,
    contents: bool = True,
    largest: int | None = None,
    license: str = "unspecified",
) -> Path:
    """Write a job as a Workflow Run RO-Crate; the folder appears whole or not at all.

    Files are copied verified. Names from the workspace never become paths: each version lies in a
    folder of its uid.

    Args:
        job: a job that has ended, or what `get_job` takes.
        folder: a new folder, or an empty one.
        contents: copy the files of inputs and outputs; False: only refer to them.
        largest: versions of more bytes are only referred to.
        license: under which the crate may be used: a URL or a text; the format asks for one.

    Returns:
        the path of ``ro-crate-metadata.json``.

    Raises:
        NotFound: there is no such job.
        FolderInUse: the folder is not empty.
        BlobMissing, BlobDamaged: a file cannot be had as it was recorded; nothing is written.
        NotEnded: the job runs, or is queued.
    """
    found = job if isinstance(job, Job) else get_job(space, job)
    if found.status not in ENDED:
        raise NotEnded(found.id, found.status)
    place = Path(folder).absolute()
    if place.exists() and any(place.iterdir()):
        raise FolderInUse(str(place))
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".{place.name}-{secrets.token_hex(6)}")
    draft.mkdir()
    try:
        limit = (float("inf") if largest is None else largest) if contents else -1
        crate = _Crate(space, found, draft, limit, license)
        crate.fill()
        text = json.dumps(crate.document(), indent=2, ensure_ascii=False, allow_nan=False)
        (draft / METADATA).write_text(text + "\n", encoding="utf-8")
        if place.exists():
            place.rmdir()
        draft.rename(place)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return place / METADATA


class _Crate:
    def __init__(
        self, space: ArtifactSpace, job: Job, folder: Path, largest: float, license: str
    ) -> None:
        self._space = space
        self._job = job
        self._folder = folder
        self._largest = largest
        self._license = license
        self._entities: dict[str, Entity] = {}
        self._parts: list[Entity] = []

    def document(self) -> Entity:
        return {"@context": _CONTEXTS, "@graph": list(self._entities.values())}

    def fill(self) -> None:
        job = self._job
        record = job.record
        self._add(
            METADATA,
            "CreativeWork",
            conformsTo=[
                {"@id": "https://w3id.org/ro/crate/1.1"},
                {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"},
            ],
            about={"@id": "./"},
        )
        root = self._add(
            "./",
            "Dataset",
            name=f"{record.name}, job {record.id}",
            description=f"What Findspot recorded of the job {record.id} of {record.name!r}.",
            datePublished=(record.ended or record.created).isoformat(),
            license=self._license,
            conformsTo=[{"@id": profile} for profile in _PROFILES],
        )
        for profile, (name, version) in _PROFILES.items():
            self._add(profile, "CreativeWork", name=name, version=version)
        workflow = self._workflow()
        values = self._values(workflow)
        given = self._given(workflow)
        made = self._made(workflow)
        action = self._action(workflow, [*values, *given], made)
        root |= {
            "mainEntity": _ref(workflow),
            "mentions": [_ref(action)],
            "hasPart": [_ref(part) for part in self._parts],
        }

    # ------------------------------------------------------------------ what it ran

    def _workflow(self) -> Entity:
        files = code_files(self._space, self._job)
        entities = [self._code(file) for file in files]
        language = files[0].language
        self._add(f"#{language.partition(' ')[0].lower()}", "ComputerLanguage", name=language)
        workflow = entities[0]
        workflow["@type"] = ["File", "SoftwareSourceCode", "ComputationalWorkflow"]
        workflow["programmingLanguage"] = {"@id": f"#{language.partition(' ')[0].lower()}"}
        workflow["name"] = self._job.name
        if len(entities) > 1:
            workflow["hasPart"] = [_ref(entity) for entity in entities[1:]]
        return workflow

    def _code(self, file: CodeFile) -> Entity:
        path = self._folder / check_file_path(file.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
        entity = self._add(
            quote(file.path),
            ["File", "SoftwareSourceCode"],
            name=file.path.rpartition("/")[2],
            contentSize=str(len(file.data)),
            encodingFormat=file.media_type,
        )
        self._parts.append(entity)
        return entity

    # ------------------------------------------------------------------ what it was given and made

    def _values(self, workflow: Entity) -> list[Entity]:
        found = []
        for name, value in self._job.params.items():
            shown = value if isinstance(value, bool | int | float | str) else json.dumps(value)
            parameter = self._formal("input", name, _TYPES.get(type(value), "Text"), workflow)
            found.append(
                self._add(
                    f"#param/{quote(name)}",
                    "PropertyValue",
                    name=name,
                    value=str(shown) if isinstance(shown, float) and not isfinite(shown) else shown,
                    exampleOfWork=_ref(parameter),
                )
            )
        return found

    def _given(self, workflow: Entity) -> list[Entity]:
        job = self._job
        made = {uid for step in job.steps.values() for uid in step.record.outputs.values()}
        chosen = set(job.record.artifacts.values())
        uids = {n: u for n, u in input_uids(job).items() if u in chosen or u not in made}
        known = self._space.catalog.versions(uids.values())
        found = []
        for name, uid in uids.items():
            if uid in known:
                version = ArtifactVersion(self._space, known[uid])
                found.append(self._version(version, self._formal("input", name, "File", workflow)))
            else:
                found.append(self._add(f"urn:uuid:{uid}", "CreativeWork", name=f"{name} (deleted)"))
        for read in self._space.catalog.sources(job.id):
            url = read.url if "://" in read.url else Path(read.url).absolute().as_uri()
            entity = self._add(
                quote(url, safe=":/?&=%#@+,;~"), "CreativeWork", name=read.name, url=read.url
            )
            if read.digest is not None:
                entity["identifier"] = read.digest
            if read.size is not None:
                entity["contentSize"] = str(read.size)
            found.append(entity)
        return found

    def _made(self, workflow: Entity) -> list[Entity]:
        return [
            self._version(version, self._formal("output", name, "File", workflow))
            for name, version in made_by(self._job).items()
        ]

    def _formal(self, direction: str, name: str, kind: str, workflow: Entity) -> Entity:
        id = f"#{direction}/{quote(name)}"
        entity = self._add(
            id,
            "FormalParameter",
            name=name,
            additionalType=kind,
            conformsTo={"@id": "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"},
        )
        listed = workflow.setdefault(direction, [])
        if _ref(entity) not in listed:
            listed.append(_ref(entity))
        return entity

    def _version(self, version: ArtifactVersion, parameter: Entity) -> Entity:
        """A version: its file, the folder of its files, or a reference."""
        record = version.record
        home = f"data/{record.uid}"
        facts: dict[str, Any] = {
            "name": f"{record.key}, version {record.number}",
            "identifier": [version.uri, record.digest],
            "dateCreated": record.created.isoformat(),
            "contentSize": str(record.size),
        }
        if record.size > self._largest:
            entity = self._add(f"urn:uuid:{record.uid}", "CreativeWork", **facts)
        elif len(version.files) == 1:
            path = f"{home}/{version.files[0].path}"
            entity = self._add(quote(path), "File", **facts)
            self._copy(version)
            self._part(entity)
        else:
            del facts["contentSize"]
            entity = self._add(f"{home}/", "Dataset", **facts)
            entity["hasPart"] = [
                _ref(
                    self._add(
                        quote(f"{home}/{file.path}"),
                        "File",
                        name=file.path,
                        contentSize=str(file.size),
                        identifier=file.digest,
                    )
                )
                for file in version.files
            ]
            self._copy(version)
            self._part(entity)
        examples = entity.setdefault("exampleOfWork", [])
        if _ref(parameter) not in examples:
            examples.append(_ref(parameter))
        return entity

    def _part(self, entity: Entity) -> None:
        if entity not in self._parts:
            self._parts.append(entity)

    def _copy(self, version: ArtifactVersion) -> None:
        home = self._folder / "data" / version.uid
        if home.exists():
            return
        home.mkdir(parents=True)
        source = self._space.load_folder(version.record, version.files)
        for file in version.files:
            path = home / check_file_path(file.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            with source.open(file.path) as reader, path.open("wb") as sink:
                while data := reader.read(_BLOCK):
                    sink.write(data)

    # ------------------------------------------------------------------ the run

    def _action(self, workflow: Entity, given: Iterable[Entity], made: Iterable[Entity]) -> Entity:
        record = self._job.record
        status = "Completed" if record.status == "finished" else "Failed"
        action = self._add(
            f"urn:uuid:{record.id}",
            "CreateAction",
            name=f"Job {record.id} of {record.name}",
            instrument=_ref(workflow),
            object=[_ref(entity) for entity in given],
            result=[_ref(entity) for entity in made],
            startTime=(record.started or record.created).isoformat(),
            endTime=(record.ended or record.created).isoformat(),
            actionStatus={"@id": f"http://schema.org/{status}ActionStatus"},
        )
        if record.failure is not None:
            action["error"] = f"{record.failure.type}: {record.failure.message}"
        if record.owner:
            person = self._add(f"#person/{quote(record.owner)}", "Person", name=record.owner)
            action["agent"] = _ref(person)
        environment = self._environment()
        if environment:
            action["environment"] = environment
        return action

    def _environment(self) -> list[Entity]:
        variables: Mapping[str, Any] = self._job.environment.get("variables") or {}
        found = [
            self._add(f"#environment/{quote(name)}", "PropertyValue", name=name, value=str(value))
            for name, value in variables.items()
        ]
        return [_ref(entity) for entity in found]

    def _add(self, id: str, kind: str | list[str], **facts: Any) -> Entity:
        """An entity of the graph; the one that is there where the id is known."""
        return self._entities.setdefault(id, {"@id": id, "@type": kind, **facts})


def _ref(entity: Entity) -> Entity:
    return {"@id": entity["@id"]}
