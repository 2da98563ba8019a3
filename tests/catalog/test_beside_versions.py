"""Links, signatures, sources, protected tags, renamed artifacts."""

from __future__ import annotations

import pytest

from catalog_records import at, made_by, new_job, new_version, save
from findspot.catalog.errors import ArtifactExists, TagProtected
from findspot.catalog.protocol import Batch, Catalog
from findspot.core.digests import hash_bytes
from findspot.core.errors import Conflict, NotFound
from findspot.core.ids import new_uid
from findspot.core.records import Link, Signature, SourceRead, VersionQuery


def link(version: str, name: str, target: str, *, seconds: float = 0) -> Link:
    return Link(version, name, target, "artifact", "ada", at(seconds))


def test_the_newest_link_of_a_name_counts(catalog: Catalog) -> None:
    model, plot, better = (save(catalog, key).uid for key in ("model", "plot", "better"))
    catalog.add_links([link(model, "matrix", plot), link(model, "data", "samples:1")])
    catalog.add_links([link(model, "matrix", better, seconds=1)])
    found = catalog.links(model)
    assert [(i.name, i.target) for i in found] == [("data", "samples:1"), ("matrix", better)]
    assert found[1] == link(model, "matrix", better, seconds=1)
    assert catalog.linked_from(plot) == []
    assert [i.version for i in catalog.linked_from(better)] == [model]
    catalog.add_links([link(model, "matrix", "")])
    assert [i.name for i in catalog.links(model)] == ["data"]
    assert catalog.linked_from(better) == []
    assert catalog.links(plot) == []


def test_what_many_versions_link_to(catalog: Catalog) -> None:
    a, b, c, gone = (save(catalog, key).uid for key in ("a", "b", "c", "gone"))
    catalog.add_links(
        [
            Link(a, "chart", c, "artifact", "", at(0)),
            Link(a, "chart", b, "artifact", "", at(1)),
            Link(a, "table", gone, "artifact", "", at(1)),
            Link(a, "page", "https://example.org", "url", "", at(1)),
            Link(b, "back", a, "artifact", "", at(1)),
            Link(c, "off", a, "artifact", "", at(1)),
            Link(c, "off", "", "artifact", "", at(2)),
        ]
    )
    catalog.delete_version(gone)
    assert catalog.linked([a, b, c, gone]) == {a: {b, gone}, b: {a}}
    assert catalog.linked([]) == {}


def test_links_begin_at_versions_that_exist(catalog: Catalog) -> None:
    model = save(catalog, "model").uid
    with pytest.raises(NotFound):
        catalog.add_links([link(model, "plot", "x"), link(new_uid(), "plot", "x")])
    assert catalog.links(model) == []
    catalog.add_links([link(model, "plot", "x")])
    catalog.delete_version(model)
    assert catalog.links(model) == []
    assert catalog.linked_from("x") == []


def test_signatures_one_of_each_key(catalog: Catalog) -> None:
    uid = save(catalog).uid
    first = Signature(uid, "k1", "c2ln", "ada", at(0))
    catalog.add_signature(first)
    catalog.add_signature(Signature(uid, "k2", "b3Ro", "bob", at(1)))
    assert catalog.signatures(uid)[0] == first
    catalog.add_signature(Signature(uid, "k1", "bmV3", "ada", at(2)))
    assert [(s.key, s.signature) for s in catalog.signatures(uid)] == [
        ("k2", "b3Ro"),
        ("k1", "bmV3"),
    ]
    with pytest.raises(NotFound):
        catalog.add_signature(Signature(new_uid(), "k1", "c2ln", "ada", at(0)))
    catalog.delete_version(uid)
    assert catalog.signatures(uid) == []


def test_what_jobs_read_from_outside(catalog: Catalog) -> None:
    job = new_job()
    whole = SourceRead(
        *(job.id, "read", "iris", "https://example.org/iris.csv", 12, '"e1"'),
        *(hash_bytes(b"x"), at(-5), at(1)),
    )
    bare = SourceRead(job.id, None, "b", "s3://bucket/b", None, None, None, None, at(2))
    catalog.write(Batch(jobs=[job], sources=[whole]))
    catalog.write(Batch(sources=[bare]))
    assert catalog.sources(job.id) == [whole, bare]
    assert catalog.sources(new_uid()) == []


# --------------------------------------------------------------------------- protected tags


def test_a_protected_tag_moves_only_by_force(catalog: Catalog) -> None:
    save(catalog, tags=["golden"])
    save(catalog)
    catalog.protect_tag("default", "samples", "golden", True)
    catalog.protect_tag("default", "samples", "golden", True)
    assert catalog.protected_tags("default", "samples") == {"golden"}
    for version in (2, None):
        with pytest.raises(TagProtected, match="golden") as caught:
            catalog.set_tag("default", "samples", "golden", version)
        assert isinstance(caught.value, Conflict)
    with pytest.raises(TagProtected):
        save(catalog, tags=["golden"])
    assert catalog.tags("default", "samples") == {"golden": 1}
    assert catalog.find_version("default", "samples", 3) is None
    catalog.set_tag("default", "samples", "golden", 1)
    catalog.set_tag("default", "samples", "golden", 2, force=True)
    catalog.protect_tag("default", "samples", "golden", False)
    catalog.set_tag("default", "samples", "golden", 1)
    assert catalog.protected_tags("default", "samples") == set()


