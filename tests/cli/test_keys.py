"""`findspot key ...`, `findspot artifact sign` and `findspot verify --signatures`."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from commands import Command
from findspot import Workspace


@pytest.fixture
def signed(workspace: Path, findspot: Command) -> str:
    """``data``, signed with the key in ``own.pem``; the public key."""
    public = findspot("key", "generate", "own.pem").out.strip()
    assert findspot("artifact", "save", "data", "--value", "1").code == 0
    assert findspot("artifact", "sign", "data", "--key", "own.pem").code == 0
    return public


def test_keys_are_made_but_never_overwritten(workspace: Path, findspot: Command) -> None:
    made = findspot("key", "generate", "own.pem", "--json").document()
    assert made["key"].startswith("ed25519:")
    assert (workspace / "own.pem.pub").read_text().strip() == made["key"]
    assert stat.S_IMODE((workspace / "own.pem").stat().st_mode) == 0o600
    assert findspot("key", "generate", "own.pem").code == 4
    assert findspot("key", "generate", ".").code == 2


def test_keys_are_trusted_listed_and_distrusted(
    workspace: Path, findspot: Command, signed: str
) -> None:
    assert findspot("key", "list").err.startswith("No key is trusted.")
    assert findspot("key", "trust", "own.pem.pub", "ada").code == 0
    assert findspot("key", "list", "--json").document() == [{"key": signed, "name": "ada"}]
    assert "ada" in findspot("key", "list").out
    assert findspot("key", "trust", "ed25519:short", "bob").code == 2
    assert findspot("key", "distrust", "ada").code == 0
    assert findspot("key", "distrust", "ada").code == 3


def test_verify_tells_who_signed(workspace: Path, findspot: Command, signed: str) -> None:
    unknown = findspot("verify", "data", "--signatures")
    assert (unknown.code, "unknown key" in unknown.out) == (7, True)
    assert findspot("verify", "--signatures").code == 0
    assert findspot("key", "trust", signed, "ada").code == 0
    known = findspot("verify", "data", "--signatures", "--json").document()
    assert known["signatures"][0]["signatures"] == [
        {"key": signed, "name": "ada", "status": "valid"}
    ]
    assert "ada" in findspot("verify", "--signatures").out
    assert "signatures" not in findspot("verify", "--json").document()
    assert findspot("artifact", "save", "other", "--value", "2").code == 0
    assert findspot("verify", "other", "--signatures").code == 7


def test_a_false_signature_is_a_fault(workspace: Path, findspot: Command, signed: str) -> None:
    space = Workspace(workspace)
    first = space.catalog.signatures(space.get_artifact("data").uid)[0]
    assert findspot("artifact", "save", "other", "--value", "2").code == 0
    uid = space.get_artifact("other").uid
    space.catalog.add_signature(replace(first, version=uid))
    assert findspot("key", "trust", signed, "ada").code == 0
    for arguments in (("other",), ()):
        false = findspot("verify", *arguments, "--signatures")
        assert (false.code, "invalid" in false.out) == (5, True)


def test_only_a_private_key_signs(workspace: Path, findspot: Command, signed: str) -> None:
    again = findspot("artifact", "sign", "data", "--key", "own.pem", "--json").document()
    assert again["key"] == signed
    assert findspot("artifact", "sign", "data", "--key", "own.pem.pub").code == 2
    assert findspot("artifact", "sign", "data", "--key", "nothing.pem").code == 2
