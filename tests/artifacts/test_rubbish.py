"""Arguments that can be nothing: one clear error, and nothing is made."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from findspot import Workspace
from findspot.artifacts.bundles import export_bundle, import_bundle, read_bundle
from findspot.artifacts.given_paths import BadPath, file_path
from findspot.artifacts.links import link
from findspot.artifacts.location import NoWorkspace
from findspot.artifacts.signing import (
    generate_key,
    parse_public_key,
    public_text,
    read_private_key,
    sign,
    trust_key,
    verify_signatures,
)
from findspot.artifacts.transfer import pull, push
from findspot.core.errors import FindspotError
from two_workspaces import make_workspace

OBJECT = object()
RUBBISH: dict[str, Any] = {
    "None": None,
    "number": 3.5,
    "true": True,
    "bytes": b"x",
    "list": [],
    "mapping": {},
    "object": OBJECT,
    "empty": "",
    "folder": Path(),
    "NUL": "a\0b",
    "surrogate": "\ud800",
    "long": "x" * 5000,
    "below a file": "file/x",
    "nobody": "~nobody-at-all/x",
    "half a URL": "http://[",
}
PATHS = [name for name in RUBBISH if name != "half a URL"]

Act = Callable[[Workspace, Any], object]
ACTS: dict[str, Act] = {
    "generate_key": lambda ws, given: generate_key(given),
    "read_private_key": lambda ws, given: read_private_key(given),
    "public_text": lambda ws, given: public_text(given),
    "sign": lambda ws, given: sign(ws, "n", given),
    "export_bundle": lambda ws, given: export_bundle(ws, "n", given),
    "import_bundle": lambda ws, given: import_bundle(ws, given),
    "read_bundle": lambda ws, given: read_bundle(given),
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    workspace = make_workspace(tmp_path, "one")
    workspace.save_artifact(1, "n")
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    return workspace


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("name", PATHS)
def test_what_is_no_path_of_a_file(here: Workspace, act: str, name: str) -> None:
    with pytest.raises(FindspotError) as caught:
        ACTS[act](here, RUBBISH[name])
    assert caught.value.how or caught.value.where
    str(caught.value).encode()
    assert sorted(os.listdir()) == ["file", "one"]


@pytest.mark.parametrize("name", [name for name in RUBBISH if name not in ("empty", "folder")])
def test_what_is_no_workspace_to_pull_from(here: Workspace, name: str) -> None:
    with pytest.raises(FindspotError) as caught:
        pull(here, RUBBISH[name], "n")
    str(caught.value).encode()
    assert sorted(os.listdir()) == ["file", "one"]


def test_no_workspace_is_made_to_be_pulled_from(here: Workspace) -> None:
    for place in ("nowhere", Path()):
        with pytest.raises(NoWorkspace):
            pull(here, place, "n")
    assert sorted(os.listdir()) == ["file", "one"]


@pytest.mark.parametrize("name", RUBBISH)
def test_what_names_no_versions(here: Workspace, name: str, tmp_path: Path) -> None:
    given = RUBBISH[name]
    for artifacts in ([given], given) if given != [] and given != {} else ([given],):
        with pytest.raises(FindspotError):
            push(here, tmp_path / "two", artifacts)
        with pytest.raises(FindspotError):
            export_bundle(here, artifacts, tmp_path / "out.findspot")
    assert not (tmp_path / "out.findspot").exists()


@pytest.mark.parametrize("name", RUBBISH)
def test_what_is_no_key(here: Workspace, name: str) -> None:
    given = RUBBISH[name]
    with pytest.raises(FindspotError):
        parse_public_key(given)
    with pytest.raises(FindspotError):
        trust_key(here, given, "ada")
    with pytest.raises(FindspotError):
        verify_signatures(here, "n", [given])
    assert not (here.folder / "trusted_keys").exists()


@pytest.mark.parametrize("keys", [3, "ed25519:x", OBJECT])
def test_what_is_no_list_of_keys(here: Workspace, keys: Any) -> None:
    with pytest.raises(FindspotError, match="list"):
        verify_signatures(here, "n", keys)


def test_half_a_url_is_no_target_of_a_link(here: Workspace) -> None:
    with pytest.raises(FindspotError, match="no URL"):
        link(here, "n", "page", "http://[")


def test_paths_that_are_some(tmp_path: Path) -> None:
    assert file_path(str(tmp_path / "a b.pem")) == tmp_path / "a b.pem"
    assert file_path("~/key.pem").is_absolute()
    with pytest.raises(BadPath, match="names a folder"):
        file_path("keys/..")
