"""What is reused, what is run again, and why."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sample_tasks
from findspot import CachePolicy, Job, Workspace, pipeline, task
from findspot.core.errors import FindspotError
from findspot.core.records import now
from process_groups import until


@task
def parity(x: int) -> int:
    _calls_of("parity")
    return x % 2


@task
def describe(p: int) -> str:
    _calls_of("describe")
    return "odd" if p else "even"


def _calls_of(name: str) -> None:
    importlib.import_module("test_caching_calls").CALLS.append(name)


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What ran, in order. It lives in a module of its own that tasks import when they run, so that
    the list is no part of their code."""
    import types

    module: Any = types.ModuleType("test_caching_calls")
    module.CALLS = []
    monkeypatch.setitem(sys.modules, "test_caching_calls", module)
    found: list[str] = module.CALLS
    return found


@pipeline
def words(x: int = 1) -> Any:
    return {"word": describe(parity(x))}


def reused(job: Job) -> dict[str, bool]:
    assert job.status == "finished", job.log
    return {name: step.cached for name, step in job.steps.items()}


def test_an_equal_run_is_reused_and_keeps_its_outputs(ws: Workspace, calls: list[str]) -> None:
    first = words.run()
    second = words.run()
    assert reused(first) == {"parity": False, "describe": False}
    assert reused(second) == {"parity": True, "describe": True}
    assert calls == ["parity", "describe"]
    assert second.outputs["word"] == first.outputs["word"]
    assert second.steps["parity"].source_job == first.id


def test_another_parameter_runs_again(ws: Workspace) -> None:
    words.run(x=1)
    assert reused(words.run(x=2)) == {"parity": False, "describe": False}


def test_equal_bytes_cut_the_run_short(ws: Workspace, calls: list[str]) -> None:
    words.run(x=1)
    job = words.run(x=3)
    assert reused(job) == {"parity": False, "describe": True}
    assert job.outputs["word"].load() == "odd"
    assert calls == ["parity", "describe", "parity"]


def test_positional_and_keyword_arguments_are_one_call(ws: Workspace) -> None:
    @pipeline
    def by_place() -> Any:
        return {"sum": sample_tasks.add(1, 2)}

    @pipeline
    def by_name() -> Any:
        return {"sum": sample_tasks.add(y=2, x=1)}

    by_place.run()
    assert reused(by_name.run()) == {"add": True}


def test_numbers_of_different_type_are_different_calls(ws: Workspace) -> None:
    @task
    def kind(x: Any) -> str:
        return type(x).__name__

    @pipeline
    def kinds(x: Any = 1) -> Any:
        return {"kind": kind(x)}

    for value, expected in ((1, "int"), (1.0, "float"), (True, "bool"), ("1", "str")):
        job = kinds.run(x=value)
        assert job.outputs["kind"].load() == expected


def test_cache_off_for_a_task_a_step_or_a_job(ws: Workspace) -> None:
    @task(cache=False)
    def never(x: int) -> int:
        return x

    @pipeline
    def mixed(x: int = 1) -> Any:
        add: Any = sample_tasks.add
        return {"a": never(x), "b": add.options(cache=False)(x), "c": sample_tasks.add(x)}

    mixed.run()
    assert reused(mixed.run()) == {"never": False, "add": False, "add_2": True}
    assert reused(mixed.run(cache=False)) == {"never": False, "add": False, "add_2": False}
    assert reused(mixed.run()) == {"never": False, "add": False, "add_2": True}


def test_the_output_of_a_job_with_cache_off_is_reused_later(ws: Workspace) -> None:
    words.run(cache=False)
    assert reused(words.run()) == {"parity": True, "describe": True}


def test_a_deleted_version_is_a_miss(ws: Workspace) -> None:
    job = words.run()
    ws.delete_version(job.outputs["word"])
    again = words.run()
    assert reused(again) == {"parity": True, "describe": False}
    assert again.outputs["word"].version == 2


