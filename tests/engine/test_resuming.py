"""Jobs that were stopped, killed or failed, and go on from what is there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sample_tasks
from findspot import Workspace, get_job, pipeline, task
from findspot.engine.errors import CannotResume


@task(cache=False)
def counted(folder: str, name: str, after: Any = None) -> str:
    """Leaves a file for each time it ran."""
    place = Path(folder) / name
    place.write_text(place.read_text() + "x" if place.exists() else "x")
    return name


@task(cache=False)
def stumble(folder: str, after: Any) -> int:
    if not (Path(folder) / "mended").exists():
        raise OSError("it is not mended")
    return 1


@task(cache=False)
def stop(folder: str, after: Any) -> int:
    if not (Path(folder) / "mended").exists():
        raise KeyboardInterrupt
    return 1


@pipeline
def stumbling(folder: str) -> Any:
    first = counted(folder, "first")
    return {"last": counted(folder, "last", stumble(folder, first)), "first": first}


@pipeline
def stopping(folder: str) -> Any:
    first = counted(folder, "first")
    return {"last": counted(folder, "last", stop(folder, first)), "first": first}


def test_a_failed_job_goes_on_where_it_failed(ws: Workspace, tmp_path: Path) -> None:
    job = stumbling.run(folder=str(tmp_path))
    assert job.status == "failed"
    assert job.steps["counted_2"].status == "skipped"
    (tmp_path / "mended").touch()
    assert job.resume() is job
    assert (job.status, job.failure) == ("finished", None)
    assert (tmp_path / "first").read_text() == "x"
    assert job.outputs["last"].load() == "last"
    assert [step.status for step in job.steps.values()] == ["finished"] * 3
    with pytest.raises(CannotResume, match="finished"):
        job.resume()


def test_a_job_found_again_is_resumed_with_its_pipeline(ws: Workspace, tmp_path: Path) -> None:
    id = stumbling.run(folder=str(tmp_path)).id
    (tmp_path / "mended").touch()
    found = get_job(id)
    assert found.resume(stumbling).status == "finished"
    assert (tmp_path / "first").read_text() == "x"


def test_an_importable_pipeline_is_found_by_itself(ws: Workspace) -> None:
    job = get_job(sample_tasks.broken.run().id)
    assert job.resume().status == "failed"
    assert job.steps["add"].status == "finished"


def test_a_pipeline_that_cannot_be_imported_must_be_given(ws: Workspace) -> None:
    @pipeline
    def local() -> Any:
        return {"bad": sample_tasks.fail(1)}

    job = get_job(local.run().id)
    with pytest.raises(CannotResume, match="local"):
        job.resume()


def test_an_interrupt_is_recorded_and_passed_on(ws: Workspace, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        stopping.run(folder=str(tmp_path))
    (job,) = ws.list_jobs()
    assert job.status == "interrupted"
    assert job.ended is not None
    assert {name: step.status for name, step in job.steps.items()} == {
        "counted": "finished",
        "stop": "interrupted",
    }
    (tmp_path / "mended").touch()
    assert job.resume(stopping).status == "finished"
    assert (tmp_path / "first").read_text() == "x"


def test_what_was_deleted_since_is_made_again(ws: Workspace, tmp_path: Path) -> None:
    job = stumbling.run(folder=str(tmp_path))
    ws.delete_version(job.outputs["first"])
    (tmp_path / "mended").touch()
    job.resume()
    assert job.status == "finished"
    assert (tmp_path / "first").read_text() == "xx"
    assert job.outputs["first"].load() == "first"


def test_a_job_keeps_the_values_it_was_created_with(ws: Workspace) -> None:
    @pipeline
    def valued(x: Any, y: int = 3) -> Any:
        return {"bad": sample_tasks.fail(sample_tasks.total(x)), "x": x, "sum": sample_tasks.add(y)}

    saved = ws.save_artifact([1, 2], "numbers")
    job = valued.run(x=saved, y=4)
    ws.save_artifact([5, 6], "numbers")
    job = get_job(job.id).resume(valued)
    assert job.outputs["x"].load() == [1, 2]
    assert job.params == {"y": 4}
    assert job.artifacts["x"].version == 1


_STORED = """
from pathlib import Path
from findspot import pipeline, task

