"""Artifact paths: readable copies of what jobs make and log, at the nearest place that is set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from findspot import (
    Artifact,
    CheckFailed,
    Experiment,
    Workspace,
    current_job,
    pipeline,
    run_function,
    set_environment,
    start_job,
    task,
)
from findspot.artifacts.path_templates import BadArtifactPath
from findspot.data import UnknownScheme
from findspot.engine.logged.publishing import set_artifact_path


@task
def train(rate: float) -> str:
    job = current_job()
    job.log_artifact("notes", body=f"rate {rate}")
    job.log_metric("rate", rate)
    job.set_label("trained", "yes")
    job.log_params({"depth": 3})
    return f"model of {rate}"


@task(cache=False)
def grade(model: str) -> int:
    return len(model)


@task
def grade_again(model: str) -> int:
    return len(model) + 1


@pipeline
def study(rate: float = 0.5) -> Any:
    model = train(rate)
    return {"model": model, "score": grade(model), "both": [model, model]}


@pipeline
def whole(rate: float = 0.5) -> Any:
    model = train(rate)
    return {"model": model, "score": grade_again(model)}


@pytest.fixture(autouse=True)
def _no_session() -> Iterator[None]:
    yield
    set_artifact_path(None)


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


# ------------------------------------------------------------------ which path


def settings(ws: Workspace, text: str) -> Workspace:
    (ws.folder / "findspot.toml").write_text(f"format = 1\n{text}")
    return Workspace(ws.folder)


def log_note(ws: Workspace, **options: Any) -> str:
    with ws.start_job("note", **options) as job:
        job.log_artifact("note", body="hi")
    return job.id


def test_from_far_to_near(ws: Workspace, tmp_path: Path) -> None:
    ws = settings(ws, f'artifact_path = "{tmp_path}/workspace"\n')
    log_note(ws)
    assert (tmp_path / "workspace" / "note").is_file()
    set_artifact_path(tmp_path / "session")
    log_note(ws)
    assert (tmp_path / "session" / "note").is_file()
    ws = settings(
        ws,
        f'artifact_path = "{tmp_path}/workspace"\n'
        f'[projects.default]\nartifact_path = "{tmp_path}/project"\n',
    )
    log_note(ws)
    assert (tmp_path / "project" / "note").is_file()
    log_note(ws, artifact_path=tmp_path / "job")
    assert (tmp_path / "job" / "note").is_file()
    with ws.start_job("note", artifact_path=tmp_path / "other") as job:
        job.log_artifact("note", body="hi", artifact_path=tmp_path / "call")
    assert (tmp_path / "call" / "note").is_file()
    assert not (tmp_path / "other").exists()
    # Another project has none of its own.
    log_note(ws, project="iris")
    assert len(files(tmp_path / "session")) == 1
    (tmp_path / "session" / "note").unlink()
    log_note(ws, project="iris")
    assert (tmp_path / "session" / "note").is_file()


def test_a_relative_path_of_the_settings_is_in_the_workspace(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    roundabout = Workspace(
        f"{tmp_path}/elsewhere/../workspace", artifact_path="out/{{project}}/{{step}}"
    )
    roundabout.init()
    log_note(roundabout)
    assert (roundabout.folder / "out" / "default" / "note" / "note").read_text() == "hi"


def test_the_environment_says_what_is_in_force(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(ws, f'artifact_path = "far"\nprojects.iris.artifact_path = "{tmp_path}/iris"\n')
    assert set_environment() == ("default", str(ws.folder / "far"))
    assert set_environment(artifact_path="near") == ("default", "near")
    assert set_environment(project="iris") == ("iris", f"{tmp_path}/iris")
    with pytest.raises(CheckFailed, match="no such variable"):
        set_environment(project="wine", artifact_path="{{colour}}")
    with pytest.raises(UnknownScheme):
        set_environment(project="wine", artifact_path="ftp://host/out")
    assert set_environment() == ("iris", f"{tmp_path}/iris")
    assert set_environment(artifact_path="", project="default") == (
        "default",
        str(ws.folder / "far"),
    )
    assert "wine" not in ws.projects()


# ------------------------------------------------------------------ pipelines


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_a_pipelines_outputs_and_what_its_steps_log(
    ws: Workspace, tmp_path: Path, executor: str
) -> None:
    out = tmp_path / "out"
    job = study.run(
        artifact_path=out / "{{project}}" / "{{job.id}}" / "{{step}}" / "{{name}}-{{version}}",
        executor=executor,
        workers=1,
    )
    assert job.status == "finished", job.log
    assert files(out / "default" / job.id) == [
        "grade/score-1/score.json",
        "study/both-1/both.json",
        "train/model-1/model.txt",
        "train/notes-1/notes",
    ]
    place = out / "default" / job.id / "train" / "model-1" / "model.txt"
    assert place.read_text() == "model of 0.5"
    place.write_text("changed")
    assert job.outputs["model"].load() == "model of 0.5"
    assert "published" not in job.log


def test_a_yaml_entrypoint_is_published_too(ws: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(
        "parameters: {x: -3}\n"
        "tasks: {absolute: {function: 'operator:abs', inputs: [a], outputs: size}}\n"
        "graph: {size: {task: absolute, args: [$x]}}\n"
        "artifact_outputs: {size: {contents: $size}}\n"
    )
    job = ws.run(file, artifact_path=tmp_path / "out" / "{{step}}")
    assert job.status == "finished", job.log
    assert files(tmp_path / "out") == ["size/size.json"]


def test_a_job_that_reuses_publishes_at_its_own_path(ws: Workspace, tmp_path: Path) -> None:
    template = tmp_path / "{{job.id}}"
    for flow in (study, whole):
        first = flow.run(artifact_path=template)
        again = flow.run(artifact_path=template)
        assert again.steps["train"].cached
        assert files(tmp_path / again.id) == files(tmp_path / first.id)
        assert "notes" in files(tmp_path / again.id)


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("{{color}}/{{shape}}", CheckFailed, "2 mistakes"),
        ("{{experiment}}", CheckFailed, "Give the job an experiment"),
        ("{{replicate}}", CheckFailed, "no value here"),
        ("{{name}", CheckFailed, "belongs to no variable"),
        ("../out", BadArtifactPath, "leaves its root"),
        ("", BadArtifactPath, "empty"),
        (3, BadArtifactPath, "type int"),
        ("store://files/default/out", BadArtifactPath, "outside of the workspace"),
        ("ftp://host/out", UnknownScheme, "ftp"),
    ],
)
def test_a_wrong_path_is_found_before_anything_runs(
    ws: Workspace, path: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        study.run(artifact_path=path)
    with pytest.raises(error, match=message), start_job("script", artifact_path=path):
        pass
    with pytest.raises(error, match=message):
        run_function(lambda: 1, name="one", artifact_path=path)
    assert ws.list_jobs() == []
    assert ws.list_artifacts() == []


def test_a_copy_that_cannot_be_made_is_noted(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for _ in range(2):
        job = whole.run(artifact_path=tmp_path / "file")
        assert job.status == "finished"
        assert "'model' was not published" in job.log
        assert "'notes' was not published" in job.log
        assert "itself is saved" in job.log
    assert job.outputs["model"].load() == "model of 0.5"


@task(cache=False)
def stumble(folder: str) -> str:
    current_job().log_artifact("tried", body="once")
    if not (Path(folder) / "mended").exists():
        raise OSError("it is not mended")
    return "done"


@pipeline
def stumbling(folder: str) -> Any:
    return {"kept": train(0.5), "late": stumble(folder)}


def test_a_resumed_job_keeps_its_path(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    job = stumbling.run(folder=str(tmp_path), artifact_path="out")
    assert job.status == "failed"
    assert files(tmp_path / "out") == ["kept.txt", "notes", "tried"]
    (tmp_path / "mended").touch()
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    assert job.resume().status == "finished"
    assert files(tmp_path / "out") == ["kept.txt", "late.txt", "notes", "tried"]
    assert files(tmp_path / "sub") == []


# ------------------------------------------------------------------ experiments

kept = Artifact("kept.txt")


def fit(data: Any, ctx: Any, out: Artifact = kept, kind: str = "tree") -> Any:
    out.write(kind.encode())
    current_job().log_artifact("said", body=f"{kind} {ctx.replicate}")
    with start_job("nested") as inner:
        inner.log_artifact("inside", body=kind)
    return data


def datum(ctx: Any) -> int:
    current_job().log_artifact("datum", body=str(ctx.replicate))
    return int(ctx.replicate)


def test_the_cells_of_an_experiment_fill_in_their_variables(ws: Workspace, tmp_path: Path) -> None:
    set_artifact_path(tmp_path / "{{experiment}}" / "{{condition}}" / "{{replicate}}" / "{{step}}")
    result = Experiment(
        name="compare", datasource=datum, pipeline=[fit], replicates=2, outputs=[kept]
    ).run()
    assert result.errors == {}
    assert files(tmp_path / "compare") == [
        "baseline/0/fit/said",
        "baseline/0/nested/inside",
        "baseline/1/fit/said",
        "baseline/1/nested/inside",
        "data/0/datum/datum",
        "data/1/datum/datum",
    ]
    assert (tmp_path / "compare" / "baseline" / "1" / "fit" / "said").read_text() == "tree 1"


def test_the_run_of_an_experiment_has_a_path_of_its_own(ws: Workspace, tmp_path: Path) -> None:
    experiment = Experiment(name="own", datasource=[1, 2], pipeline=[fit], outputs=[kept])
    for wrong in ("{{colour}}", tmp_path / "{{condition}}" / "{{place}}"):
        with pytest.raises(CheckFailed):
            experiment.run(artifact_path=wrong)
    with pytest.raises(UnknownScheme):
        experiment.run(artifact_path="ftp://host/out")
    assert not ws.list_artifacts(name="own/run")
    assert not ws.list_jobs()
    experiment.run(artifact_path=tmp_path / "out" / "{{condition}}-{{replicate}}")
    assert files(tmp_path / "out") == ["baseline-0/said", "baseline-1/said"]
