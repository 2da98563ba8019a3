"""Lineage: upstream and downstream, to any depth, with few statements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from catalog_records import at, made_by, new_job, new_step, new_version, save
from findspot.catalog.database import Row, Session
from findspot.catalog.lineage import LineageReader
from findspot.catalog.protocol import Batch, Catalog, NewVersion
from findspot.catalog.sql_catalog import SqlCatalog
from findspot.core.records import JobInput, Lineage, SourceRead


def steps_of(lineage: Lineage) -> set[str]:
    return {f"{job}/{step}" for job, step in lineage.steps}


def keys_of(lineage: Lineage) -> set[str]:
    return {record.key for record in lineage.versions.values()}


def chain(catalog: Catalog, job: str, *names: str, start: str | None = None) -> list[NewVersion]:
    """A job of steps, each taking the output of the one before; the outputs."""
    made = [new_version(f"{job}-{name}", producer=made_by(job, name, "out")) for name in names]
    steps = []
    before = start
    for i, (name, version) in enumerate(zip(names, made, strict=True)):
        steps.append(
            new_step(
                job,
                name,
                position=i,
                inputs={} if before is None else {"x": before},
                outputs={"out": version.record.uid},
            )
        )
        before = version.record.uid
    catalog.write(Batch(jobs=[new_job(id=job)], versions=made, steps=steps))
    return made


def test_over_two_jobs(catalog: Catalog) -> None:
    first = chain(catalog, "j1", "load", "split")
    second = chain(catalog, "j2", "fit", "draw", start=first[1].record.uid)
    up = catalog.lineage(second[1].record.uid, "upstream")
    assert up.root == second[1].record.uid
    assert steps_of(up) == {"j1/load", "j1/split", "j2/fit", "j2/draw"}
    assert keys_of(up) == {"j1-load", "j1-split", "j2-fit", "j2-draw"}
    assert set(up.jobs) == {"j1", "j2"}
    assert all(step is not None for step in up.steps.values())
    assert len(up.edges) == 7
    down = catalog.lineage(first[0].record.uid, "downstream")
    assert keys_of(down) == keys_of(up)
    assert steps_of(down) == {"j1/split", "j2/fit", "j2/draw"}
    assert len(down.edges) == 6
    assert set(down.edges) < set(up.edges)


def test_depth_counts_steps(catalog: Catalog) -> None:
    made = chain(catalog, "j", "a", "b", "c", "d")
    last = made[-1].record.uid
    assert keys_of(catalog.lineage(last, "upstream", depth=0)) == {"j-d"}
    assert catalog.lineage(last, "upstream", depth=0).edges == ()
    one = catalog.lineage(last, "upstream", depth=1)
    assert (keys_of(one), steps_of(one)) == ({"j-d", "j-c"}, {"j/d"})
    assert keys_of(catalog.lineage(last, "upstream", depth=3)) == {"j-d", "j-c", "j-b", "j-a"}
    first = made[0].record.uid
    assert keys_of(catalog.lineage(first, "downstream", depth=2)) == {"j-a", "j-b", "j-c"}


def test_a_diamond_is_read_once(catalog: Catalog) -> None:
    top, left, right, bottom = (
        new_version(name, producer=made_by("j", name, "out"))
        for name in ("top", "left", "right", "bottom")
    )
    given = {
        "top": {},
        "left": {"x": top.record.uid},
        "right": {"x": top.record.uid},
        "bottom": {"a": left.record.uid, "b[0]": right.record.uid, "b[1]": right.record.uid},
    }
    versions = [top, left, right, bottom]
    steps = [
        new_step("j", v.record.key, inputs=given[v.record.key], outputs={"out": v.record.uid})
        for v in versions
    ]
    catalog.write(Batch(jobs=[new_job(id="j")], versions=versions, steps=steps))
    up = catalog.lineage(bottom.record.uid, "upstream")
    down = catalog.lineage(top.record.uid, "downstream")
    assert keys_of(up) == keys_of(down) == {"top", "left", "right", "bottom"}
    assert len(up.edges) == len(set(up.edges)) == 9
    assert sorted(e.name for e in up.edges if e.step == "bottom" and e.direction == "in") == [
        "a",
        "b[0]",
        "b[1]",
    ]


def test_a_deleted_version_keeps_its_place(catalog: Catalog) -> None:
    made = chain(catalog, "j", "a", "b", "c")
    catalog.delete_version(made[1].record.uid)
    up = catalog.lineage(made[2].record.uid, "upstream")
    assert keys_of(up) == {"j-a", "j-c"}
    assert steps_of(up) == {"j/a", "j/b", "j/c"}
    assert made[1].record.uid in {edge.version for edge in up.edges}
    assert keys_of(catalog.lineage(made[0].record.uid, "downstream")) == {"j-a", "j-c"}
    assert keys_of(catalog.lineage(made[1].record.uid, "upstream")) == {"j-a"}


def test_a_reused_output_was_made_by_the_step_that_ran(catalog: Catalog) -> None:
    made = chain(catalog, "j1", "a", "b")
    a, b = (new.record.uid for new in made)
    reused = [
        new_step("j2", "a", cached=True, source_job="j1", outputs={"out": a}),
        new_step("j2", "b", cached=True, source_job="j1", inputs={"x": a}, outputs={"out": b}),
    ]
    catalog.write(Batch(jobs=[new_job(id="j2")], steps=reused))
    assert steps_of(catalog.lineage(b, "upstream")) == {"j1/a", "j1/b"}
    assert steps_of(catalog.lineage(a, "downstream")) == {"j1/b", "j2/b"}


def test_scripts_and_steps_that_read_and_save_by_themselves(catalog: Catalog) -> None:
    source = save(catalog, "source")
    script = save(catalog, "by script", producer=made_by("notebook"))
    extra = save(catalog, "by step", producer=made_by("job", "fit"))
    catalog.write(
        Batch(
            jobs=[new_job(id="notebook"), new_job(id="job")],
            steps=[new_step("job", "fit", outputs={})],
            inputs=[
                JobInput("notebook", None, "source", source.uid),
                JobInput("job", "fit", "script", script.uid),
                JobInput("job", "other step", "unrelated", new_version().record.uid),
            ],
        )
    )
    up = catalog.lineage(extra.uid, "upstream")
    assert keys_of(up) == {"by step", "by script", "source"}
    assert steps_of(up) == {"job/fit", "notebook/"}
    assert up.steps["notebook", ""] is None
    down = catalog.lineage(source.uid, "downstream")
    assert keys_of(down) == {"by step", "by script", "source"}
    assert set(down.edges) == set(up.edges)
    assert {(e.job, e.step, e.name, e.direction) for e in up.edges} == {
        ("job", "fit", "by step", "out"),
        ("job", "fit", "script", "in"),
        ("notebook", "", "by script", "out"),
        ("notebook", "", "source", "in"),
    }


def test_what_was_read_from_outside_is_upstream(catalog: Catalog) -> None:
    (table,) = chain(catalog, "first", "read")
    (model,) = chain(catalog, "second", "fit", start=table.record.uid)
    found = SourceRead("first", "read", "t", "https://host/t.csv", 9, "e", None, None, at(1))
    by_job = SourceRead("second", None, "x", "s3://bucket/x", None, None, None, None, at(2))
    catalog.write(Batch(sources=[found, by_job]))
    assert catalog.lineage(model.record.uid, "upstream").sources == {("first", "read"): (found,)}
    assert catalog.lineage(table.record.uid, "downstream").sources == {}


def test_what_is_unknown_has_no_lineage(catalog: Catalog) -> None:
    for direction in ("upstream", "downstream"):
        lineage = catalog.lineage("nobody", direction)
        assert lineage == Lineage("nobody", {}, {}, {}, ())
    alone = save(catalog)
    assert catalog.lineage(alone.uid, "upstream").versions == {alone.uid: alone}


class CountingSession:
    """A session that counts the statements it runs."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.count = 0

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        self.count += 1
        return self._session.rows(sql, params)

    def row(self, sql: str, params: Sequence[Any] = ()) -> Row | None:
        return next(iter(self.rows(sql, params)), None)

    def run(self, sql: str, params: Sequence[Any] = ()) -> int:
        raise AssertionError("lineage changes nothing")

    def many(self, sql: str, params: Sequence[Sequence[Any]]) -> None:
        raise AssertionError("lineage changes nothing")

    def lock(self, name: str) -> None:
        raise AssertionError("lineage waits for nobody")

    def lock_deletion(self) -> None:
        raise AssertionError("lineage waits for nobody")