def test_a_missing_blob_is_a_miss_and_the_run_brings_it_back(ws: Workspace) -> None:
    job = sample_tasks.diamond.run(samples=np.arange(2000.0))
    lost = job.outputs["low"].files[0]
    assert lost.inline is None
    assert ws.store.delete(lost.digest)
    again = sample_tasks.diamond.run(samples=np.arange(2000.0))
    assert reused(again) == {"halves": True, "double": False, "double_2": True}
    assert ws.store.missing([lost.digest]) == set()
    np.testing.assert_array_equal(job.outputs["low"].load(), 2 * np.arange(1000.0))


def test_a_renamed_output_is_a_version_of_its_own_with_the_same_bytes(ws: Workspace) -> None:
    @pipeline
    def other(x: int = 1) -> Any:
        return {"renamed": describe(parity(x))}

    first = words.run()
    second = other.run()
    assert reused(second) == {"parity": True, "describe": True}
    made = second.outputs["renamed"]
    assert (made.key, made.version, made.load()) == ("renamed", 1, "odd")
    assert made.digest == first.outputs["word"].digest
    assert made.uid != first.outputs["word"].uid
    assert made.producer is not None
    assert made.producer.job == second.id


def test_another_project_gets_versions_of_its_own(ws: Workspace) -> None:
    words.run()
    job = words.run(project="second")
    assert reused(job) == {"parity": True, "describe": True}
    assert job.outputs["word"].project == "second"
    assert ws.load_artifact("word", project="second") == "odd"


def test_another_seed_is_another_call(ws: Workspace) -> None:
    words.run(seed=1)
    assert reused(words.run(seed=1)) == {"parity": True, "describe": True}
    assert reused(words.run(seed=2)) == {"parity": False, "describe": False}
    assert reused(words.run()) == {"parity": False, "describe": False}


def test_a_failed_step_is_not_remembered(ws: Workspace) -> None:
    for _ in range(2):
        job = sample_tasks.broken.run()
        assert job.steps["fail"].status == "failed"
    assert job.steps["add"].cached


def test_a_step_that_cannot_be_fingerprinted_runs_each_time_and_says_why(ws: Workspace) -> None:
    handle = open(os.devnull)  # noqa: SIM115
    try:

        @task
        def reads() -> str:
            return handle.name

        @pipeline
        def odd() -> Any:
            return {"name": reads()}

        odd.run()
        job = odd.run()
    finally:
        handle.close()
    assert reused(job) == {"reads": False}
    assert "no fingerprint" in job.log
    assert "handle" in job.log


