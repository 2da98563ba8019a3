"""Making versions again in a process of their own, and saying whether they are the same."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from findspot import Workspace
from findspot.artifacts.links import link
from findspot.engine.jobs import get_job
from findspot.provenance import CannotReproduce, reproduce
from provenance_pieces import COUNTING, Write, write_wordy

pytestmark = pytest.mark.slow

ARRAYS = """
import os
import time
import numpy as np
from findspot import pipeline, task

@task
def shift(x: np.ndarray, by: float) -> np.ndarray:
    return x + by

@task
def disturb(x: np.ndarray, amount: float) -> np.ndarray:
    if os.environ.get("FAILS"):
        raise RuntimeError("no luck")
    return x + amount * (time.time_ns() % 1_000_000_007 + 1)

@task
def total(x: np.ndarray) -> float:
    return float(x.sum())

@pipeline
def steady(x: np.ndarray, by: float = 1.0):
    return {"shifted": shift(x, by)}

@pipeline
def shaky(x: np.ndarray, amount: float = 1e-20):
    disturbed = disturb(shift(x, 1.0), amount)
    return {"disturbed": disturbed, "total": total(disturbed)}
"""


def numbers(ws: Workspace, count: int = 4) -> None:
    import numpy as np

    ws.save_artifact(np.arange(count, dtype=np.float64), "numbers")


def test_a_pipeline_gives_the_same_bytes(ws: Workspace, write: Write) -> None:
    numbers(ws, count=10_000)  # a blob of the store, not of the catalog
    module = write("arrays", ARRAYS)
    job = module.steady.run(x="numbers", by=2.5)
    counts = ws.catalog.counts()
    numbers(ws, count=3)  # newer than what the job was given
    found = reproduce(ws, job.outputs["shifted"])
    assert found
    assert found.outcome == "identical"
    assert found.code == ()
    assert found.environment == ()
    assert "The same bytes" in found.render()
    assert found.to_json()["outputs"]["shifted"]["outcome"] == "identical"
    # Nothing of it is in this workspace.
    assert ws.catalog.counts()["jobs"] == counts["jobs"]


def test_settings_of_the_environment_are_of_this_workspace(
    ws: Workspace, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINDSPOT_STORE", str(tmp_path / "blobs"))
    monkeypatch.setenv("FINDSPOT_CATALOG", str(tmp_path / "mine.db"))
    module = write("arrays", ARRAYS)
    with Workspace(ws.folder) as mine:
        numbers(mine, count=10_000)
        # What an input links to is not needed, and may be damaged.
        chart = mine.save_artifact(b"x" * 10_000, "chart")
        link(mine, "numbers", "chart", chart)
        mine.store.delete(chart.files[0].digest)
        job = module.steady.options(workspace=mine).run(x="numbers", by=2.5)
        before = mine.catalog.counts()
        found = reproduce(mine, job.outputs["shifted"])
        assert found.outcome == "identical", found.render()
        assert mine.catalog.counts() == before
    assert (tmp_path / "mine.db").is_file()


def test_a_seed_and_reused_steps(ws: Workspace, write: Write) -> None:
    module = write(
        "seeded",
        """
        import random
        from findspot import pipeline, task

        @task
        def draw(n: int) -> list:
            return [random.random() for _ in range(n)]

        @task
        def last(values: list, times: int) -> float:
            return values[-1] * times

        @pipeline
        def drawn(n: int = 3, times: int = 1):
            return {"last": last(draw(n), times)}
        """,
    )
    module.drawn.run(seed=7)
    job = module.drawn.run(seed=7, times=2)
    assert job.steps["draw"].cached
    found = reproduce(ws, job.outputs["last"].uid)
    assert found.outcome == "identical"
    assert set(found.outputs) == {"last", "draw.output"}


def test_a_yaml_entrypoint_runs_from_its_snapshots(ws: Workspace, project: Path) -> None:
    job = ws.run(write_wordy(project, factor=1), params={"text": "one two three"})
    write_wordy(project, factor=5)
    (project / "wordy.yaml").unlink()
    found = reproduce(ws, job.outputs["number"])
    assert found.outcome == "identical"
    assert found.code == ()


def test_edited_code_is_run_and_said(ws: Workspace, write: Write) -> None:
    job = write("counting", COUNTING).count.run(text="a b", weight=2)
    write("counting", COUNTING.replace("weight * len", "10 * weight * len"))
    found = reproduce(ws, job.outputs["number"])
    assert not found
    assert found.outcome == "different"
    assert found.outputs["words.output"].outcome == "identical"
    assert found.first_different == ("weigh",)
    (code,) = found.code
    assert "+    return 10 * weight * len(found)" in code.changes[0].diff
    assert "10 * weight" in found.render()


def test_a_clean_commit_is_run_though_the_files_were_edited(
    ws: Workspace, project: Path, write: Write
) -> None:
    write("counting", COUNTING)
    commit(project)
    job = write("counting", COUNTING).count.run(text="a b", weight=2)
    assert job.environment["git"]["dirty"] is False
    write("counting", COUNTING.replace("weight * len", "10 * weight * len"))
    found = reproduce(ws, job.outputs["number"])
    assert found.outcome == "identical"
    assert found.code == ()
    assert found.notes == ()


def commit(project: Path) -> None:
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "As it is"]):
        subprocess.run(["git", *command], cwd=project, check=True)


def test_a_clean_commit_of_what_the_command_line_ran(ws: Workspace, project: Path) -> None:
    (project / "jobs").mkdir()
    (project / "jobs" / "counting.py").write_text(COUNTING)
    commit(project)
    findspot = Path(sys.executable).parent / "findspot"
    command = [sys.executable, str(findspot), "run", "jobs/counting.py:count", "-p", "text=a b"]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    edited = COUNTING.replace("weight * len", "10 * weight * len")
    (project / "jobs" / "counting.py").write_text(edited)
    found = reproduce(ws, get_job(ws, "latest").outputs["number"])
    assert found.outcome == "identical", found.render()
    assert (found.code, found.notes) == ((), ())


def test_a_clean_commit_of_a_script(ws: Workspace, project: Path) -> None:
    ws.save_artifact([1, 2], "numbers")
    (project / "script.py").write_text(SCRIPT)
    commit(project)
    run_script(project, "3")
    (project / "script.py").unlink()
    found = reproduce(ws, "made")
    assert found.outcome == "identical", found.render()
    assert found.notes == ()


def test_uncommitted_changes_are_said(ws: Workspace, project: Path, write: Write) -> None:
    write("counting", COUNTING)
    commit(project)
    module = write("counting", COUNTING + "\n# edited\n")
    found = reproduce(ws, module.count.run(text="a b").outputs["number"])
    assert found.outcome == "identical"
    assert any("not committed" in note for note in found.notes)


def test_bytes_that_were_damaged_are_made_again(ws: Workspace, write: Write) -> None:
    numbers(ws, count=10_000)
    made = write("arrays", ARRAYS).steady.run(x="numbers").outputs["shifted"]
    (entry,) = [file for file in made.files if file.inline is None]
    path = ws.store.path(entry.digest)
    assert path is not None
    path.unlink()
    assert reproduce(ws, made).outcome == "identical"


def test_what_is_not_deterministic_is_different(ws: Workspace, write: Write) -> None:
    numbers(ws)
    job = write("arrays", ARRAYS).shaky.run(x="numbers", amount=1e-12)
    exact = reproduce(ws, job.outputs["disturbed"])
    assert exact.outcome == "different"
    assert exact.first_different == ("disturb",)
    assert exact.outputs["shift.output"].outcome == "identical"
    (content,) = exact.outputs["disturbed"].content
    assert content.found["differing"] == 4
    close = reproduce(ws, job.outputs["disturbed"], tolerance=0.1)
    assert close.outcome == "equal"
    assert close.first_different == ()


def test_a_job_that_fails_now(
    ws: Workspace, write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    numbers(ws)
    job = write("arrays", ARRAYS).shaky.run(x="numbers")
    monkeypatch.setenv("FAILS", "1")
    found = reproduce(ws, job.outputs["total"], folder=tmp_path / "kept")
    assert found.outcome == "failed"
    assert "no luck" in found.failure
    assert "RuntimeError: no luck" in found.log
    assert found.outputs["shift.output"].outcome == "identical"
    assert found.folder is not None
    assert (found.folder / "output.txt").is_file()
    assert "no luck" in found.render()


def test_it_is_stopped_in_time(ws: Workspace, write: Write, project: Path) -> None:
    source = "from findspot import pipeline, task\n{}\n@task\ndef one() -> int:\n    return 1\n"
    source += "@pipeline\ndef ones():\n    return {{'one': one()}}\n"
    job = write("waiting", source.format("")).ones.run()
    (project / "waiting.py").write_text(source.format("import time; time.sleep(3600)"))
    found = reproduce(ws, job.outputs["one"], timeout=2.0)
    assert found.outcome == "failed"
    assert "stopped after 2 s" in found.failure


def test_a_function_runs_from_the_text_that_was_kept(
    ws: Workspace, write: Write, project: Path
) -> None:
    source = """
    import json
    from findspot import DataItem

    def summed(table: DataItem, scale: int, context) -> float:
        context.log_params({"later": 1})
        values = json.loads(table.get())
        context.log_artifact("values", values)
        return float(scale * sum(values))
    """
    (project / "table.json").write_text("[1, 2, 3]")
    module = write("summing", source)
    job = ws.run_function(
        module.summed, params={"scale": 2}, inputs={"table": str(project / "table.json")}
    )
    assert job.status == "finished"
    write("summing", source.replace("scale * sum", "sum"))
    found = reproduce(ws, job.outputs["output"])
    assert found.outcome == "identical", found.render()
    assert set(found.outputs) == set(job.outputs)
    (project / "table.json").write_text("[1, 2, 4]")
    changed = reproduce(ws, job.outputs["values"])
    assert changed.outcome == "different"
    assert any("is not what it read then" in note for note in changed.notes)


SCRIPT = """
import sys
from findspot import load_artifact, save_artifact, start_job

