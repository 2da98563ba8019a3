"""Settings: from a file, overridden by the environment, overridden by arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from findspot import Workspace
from findspot.artifacts.settings import FORMAT, BadSettings, Settings, login_name
from findspot.core.errors import FormatTooNew


def write(folder: Path, text: str) -> None:
    (folder / ".findspot").mkdir(exist_ok=True)
    (folder / ".findspot" / "findspot.toml").write_text(text)


def test_without_any_settings_the_defaults_hold(tmp_path: Path) -> None:
    assert Workspace(tmp_path).settings == Settings()
    assert Workspace(tmp_path).owner == login_name()


def test_arguments_win_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 'format = 1\nproject = "file"\nowner = "file"\nworkers = 3\ndurable = true\n')
    monkeypatch.setenv("FINDSPOT_PROJECT", "environment")
    monkeypatch.setenv("FINDSPOT_OWNER", "environment")
    monkeypatch.setenv("FINDSPOT_INLINE_LIMIT", "7")
    monkeypatch.setenv("FINDSPOT_WORKERS", "")
    space = Workspace(tmp_path, project="argument")
    settings = space.settings
    assert (settings.project, settings.owner, settings.workers) == ("argument", "environment", 3)
    assert (settings.inline_limit, settings.durable) == (7, True)
    assert (space.project, space.owner) == ("argument", "environment")
    assert space.overrides == {"project": "argument"}


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", True), ("true", True), ("YES", True), ("0", False), ("False", False), ("no", False)],
)
def test_truth_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, value: bool
) -> None:
    monkeypatch.setenv("FINDSPOT_DURABLE", text)
    assert Workspace(tmp_path).settings.durable is value


def test_all_mistakes_of_all_sources_are_listed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 'format = 1\nprojekt = "x"\nworkers = "3"\ndurable = 1\nstore = 5\n')
    monkeypatch.setenv("FINDSPOT_PREVIEW_LIMIT", "many")
    monkeypatch.setenv("FINDSPOT_INLINE_LIMIT", "²")
    monkeypatch.setenv("FINDSPOT_WORKERS", "-1")
    monkeypatch.setenv("FINDSPOT_DURABLE", "perhaps")
    monkeypatch.setenv("FINDSPOT_PROJECT", "../x")
    wrong: dict[str, Any] = {"owner": 3, "colour": "red", "project": "a/b", "inline_limit": True}
    with pytest.raises(BadSettings) as caught:
        Workspace(tmp_path, **wrong)
    found = {(Path(p.location).name, p.path) for p in caught.value.problems}
    assert found == {
        *(("findspot.toml", name) for name in ("projekt", "workers", "durable", "store")),
        ("environment", "FINDSPOT_PREVIEW_LIMIT"),
        ("environment", "FINDSPOT_INLINE_LIMIT"),
        ("environment", "FINDSPOT_WORKERS"),
        ("environment", "FINDSPOT_DURABLE"),
        ("environment", "FINDSPOT_PROJECT"),
        *(("arguments", name) for name in ("owner", "colour", "project", "inline_limit")),
    }
    text = str(caught.value)
    assert "did you mean project?" in text
    assert "colour: there is no such setting; known are catalog, store" in text
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("project = ", "is no TOML"),
        ('project = "a"\nproject = "b"', "is no TOML"),
        ("format = 'one'", "format: it is no whole number"),
        ("format = true", "format: it is no whole number"),
        ("format = 0", "format: it is no whole number from 1 up"),
        ("[project]\nname = 1", "project: it must be text"),
    ],
)
def test_a_bad_file(tmp_path: Path, content: str, reason: str) -> None:
    write(tmp_path, content)
    with pytest.raises(BadSettings, match=reason):
        Workspace(tmp_path)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    write(tmp_path, "")
    (tmp_path / ".findspot" / "findspot.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadSettings, match="is no TOML"):
        Workspace(tmp_path)


def test_a_newer_format_is_refused_before_anything_else(tmp_path: Path) -> None:
    write(tmp_path, f"format = {FORMAT + 1}\nunheard_of = 1\n")
    with pytest.raises(FormatTooNew) as caught:
        Workspace(tmp_path)
    assert (caught.value.found, caught.value.supported) == (FORMAT + 1, FORMAT)
    assert "Upgrade" in str(caught.value)
    assert [p.name for p in (tmp_path / ".findspot").iterdir()] == ["findspot.toml"]


def test_a_project_given_at_init_is_the_projects_of_all_who_open_it(tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    assert space.init(project="iris")
    assert space.project == "iris"
    assert Workspace(tmp_path).project == "iris"
    assert not space.init(project="other")
    assert Workspace(tmp_path).project == "iris"
    assert space.projects() == ["iris", "other"]


def test_catalog_and_store_may_be_elsewhere(tmp_path: Path) -> None:
    write(tmp_path, 'format = 1\nstore = "../bytes"\ncatalog = "other.db"\n')
    with Workspace(tmp_path) as space:
        space.save_artifact(b"x" * 10_000, "x")
    assert (tmp_path / "bytes" / "blake3").is_dir()
    assert (tmp_path / ".findspot" / "other.db").is_file()
    with Workspace(
        tmp_path / "b", store=tmp_path / "bytes", catalog=f"sqlite:///{tmp_path}/shared.db"
    ) as other:
        other.save_artifact(b"y" * 10_000, "y")
        assert other.load_artifact("y") == b"y" * 10_000
    assert (tmp_path / "shared.db").is_file()


def test_artifact_paths_of_the_workspace_and_of_projects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        tmp_path,
        'format = 1\nartifact_path = "out/{{project}}"\n'
        '[projects.iris]\nartifact_path = "s3://bucket/iris"\n',
    )
    settings = Workspace(tmp_path).settings
    assert settings.artifact_path == "out/{{project}}"
    assert settings.projects == {"iris": {"artifact_path": "s3://bucket/iris"}}
    monkeypatch.setenv("FINDSPOT_ARTIFACT_PATH", "/elsewhere")
    assert Workspace(tmp_path).settings.artifact_path == "/elsewhere"
    assert Workspace(tmp_path, artifact_path=tmp_path / "x").settings.artifact_path == str(
        tmp_path / "x"
    )


def test_all_mistakes_in_artifact_paths_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        tmp_path,
        """
        artifact_path = "../out"
        projects.iris = {artifact_path = "{{colour}}/{{shape}}", owner = "me"}
        projects."a/b" = {artifact_path = 3}
        projects.wine = "out"
        projects.good = {artifact_path = ""}
        """,
    )
    monkeypatch.setenv("FINDSPOT_ARTIFACT_PATH", "{{project}")
    monkeypatch.setenv("FINDSPOT_PROJECTS", "iris")
    with pytest.raises(BadSettings) as caught:
        Workspace(tmp_path, artifact_path=3)
    found = {(Path(p.location).name, p.path): p.message for p in caught.value.problems}
    file = "findspot.toml"
    assert set(found) == {
        (file, "artifact_path"),
        (file, "projects.iris.artifact_path"),
        (file, "projects.iris.owner"),
        (file, "projects.a/b"),
        (file, "projects.a/b.artifact_path"),
        (file, "projects.wine"),
        ("environment", "FINDSPOT_ARTIFACT_PATH"),
        ("environment", "FINDSPOT_PROJECTS"),
        ("arguments", "artifact_path"),
    }
    assert (
        "{{colour}}: there is no such variable; {{shape}}"
        in found[file, "projects.iris.artifact_path"]
    )
    assert "leaves its root" in found[file, "artifact_path"]
