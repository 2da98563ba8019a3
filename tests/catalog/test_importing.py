"""Records of another workspace: taken over once, with their own identifiers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catalog_records import at, made_by, new_job, new_step, new_version, save
from findspot.catalog.errors import NameTaken
from findspot.catalog.protocol import Batch, Catalog, NewVersion
from findspot.core.digests import Digest, hash_bytes
from findspot.core.ids import new_uid
from findspot.core.records import (
    FileEntry,
    JobInput,
    JobOutput,
    JobUpdate,
    LogLine,
    MetricPoint,
    Snapshot,
    SourceRead,
    VersionQuery,
    document_digest,
)


def wished(number: int, name: str | None = None) -> NewVersion:
    new = new_version("samples", name=name)
    return replace(new, record=replace(new.record, number=number))


def elsewhere() -> Batch:
    """A version with its whole lineage."""
    source = FileEntry("tasks.py", hash_bytes(b"pass"), 4, b"pass")
    plugin = Snapshot(
        id=new_uid(),
        resource="plugin",
        project="default",
        name="tasks",
        number=7,
        digest=document_digest({"a": 1}),
        body={"a": 1},
        files=(source,),
        created=at(0),
    )
    job = new_job("finished", plugins={"tasks": plugin.id})
    given = new_version("given")
    made = new_version("made", producer=made_by(job.id, "fit", "y"), labels={"split": "train"})
    step = new_step(
        job.id, "fit", key="k1", inputs={"x": given.record.uid}, outputs={"y": made.record.uid}
    )
    return Batch(
        documents={Digest(hash_bytes(b"{}")): b"{}"},
        snapshots=[plugin],
        jobs=[job],
        versions=[given, made],
        steps=[step],
        outputs=[JobOutput(job.id, "y", made.record.uid)],
        inputs=[JobInput(job.id, "fit", "also", given.record.uid)],
        sources=[SourceRead(job.id, "fit", "a", "s3://b/a", None, None, None, None, at(0))],
        cache=[("k1", job.id, "fit")],
        metrics=[MetricPoint(job.id, "fit", "loss", 0.5, 1, at(0))],
        log=[LogLine(job.id, "fit", at(0), "INFO", "print", "hello")],
    )


def test_a_lineage_is_taken_over_whole_and_once(catalog: Catalog) -> None:
    batch = elsewhere()
    numbers = catalog.import_records(batch)
    before = catalog.counts()
    assert catalog.import_records(batch) == numbers
    assert catalog.counts() == before
    job, plugin = batch.jobs[0], batch.snapshots[0]
    given, made = (new.record.uid for new in batch.versions)
    assert numbers == {plugin.id: 1, given: 1, made: 1}
    assert catalog.job(job.id) == job
    assert catalog.snapshot(plugin.id) == replace(plugin, number=1, files=())
    assert catalog.files(plugin.id)[0].inline == b"pass"
    assert catalog.steps(job.id) == batch.steps
    assert catalog.outputs(job.id) == {"y": made}
    assert catalog.inputs(job.id) == batch.inputs
    assert catalog.sources(job.id) == batch.sources
    assert catalog.metrics(job.id) == batch.metrics
    assert [line for _, line in catalog.log(job.id)] == batch.log
    assert catalog.document(hash_bytes(b"{}")) == b"{}"
    entry = catalog.cached("k1")
    assert entry is not None
    assert entry.complete
    lineage = catalog.lineage(made, "upstream")
    assert set(lineage.versions) == {given, made}
    labelled = VersionQuery(project="default", labels={"split": "train"})
    assert [record.uid for record in catalog.search_versions(labelled).items] == [made]
    assert catalog.check() == []


def test_a_second_import_brings_what_the_first_had_not(catalog: Catalog) -> None:
    batch = elsewhere()
    job = batch.jobs[0]
    catalog.import_records(Batch(jobs=[job], versions=batch.versions[:1]))
    other = new_step(job.id, "other", position=1)
    batch.steps.append(other)
    catalog.import_records(batch)
    assert [step.name for step in catalog.steps(job.id)] == ["fit", "other"]
    assert len(catalog.versions(new.record.uid for new in batch.versions)) == 2
    assert catalog.metrics(job.id) == []


def test_records_that_exist_stay_as_they_are(catalog: Catalog) -> None:
    batch = elsewhere()
    catalog.import_records(batch)
    uid = batch.versions[1].record.uid
    catalog.set_labels(uid, {"split": "test"})
    catalog.import_records(batch)
    found = catalog.version(uid)
    assert found is not None
    assert found.labels == {"split": "test"}


@pytest.mark.parametrize(
    ("here", "wishes", "given"),
    [
        (0, [3], [3]),
        (0, [2, 5, 1], [2, 5, 1]),
        (0, [0, 0], [1, 2]),
        (2, [1, 2], [3, 4]),
        (2, [4, 2], [4, 3]),
        (1, [1, 2, 9], [2, 3, 9]),
    ],
)
def test_numbers_are_kept_where_they_are_free(
    catalog: Catalog, here: int, wishes: list[int], given: list[int]
) -> None:
    for _ in range(here):
        save(catalog)
    new = [wished(number) for number in wishes]
    numbers = catalog.import_records(Batch(versions=new))
    assert [numbers[version.record.uid] for version in new] == given
    assert save(catalog).number == max(here, *given) + 1
    assert catalog.check() == []


def test_numbers_of_deleted_versions_are_not_given_again(catalog: Catalog) -> None:
    catalog.delete_version(save(catalog).uid)
    new = wished(1)
    assert catalog.import_records(Batch(versions=[new])) == {new.record.uid: 2}


def test_snapshots_follow_those_that_are_here(catalog: Catalog) -> None:
    mine, theirs = elsewhere().snapshots[0], elsewhere().snapshots[0]
    catalog.write(Batch(snapshots=[mine]))
    assert catalog.import_records(Batch(snapshots=[theirs])) == {theirs.id: 2}
    assert catalog.snapshot(theirs.id) is not None


def test_what_cannot_be_imported_changes_nothing(catalog: Catalog) -> None:
    save(catalog, name="final")
    free, taken = wished(8), wished(9, name="final")
    with pytest.raises(NameTaken, match="final"):
        catalog.import_records(Batch(versions=[free, taken]))
    assert catalog.version(free.record.uid) is None
    assert save(catalog).number == 2
    with pytest.raises(ValueError, match="updates"):
        catalog.import_records(Batch(updates=[JobUpdate(id=new_uid(), expected=("running",))]))
    assert catalog.import_records(Batch()) == {}
