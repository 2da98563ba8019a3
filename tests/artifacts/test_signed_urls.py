"""URLs by which others can fetch a version's files from a bucket."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import numpy as np
import pytest

from commands import run_process
from findspot import Workspace
from findspot.core.errors import BlobMissing, FindspotError
from findspot.store.errors import CannotSign


@pytest.fixture
def bucket(tmp_path: Path, s3_bucket: str) -> Workspace:
    """A workspace whose blobs are in a bucket."""
    return Workspace(tmp_path / "here", store=f"{s3_bucket}/blobs")


def fetched(url: str) -> bytes:
    with urlopen(url, timeout=120) as answer:
        data: bytes = answer.read()
    return data


def test_the_bytes_come_without_credentials(bucket: Workspace, tmp_path: Path) -> None:
    version = bucket.save_artifact(np.arange(10_000), "samples")
    url = version.presigned(expires=90)
    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["90"]
    assert fetched(url) == version.path().read_bytes()


def test_a_small_file_that_is_kept_in_the_catalog(bucket: Workspace) -> None:
    version = bucket.save_artifact({"low": 1.5}, "limits")
    assert version.files[0].inline is not None
    assert json.loads(fetched(version.presigned())) == {"low": 1.5}
    assert json.loads(fetched(version.presigned())) == {"low": 1.5}


def test_one_file_of_several(bucket: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.txt").write_text("first")
    (folder / "b.txt").write_text("second")
    version = bucket.save_artifact(folder, "notes")
    assert fetched(version.presigned("b.txt")) == b"second"
    with pytest.raises(FindspotError, match="2 files; say which"):
        version.presigned()
    with pytest.raises(FindspotError, match=r"no file 'c\.txt'"):
        version.presigned("c.txt")


@pytest.mark.parametrize("expires", [0, -1, 604_801, float("nan"), "1h", True])
def test_times_that_no_server_signs_for(bucket: Workspace, expires: float) -> None:
    version = bucket.save_artifact(1, "one")
    with pytest.raises(FindspotError, match="from 1 to 604800"):
        version.presigned(expires=expires)


def test_bytes_that_are_gone(bucket: Workspace) -> None:
    version = bucket.save_artifact(np.arange(10_000), "samples")
    bucket.store.delete(version.files[0].digest)
    with pytest.raises(BlobMissing):
        version.presigned()


def test_a_workspace_on_files_has_none(tmp_path: Path) -> None:
    with Workspace(tmp_path) as ws:
        version = ws.save_artifact(1, "one")
        with pytest.raises(CannotSign, match="on no server") as refused:
            version.presigned()
    assert "S3, GCS or Azure" in str(refused.value)


def test_the_command(bucket: Workspace, tmp_path: Path) -> None:
    version = bucket.save_artifact(np.arange(10_000), "samples")
    place = {"FINDSPOT_STORE": bucket.settings.store}
    here = tmp_path / "here"
    printed = run_process("artifact", "url", "samples", "--expires", "15m", cwd=here, env=place)
    assert printed.code == 0, printed.err
    assert fetched(printed.out.strip()) == version.path().read_bytes()
    assert parse_qs(urlsplit(printed.out.strip()).query)["X-Amz-Expires"] == ["900"]