with start_job("scripted", params={"factor": int(sys.argv[1])}) as job:
    numbers = load_artifact("numbers")
    made = [job.params["factor"] * x for x in numbers]
    job.log_artifact("made", made)
    save_artifact(len(made), "count")
"""


def run_script(project: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "script.py", *arguments], cwd=project, check=True)


def test_a_script_is_started_again(ws: Workspace, project: Path) -> None:
    ws.save_artifact([1, 2], "numbers")
    (project / "script.py").write_text(SCRIPT)
    run_script(project, "3")
    ws.save_artifact([5, 6], "numbers")
    made = ws.get_artifact("made")
    found = reproduce(ws, made)
    assert found.outcome == "identical", found.render()
    assert found.notes == ()
    assert [output.outcome for output in found.outputs.values()] == ["identical"] * 2
    (project / "script.py").write_text(SCRIPT.replace("job.params", "1 + job.params"))
    edited = reproduce(ws, made)
    assert edited.outcome == "different"
    assert any("was edited since" in note for note in edited.notes)
    (project / "script.py").unlink()
    with pytest.raises(CannotReproduce, match=r"script\.py"):
        reproduce(ws, made)


def test_a_pipeline_in_a_script(ws: Workspace, project: Path) -> None:
    text = COUNTING + "\nif __name__ == '__main__':\n    count.run(text='a b c')\n"
    (project / "script.py").write_text(text)
    run_script(project)
    found = reproduce(ws, "number")
    assert found.outcome == "identical", found.render()
    assert found.code == ()


def test_an_experiment_in_a_script(ws: Workspace, project: Path) -> None:
    (project / "script.py").write_text(
        """