def test_a_wide_level_costs_no_more_statements_than_a_narrow_one(catalog: Catalog) -> None:
    assert isinstance(catalog, SqlCatalog)

    def fan(job: str, width: int) -> str:
        parts = [
            new_version(f"{job}-{i}", producer=made_by(job, f"s{i}", "out")) for i in range(width)
        ]
        joined = new_version(f"{job}-all", producer=made_by(job, "join", "out"))
        steps = [
            new_step(job, f"s{i}", outputs={"out": part.record.uid}) for i, part in enumerate(parts)
        ]
        inputs = {f"x[{i}]": part.record.uid for i, part in enumerate(parts)}
        steps.append(new_step(job, "join", inputs=inputs, outputs={"out": joined.record.uid}))
        catalog.write(Batch(jobs=[new_job(id=job)], versions=[*parts, joined], steps=steps))
        return joined.record.uid

    counts = []
    for job, width in (("narrow", 2), ("wide", 250)):
        root = fan(job, width)
        with catalog._database.reading() as session:
            counting = CountingSession(session)
            lineage = LineageReader(counting).read(root, "upstream", None)
        assert len(lineage.versions) == width + 1
        assert len(lineage.edges) == 2 * width + 1
        counts.append(counting.count)
    assert counts[0] == counts[1] < 15


def test_parents_of_many_versions_at_once(catalog: Catalog) -> None:
    job, script = new_job(), new_job()
    raw, read = save(catalog, "raw"), save(catalog, "read")
    made = new_version("made", producer=made_by(job.id, "fit", "y"))
    by_script = new_version("script", producer=made_by(script.id))
    catalog.write(
        Batch(
            jobs=[job, script],
            versions=[made, by_script],
            steps=[
                new_step(job.id, "fit", inputs={"x": raw.uid}, outputs={"y": made.record.uid}),
                new_step(
                    script.id,
                    "again",
                    cached=True,
                    inputs={"x": read.uid},
                    outputs={"y": made.record.uid},
                ),
            ],
            inputs=[
                JobInput(job.id, "fit", "also", read.uid),
                JobInput(script.id, None, "data", raw.uid),
            ],
        )
    )
    uids = [made.record.uid, by_script.record.uid, raw.uid, read.uid]
    expected = {uids[0]: {raw.uid, read.uid}, uids[1]: {raw.uid}}
    assert catalog.parents(uids) == expected
    catalog.delete_versions([made.record.uid], now=at(0), dead=[job.id, script.id])
    assert catalog.version(made.record.uid) is None
    assert catalog.parents(uids)[made.record.uid] == {raw.uid, read.uid}
