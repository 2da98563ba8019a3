"""The reference grammar: every form, parsed, printed and parsed again; and every mistake."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from findspot.core.errors import InvalidName, InvalidReference
from findspot.core.ids import new_uid
from findspot.core.names import check_key, check_name
from findspot.core.records import KINDS
from findspot.core.references import Reference, parse_reference

UID = "0199c0de-7a11-7000-8000-0123456789ab"
OTHER = "0199c0de-7a11-7000-8000-ba9876543210"

FORMS: list[tuple[str, Reference, str | None]] = [
    # text, what it means, how it is printed (None: as it was)
    ("samples", Reference(key="samples"), None),
    ("samples:golden", Reference(key="samples", version="golden"), None),
    ("samples:3", Reference(key="samples", version="3"), None),
    ("samples:latest", Reference(key="samples", version="latest"), None),
    ("samples:v1.2-rc+4", Reference(key="samples", version="v1.2-rc+4"), None),
    ("samples#7", Reference(key="samples", iteration=7), None),
    ("samples#0", Reference(key="samples", iteration=0), None),
    ("samples#007", Reference(key="samples", iteration=7), "samples#7"),
    ("samples#7:best", Reference(key="samples", iteration=7, version="best"), None),
    (f"samples@{UID}", Reference(key="samples", uid=UID), None),
    (f"samples:3@{UID}", Reference(key="samples", version="3", uid=UID), None),
    (f"samples:{UID}", Reference(key="samples", uid=UID), f"samples@{UID}"),
    (f"samples:{UID}@{UID}", Reference(key="samples", uid=UID), f"samples@{UID}"),
    (f"samples@{UID.upper()}", Reference(key="samples", uid=UID), f"samples@{UID}"),
    (UID, Reference(uid=UID), None),
    (UID.upper(), Reference(uid=UID), UID),
    ("reports/2026/confusion", Reference(key="reports/2026/confusion"), None),
    ("reports/2026:final", Reference(key="reports/2026", version="final"), None),
    ("100%", Reference(key="100%"), None),
    ("100%25", Reference(key="100%25"), None),
    ("two words", Reference(key="two words"), None),
    ("données:été", Reference(key="données", version="été"), None),
    ("標本", Reference(key="標本"), None),
    ("e\N{COMBINING ACUTE ACCENT}t", Reference(key="ét"), "ét"),
    ("store://artifacts/iris/tree", Reference(project="iris", key="tree"), None),
    (
        "store://artifact/iris/tree",
        Reference(project="iris", key="tree"),
        "store://artifacts/iris/tree",
    ),
    ("store://models/iris/tree", Reference(kind="model", project="iris", key="tree"), None),
    (
        "store://model/iris/tree",
        Reference(kind="model", project="iris", key="tree"),
        "store://models/iris/tree",
    ),
    (
        "store://directories/iris/raw",
        Reference(kind="directory", project="iris", key="raw"),
        None,
    ),
    (
        "store://feature-sets/iris/petals",
        Reference(kind="feature-set", project="iris", key="petals"),
        None,
    ),
    (
        f"store://models/iris/a/b/tree#2:best@{UID}",
        Reference(
            kind="model", project="iris", key="a/b/tree", iteration=2, version="best", uid=UID
        ),
        None,
    ),
    (
        "store://artifacts/iris/two%20words",
        Reference(project="iris", key="two words"),
        "store://artifacts/iris/two words",
    ),
    (
        "store://artifacts/my%20lab/a%2Fb:x%20y",
        Reference(project="my lab", key="a/b", version="x y"),
        "store://artifacts/my lab/a/b:x y",
    ),
    ("store://artifacts/iris/100%25", Reference(project="iris", key="100%"), None),
    (
        "store://artifacts/iris/100%",
        Reference(project="iris", key="100%"),
        "store://artifacts/iris/100%25",
    ),
]


@pytest.mark.parametrize(("text", "meaning", "printed"), FORMS, ids=[form[0] for form in FORMS])
def test_a_form_of_the_grammar(text: str, meaning: Reference, printed: str | None) -> None:
    assert parse_reference(text) == meaning
    assert str(meaning) == (printed or text)
    assert parse_reference(str(meaning)) == meaning


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_may_be_written_in_singular_and_plural(kind: str) -> None:
    plural = str(Reference(kind=kind, project="p", key="k")).split("/")[2]
    assert plural != kind
    for written in (kind, plural):
        assert parse_reference(f"store://{written}/p/k").kind == kind


MISTAKES: list[tuple[object, str]] = [
    ("", "it is empty"),
    (None, "it is a NoneType, not text"),
    (7, "it is a int, not text"),
    (b"samples", "it is a bytes, not text"),
    (":3", "it is empty"),
    ("#3", "it is empty"),
    ("samples:", "tag or version: it is empty"),
    ("samples@", "'' after '@' is no uid"),
    ("samples@3", "'3' after '@' is no uid"),
    (f"@{UID}", "it is empty"),
    (f"samples@{UID[:-1]}", "after '@' is no uid"),
    (f"samples:{UID}@{OTHER}", "two different uids"),
    ("samples#", "the iteration '' is no whole number"),
    ("samples#-1", "the iteration '-1' is no whole number"),
    ("samples#1.5", "the iteration '1.5' is no whole number"),
    ("samples#²", "is no whole number"),
    ("samples#" + "9" * 5000, "is no whole number of at most 9 digits"),
    ("samples:a:b", "it holds ':'"),
    ("samples#1#2", "it holds '#'"),
    ("samples:a/b", "it holds '/'"),
    ("../secrets", "'..' is not allowed"),
    ("a/../b", "'..' is not allowed"),
    ("a/./b", "'.' is not allowed"),
    ("/etc/passwd", "part between two '/' is empty"),
    ("a//b", "part between two '/' is empty"),
    ("a/", "part between two '/' is empty"),
    ("a\0b", r"it holds '\x00'"),
    ("a\\b", r"it holds '\\'"),
    ("a\nb", r"it holds '\n'"),
    (" a", "white space"),
    ("k" * 10_000, "it has 10000 characters"),
    ("http://example.org/x", "its scheme is 'http', not 'store'"),
    ("STORE://models/p/k", "its scheme is 'STORE', not 'store'"),
    ("store://", "come a kind, a project and a key"),
    ("store://models/iris", "come a kind, a project and a key"),
    ("store://modles/iris/tree", "'modles' is no kind; kinds are artifacts, files"),
    ("store://models//tree", "project name: it is empty"),
    ("store://models/iris/", "artifact key: it is empty"),
    ("store://models/../tree", "'..' is not allowed"),
    ("store://models/%2e%2e/tree", "'..' is not allowed"),
    ("store://models/a%2Fb/tree", "it holds '/'"),
    ("store://models/iris/a%00b", r"it holds '\x00'"),
    ("store://models/iris/a%3Ab", "it holds ':'"),
    ("store://models/iris/a%40b", "it holds '@'"),
    ("store://models/iris/%ff", "stands for no text in UTF-8"),
]


@pytest.mark.parametrize(("text", "reason"), MISTAKES, ids=[str(m[0])[:40] for m in MISTAKES])
def test_a_mistake_is_named(text: object, reason: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        parse_reference(text)
    assert reason in caught.value.what
    assert len(str(caught.value)) < 1000
    assert "store://<kind>/<project>/<key>" in (caught.value.how or "")


names = st.text(min_size=1, max_size=20)


@given(names, names, st.sampled_from([None, *KINDS]), st.integers(0, 999), names)
def test_whatever_may_be_a_name_survives_print_and_parse(
    key: str, project: str, kind: str | None, iteration: int, version: str
) -> None:
    try:
        reference = Reference(
            key=check_key(key),
            project=check_name(project, "project"),
            kind=kind,
            iteration=iteration,
            version=check_name(version, "tag"),
            uid=new_uid(),
        )
    except InvalidName:
        return
    assert parse_reference(str(reference)) == reference