from findspot.experiments.artifact import Artifact
from findspot.experiments.experiment import Experiment

def draw(data, ctx, out=Artifact("drawn.txt")):
    out.write(f"{data} {ctx.seed}".encode())

def main():
    Experiment(name="drawing", datasource=["a", "b"], pipeline=[draw], seed=1).run()

if __name__ == "__main__":
    main()
"""
    )
    run_script(project)
    drawn = [v for v in ws.list_artifacts() if v.producer is not None]
    assert len(drawn) == 2
    found = reproduce(ws, drawn[0])
    assert found.outcome == "identical", found.render()
    assert [output.outcome for output in found.outputs.values()] == ["identical"] * 2


FIRST = """
from findspot.experiments.artifact import Artifact
from findspot.experiments.experiment import Experiment

def draw(data, ctx, out=Artifact("drawn.txt")):
    out.write(f"{data} {ctx.seed}".encode())

first = Experiment(name="drawing", datasource=["a", "b"], pipeline=[draw], seed=1)
if __name__ == "__main__":
    first.run()
"""

SECOND = """
from findspot.experiments.artifact import Artifact
from findspot.experiments.experiment import Experiment
from first import first

def shout(data, ctx, out=Artifact("shouted.txt")):
    out.write(data.read_text().upper().encode())

