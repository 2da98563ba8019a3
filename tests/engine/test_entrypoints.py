"""YAML entrypoints with plugins, from check to job; snapshots of what they run."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from findspot import CheckFailed, NotFound, Workspace
from findspot.core.errors import FindspotError

PLUGIN = '''
import logging
from findspot.plugins import ArtifactTask, register

@register
def count_words(text: str, factor: int = {factor}) -> int:
    logging.getLogger(__name__).info("counting")
    return factor * len(text.split())

@register
def shout(text: str) -> str:
    """No annotation is missing here."""
    return text.upper()

class TextArtifactTask(ArtifactTask):
    @staticmethod
    def serialize(working_dir, name, contents, suffix=".txt", **kwargs):
        path = working_dir / (name + suffix)
        path.write_text(contents)
        return path

    @staticmethod
    def deserialize(working_dir, path, **kwargs):
        return {loaded}

    @staticmethod
    def validation():
        return {{"type": "object", "properties": {{"suffix": {{"type": "string"}}}},
                "additionalProperties": False}}
'''

ENTRYPOINT = """
plugins: [wordy]
parameters:
  text: "two words"
graph:
  count:
    count_words: [$text]
  loud:
    task: shout
    kwargs: {text: $text}
artifact_outputs:
  number:
    contents: $count
  loud_text:
    contents: $loud
    task: {name: TextArtifactTask, args: {suffix: .md}}
"""


@pytest.fixture
def entrypoint(tmp_path: Path) -> Path:
    """An entrypoint's file with a plugin beside it."""
    write_plugin(tmp_path)
    file = tmp_path / "wordy.yaml"
    file.write_text(ENTRYPOINT)
    return file


def write_plugin(
    folder: Path, factor: int = 1, loaded: str = "(working_dir / path).read_text()"
) -> None:
    (folder / "wordy").mkdir(exist_ok=True)
    (folder / "wordy" / "tasks.py").write_text(PLUGIN.format(factor=factor, loaded=loaded))


def test_it_runs_and_its_outputs_are_saved_by_the_handlers_it_names(
    ws: Workspace, entrypoint: Path
) -> None:
    job = ws.run(entrypoint, params={"text": "one two three"}, experiment="words")
    assert job.status == "finished", job.log
    assert job.outputs["number"].load() == 3
    text = job.outputs["loud_text"]
    assert text.handler == "plugin:wordy/TextArtifactTask"
    assert [entry.path for entry in text.files] == ["loud_text.md"]
    assert text.load() == "ONE TWO THREE"
    assert "counting" in job.steps["count"].log
    assert job.params == {"text": "one two three"}
    assert (job.name, job.experiment) == ("wordy", "words")


def test_the_same_run_is_reused_and_an_edit_of_the_plugin_is_not(
    ws: Workspace, entrypoint: Path
) -> None:
    first = ws.run(entrypoint)
    assert all(step.cached for step in ws.run(entrypoint).steps.values())
    write_plugin(entrypoint.parent, factor=5)
    edited = ws.run(entrypoint)
    assert edited.outputs["number"].load() == 10
    assert edited.outputs["number"].version == 2
    assert first.outputs["number"].load() == 2
    assert [s.number for s in ws.catalog.snapshots("plugin", "default", "wordy")] == [1, 2]


def test_a_version_is_loaded_by_the_code_that_saved_it(ws: Workspace, entrypoint: Path) -> None:
    first = ws.run(entrypoint)
    write_plugin(entrypoint.parent, loaded="'changed since'")
    second = ws.run(entrypoint, cache=False)
    assert first.outputs["loud_text"].load() == "TWO WORDS"
    assert second.outputs["loud_text"].load() == "changed since"


def test_a_job_is_resumed_with_the_code_it_was_created_with(
    ws: Workspace, entrypoint: Path
) -> None:
    broken = entrypoint.parent / "wordy" / "tasks.py"
    flag = entrypoint.parent / "mended"
    text = broken.read_text().replace(
        "    return text.upper()",
        "    import pathlib\n"
        f"    assert pathlib.Path({str(flag)!r}).exists()\n"
        "    return text.upper()",
    )
    broken.write_text(text)
    job = ws.run(entrypoint)
    assert job.status == "failed"
    assert job.steps["loud"].status == "failed"
    flag.touch()
    shutil.rmtree(entrypoint.parent / "wordy")
    entrypoint.write_text("graph: {}")
    fresh = Workspace(ws.folder).get_job(job.id)
    assert fresh.resume().status == "finished"
    assert fresh.outputs["loud_text"].load() == "TWO WORDS"


def test_a_saved_artifact_is_the_input_of_another_entrypoint(
    ws: Workspace, entrypoint: Path
) -> None:
    first = ws.run(entrypoint, experiment="one")
    second = entrypoint.with_name("again.yaml")
    second.write_text(
        "plugins: [wordy]\n"
        "artifact_inputs:\n  words: {text: string}\n"
        "graph:\n  count: {count_words: [$words]}\n"
        "artifact_outputs:\n  words_counted: {contents: $count}\n"
    )
    job = ws.run(second, artifacts={"words": "loud_text:latest"}, experiment="two")
    assert job.status == "finished", job.log
    assert job.outputs["words_counted"].load() == 2
    lineage = job.outputs["words_counted"].lineage()
    assert {record.experiment for record in lineage.jobs.values()} == {"one", "two"}
    down = first.outputs["loud_text"].lineage("downstream")
    assert job.outputs["words_counted"].uid in down.versions