class TestCodeOfFiles:
    """Edits of a project's files between two processes."""

    TASKS = """
from findspot import pipeline, task
from helping import factor

@task
def scale(x: int) -> int:
    {comment}
    return x * factor({argument})

@pipeline
def scaled(x: int = 2):
    return {{"out": scale(x)}}
"""
    HELPING = """
BASE = {base}

def factor(n: int) -> int:
    return BASE + n

def unused():
    return {unused}
"""

    def run(self, folder: Path, **parts: Any) -> bool:
        chosen = {"comment": "pass", "argument": 1, "base": 10, "unused": 0, **parts}
        (folder / "scaling.py").write_text(self.TASKS.format(**chosen))
        (folder / "helping.py").write_text(self.HELPING.format(**chosen))
        script = (
            "from scaling import scaled; job = scaled.run();"
            "assert job.status == 'finished', job.log;"
            "print(job.steps['scale'].cached)"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "FINDSPOT_WORKSPACE": str(folder)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip() == "True"

    @pytest.mark.slow
    def test_only_edits_that_can_matter_run_it_again(self, tmp_path: Path) -> None:
        assert not self.run(tmp_path)
        assert self.run(tmp_path)
        assert self.run(tmp_path, comment="# a comment changes nothing\n    pass")
        assert self.run(tmp_path, unused=1)
        assert not self.run(tmp_path, argument=2)
        assert not self.run(tmp_path, base=11)
        assert self.run(tmp_path)


class TestPolicies:
    @staticmethod
    def run(ws: Workspace, policy: CachePolicy, **options: Any) -> bool:
        @task(cache=policy)
        def guess(x: int) -> int:
            return x

        @pipeline
        def guesses(x: int = 1) -> Any:
            return {"guess": guess(x)}

        return guesses.run(**options).steps["guess"].cached

    def test_another_salt_is_another_call(self, ws: Workspace) -> None:
        assert not self.run(ws, CachePolicy(salt="a"))
        assert self.run(ws, CachePolicy(salt="a"))
        assert not self.run(ws, CachePolicy(salt="b"))

    def test_what_is_too_old_counts_no_more(self, ws: Workspace) -> None:
        assert not self.run(ws, CachePolicy(expires=1000))
        assert self.run(ws, CachePolicy(expires=1000))
        assert not self.run(ws, CachePolicy(expires=0))

    def test_versions_of_named_packages_count(
        self, ws: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import importlib.metadata

        policy = CachePolicy(packages=("numpy", "no-such-package"))
        assert not self.run(ws, policy)
        assert self.run(ws, policy)
        monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.0.1")
        assert not self.run(ws, policy)

    def test_code_may_be_left_out(self, ws: Workspace) -> None:
        def run(body: str) -> bool:
            names: dict[str, Any] = {}
            exec(f"def guess(x: int) -> int:\n    return {body}", names)
            guess = task(cache=CachePolicy(code=False))(names["guess"])

            @pipeline
            def guesses(x: int = 1) -> Any:
                return {"guess": guess(x)}

            return guesses.run().steps["guess"].cached

        assert not run("x")
        assert run("x + 1")

    def test_off_leaves_nothing_to_reuse(self, ws: Workspace) -> None:
        policy = CachePolicy()
        assert not self.run(ws, policy, cache="off")
        assert not self.run(ws, policy)
        assert not self.run(ws, policy, cache="refresh")
        assert self.run(ws, policy)

    def test_a_word_that_is_no_mode(self, ws: Workspace) -> None:
        with pytest.raises(FindspotError, match="'sometimes'"):
            self.run(ws, CachePolicy(), cache="sometimes")
        assert ws.list_jobs() == []


class TestWholeJobs:
    """A job that repeats an earlier one as a whole is settled without a look at its steps."""

    def test_it_is_a_job_like_any_other(self, ws: Workspace, calls: list[str]) -> None:
        seen: list[tuple[str, bool]] = []
        first = words.run()
        second = words.run(experiment="again", on_step=lambda s: seen.append((s.name, s.cached)))
        third = words.run()
        assert calls == ["parity", "describe"]
        assert seen == [("parity", True), ("describe", True)]
        for job in (second, third):
            assert job.refresh().status == "finished"
            assert job.outputs["word"] == first.outputs["word"]
            assert [step.source_job for step in job.steps.values()] == [first.id] * 2
            assert job.steps["describe"].inputs == first.steps["describe"].inputs
            assert job.params == {"x": 1}
            assert job.environment
        assert second.experiment == "again"
        down = first.steps["parity"].outputs["output"].lineage("downstream")
        assert {first.id, second.id, third.id} >= down.jobs.keys() > set()

    def test_metrics_are_those_of_the_run_that_was_reused(self, ws: Workspace) -> None:
        @pipeline
        def talk(x: int = 3) -> Any:
            return {"said": sample_tasks.quiet(x)}

        first, second = talk.run(), talk.run()
        assert second.steps["quiet"].cached
        assert second.metrics == first.metrics == {"loss": 0.25}
        assert second.steps["quiet"].metrics == {"loss": 0.25}

    def test_a_missing_blob_or_version_is_no_repetition(self, ws: Workspace) -> None:
        job = sample_tasks.diamond.run(samples=np.arange(2000.0))
        ws.store.delete(job.outputs["high"].files[0].digest)
        again = sample_tasks.diamond.run(samples=np.arange(2000.0))
        assert not again.steps["double_2"].cached
        ws.delete_version(again.outputs["high"])
        assert not sample_tasks.diamond.run(samples=np.arange(2000.0)).steps["double_2"].cached
        assert sample_tasks.diamond.run(samples=np.arange(2000.0)).steps["double_2"].cached

    def test_live_objects_in_the_graph_count(self, ws: Workspace) -> None:
        def run(array: Any) -> bool:
            @pipeline
            def doubled() -> Any:
                return {"out": sample_tasks.double(array)}

            return doubled.run().steps["double"].cached

        assert not run(np.ones(3))
        assert run(np.ones(3))
        assert not run(np.zeros(3))

    def test_constants_that_look_alike_are_told_apart(self, ws: Workspace) -> None:
        @task
        def shown(value: Any) -> str:
            return repr(value)

        constants: list[Any] = []

        @pipeline
        def show() -> Any:
            return {"shown": shown(constants[-1]), "given": [constants[-1], shown(0)]}

        for value in ((1, 2), [1, 2], [1, 2.0], {1: 2}, {"1": 2}, 1, 1.0, True, 0.0, -0.0):
            constants.append(value)
            first, again = show.run(), show.run()
            for job in (first, again):
                assert job.outputs["shown"].load() == repr(value)
                assert repr(job.outputs["given"].load()[0]) == repr(value)
            assert not first.steps["shown"].cached
            assert again.steps["shown"].cached

    def test_a_failed_job_is_not_repeated(self, ws: Workspace) -> None:
        sample_tasks.broken.run()
        assert sample_tasks.broken.run().status == "failed"


@task(cache=CachePolicy(single=True))
def slow_single(x: int, folder: str) -> int:
    (Path(folder) / f"{os.getpid()}-{time.time_ns()}").touch()
    time.sleep(0.6)
    return x


@pipeline
def singly(folder: str, x: int = 1) -> Any:
    return {"x": slow_single(x, folder)}


class TestOneComputationAtATime:
    SCRIPT = "import test_caching_single as t; print(t.singly.run(folder={!r}).steps['s'].cached)"
    MODULE = """
        import os, time
        from pathlib import Path
        from findspot import CachePolicy, pipeline, task

        @task(cache=CachePolicy(single=True))
        def s(folder: str) -> int:
            (Path(folder) / str(os.getpid())).touch()
            if (Path(folder) / "hang").exists():
                time.sleep(3600)
            time.sleep(0.5)
            return 1

        @pipeline
        def singly(folder: str):
            return {"x": s(folder)}
    """

    def start(self, tmp_path: Path, folder: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", self.SCRIPT.format(str(folder))],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
        )

    def prepare(self, tmp_path: Path) -> Path:
        (tmp_path / "test_caching_single.py").write_text(textwrap.dedent(self.MODULE))
        folder = tmp_path / "runs"
        folder.mkdir()
        return folder

    @pytest.mark.slow
    def test_other_processes_wait_and_reuse(self, ws: Workspace, tmp_path: Path) -> None:
        folder = self.prepare(tmp_path)
        started = [self.start(tmp_path, folder) for _ in range(3)]
        said = sorted(process.communicate(timeout=300)[0].strip() for process in started)
        assert said == ["False", "True", "True"]
        assert len(list(folder.iterdir())) == 1
        assert ws.catalog.leases(now()) == []

    @pytest.mark.slow
    def test_a_dead_holder_is_no_hindrance(self, ws: Workspace, tmp_path: Path) -> None:
        folder = self.prepare(tmp_path)
        (folder / "hang").touch()
        hanging = self.start(tmp_path, folder)
        while len(list(folder.iterdir())) < 2:
            time.sleep(0.02)
        (folder / "hang").unlink()
        waiting = self.start(tmp_path, folder)
        time.sleep(0.3)
        hanging.kill()
        hanging.communicate(timeout=300)
        assert waiting.communicate(timeout=300)[0].strip() == "False"

    @pytest.mark.slow
    def test_threads_of_one_process_wait_too(self, ws: Workspace, tmp_path: Path) -> None:
        with ThreadPoolExecutor(2) as pool:
            runs = [pool.submit(lambda: singly.run(folder=str(tmp_path / "."))) for _ in range(2)]
            jobs = [run.result() for run in runs]
        assert sorted(reused(job)["slow_single"] for job in jobs) == [False, True]

    @pytest.mark.slow
    def test_a_step_that_takes_long_is_waited_for(self, ws: Workspace, tmp_path: Path) -> None:
        flag = str(tmp_path / "flag")

        @task
        def lengthy(x: int) -> int:
            _calls_of("lengthy")
            until(Path(flag).exists)
            return x

        @pipeline
        def long(x: int = 1) -> Any:
            return {"x": lengthy(x)}

        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(long.run)
            until(
                lambda: any(held.purpose.startswith("step ") for held in ws.catalog.leases(now()))
            )
            threading.Timer(0.5, Path(flag).touch).start()
            job = long.run()
            first = other.result()
        assert (reused(first)["lengthy"], reused(job)["lengthy"]) == (False, True)
        assert ws.catalog.leases(now()) == []

    def test_a_failed_computation_is_done_by_the_next(self, ws: Workspace, tmp_path: Path) -> None:
        @task(cache=CachePolicy(single=True))
        def stumble(folder: str) -> int:
            if not (Path(folder) / "mended").exists():
                raise OSError("not mended")
            return 1

        @pipeline
        def stumbling(folder: str) -> Any:
            return {"x": stumble(folder)}

        assert stumbling.run(folder=str(tmp_path)).status == "failed"
        (tmp_path / "mended").touch()
        assert stumbling.run(folder=str(tmp_path)).status == "finished"
        assert ws.catalog.leases(now()) == []

    def test_equal_steps_of_one_job_run_once(self, ws: Workspace) -> None:
        @task
        def slowly(x: int) -> int:
            time.sleep(0.1)
            _calls_of("slowly")
            return x

        @pipeline
        def equal() -> Any:
            return {"a": slowly(1), "b": slowly(1), "c": slowly(1)}

        job = equal.run(executor="threads", workers=3)
        assert sorted(reused(job).values()) == [False, True, True]
        assert {job.outputs[name].load() for name in "abc"} == {1}


@task
def weigh(x: int) -> int:
    import findspot

    return x * int(findspot.load_artifact("weight"))


@pipeline
def weighing(x: int = 2) -> Any:
    return {"weighed": weigh(x)}


@pipeline
def weighing_more(x: int = 2) -> Any:
    return {"again": weigh(x)}


class TestWhatCodeLoadsByItself:
    """An artifact that a task loads by name is no part of its key, but a hit must agree with it."""

    @pytest.mark.parametrize("executor", ["inline", "processes"])
    def test_a_name_that_leads_elsewhere_makes_the_step_run_again(
        self, ws: Workspace, executor: str
    ) -> None:
        ws.save_artifact(10, "weight")
        first = weighing.run(executor=executor)
        assert reused(weighing.run(executor=executor)) == {"weigh": True}
        assert reused(weighing_more.run(executor=executor)) == {"weigh": True}
        ws.save_artifact(30, "weight")
        second = weighing.run(executor=executor)
        assert reused(second) == {"weigh": False}
        assert second.outputs["weighed"].load() == 60
        explained = str(second.explain("weigh"))
        assert "store://artifacts/default/weight" in explained
        assert first.id in explained
        assert reused(weighing_more.run(executor=executor)) == {"weigh": True}

    def test_equal_content_will_do(self, ws: Workspace) -> None:
        ws.save_artifact(10, "weight")
        weighing.run()
        ws.save_artifact(10, "weight", labels={"saved": "twice"})
        assert reused(weighing.run()) == {"weigh": True}

    def test_what_is_gone_is_missed(self, ws: Workspace) -> None:
        ws.save_artifact(10, "weight")
        weighing.run()
        ws.delete_artifact("weight")
        job = weighing.run()
        assert job.status == "failed"
        assert job.failure is not None
        assert "There is no artifact" in job.failure.message

    def test_the_newest_one_counts(self, ws: Workspace) -> None:
        ws.save_artifact(10, "weight")
        assert reused(weighing.run(cache="refresh")) == {"weigh": False}
        ws.save_artifact(20, "weight")
        assert weighing.run().outputs["weighed"].load() == 40
        ws.delete_version("weight", 2)
        assert weighing.run().outputs["weighed"].load() == 20