source = first.artifact_datasource(step="draw", name="drawn.txt")
if __name__ == "__main__":
    Experiment(name="shouting", datasource=source, pipeline=[shout]).run()
"""


def test_an_experiment_on_the_artifacts_of_another(ws: Workspace, project: Path) -> None:
    (project / "first.py").write_text(FIRST)
    (project / "second.py").write_text(SECOND)
    for script in ("first.py", "second.py"):
        subprocess.run([sys.executable, script], cwd=project, check=True)
    shouted = [v for v in ws.list_artifacts(name="shouting*") if v.producer is not None]
    assert len(shouted) == 2
    found = reproduce(ws, shouted[0])
    assert found.outcome == "identical", found.render()


def test_pickles_that_this_workspace_made_are_trusted(ws: Workspace, write: Write) -> None:
    module = write(
        "pickled",
        """
        from findspot import pipeline, task

        class Box:
            def __init__(self, content):
                self.content = content
                self.others = {content}

        @task
        def opened(box: object) -> int:
            return box.content

        @pipeline
        def unpack(box: object):
            return {"content": opened(box)}
        """,
    )
    job = module.unpack.run(box=module.Box(3))
    assert job.status == "finished", job.log
    found = reproduce(ws, job.outputs["content"])
    assert found.outcome == "identical", found.render()


KILLED = """
import os, signal, time
from pathlib import Path
from findspot import Workspace
from findspot.experiments.artifact import Artifact
from findspot.experiments.experiment import Experiment

def draw(data, ctx, out=Artifact("drawn.txt")):
    out.write(f"{data} {ctx.seed}".encode())
    die = Path("die")
    if ctx.replicate == 1 and die.exists():
        end = time.monotonic() + 120
        with Workspace() as workspace:
            while time.monotonic() < end:
                found = workspace.list_artifacts(name="drawing*")
                if any(version.producer is not None for version in found):
                    break
                time.sleep(0.02)
        die.unlink()
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    Experiment(name="drawing", datasource=["a", "b"], pipeline=[draw], seed=1).run(
        strategy="resume"
    )
"""


def test_what_an_experiment_made_before_it_was_killed_and_after_it_was_resumed(
    ws: Workspace, project: Path
) -> None:
    (project / "killed.py").write_text(KILLED)
    (project / "die").touch()
    for code in (-signal.SIGKILL, 0):
        done = subprocess.run([sys.executable, "killed.py"], cwd=project, check=False)
        assert done.returncode == code
    drawn = [v for v in ws.list_artifacts(name="drawing*") if v.producer is not None]
    assert len({v.producer.job for v in drawn if v.producer is not None}) == 2
    for version in drawn:
        found = reproduce(ws, version)
        assert found.outcome == "identical", found.render()
