"""Links from versions to other versions, URLs and files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from findspot import Workspace
from findspot.artifacts.links import BrokenLink, link, linked_from, links, resolve, unlink
from findspot.core.errors import FindspotError, InvalidName, NotFound


def test_a_link_to_a_version_stays_on_it(local: Workspace) -> None:
    model = local.save_artifact(1, "model")
    chart = local.save_artifact("first", "chart", tags=["best"])
    made = link(local, "model", "plots/confusion", "chart:best")
    assert (made.kind, made.target) == ("artifact", chart.uid)
    local.save_artifact("second", "chart", tags=["best"])
    found = links(local, model)["plots/confusion"]
    assert resolve(local, found) == chart
    assert [(each.version.uid, each.name) for each in linked_from(local, chart)] == [
        (model.uid, "plots/confusion")
    ]
    assert linked_from(local, "chart:2") == []


def test_the_bytes_and_the_record_stay_as_they_were(local: Workspace) -> None:
    model = local.save_artifact(np.arange(5), "model")
    before = (model.record, model.files, sorted(b.digest for b in local.store.list()))
    link(local, model, "page", "https://example.org/model card".replace(" ", "%20"))
    after = local.get_artifact("model")
    assert (after.record, after.files, sorted(b.digest for b in local.store.list())) == before


def test_urls(local: Workspace) -> None:
    local.save_artifact(1, "model")
    made = link(local, "model", "page", "https://example.org/a?b=c#d")
    assert made.kind == "url"
    assert resolve(local, made) == "https://example.org/a?b=c#d"
    with pytest.raises(FindspotError, match="password"):
        link(local, "model", "page", "https://ann:secret@example.org")
    with pytest.raises(FindspotError, match="no URL"):
        link(local, "model", "page", "https://example.org/\nSet-Cookie: x")
    assert links(local, "model") == {"page": made}


def test_files_of_the_version_and_of_the_machine(local: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "report.txt").write_text("all well")
    (folder / "data.bin").write_bytes(b"x")
    local.save_artifact(folder, "run")
    inside = link(local, "run", "report", "report.txt")
    assert (inside.kind, inside.target) == ("file", "report.txt")
    read = resolve(local, inside)
    assert isinstance(read, Path)
    assert read.read_text() == "all well"
    outside = link(local, "run", "original", folder / "report.txt")
    assert resolve(local, outside) == folder / "report.txt"
    with pytest.raises(NotFound):
        link(local, "run", "nothing", tmp_path / "missing.txt")


def test_the_newest_counts_and_can_be_taken_off(local: Workspace) -> None:
    local.save_artifact(1, "model")
    link(local, "model", "page", "https://example.org/1")
    link(local, "model", "page", "https://example.org/2")
    assert [each.target for each in links(local, "model").values()] == ["https://example.org/2"]
    unlink(local, "model", "page")
    assert links(local, "model") == {}
    with pytest.raises(NotFound, match="page"):
        unlink(local, "model", "page")
    link(local, "model", "page", "https://example.org/3")
    assert list(links(local, "model")) == ["page"]


def test_links_of_one_version_are_not_those_of_the_next(local: Workspace) -> None:
    local.save_artifact(1, "model")
    link(local, "model", "page", "https://example.org/1")
    local.save_artifact(2, "model")
    assert links(local, "model") == {}
    assert list(links(local, "model:1")) == ["page"]


def test_what_is_not_there(
    local: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.save_artifact(1, "model")
    with pytest.raises(NotFound):
        link(local, "nothing", "page", "https://example.org")
    with pytest.raises(NotFound):
        link(local, "model", "chart", "chart:best")
    monkeypatch.chdir(tmp_path)
    Path("chart.csv").write_text("x")
    with pytest.raises(NotFound, match=r"(?s)no artifact.*Path\('chart.csv'\).* \./chart.csv"):
        link(local, "model", "chart", "chart.csv")
    with pytest.raises(InvalidName):
        link(local, "model", "../page", "https://example.org")
    assert links(local, "model") == {}


def test_a_deleted_target_is_a_broken_link(local: Workspace) -> None:
    local.save_artifact(1, "model")
    local.save_artifact(2, "chart")
    made = link(local, "model", "chart", "chart")
    local.delete_artifact("chart")
    with pytest.raises(BrokenLink, match="chart"):
        resolve(local, made)


def test_a_deleted_source_points_to_nothing(local: Workspace) -> None:
    local.save_artifact(1, "model")
    chart = local.save_artifact(2, "chart")
    link(local, "model", "chart", chart)
    local.delete_artifact("model")
    assert linked_from(local, chart) == []