@task
def mended() -> bool:
    return True

@task(cache=False)
def stumble(fine: bool) -> str:
    if not Path(__file__).with_name("mended").exists():
        raise OSError("it is not mended")
    return __file__

@pipeline
def flow():
    return {"file": stumble(mended())}
"""


def _findspot(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "findspot", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("module", [False, True], ids=["file", "package"])
def test_the_file_of_a_pipeline_is_found_from_another_folder(
    ws: Workspace, tmp_path: Path, module: bool
) -> None:
    folder = tmp_path / "code" / "sub"
    folder.mkdir(parents=True)
    (folder / "stored_flow.py").write_text(_STORED)
    target = "sub.stored_flow:flow" if module else "sub/stored_flow.py:flow"
    ran = _findspot(tmp_path / "code", "run", target)
    assert ran.returncode == 1, ran.stderr
    (folder / "mended").touch()
    # Another module of that name lies where the job is resumed.
    (tmp_path / "stored_flow.py").write_text("flow = None")
    resumed = _findspot(tmp_path, "job", "resume", "latest")
    assert resumed.returncode == 0, resumed.stderr
    (job,) = ws.list_jobs()
    assert job.outputs["file"].load() == str(folder / "stored_flow.py")
    assert job.steps["mended"].status == "finished"


def test_a_pipeline_whose_file_is_gone(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "gone_flow.py"
    file.write_text(_STORED)
    monkeypatch.setattr(sys, "path", [*sys.path])
    job = ws.run(f"{file}:flow")
    assert job.status == "failed"
    monkeypatch.delitem(sys.modules, "gone_flow")
    file.unlink()
    with pytest.raises(CannotResume, match=r"gone_flow.*--pipeline file\.py:flow"):
        ws.get_job(job.id).resume()
    monkeypatch.setitem(sys.modules, "gone_flow", sample_tasks)
    file.write_text(_STORED)
    with pytest.raises(CannotResume, match="another module 'gone_flow'"):
        ws.get_job(job.id).resume()


_KILLED = """
import os, signal, sys, time
from pathlib import Path
from typing import Any
from findspot import pipeline, task

@task(cache=False)
def mark(folder: str, name: str, after: Any = None) -> str:
    place = Path(folder) / name
    place.write_text(place.read_text() + "x" if place.exists() else "x")
    return name

@task(cache=False)
def die_once(folder: str, after: Any) -> int:
    print("about to die", flush=True)
    if not (Path(folder) / "mended").exists():
        {settle}
        os.kill(os.getpid(), signal.SIGKILL)
    return 1

@pipeline
def dying(folder: str):
    first = mark(folder, "first")
    return {{"last": mark(folder, "last", die_once(folder, first)), "first": first}}

if __name__ == "__main__":
    from dying import dying
    dying.run(folder=sys.argv[1])
"""


_WRITTEN = """
        from findspot import Workspace, current_job
        id, end = current_job().id, time.monotonic() + 120
        with Workspace() as workspace:
            while time.monotonic() < end:
                job = workspace.get_job(id)
                marked = "mark" in job.steps and job.steps["mark"].status == "finished"
                if marked and "about to die" in job.log:
                    break
                time.sleep(0.02)
