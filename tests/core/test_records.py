"""Records and errors: small, frozen, and clear."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

from findspot.core import records
from findspot.core.digests import hash_bytes
from findspot.core.errors import (
    BlobDamaged,
    CheckFailed,
    FindspotError,
    NotFound,
    Problem,
)
from findspot.core.records import FileEntry, document_digest, manifest_digest, now


def entry(path: str, data: bytes = b"x") -> FileEntry:
    return FileEntry(path, hash_bytes(data), len(data), data)


def test_the_order_of_files_makes_no_difference_to_a_manifest() -> None:
    a, b = entry("a"), entry("b", b"y")
    assert manifest_digest((a, b), "json") == manifest_digest((b, a), "json")


def test_whatever_changes_what_is_loaded_changes_the_manifest() -> None:
    a, b = entry("a"), entry("b", b"y")
    digests = [
        manifest_digest((), "json"),
        manifest_digest((a,), "json"),
        manifest_digest((a,), "pickle"),
        manifest_digest((entry("a", b"y"),), "json"),
        manifest_digest((entry("A"),), "json"),
        manifest_digest((a, b), "json"),
        manifest_digest((entry("a", b"y"), entry("b")), "json"),
    ]
    assert len(set(digests)) == len(digests)


def test_where_the_bytes_are_kept_makes_no_difference() -> None:
    inline = entry("a")
    stored = dataclasses.replace(inline, inline=None)
    assert inline == stored
    assert manifest_digest((inline,), "json") == manifest_digest((stored,), "json")


def test_a_document_has_one_digest_however_its_keys_are_ordered() -> None:
    assert document_digest({"a": 1, "b": 2}) == document_digest({"b": 2, "a": 1})


def test_times_are_aware_and_in_utc() -> None:
    assert now().utcoffset() is not None
    assert not now().utcoffset()


def test_records_are_frozen_and_have_no_room_for_others_fields() -> None:
    found = [
        value
        for value in vars(records).values()
        if dataclasses.is_dataclass(value) and isinstance(value, type)
    ]
    assert len(found) > 15
    for record in found:
        assert record.__dataclass_params__.frozen, record  # type: ignore[attr-defined]
        assert "__slots__" in vars(record), record


def test_an_error_says_what_where_and_how() -> None:
    error = FindspotError("It is broken.", where="plan.yaml:3", how="Mend it.")
    assert str(error) == "plan.yaml:3: It is broken.\nMend it."
    assert (error.what, error.where, error.how) == ("It is broken.", "plan.yaml:3", "Mend it.")
    assert str(FindspotError("It is broken.")) == "It is broken."


def test_what_was_not_found_names_what_is_near() -> None:
    error = NotFound("artifact", "smaples", near=["samples"])
    assert str(error) == "There is no artifact 'smaples'.\nDid you mean samples?"


def test_damage_names_both_digests() -> None:
    expected, found = hash_bytes(b"a"), hash_bytes(b"b")
    text = str(BlobDamaged(expected, found, where="store://x, file a", how="Run job j again."))
    assert text.startswith("store://x, file a: ")
    assert expected in text
    assert found in text
    assert text.endswith("Run job j again.")


def test_all_mistakes_are_listed() -> None:
    problems = [
        Problem("$.graph.a", "there is no task 'x'", "plan.yaml:4", hint="Did you mean y?"),
        Problem("$.graph.b", "it is missing", expected="text", found="number"),
    ]
    text = str(CheckFailed("The graph", problems))
    assert text.startswith("The graph")
    assert "2 mistakes" in text
    assert "1. plan.yaml:4 ($.graph.a): there is no task 'x'\n    Did you mean y?" in text
    assert "2. $.graph.b: it is missing\n    expected: text\n    found:    number" in text


@pytest.mark.parametrize("record", [entry("a"), records.Preview("text/plain", b"x")])
def test_records_can_be_sent_to_other_processes(record: object) -> None:
    assert pickle.loads(pickle.dumps(record)) == record
