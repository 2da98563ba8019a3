"""What a job reads through data items is told to the job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from findspot.artifacts.active import ACTIVE
from findspot.artifacts.space import ArtifactSpace
from findspot.core.digests import hash_bytes
from findspot.core.errors import NotFound
from findspot.core.records import Producer, SourceRead, VersionRecord, now
from findspot.core.references import Reference
from findspot.data import DataItem, get_dataitem
from http_files import WebServer

DATA = b"name,count\na,1\n"


class Job:
    """A job that keeps what it is told."""

    def __init__(self, space: ArtifactSpace) -> None:
        self.space = space
        self.project = "default"
        self.versions: list[VersionRecord] = []
        self.references: list[Reference] = []
        self.sources: list[SourceRead] = []

    def producer(self) -> Producer:
        return Producer("job")

    def resolved(self, reference: Reference, record: VersionRecord) -> None:
        self.references.append(reference)

    def read(self, record: VersionRecord) -> None:
        self.versions.append(record)

    def read_source(
        self,
        url: str,
        *,
        name: str,
        size: int | None,
        etag: str | None,
        digest: str | None,
        modified: datetime | None,
    ) -> None:
        self.sources.append(SourceRead("job", None, name, url, size, etag, digest, modified, now()))

    @contextmanager
    def running(self) -> Iterator[Job]:
        token = ACTIVE.set(self)
        try:
            yield self
        finally:
            ACTIVE.reset(token)


@pytest.fixture
def job(space: ArtifactSpace) -> Job:
    return Job(space)


def read_open(item: DataItem) -> object:
    with item.open() as reader:
        return reader.read()


@pytest.mark.parametrize("place", ["file", "http", "memory"])
@pytest.mark.parametrize(
    ("read", "whole"),
    [
        (lambda item: item.get(), True),
        (lambda item: item.as_df(), True),
        (lambda item: item.local(), True),
        (read_open, False),
        (lambda item: item.get(4), False),
    ],
)
def test_the_first_read_is_noted(
    place: str,
    read: Callable[[DataItem], object],
    whole: bool,
    job: Job,
    web: WebServer,
    tmp_path: Path,
) -> None:
    if place == "http":
        item = get_dataitem(web.add("/data.csv", DATA))
    else:
        folder = tmp_path if place == "file" else f"memory://{tmp_path.name}"
        item = get_dataitem(f"{folder}/data.csv")
        item.put(DATA)
    with job.running():
        read(item)
        read(item)
        item.get()
    (source,) = job.sources
    assert (source.name, source.url, source.size) == ("data.csv", item.url, len(DATA))
    assert source.etag == item.stat().etag
    assert source.modified == item.stat().modified
    if whole:
        assert source.digest == hash_bytes(DATA)
    else:
        assert source.digest in (None, hash_bytes(DATA))
    assert source.digest or source.etag


def test_each_job_is_told(job: Job, space: ArtifactSpace, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(DATA)
    item = get_dataitem(tmp_path / "data.csv", key="train")
    item.get()
    other = Job(space)
    with job.running():
        item.get()
    with other.running():
        item.get()
    assert [source.name for source in (*job.sources, *other.sources)] == ["train", "train"]


def test_downloads_are_noted(job: Job, web: WebServer, tmp_path: Path) -> None:
    with job.running():
        get_dataitem(web.add("/data.csv", DATA, etag=None)).download(tmp_path / "copy")
    (source,) = job.sources
    assert (source.etag, source.digest) == (None, hash_bytes(DATA))


def test_looking_and_failing_is_not_reading(job: Job, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(DATA)
    with job.running():
        item = get_dataitem(tmp_path / "data.csv")
        item.stat()
        item.exists()
        get_dataitem(tmp_path).ls()
        get_dataitem(tmp_path / "new.csv").put(b"x")
        for read in ("get", "open", "local", "as_df"):
            with pytest.raises(NotFound):
                getattr(get_dataitem(tmp_path / "missing.csv"), read)()
    assert job.sources == []


def test_no_credentials_are_noted(job: Job, web: WebServer) -> None:
    web.add("/data.csv?api_key=k12345&year=1", DATA, password="ann:secret99")
    with job.running():
        get_dataitem(f"http://ann:secret99@{web.place}/data.csv?api_key=k12345&year=1").get()
    assert "secret99" not in repr(job.sources)
    assert "k12345" not in repr(job.sources)
    assert job.sources[0].url.endswith("/data.csv?api_key=***&year=1")


def test_artifacts_are_noted_as_versions(job: Job, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(DATA)
    version = job.space.save_artifact(tmp_path / "data.csv", "rows")
    with job.running():
        item = get_dataitem("store://artifacts/default/rows")
        item.stat()
        assert job.versions == []
        item.as_df()
        assert {record.uid for record in job.versions} == {version.uid}
    assert job.sources == []


def test_the_job_s_own_workspace_is_taken(job: Job) -> None:
    job.space.save_artifact("here", "note")
    with job.running():
        assert get_dataitem("store://artifacts/default/note").load() == "here"