"""


def _killed_job(ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait: str) -> Any:
    (tmp_path / "dying.py").write_text(_KILLED.format(settle=wait))
    done = subprocess.run(
        [sys.executable, "dying.py", str(tmp_path)], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "dying", raising=False)
    (job,) = ws.list_jobs()
    return job


@pytest.mark.slow
def test_a_killed_job_is_seen_as_interrupted_and_goes_on(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = _killed_job(ws, tmp_path, monkeypatch, _WRITTEN)
    assert job.status == "interrupted"
    assert job.failure is not None
    assert "process" in job.failure.message
    assert "about to die" in job.log
    assert {name: step.status for name, step in job.steps.items()} == {
        "mark": "finished",
        "die_once": "interrupted",
    }
    (tmp_path / "mended").touch()
    assert job.resume().status == "finished"
    assert (tmp_path / "first").read_text() == "x"
    assert ws.verify().sound


@pytest.mark.slow
def test_a_job_killed_before_anything_was_written_runs_all_again(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = _killed_job(ws, tmp_path, monkeypatch, "pass")
    assert job.status == "interrupted"
    (tmp_path / "mended").touch()
    assert job.resume().status == "finished"
    assert job.outputs["last"].load() == "last"
    assert ws.verify().sound


@pytest.mark.slow
@pytest.mark.parametrize("wait", [0.02, 0.1, 0.2, 0.4, 0.8])
def test_a_kill_at_any_moment_leaves_a_consistent_workspace(
    ws: Workspace, tmp_path: Path, wait: float
) -> None:
    script = (
        "import sys, numpy as np; sys.path.insert(0, sys.argv[1]); import sample_tasks\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    sample_tasks.diamond.run(samples=np.random.random(20_000), executor='threads')\n"
    )
    tests = str(Path(sample_tasks.__file__).parent)
    running = subprocess.Popen(
        [sys.executable, "-c", script, tests], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"ready\n"
        time.sleep(wait)
        running.kill()
    fresh = Workspace(ws.folder)
    report = fresh.verify()
    assert report.sound, report
    for job in fresh.list_jobs():
        assert job.status in ("finished", "interrupted")
        if job.status == "finished":
            assert len(job.outputs) == 2
            assert len(job.outputs["low"].load()) == 10_000
    assert sample_tasks.diamond.run(workspace=fresh, samples=np.ones(4)).status == "finished"


@pytest.mark.slow
def test_ctrl_c_in_the_terminal_stops_worker_processes(ws: Workspace, tmp_path: Path) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import sample_tasks\n"
        "from findspot import pipeline\n"
        "@pipeline\n"
        "def sleepy():\n"
        "    return {'a': sample_tasks.nap(3600.0), 'b': sample_tasks.nap(3600.0)}\n"
        "sleepy.run(executor='processes', workers=2, on_step=lambda s: print(s.status, flush=True))"
    )
    tests = str(Path(sample_tasks.__file__).parent)
    running = subprocess.Popen(
        [sys.executable, "-c", script, tests],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"running\n"
        assert running.stdout.readline() == b"running\n"
        time.sleep(0.5)
        os.killpg(running.pid, signal.SIGINT)
        _, errors = running.communicate(timeout=300)
    assert running.returncode != 0
    assert b"KeyboardInterrupt" in errors
    (job,) = ws.list_jobs()
    assert job.status == "interrupted"
    assert {step.status for step in job.steps.values()} == {"interrupted"}


SCRIPT = """
from pathlib import Path

from findspot import pipeline, task


@task
def stumble() -> int:
    if not Path("mended").exists():
        raise OSError("it is not mended")
    return 1


@pipeline
def stumbling():
    return {"last": stumble()}


"""


@pytest.mark.parametrize("guarded", [True, False])
def test_the_pipeline_of_a_script(tmp_path: Path, guarded: bool) -> None:
    guard = "if __name__ == '__main__':\n    " if guarded else ""
    (tmp_path / "script.py").write_text(f"{SCRIPT}{guard}stumbling.run()\n")
    with Workspace(tmp_path / ".findspot") as space:
        run(tmp_path, "script.py")
        job = space.get_job("latest")
        assert job.status == "failed"
        (tmp_path / "mended").touch()
        again = run(tmp_path, "-m", "findspot", "job", "resume", "latest")
        # To import a script that minds nobody would run it once more.
        assert again.returncode == (0 if guarded else 4), again.stderr
        assert job.refresh().status == ("finished" if guarded else "failed")
        assert len(space.list_jobs()) == 1


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