def test_an_artifact_of_a_wrong_type_is_refused(ws: Workspace, entrypoint: Path) -> None:
    ws.save_artifact(3, "three")
    second = entrypoint.with_name("again.yaml")
    second.write_text(
        "plugins: [wordy]\nartifact_inputs:\n  words: {text: string}\n"
        "graph:\n  count: {count_words: [$words]}\n"
    )
    with pytest.raises(CheckFailed, match="not of the declared type"):
        ws.run(second, artifacts={"words": "three"})
    with pytest.raises(CheckFailed, match="No artifact is chosen"):
        ws.run(second)
    assert ws.list_jobs() == []


def test_every_mistake_of_file_and_plugins_at_once_and_nothing_is_recorded(
    ws: Workspace, entrypoint: Path
) -> None:
    entrypoint.write_text(
        ENTRYPOINT.replace("count_words", "count_word")
        .replace("kwargs: {text: $text}", "kwargs: {text: 3, surplus: 1}")
        .replace("suffix: .md", "sufix: .md")
        .replace("$count\n", "$cont\n")
        .replace("[wordy]", "[wordy, missing]")
    )
    problems = ws.check(entrypoint)
    text = "\n".join(map(str, problems))
    for said in ("count_word", "'count_words'", "surplus", "sufix", "cont", "missing", "string"):
        assert said in text
    assert "wordy.yaml:" in text
    with pytest.raises(CheckFailed) as caught:
        ws.run(entrypoint)
    assert len(caught.value.problems) == len(problems) >= 6
    assert ws.list_jobs() == []
    assert ws.plugins() == []


def test_a_plugin_with_a_syntax_error_is_a_mistake_with_its_line(
    ws: Workspace, entrypoint: Path
) -> None:
    (entrypoint.parent / "wordy" / "tasks.py").write_text("def broken(:\n    pass\n")
    with pytest.raises(CheckFailed, match=r"tasks\.py:1"):
        ws.run(entrypoint)


def test_a_plugin_that_cannot_be_imported_fails_its_steps(ws: Workspace, entrypoint: Path) -> None:
    file = entrypoint.parent / "wordy" / "tasks.py"
    file.write_text("import not_installed_anywhere\n" + file.read_text())
    job = ws.run(entrypoint)
    assert job.status == "failed"
    assert "not_installed_anywhere" in job.log
    assert "tasks.py:1" in job.log


def test_two_plugins_may_not_offer_the_same_task(ws: Workspace, entrypoint: Path) -> None:
    shutil.copytree(entrypoint.parent / "wordy", entrypoint.parent / "wordier")
    entrypoint.write_text(ENTRYPOINT.replace("[wordy]", "[wordy, wordier]"))
    assert "is in two plugins" in "\n".join(map(str, ws.check(entrypoint)))


def test_a_missing_file_says_so(ws: Workspace, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"absent\.yaml"):
        ws.run(tmp_path / "absent.yaml")


def test_value_and_artifact_of_one_name_are_refused(ws: Workspace, entrypoint: Path) -> None:
    with pytest.raises(CheckFailed, match="given twice"):
        ws.run(entrypoint, params={"text": "x"}, artifacts={"text": "y"})


def test_a_parameter_may_be_given_as_an_artifact(ws: Workspace, entrypoint: Path) -> None:
    ws.save_artifact("a b c d", "words")
    job = ws.run(entrypoint, artifacts={"text": "words"})
    assert job.outputs["number"].load() == 4
    assert job.artifacts["text"].key == "words"


@pytest.mark.slow
def test_plugins_run_in_worker_processes(ws: Workspace, entrypoint: Path) -> None:
    job = ws.run(entrypoint, executor="processes", workers=2)
    assert job.status == "finished", job.log
    assert job.outputs["loud_text"].load() == "TWO WORDS"
    assert "counting" in job.log


class TestTargets:
    PIPELINES = """
from findspot import pipeline, task

@task
def inc(x: int) -> int:
    return x + 1

@pipeline
def one(x: int = 1):
    return {"out": inc(x)}

NUMBER = 3
"""

    def test_a_file_with_one_pipeline(self, ws: Workspace, tmp_path: Path) -> None:
        file = tmp_path / "single_pipeline.py"
        file.write_text(self.PIPELINES)
        assert ws.run(file, params={"x": 4}).outputs["out"].load() == 5
        assert ws.run(f"{file}:one").outputs["out"].load() == 2

    def test_a_module(self, ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "module_of_pipelines.py").write_text(self.PIPELINES)
        monkeypatch.syspath_prepend(str(tmp_path))
        assert ws.run("module_of_pipelines:one").outputs["out"].load() == 2

    @pytest.mark.parametrize(
        ("target", "said"),
        [
            ("{file}:two", "one"),
            ("{file}:NUMBER", "neither a pipeline nor a function"),
            ("absent_module:one", "absent_module"),
            ("{folder}/absent.py:one", "absent.py"),
        ],
    )
    def test_what_is_not_there(
        self,
        ws: Workspace,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        target: str,
        said: str,
    ) -> None:
        monkeypatch.delitem(sys.modules, "some_pipelines", raising=False)
        file = tmp_path / "some_pipelines.py"
        file.write_text(self.PIPELINES)
        with pytest.raises(FindspotError, match=said):
            ws.run(target.format(file=file, folder=tmp_path))


def test_a_pipeline_of_plain_values_survives_yaml(ws: Workspace, tmp_path: Path) -> None:
    import sample_tasks

    text = sample_tasks.chain.to_yaml()
    file = tmp_path / "chain.yaml"
    file.write_text(text)
    assert ws.check(file) == [], text
    python, yaml = sample_tasks.chain.run(x=3), ws.run(file, params={"x": 3})
    assert yaml.status == "finished", yaml.log
    assert yaml.outputs["end"].load() == python.outputs["end"].load() == 6
    assert all(step.cached for step in yaml.steps.values())
