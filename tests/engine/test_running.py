"""Pipelines run as jobs, on every executor alike."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sample_tasks
from findspot import CheckFailed, ExternalArtifact, NotFound, Workspace, pipeline, task
from findspot.engine.errors import JobFailed, UnknownExecutor

EXECUTORS = [
    "inline",
    "threads",
    pytest.param("processes", marks=pytest.mark.slow),
    pytest.param("dask:", marks=pytest.mark.slow),
    pytest.param("ray:", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("executor", EXECUTORS)
class TestOnEveryExecutor:
    def test_a_chain_finishes_and_its_output_is_an_artifact(
        self, ws: Workspace, executor: str
    ) -> None:
        job = sample_tasks.chain.run(x=10, executor=executor, workers=2)
        assert (job.status, job.failure) == ("finished", None)
        assert job.outputs["end"].load() == 13
        assert job.outputs["end"].key == "end"
        assert [step.status for step in job.steps.values()] == ["finished"] * 3
        assert ws.load_artifact("end") == 13

    def test_steps_are_given_the_arrays_that_others_saved(
        self, ws: Workspace, executor: str
    ) -> None:
        job = sample_tasks.diamond.run(samples=np.arange(6.0), executor=executor, workers=2)
        assert job.status == "finished"
        np.testing.assert_array_equal(job.outputs["low"].load(), [0, 2, 4])
        np.testing.assert_array_equal(job.outputs["high"].load(), [6, 8, 10])

    def test_a_failure_skips_only_what_depends_on_it(self, ws: Workspace, executor: str) -> None:
        job = sample_tasks.broken.run(executor=executor, workers=2)
        assert job.status == "failed"
        statuses = {name: step.status for name, step in job.steps.items()}
        assert statuses == {
            "add": "finished",
            "fail": "failed",
            "add_2": "finished",
            "add_3": "skipped",
            "total": "skipped",
        }
        assert job.outputs["good"].load() == 3
        failure = job.steps["fail"].failure
        assert failure is not None
        assert (failure.type, failure.message) == ("ValueError", "no luck with 2")
        assert "sample_tasks.py" in failure.traceback
        assert "findspot/engine" not in failure.traceback
        assert "no luck with 2" in job.steps["fail"].log
        with pytest.raises(JobFailed, match="no luck with 2"):
            job.outputs["bad"]

    @pytest.mark.filterwarnings("default:careful")
    def test_log_and_metrics_are_recorded_with_their_step(
        self, ws: Workspace, executor: str
    ) -> None:
        @pipeline
        def talk() -> Any:
            return {"said": sample_tasks.noisy(3)}

        job = talk.run(executor=executor, workers=2)
        assert job.status == "finished"
        for text in ("printed 3", "logged 3", "careful"):
            assert text in job.steps["noisy"].log
        assert job.metrics == {"loss": 0.25, "x": 3.0}
        assert [(p.value, p.at) for p in job.metric_points if p.name == "loss"] == [
            (0.5, 1),
            (0.25, 2),
        ]

    def test_a_timeout_stops_the_step(self, ws: Workspace, executor: str) -> None:
        @pipeline
        def slow() -> Any:
            return {"never": sample_tasks.too_slow()}

        job = slow.run(executor=executor, workers=2) if executor != "threads" else None
        if job is not None:
            assert job.status == "failed"
            failure = job.steps["too_slow"].failure
            assert failure is not None
            assert failure.type == "StepTimeout"
            if executor in ("inline", "processes"):  # elsewhere it was stopped from outside
                assert "in too_slow" in failure.traceback
                assert "timeouts.py" not in failure.traceback
            assert job.failure is not None
            assert job.failure.message.startswith("step 'too_slow': StepTimeout: The step took")
            duration = job.steps["too_slow"].duration
            assert duration is not None
            assert duration.total_seconds() < 120

    def test_retries_until_it_works(
        self, ws: Workspace, executor: str, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        folder = tmp_path_factory.mktemp("tries")

        @pipeline
        def stubborn(folder: str) -> Any:
            return {"tries": sample_tasks.third_time(folder)}

        job = stubborn.run(folder=str(folder), executor=executor, workers=2)
        assert job.status == "finished"
        assert job.outputs["tries"].load() == 2
        assert job.steps["third_time"].record.attempt == 3
        assert job.log.count("not yet") == 2

    def test_equal_seeds_give_equal_draws_and_each_step_has_its_own(
        self, ws: Workspace, executor: str
    ) -> None:
        @pipeline
        def draws() -> Any:
            return {"a": sample_tasks.draw(), "b": sample_tasks.draw()}

        if executor == "threads":
            executor = "inline"  # one generator for all threads: there is nothing to promise
        first = draws.run(seed=7, executor=executor)
        second = draws.run(seed=7, executor=executor)
        other = draws.run(seed=8, executor=executor)
        assert first.outputs["a"].load() == second.outputs["a"].load()
        assert first.outputs["a"].load() != first.outputs["b"].load()
        assert first.outputs["a"].load() != other.outputs["a"].load()

    def test_what_a_task_saves_and_loads_by_itself_is_in_the_lineage(
        self, ws: Workspace, executor: str
    ) -> None:
        source = ws.save_artifact(41, "source")

        @pipeline
        def inner() -> Any:
            return {"found": sample_tasks.saves_and_loads("source")}

        job = inner.run(executor=executor, workers=2)
        assert job.status == "finished"
        made = ws.get_artifact("made inside")
        assert made.load() == 42
        assert made.producer is not None
        assert (made.producer.job, made.producer.step) == (job.id, "saves_and_loads")
        assert source.uid in made.lineage().versions
        assert source.uid in job.outputs["found"].lineage().versions


class TestPipelines:
    def test_called_outside_a_pipeline_a_task_is_its_function(self) -> None:
        assert sample_tasks.add(1, y=2) == 3
        assert sample_tasks.chain(4) == {"end": 7}

    def test_positional_values_and_options_beside_parameters(self, ws: Workspace) -> None:
        job = sample_tasks.chain.run(5, experiment="e1", labels={"team": "a"}, project="other")
        assert job.params["x"] == 5
        assert (job.experiment, job.project) == ("e1", "other")
        assert job.labels == {"team": "a"}
        assert ws.load_artifact("end", project="other") == 8

    def test_a_text_that_is_no_unicode_is_kept_as_an_artifact(self, ws: Workspace) -> None:
        @task
        def repeated(text: str) -> str:
            return text * 2

        @pipeline
        def told(text: str = "") -> Any:
            return {"text": repeated(text)}

        job = told.run(text="lone \ud800")
        assert job.status == "finished"
        assert job.outputs["text"].load() == "lone \ud800lone \ud800"

    def test_a_parameter_may_be_called_as_an_option(self, ws: Workspace) -> None:
        @pipeline
        def seeded(seed: int, project: str = "p") -> Any:
            return {"sum": sample_tasks.add(seed)}

        job = seeded.options(project="real", seed=3).run(seed=1, project="x")
        assert job.params == {"seed": 1, "project": "x"}
        assert (job.project, job.seed) == ("real", 3)

    def test_all_mistakes_in_the_values_at_once(self, ws: Workspace) -> None:
        @pipeline
        def three(a: int, samples: np.ndarray, b: str = "b") -> Any:
            return {"sum": sample_tasks.add(a), "d": sample_tasks.double(samples)}

        with pytest.raises(CheckFailed) as caught:
            three.run(a="text", bb="x", samples="nowhere:latest")
        text = str(caught.value)
        assert len(caught.value.problems) == 3
        assert "bb" in text
        assert "Did you mean 'b'" in text
        assert "nowhere" in text
        assert ws.list_jobs() == []

    def test_a_missing_value_is_said_before_anything_runs(self, ws: Workspace) -> None:
        with pytest.raises(CheckFailed, match="samples"):
            sample_tasks.diamond.run()
        assert ws.list_jobs() == []

    def test_a_version_of_a_wrong_type_is_refused(self, ws: Workspace) -> None:
        ws.save_artifact("only text", "words")
        with pytest.raises(CheckFailed, match="not of the declared type"):
            sample_tasks.diamond.run(samples="words")

    def test_mistakes_in_the_graph_are_found_without_running(self, ws: Workspace) -> None:
        @task
        def word() -> str:
            raise AssertionError("must not run")

        @pipeline
        def wrong() -> Any:
            add: Any = sample_tasks.add
            return {"sum": add(word()), "other": add(z=1)}

        with pytest.raises(CheckFailed) as caught:
            wrong.run()
        text = str(caught.value)
        assert "string" in text
        assert "integer" in text
        assert "test_running.py:" in text
        assert len(caught.value.problems) >= 3
        assert len(wrong.problems()) == len(caught.value.problems)
        assert ws.list_jobs() == []

    def test_an_unknown_executor_is_refused_before_a_job_is_made(self, ws: Workspace) -> None:
        with pytest.raises(UnknownExecutor, match="inline, threads or processes"):
            sample_tasks.chain.run(executor="clouds")
        assert ws.list_jobs() == []

    def test_wrong_options_are_listed_also_where_an_earlier_job_would_be_repeated(
        self, ws: Workspace
    ) -> None:
        sample_tasks.chain.run()
        wrong: dict[str, Any] = {"workers": -1, "seed": "a", "cache": "maybe", "labels": 3}
        wrong["on_success"] = "mail"
        with pytest.raises(CheckFailed) as caught:
            sample_tasks.chain.run(**wrong)
        assert [problem.path for problem in caught.value.problems] == list(wrong)
        with pytest.raises(UnknownExecutor):
            sample_tasks.chain.run(executor="clouds")
        assert len(ws.list_jobs()) == 1

    def test_a_wrong_number_of_outputs_is_a_failure_that_says_so(self, ws: Workspace) -> None:
        @task(outputs=["a", "b"])
        def three() -> Any:
            return 1, 2, 3

        @task(outputs=["a", "b"])
        def text() -> Any:
            return "ab"

        @pipeline
        def wrong() -> Any:
            a, _ = three()
            c, _ = text()
            return {"a": a, "c": c}

        job = wrong.run()
        messages = [str(step.failure and step.failure.message) for step in job.steps.values()]
        assert "returned 3 values" in messages[0]
        assert "returned a str" in messages[1]

    def test_a_value_that_no_handler_takes_fails_its_step(self, ws: Workspace) -> None:
        @task
        def lazy() -> Any:
            return (i for i in range(3))

        @pipeline
        def wrong() -> Any:
            return {"lazy": lazy()}

        job = wrong.run()
        assert job.status == "failed"
        failure = job.steps["lazy"].failure
        assert failure is not None
        assert "generator" in failure.message

    def test_a_task_without_outputs_and_one_that_returns_nothing(self, ws: Workspace) -> None:
        seen: list[int] = []

        @task(cache=False)
        def note(x: int) -> None:
            seen.append(x)

        @pipeline
        def notes(x: int = 1) -> Any:
            note(sample_tasks.add(x))

        job = notes.run()
        assert job.status == "finished"
        assert seen == [2]
        assert job.steps["note"].outputs == {}
        assert job.outputs == {}

    def test_the_context_is_filled_in_by_its_annotation(self, ws: Workspace) -> None:
        @pipeline
        def asks(x: int = 5) -> Any:
            return {"by_name": asked(x=x), "by_place": asks_too(x, 7)}

        asked: Any = sample_tasks.with_context
        asks_too = asked.options(step="second")
        job = asks.run()
        assert job.outputs["by_name"].load() == {
            "job": job.id,
            "step": "with_context",
            "params": {"x": 5},
            "sum": 7,
        }
        assert job.outputs["by_place"].load()["sum"] == 12

    def test_a_step_cannot_change_what_another_is_given(self, ws: Workspace) -> None:
        @task
        def make() -> list[int]:
            return [1, 2]

        @task(cache=False)
        def grow(xs: list[int]) -> int:
            xs.append(3)
            return len(xs)

        @pipeline
        def shared() -> Any:
            xs = make()
            return {"a": grow(xs), "b": grow(xs), "xs": xs}

        job = shared.run()
        assert (job.outputs["a"].load(), job.outputs["b"].load()) == (3, 3)
        assert job.outputs["xs"].load() == [1, 2]

    def test_outputs_composed_of_several_steps(self, ws: Workspace) -> None:
        @pipeline
        def both(x: int = 1) -> Any:
            a, b = sample_tasks.add(x), sample_tasks.add(x, 10)
            return {"both": {"a": a, "b": [b, x]}, "given": x}

        job = both.run()
        assert job.outputs["both"].load() == {"a": 2, "b": [11, 1]}
        assert job.outputs["given"].load() == 1
        upstream = job.outputs["both"].lineage()
        assert {step for _, step in upstream.steps} >= {"add", "add_2"}

    def test_one_output_under_two_names(self, ws: Workspace) -> None:
        @pipeline
        def twice(x: int = 1) -> Any:
            a = sample_tasks.add(x)
            return {"one": a, "two": a}

        for expected in (False, True):
            job = twice.run()
            assert job.steps["add"].cached is expected
            assert (job.outputs["one"].load(), job.outputs["two"].load()) == (2, 2)
            assert (job.outputs["one"].key, job.outputs["two"].key) == ("one", "two")

    def test_an_output_that_is_not_there_says_which_there_are(self, ws: Workspace) -> None:
        job = sample_tasks.chain.run()
        with pytest.raises(NotFound, match="end"):
            job.outputs["ende"]

    def test_a_job_inside_a_task_knows_its_parent(self, ws: Workspace) -> None:
        @task
        def outer() -> str:
            return str(sample_tasks.chain.run(x=1).id)

        @pipeline
        def nested() -> Any:
            return {"inner": outer()}

        job = nested.run()
        inner = ws.get_job(job.outputs["inner"].load())
        assert inner.record.parent == job.id
        assert inner.status == "finished"


class TestExternalArtifacts:
    def test_by_name_version_tag_and_id(self, ws: Workspace) -> None:
        first = ws.save_artifact(np.arange(2.0), "samples", tags=["golden"])
        second = ws.save_artifact(np.arange(4.0), "samples")
        chosen = {
            "newest": ExternalArtifact(name="samples"),
            "number": ExternalArtifact(name="samples", version=1),
            "tag": ExternalArtifact(name="samples", version="golden"),
            "id": ExternalArtifact(id=second.uid),
            "text": "samples:golden",
            "uri": first.uri,
            "version": second,
        }
        expected = {"newest": 2, "number": 1, "tag": 1, "id": 2, "text": 1, "uri": 1, "version": 2}
        for name, value in chosen.items():
            job = sample_tasks.diamond.run(samples=value)
            assert job.artifacts["samples"].version == expected[name], name

    def test_a_value_is_saved_once(self, ws: Workspace) -> None:
        for _ in range(2):
            sample_tasks.diamond.run(samples=ExternalArtifact(np.arange(4.0)))
        job = sample_tasks.diamond.run(samples=np.arange(4.0))
        assert job.artifacts["samples"].key == "diamond/samples"
        assert job.artifacts["samples"].version == 1
        sample_tasks.diamond.run(samples=np.arange(5.0))
        assert ws.get_artifact("diamond/samples").version == 2

    def test_the_newest_that_a_pipeline_made(self, ws: Workspace) -> None:
        @pipeline
        def training(n: int = 4) -> Any:
            return {"prepared": sample_tasks.ones(n)}

        first = training.run(n=4)
        training.run(n=6)
        ws.save_artifact(np.ones(10), "prepared")
        job = sample_tasks.diamond.run(
            samples=ExternalArtifact(name="prepared", pipeline="training")
        )
        assert job.artifacts["samples"].version == 2
        assert first.id not in job.outputs["low"].lineage().jobs
        with pytest.raises(CheckFailed, match="No job of the pipeline 'testing'"):
            sample_tasks.diamond.run(samples=ExternalArtifact(name="prepared", pipeline="testing"))

    def test_without_metadata_and_preview(self, ws: Workspace) -> None:
        value = ExternalArtifact(np.arange(4.0), metadata=False, preview=False, key="bare")
        version = sample_tasks.diamond.run(samples=value).artifacts["samples"]
        assert (version.key, version.metadata, version.preview) == ("bare", {}, None)

    def test_a_value_that_cannot_be_told_from_others_is_said(self, ws: Workspace) -> None:
        @pipeline
        def taking(x: object) -> Any:
            return {"shown": sample_tasks.shown(x)}

        jobs = [taking.run(x=ExternalArtifact(sample_tasks.Restless())) for _ in range(2)]
        assert [job.steps["shown"].cached for job in jobs] == [False, False]
        said = ["that of earlier jobs cannot be told" in job.log for job in jobs]
        assert said == [False, True]

    def test_given_to_a_task_inside_a_pipeline(self, ws: Workspace) -> None:
        saved = ws.save_artifact(np.arange(3.0), "samples")
        double: Any = sample_tasks.double

        @pipeline
        def inside() -> Any:
            return {
                "named": double(ExternalArtifact(name="samples")),
                "live": sample_tasks.double(np.ones(2)),
            }

        job = inside.run()
        np.testing.assert_array_equal(job.outputs["named"].load(), [0, 2, 4])
        np.testing.assert_array_equal(job.outputs["live"].load(), [2, 2])
        assert saved.uid in job.outputs["named"].lineage().versions

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ({}, "takes one of value, id and name"),
            ({"value": 1, "name": "x"}, r"value, name"),
            ({"id": "x"}, "no uid"),
            ({"value": 1, "version": 2}, "only with a name"),
            ({"value": 1, "pipeline": "p"}, "only with a name"),
        ],
    )
    def test_says_what_it_lacks(self, arguments: dict[str, object], said: str) -> None:
        from findspot.engine.targets.external import BadExternalArtifact

        with pytest.raises(BadExternalArtifact, match=said):
            ExternalArtifact(**arguments)  # type: ignore[arg-type]


@pytest.mark.slow
class TestProcesses:
    def test_steps_run_in_other_processes(self, ws: Workspace) -> None:
        job = sample_tasks.pids.run(executor="processes", workers=2)
        found = {version.load() for version in job.outputs.values()}
        assert os.getpid() not in found

    def test_independent_steps_run_at_the_same_time(self, ws: Workspace, tmp_path: Path) -> None:
        job = sample_tasks.meeting.run(folder=str(tmp_path), executor="processes", workers=2)
        assert [version.load() for version in job.outputs.values()] == [True, True]

    def test_a_worker_that_is_killed_fails_its_own_step_only(self, ws: Workspace) -> None:
        job = sample_tasks.deadly.run(executor="processes", workers=2)
        assert job.status == "failed"
        failure = job.steps["die"].failure
        assert failure is not None
        assert failure.type == "WorkerDied"
        for i in range(3):
            assert job.outputs[f"alive{i}"].load() != os.getpid()

    def test_functions_of_a_notebook_are_sent_by_value(self, ws: Workspace) -> None:
        factor = 3

        @task
        def triple(x: int) -> int:
            return factor * x

        @pipeline
        def local(x: int = 2) -> Any:
            return {"out": triple(x)}

        assert local.run(executor="processes", workers=1).outputs["out"].load() == 6

    def test_what_cannot_be_sent_fails_its_step_and_says_why(self, ws: Workspace) -> None:
        import threading

        lock = threading.Lock()

        @task(cache=False)
        def locked(x: int) -> int:
            with lock:
                return x

        @pipeline
        def local() -> Any:
            return {"out": locked(1), "fine": sample_tasks.add(1)}

        job = local.run(executor="processes", workers=1)
        failure = job.steps["locked"].failure
        assert failure is not None
        assert "lock" in failure.message
        assert job.outputs["fine"].load() == 2


def test_a_running_job_holds_a_lease_so_that_nothing_of_it_is_collected(ws: Workspace) -> None:
    from findspot.core.records import now

    @task(cache=False)
    def leases() -> list[str]:
        return [lease.purpose for lease in ws.catalog.leases(now())]

    @pipeline
    def asks() -> Any:
        return {"leases": leases()}

    job = asks.run()
    assert job.outputs["leases"].load() == [f"job {job.id}"]
    assert ws.catalog.leases(now()) == []