def test_protection_may_come_before_the_tag(catalog: Catalog) -> None:
    with pytest.raises(NotFound):
        catalog.protect_tag("default", "samples", "golden", True)
    save(catalog)
    catalog.protect_tag("default", "samples", "golden", True)
    with pytest.raises(TagProtected):
        catalog.set_tag("default", "samples", "golden", 1)
    assert catalog.set_tag("default", "samples", "golden", 1, force=True).version == 1


def test_a_version_under_a_protected_tag_is_not_deleted(catalog: Catalog) -> None:
    record = save(catalog, tags=["golden"])
    other = save(catalog)
    catalog.protect_tag("default", "samples", "golden", True)
    with pytest.raises(TagProtected):
        catalog.delete_version(record.uid)
    with pytest.raises(TagProtected):
        catalog.delete_artifact("default", "samples")
    assert catalog.protected_versions() == [(record.uid, "golden")]
    assert catalog.delete_versions([record.uid, other.uid], now=at(0)) == [other.uid]
    assert catalog.delete_version(record.uid, force=True)


# --------------------------------------------------------------------------- another name


def test_a_moved_artifact_keeps_all_it_has(catalog: Catalog) -> None:
    first = save(catalog, tags=["golden"], labels={"split": "train"}, name="one")
    second = save(catalog, tags=["golden"])
    catalog.protect_tag("default", "samples", "golden", True)
    catalog.add_links([link(first.uid, "plot", "x")])
    catalog.delete_version(save(catalog).uid)
    assert catalog.move_artifact("default", "samples", "other", "data/samples") == 2
    assert catalog.keys("default") == []
    assert catalog.keys("other") == ["data/samples"]
    assert "other" in catalog.projects()
    found = catalog.version(first.uid)
    assert found is not None
    assert (found.project, found.key, found.number, found.name) == (
        "other",
        "data/samples",
        1,
        "one",
    )
    assert catalog.tags("other", "data/samples") == {"golden": 2}
    assert catalog.protected_tags("other", "data/samples") == {"golden"}
    assert catalog.protected_tags("default", "samples") == set()
    history = catalog.tag_history("other", "data/samples", "golden")
    assert [event.version for event in history] == [1, 2]
    tagged = catalog.find_version("other", "data/samples", "golden")
    assert tagged is not None
    assert tagged.uid == second.uid
    assert [i.name for i in catalog.links(first.uid)] == ["plot"]
    labelled = VersionQuery(project="other", labels={"split": "train"})
    assert [r.uid for r in catalog.search_versions(labelled).items] == [first.uid]
    old = VersionQuery(project="default", labels={"split": "train"})
    assert catalog.search_versions(old).items == ()
    assert save(catalog, "data/samples", project="other").number == 4
    assert catalog.check() == []


def test_the_old_name_begins_anew(catalog: Catalog) -> None:
    save(catalog)
    save(catalog)
    assert catalog.move_artifact("default", "samples", "default", "renamed") == 2
    assert save(catalog).number == 1
    assert save(catalog, "renamed").number == 3
    assert catalog.check() == []


def test_moves_that_cannot_be(catalog: Catalog) -> None:
    save(catalog)
    gone = save(catalog, "gone")
    catalog.delete_version(gone.uid)
    save(catalog, "there")
    for target in ("there", "gone", "samples"):
        with pytest.raises(ArtifactExists, match=target) as caught:
            catalog.move_artifact("default", "samples", "default", target)
        assert isinstance(caught.value, Conflict)
    for source in ("never", "gone"):
        with pytest.raises(NotFound):
            catalog.move_artifact("default", source, "default", "new")
    assert sorted(catalog.keys("default")) == ["samples", "there"]
    assert save(catalog, "new").number == 1
    assert catalog.check() == []


def test_a_move_that_fails_makes_no_project(catalog: Catalog) -> None:
    with pytest.raises(NotFound):
        catalog.move_artifact("default", "never", "elsewhere", "new")
    assert "elsewhere" not in catalog.projects()


def test_lineage_follows_a_moved_artifact(catalog: Catalog) -> None:
    job = new_job()
    new = new_version("out", producer=made_by(job.id))
    catalog.write(Batch(jobs=[job], versions=[new]))
    catalog.move_artifact("default", "out", "default", "moved")
    lineage = catalog.lineage(new.record.uid, "upstream")
    assert lineage.versions[new.record.uid].key == "moved"
    assert set(lineage.jobs) == {job.id}
