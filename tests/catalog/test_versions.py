"""Versions: numbers, files, look-up, deletion."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catalog_records import at, made_by, new_version, save
from findspot.catalog.errors import NameTaken, RecordExists
from findspot.catalog.protocol import Batch, Catalog, NewVersion
from findspot.core.digests import hash_bytes
from findspot.core.ids import new_uid
from findspot.core.records import FileEntry, Preview, VersionRecord


def test_numbers_count_up_under_each_key(catalog: Catalog) -> None:
    first = [new_version("a"), new_version("b"), new_version("a"), new_version("a", project="p")]
    numbers = catalog.write(Batch(versions=first))
    assert [numbers[new.record.uid] for new in first] == [1, 1, 2, 1]
    assert save(catalog, "a").number == 3
    assert catalog.projects() == ["default", "p"]


def test_a_record_comes_back_as_it_was(catalog: Catalog) -> None:
    record = VersionRecord(
        uid=new_uid(),
        project="Forschung",
        key="berichte/überblick",
        kind="plot",
        name="draft 1",
        iteration=3,
        digest=hash_bytes(b"manifest"),
        size=12,
        file_count=2,
        handler="figure",
        handler_args={"dpi": 150, "format": None},
        python_type="matplotlib.figure.Figure",
        metadata={"axes": [1, 2.5, "drei", True, None], "nested": {"a\0b": "\ud800"}},
        preview=Preview("image/png", b"\x89PNG\0\xff"),
        labels={"split": "train", "größe": "10 µm"},
        tags=("golden", "best"),
        owner="zoë",
        created=at(0.000_001),
        producer=made_by("job", "step", "output"),
        origin="here",
        seal="sealed",
    )
    files = (
        FileEntry("figure.png", hash_bytes(b"x"), 1),
        FileEntry("args.json", hash_bytes(b"{}"), 2, b"{}"),
    )
    catalog.write(Batch(versions=[NewVersion(record, files)]))
    expected = replace(record, number=1, tags=("best", "golden"))
    assert catalog.version(record.uid) == expected
    assert catalog.versions([record.uid, new_uid()]) == {record.uid: expected}
    found = catalog.files(record.uid)
    assert found == (files[1], files[0])
    assert [entry.inline for entry in found] == [b"{}", None]


def test_the_blobs_that_versions_need_from_the_store(catalog: Catalog) -> None:
    one, two, inline = new_version("a"), new_version("b"), new_version("c")
    digests = [hash_bytes(bytes([number])) for number in range(3)]
    files = [FileEntry(f"{number}", digest, 1) for number, digest in enumerate(digests)]
    own = FileEntry("own", hash_bytes(b"own"), 3, b"own")
    written = [
        NewVersion(one.record, (files[0], files[1], own)),
        NewVersion(two.record, (files[1], files[2])),
        NewVersion(inline.record, (own,)),
    ]
    catalog.write(Batch(versions=written))
    uids = [new.record.uid for new in written]
    assert catalog.stored_blobs([*uids, new_uid()]) == {
        uids[0]: set(digests[:2]),
        uids[1]: set(digests[1:]),
        uids[2]: set(),
    }
    catalog.delete_version(uids[0])
    assert set(catalog.stored_blobs(uids)) == set(uids[1:])
    assert catalog.stored_blobs([]) == {}


def test_the_files_of_many_versions_at_once_are_those_of_each(catalog: Catalog) -> None:
    own, shared = (FileEntry(name, hash_bytes(b"own"), 3, b"own") for name in ("own", "a"))
    stored = FileEntry("b", hash_bytes(b"b"), 1)
    written = [NewVersion(new_version("x").record, (own,)) for _ in range(300)]
    written += [
        NewVersion(new_version("y").record, (stored, shared)),
        NewVersion(new_version("z").record, ()),
    ]
    catalog.write(Batch(versions=written))
    uids = [new.record.uid for new in written] + [new_uid()]
    found = catalog.files_of(uids)
    assert found == {uid: catalog.files(uid) for uid in uids}
    assert found[uids[300]] == (shared, stored)
    assert [entry.inline for entry in found[uids[300]]] == [b"own", None]
    assert found[uids[301]] == found[uids[302]] == ()
    assert catalog.files_of([]) == {}


def test_a_version_of_more_files_than_are_written_at_once_has_them_all(catalog: Catalog) -> None:
    digest = hash_bytes(b"")
    files = tuple(FileEntry(f"{number:05}", digest, 0) for number in range(10_001))
    new = NewVersion(new_version("x").record, files)
    catalog.write(Batch(versions=[new]))
    assert catalog.files(new.record.uid) == files


def test_nothing_is_found_where_nothing_is(catalog: Catalog) -> None:
    assert catalog.version(new_uid()) is None
    assert catalog.versions([]) == {}
    assert catalog.find_version("default", "samples") is None
    assert catalog.files(new_uid()) == ()
    assert catalog.document("blake3:") is None
    assert catalog.delete_version(new_uid()) is False
    assert catalog.delete_artifact("default", "samples") == 0
    assert catalog.write(Batch()) == {}


def test_versions_are_found_by_number_tag_and_name(catalog: Catalog) -> None:
    one = save(catalog, name="first", iteration=7, tags=["2.0"])
    two = save(catalog, name="second", kind="table")
    three = save(catalog)

    def find(selector: str | int | None = None, **narrow: object) -> str | None:
        found = catalog.find_version("default", "samples", selector, **narrow)  # type: ignore[arg-type]
        return None if found is None else found.uid

    assert find() == find("latest") == find(3) == find("3") == three.uid
    assert find("first") == find("2.0") == find(1) == one.uid
    assert find(4) is None
    assert find("third") is None
    assert find("9" * 30) is None
    assert find(kind="table") == find("second", kind="table") == two.uid
    assert find("second", kind="value") is None
    assert find(iteration=7) == one.uid
    assert find(3, iteration=7) is None
    # A tag wins over a version's name.
    catalog.set_tag("default", "samples", "second", 3)
    assert find("second") == three.uid


def test_a_version_name_is_taken_once_under_a_key(catalog: Catalog) -> None:
    save(catalog, "a", name="final")
    save(catalog, "b", name="final")
    for versions in (
        [new_version("c"), new_version("a", name="final")],
        [new_version("c", name="x"), new_version("c", name="x")],
    ):
        with pytest.raises(NameTaken, match="has a version named"):
            catalog.write(Batch(versions=versions))
    assert catalog.find_version("default", "c") is None
    assert save(catalog, "c").number == 1


def test_a_batch_that_fails_records_nothing(catalog: Catalog) -> None:
    there = new_version("a")
    catalog.write(Batch(versions=[there]))
    fresh = new_version("fresh", project="new project")
    with pytest.raises(RecordExists):
        catalog.write(Batch(versions=[fresh, there], documents={hash_bytes(b"d"): b"d"}))
    assert catalog.version(fresh.record.uid) is None
    assert catalog.projects() == ["default"]
    assert catalog.document(hash_bytes(b"d")) is None
    # Also not in what the process remembers: the next write makes the project.
    assert catalog.write(Batch(versions=[fresh])) == {fresh.record.uid: 1}
    assert catalog.projects() == ["default", "new project"]
    assert catalog.check() == []


def test_deleted_numbers_are_never_given_again(catalog: Catalog) -> None:
    records = [save(catalog) for _ in range(3)]
    assert catalog.delete_version(records[2].uid) is True
    assert catalog.delete_version(records[2].uid) is False
    newest = catalog.find_version("default", "samples")
    assert newest is not None
    assert newest.number == 2
    assert save(catalog).number == 4
    assert catalog.delete_artifact("default", "samples") == 3
    assert catalog.keys("default") == []
    assert catalog.find_version("default", "samples") is None
    assert save(catalog).number == 5
    assert catalog.check() == []


def test_deletion_takes_tags_labels_and_files_along(catalog: Catalog) -> None:
    keep = save(catalog, content=b"shared", labels={"a": "b"})
    gone = save(catalog, content=b"shared", tags=["golden"], labels={"a": "b"}, name="n")
    alone = save(catalog, content=b"alone")
    assert catalog.delete_version(gone.uid)
    assert catalog.tags("default", "samples") == {}
    assert [event.version for event in catalog.tag_history("default", "samples", "golden")] == [
        2,
        None,
    ]
    assert catalog.files(gone.uid) == ()
    assert catalog.files(keep.uid)[0].inline == b"shared"
    assert catalog.delete_version(alone.uid)
    assert list(catalog.inline_blobs()) == [(hash_bytes(b"shared"), b"shared")]
    assert save(catalog, name="n").number == 4
    assert catalog.check() == []


def test_labels_are_set_changed_and_taken_off(catalog: Catalog) -> None:
    record = save(catalog, labels={"split": "train", "old": "x"})
    catalog.set_labels(record.uid, {"split": "test", "old": None, "new": "y", "never": None})
    found = catalog.version(record.uid)
    assert found is not None
    assert found.labels == {"split": "test", "new": "y"}


def test_blobs_in_the_store_are_listed_once(catalog: Catalog) -> None:
    contents = [f"blob {i}".encode() for i in range(5)]
    for content in contents * 2:
        save(catalog, content=content, stored=True)
    save(catalog, content=b"small")
    assert dict(catalog.blob_references()) == {hash_bytes(c): len(c) for c in contents}
    users = catalog.users_of_blob(hash_bytes(contents[0]))
    assert [(record.number, path) for record, path in users] == [(6, "data.json"), (1, "data.json")]
    assert len(catalog.users_of_blob(hash_bytes(contents[0]), limit=1)) == 1
    assert list(catalog.inline_blobs()) == [(hash_bytes(b"small"), b"small")]


def test_listings_of_blobs_go_on_over_many_pages(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("findspot.catalog.sql_catalog._PAGE", 2)
    new = [new_version(f"k{i}", stored=i % 2 == 0) for i in range(9)]
    catalog.write(Batch(versions=new))
    assert {d for d, _ in catalog.blob_references()} == {n.files[0].digest for n in new[::2]}
    assert {d for d, _ in catalog.inline_blobs()} == {n.files[0].digest for n in new[1::2]}


def test_many_files_and_documents(catalog: Catalog) -> None:
    files = tuple(
        FileEntry(f"part {i:03}", hash_bytes(b"%d" % i), 1, b"%d" % i) for i in range(300)
    )
    new = new_version("folder", kind="directory")
    new = NewVersion(replace(new.record, file_count=300), files)
    documents = {hash_bytes(b"one"): b"one", hash_bytes(b"\0two"): b"\0two"}
    catalog.write(Batch(versions=[new], documents=documents))
    catalog.write(Batch(documents=documents))
    assert catalog.files(new.record.uid) == files
    assert {digest: catalog.document(digest) for digest in documents} == documents


def test_keys_and_the_nearest_of_them(catalog: Catalog) -> None:
    names = ("samples", "sample_weights", "reports/confusion", "reports/roc", "model", "Straße")
    catalog.write(Batch(versions=[new_version(name) for name in names]))
    catalog.delete_artifact("default", "model")
    assert catalog.keys("default") == sorted(set(names) - {"model"})
    assert catalog.keys("default", limit=2) == ["Straße", "reports/confusion"]
    assert catalog.keys("default", near="sampels", limit=1) == ["samples"]
    assert catalog.keys("default", near="SAMPLES", limit=1) == ["samples"]
    assert catalog.keys("default", near="confusion", limit=1) == ["reports/confusion"]
    assert catalog.keys("default", near="model") == []
    assert catalog.keys("other", near="samples") == []


def test_settings_are_kept_once(catalog: Catalog) -> None:
    assert catalog.setting("workspace") is None
    assert catalog.setting("workspace", "first") == "first"
    assert catalog.setting("workspace", "second") == "first"
    assert catalog.setting("workspace") == "first"


def test_counts_and_check(catalog: Catalog) -> None:
    catalog.write(Batch(versions=[new_version("a", b"12345"), new_version("a"), new_version("b")]))
    counts = catalog.counts()
    assert counts["projects"] == 1
    assert counts["artifacts"] == 2
    assert counts["versions"] == 3
    assert counts["inline_bytes"] == 5 + 2 * 36
    assert catalog.check() == []


def test_check_finds_records_that_do_not_fit_together(catalog: Catalog) -> None:
    from findspot.catalog.sql_catalog import SqlCatalog

    assert isinstance(catalog, SqlCatalog)
    save(catalog, tags=["golden"])
    with catalog._database.writing() as session:
        session.run("DELETE FROM inline_blobs")
        session.run("UPDATE artifacts SET newest = 7")
        session.run("UPDATE tags SET number = 8")
    assert catalog.check() == [
        "1 file(s) whose inline bytes are missing",
        "1 artifact(s) whose newest version is not the newest",
        "1 tag(s) on a version that is not there",
    ]
