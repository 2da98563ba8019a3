"""The rules for names, keys, tags and file names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from findspot.core.errors import InvalidName
from findspot.core.ids import is_uid, new_uid
from findspot.core.names import check_file_path, check_key, check_name, check_tag

UID = "0199c0de-7a11-7000-8000-0123456789ab"


@pytest.mark.parametrize(
    "name",
    [
        "iris",
        "Iris",
        "v1.2",
        "a b",
        "a-b_c+d=e",
        "(1)",
        "[x]",
        "~",
        "%",
        "標本",
        "δείγμα",
        "عينة",
        "🏺",
    ],
)
def test_names_of_any_alphabet_are_taken_as_they_are(name: str) -> None:
    assert check_name(name, "name") == name
    assert check_key(f"{name}/{name}") == f"{name}/{name}"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "it is empty"),
        (None, "it is a NoneType, not text"),
        (3, "it is a int, not text"),
        (b"a", "it is a bytes, not text"),
        (".", "'.' is not allowed"),
        ("..", "'..' is not allowed"),
        ("a/b", "it holds '/'"),
        ("a\\b", "it holds"),
        ("a\0", "it holds"),
        ("a\x7f", "it holds"),
        ("a\x85b", "it holds"),
        ("a\u2028b", "it holds"),
        ("a\N{RIGHT-TO-LEFT OVERRIDE}b", "it holds"),
        ("a\N{ZERO WIDTH SPACE}b", "it holds"),
        ("a\ud800", "it holds"),
        ("a:b", "it holds ':'"),
        ("a#b", "it holds '#'"),
        ("a@b", "it holds '@'"),
        ("a*", "it holds '*'"),
        ("a?", "it holds '?'"),
        ('a"', "it holds"),
        ("a<b", "it holds"),
        ("a|b", "it holds"),
        ("$a", "it holds '$'"),
        ("`a`", "it holds"),
        (" a", "white space"),
        ("a\t", "white space"),
        ("x" * 129, "it has 129 characters, at most 128"),
        ("x" * 10_000, "it has 10000 characters, at most 128"),
    ],
)
def test_a_bad_name_is_refused_with_its_reason(name: object, reason: str) -> None:
    with pytest.raises(InvalidName) as caught:
        check_name(name, "project name")
    assert reason in caught.value.reason
    assert caught.value.role == "project name"
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("key", ["/a", "a/", "a//b", "a/../b", "../a", "./a", "a/ b", "k" * 513])
def test_a_bad_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidName):
        check_key(key)


def test_a_key_may_be_long_and_deep() -> None:
    key = "/".join(["part"] * 100)
    assert check_key(key) == key


def test_the_same_letters_written_in_two_ways_are_one_name() -> None:
    assert check_name("e\N{COMBINING ACUTE ACCENT}", "name") == "é"
    assert check_key("a/e\N{COMBINING ACUTE ACCENT}") == "a/é"


def test_upper_and_lower_case_are_two_names() -> None:
    assert check_key("Samples") != check_key("samples")


@pytest.mark.parametrize("tag", ["latest", "3", "００３", UID, UID.upper()])
def test_what_means_a_version_already_cannot_be_its_tag(tag: str) -> None:
    with pytest.raises(InvalidName):
        check_tag(tag)


@pytest.mark.parametrize("tag", ["golden", "Latest", "v3", "3.1", "-1", "best one"])
def test_other_names_can_be_tags(tag: str) -> None:
    assert check_tag(tag) == tag


def test_a_key_cannot_look_like_a_uid() -> None:
    for key in (UID, UID.upper()):
        with pytest.raises(InvalidName, match="taken for one"):
            check_key(key)
    assert check_key(f"runs/{UID}") == f"runs/{UID}"


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "a.txt",
        "images/0001 (copy).png",
        "a:b",
        "x*",
        "é",
        "e\N{COMBINING ACUTE ACCENT}",
        ".hid",
    ],
)
def test_file_names_of_peoples_folders_are_taken_as_they_are(path: str) -> None:
    assert check_file_path(path) == path


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (None, "not text"),
        ("", "1 to 4096"),
        ("/etc/passwd", "not allowed"),
        ("a//b", "not allowed"),
        ("a/", "not allowed"),
        ("../a", "'..' is not allowed"),
        ("a/../../b", "'..' is not allowed"),
        ("a/./b", "'.' is not allowed"),
        ("a\0", "NUL or a backslash"),
        ("..\\a", "NUL or a backslash"),
        ("x" * 256, "longer than 255 bytes"),
        ("é" * 128, "longer than 255 bytes"),
        ("標" * 86, "longer than 255 bytes"),
        ("a/" * 2500 + "a", "1 to 4096"),
        ("a\udcff", "no text in UTF-8"),
    ],
)
def test_a_bad_file_name_is_refused(path: object, reason: str) -> None:
    with pytest.raises(InvalidName) as caught:
        check_file_path(path)
    assert reason in caught.value.reason


@given(st.text(max_size=40))
def test_no_accepted_key_leaves_a_folder(key: str) -> None:
    try:
        parts = check_key(key).split("/")
    except InvalidName:
        return
    assert not {"", ".", ".."} & set(parts)
    assert not any(c in key for c in "\0\\:#@*?\n\r")
    assert check_key(key) == check_key(check_key(key))


def test_uids_are_new_and_sort_by_time() -> None:
    uids = [new_uid() for _ in range(1000)]
    assert len(set(uids)) == 1000
    assert all(is_uid(uid) and uid[14] == "7" and uid[19] in "89ab" for uid in uids)
    # Within a few hundred nanoseconds the rest of them is random.
    assert [uid[:15] for uid in uids] == sorted(uid[:15] for uid in uids)


@pytest.mark.parametrize("text", ["", UID[:-1], UID.upper(), UID + "\n", UID.replace("-", "_")])
def test_other_texts_are_no_uids(text: str) -> None:
    assert not is_uid(text)
