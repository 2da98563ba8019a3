"""Steps that are called for each element of a list, and steps with a condition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import looped_tasks
from findspot import Job, Workspace, pipeline, task
from findspot.core.errors import CheckFailed
from findspot.engine.caching.explaining import explain
from findspot.graph.checking import check
from findspot.graph.tracing import InvalidPipeline, trace

EXECUTORS = [
    "inline",
    "threads",
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("processes", "dask:", "ray:")),
]


def statuses(job: Job) -> dict[str, str]:
    return {name: step.status for name, step in job.steps.items()}


def cached(job: Job) -> dict[str, bool]:
    assert job.status == "finished", job.log
    return {name: step.cached for name, step in job.steps.items()}


class TestLoops:
    @pytest.mark.parametrize("executor", EXECUTORS)
    def test_one_call_for_each_element(self, ws: Workspace, executor: str) -> None:
        job = looped_tasks.squares.run(n=12, executor=executor, workers=2)
        assert job.status == "finished", job.log
        assert job.outputs["squares"].load() == [x * x for x in range(12)]
        assert job.outputs["sum"].load() == sum(x * x for x in range(12))
        assert list(job.steps) == [
            "numbers",
            "square",
            *(f"square[{i}]" for i in range(12)),
            "total",
        ]
        assert job.steps["square[3]"].outputs["output"].key == "squares/square/3"

    def test_an_empty_list_makes_an_empty_list(self, ws: Workspace) -> None:
        job = looped_tasks.squares.run(n=0)
        assert (job.outputs["sum"].load(), job.outputs["squares"].load()) == (0, [])
        assert statuses(job)["square"] == "finished"

    def test_lists_of_parameters_several_outputs_and_fixed_lists(self, ws: Workspace) -> None:
        job = looped_tasks.of_parameter.run(xs=[1, 2, 3], ys=[10, 20, 30])
        assert job.outputs["sums"].load() == [11, 22, 33]
        assert job.outputs["pairs"].load() == [2, 3, 4]
        assert job.outputs["w"].load() == [3, 6, 9]

    def test_the_results_of_a_loop_are_looped_over(self, ws: Workspace) -> None:
        assert looped_tasks.twice_mapped.run(n=4).outputs["sum"].load() == 0 + 1 + 16 + 81

    def test_lists_of_different_length_fail_the_step_only(self, ws: Workspace) -> None:
        job = looped_tasks.of_parameter.run(xs=[1, 2], ys=[1])
        assert job.status == "failed"
        assert job.failure is not None
        assert "differ in length" in job.failure.message
        assert job.outputs["pairs"].load() == [2, 3]

    def test_a_result_that_is_no_list_fails_the_step(self, ws: Workspace) -> None:
        @task
        def anything() -> Any:
            return 5

        @pipeline
        def wrong() -> Any:
            return {"x": looped_tasks.square.map(anything())}

        job = wrong.run()
        assert job.failure is not None
        assert "int, not a list" in job.failure.message

    def test_live_objects_in_a_list(self, ws: Workspace) -> None:
        @pipeline
        def live() -> Any:
            return {"means": looped_tasks.mean.map([np.ones(3), np.zeros(3)])}

        assert live.run().outputs["means"].load() == [1.0, 0.0]

    def test_only_new_elements_run(self, ws: Workspace) -> None:
        looped_tasks.squares.run(n=3)
        job = looped_tasks.squares.run(n=4)
        assert cached(job) == {
            "numbers": False,
            "square": False,
            "square[0]": True,
            "square[1]": True,
            "square[2]": True,
            "square[3]": False,
            "total": False,
        }
        assert "4 elements" in explain(ws, job.id)["square"].reason

    def test_saved_elements_are_versions_found_again_by_their_bytes(self, ws: Workspace) -> None:
        first = looped_tasks.means.run()
        assert first.outputs["means"].load() == [0.0, 1.0, 2.0]
        job = looped_tasks.means.run(changed=4)
        assert job.outputs["means"].load() == [0.0, 5.0, 2.0]
        assert [cached(job)[f"mean[{i}]"] for i in range(3)] == [True, False, True]
        element = job.steps["mean[1]"].inputs["x"]
        assert element.key == "means/mean/x/1"
        np.testing.assert_array_equal(element.load(), np.full(3000, 5.0))

    def test_the_elements_of_an_equal_list_are_not_saved_again(self, ws: Workspace) -> None:
        looped_tasks.means.run()

        @pipeline(name="means")
        def longer(n: int = 3) -> Any:
            found = looped_tasks.mean.map(looped_tasks.arrays(n))
            return {"means": found, "more": looped_tasks.square(2)}

        job = longer.run()
        assert cached(job)["mean"]
        assert job.steps["mean[1]"].inputs["x"].version == 1

    def test_the_lineage_lists_all_elements(self, ws: Workspace) -> None:
        job = looped_tasks.squares.run(n=3)
        made = [job.steps[f"square[{i}]"].outputs["output"].uid for i in range(3)]
        inputs = job.steps["total"].inputs
        assert {name: v.uid for name, v in inputs.items()} == {
            f"xs[{i}]": uid for i, uid in enumerate(made)
        }
        numbers = job.steps["numbers"].outputs["output"].uid
        assert job.steps["square[1]"].inputs["x"].uid == numbers
        upstream = job.outputs["sum"].lineage("upstream")
        assert {numbers, *made} <= set(upstream.versions)
        of_array = looped_tasks.means.run()
        up = of_array.steps["mean[2]"].outputs["output"].lineage("upstream")
        assert of_array.steps["arrays"].outputs["output"].uid in up.versions

    def test_one_failed_element_and_the_resume(self, ws: Workspace, tmp_path: Path) -> None:
        job = looped_tasks.stumbling.run(folder=str(tmp_path))
        assert job.status == "failed"
        assert job.failure is not None
        assert "no_three[3]" in job.failure.message
        assert statuses(job) == {
            "numbers": "finished",
            "no_three": "failed",
            **{f"no_three[{i}]": "failed" if i == 3 else "finished" for i in range(5)},
            "total": "skipped",
            "square": "finished",
        }
        (tmp_path / "mended").touch()
        job.resume()
        assert (job.status, job.outputs["sum"].load()) == ("finished", 10)
        assert {(tmp_path / str(i)).read_text() for i in range(5)} == {"x"}

    def test_each_element_is_tried_again(self, ws: Workspace, tmp_path: Path) -> None:
        @task(retries=2, cache=False)
        def shaky(x: int, folder: str) -> int:
            place = Path(folder) / str(x)
            place.write_text(place.read_text() + "x" if place.exists() else "x")
            if len(place.read_text()) <= x:
                raise OSError("again")
            return x

        @pipeline
        def shaking(folder: str) -> Any:
            return {"xs": shaky.map([0, 1, 2], folder=folder)}

        job = shaking.run(folder=str(tmp_path))
        assert job.status == "finished", job.log
        assert [job.steps[f"shaky[{i}]"].record.attempt for i in range(3)] == [1, 2, 3]

    def test_each_element_has_a_seed_of_its_own(self, ws: Workspace) -> None:
        @task
        def draw(x: int) -> float:
            return float(np.random.default_rng(np.random.randint(1 << 30)).random())

        @pipeline
        def drawing() -> Any:
            return {"xs": draw.map([1, 1, 1])}

        xs = drawing.run(seed=5).outputs["xs"].load()
        assert len(set(xs)) == 3
        assert drawing.run(seed=5, cache=False).outputs["xs"].load() == xs

    def test_equal_elements_run_once(self, ws: Workspace) -> None:
        job = looped_tasks.of_parameter.run(
            xs=[2, 2, 2], ys=[1, 1, 1], executor="threads", workers=3
        )
        ran = [name for name, was in cached(job).items() if name.startswith("plus[") and not was]
        assert len(ran) == 1

    def test_it_repeats_as_a_whole(self, ws: Workspace) -> None:
        looped_tasks.squares.run()
        assert all(cached(looped_tasks.squares.run()).values())

    def test_the_same_from_yaml(self, ws: Workspace, tmp_path: Path) -> None:
        python = looped_tasks.squares.run(n=3, plus=1)
        file = tmp_path / "squares.yaml"
        file.write_text(looped_tasks.squares.to_yaml())
        yaml = ws.run(file, params={"n": 3, "plus": 1})
        assert yaml.status == "finished", yaml.log
        assert yaml.outputs["squares"].load() == python.outputs["squares"].load() == [1, 2, 5]
        assert yaml.steps["square[2]"].cached

    def test_a_killed_loop_goes_on(self, ws: Workspace, tmp_path: Path) -> None:
        @task(cache=False)
        def stop_at(x: int, folder: str) -> int:
            if x == 2 and not (Path(folder) / "mended").exists():
                raise KeyboardInterrupt
            place = Path(folder) / str(x)
            place.write_text(place.read_text() + "x" if place.exists() else "x")
            return x

        @pipeline
        def stopping(folder: str) -> Any:
            return {"sum": looped_tasks.total(stop_at.map(looped_tasks.numbers(4), folder=folder))}

        with pytest.raises(KeyboardInterrupt):
            stopping.run(folder=str(tmp_path))
        (job,) = ws.list_jobs()
        assert statuses(job)["stop_at"] == "interrupted"
        (tmp_path / "mended").touch()
        job.resume(stopping)
        assert job.outputs["sum"].load() == 6
        assert {(tmp_path / str(i)).read_text() for i in range(4)} == {"x"}


class TestConditions:
    def test_a_false_condition_skips_the_step_and_what_needs_it(self, ws: Workspace) -> None:
        job = looped_tasks.conditional.run(x=1)
        assert job.status == "finished"
        assert statuses(job) == {
            "is_large": "finished",
            "square": "skipped",
            "report": "finished",
            "total": "skipped",
        }
        assert job.outputs["report"].load() == "1 -1"
        assert set(job.outputs) == {"report"}
        found = explain(ws, job.id)
        assert "condition $is_large is false" in found["square"].reason
        assert "'square', which was skipped" in found["total"].reason

    def test_a_true_condition_changes_nothing(self, ws: Workspace) -> None:
        job = looped_tasks.conditional.run(x=11)
        assert job.outputs["report"].load() == "11 121"
        assert job.outputs["sum"].load() == 122

    def test_a_parameter_as_condition_and_a_step_that_only_waits(self, ws: Workspace) -> None:
        job = looped_tasks.flagged.run(flag=False)
        assert statuses(job) == {"maybe": "skipped", "anyway": "finished"}
        assert statuses(looped_tasks.flagged.run(flag=True))["maybe"] == "finished"

    def test_a_repeated_job_says_skipped_too(self, ws: Workspace) -> None:
        looped_tasks.conditional.run(x=1)
        job = looped_tasks.conditional.run(x=1)
        assert statuses(job)["square"] == "skipped"
        assert "condition" in explain(ws, job.id)["square"].reason

    def test_a_failure_before_a_condition_is_a_failure(self, ws: Workspace) -> None:
        @task
        def broken() -> bool:
            raise ValueError("no")

        @pipeline
        def failing() -> Any:
            call: Any = looped_tasks.square.options(when=broken())
            return {"x": call(1)}

        job = failing.run()
        assert (job.status, statuses(job)["square"]) == ("failed", "skipped")

    def test_a_condition_that_is_no_boolean_fails_the_step(self, ws: Workspace) -> None:
        @task
        def anything() -> Any:
            return "yes"

        @pipeline
        def wrong() -> Any:
            call: Any = looped_tasks.square.options(when=anything())
            return {"x": call(1)}

        job = wrong.run()
        assert job.failure is not None
        assert "neither True nor False" in job.failure.message

    def test_a_condition_of_another_type_is_found_before(self, ws: Workspace) -> None:
        @pipeline
        def wrong(n: int = 1) -> Any:
            call: Any = looped_tasks.square.options(when=n)
            return {"x": call(1)}

        with pytest.raises(CheckFailed, match="neither true nor false"):
            wrong.run()
        assert ws.list_jobs() == []

    def test_a_loop_with_a_condition(self, ws: Workspace) -> None:
        @pipeline
        def looped(flag: bool) -> Any:
            call: Any = looped_tasks.square.options(when=flag)
            return {"xs": call.map([1, 2, 3])}

        assert statuses(looped.run(flag=False)) == {"square": "skipped"}
        assert looped.run(flag=True).outputs["xs"].load() == [1, 4, 9]


class TestPipelinesInPipelines:
    def test_the_steps_are_named_after_their_pipeline(self, ws: Workspace) -> None:
        @pipeline
        def inner(x: int = 1) -> Any:
            low, high = looped_tasks.both(x)
            return {"low": low, "sum": looped_tasks.plus(low, high)}

        @pipeline
        def outer(x: int = 5) -> Any:
            first = inner(x)
            second = inner(first["sum"])
            after: Any = looped_tasks.square.options(after=second)
            return {"sum": second["sum"], "square": after(x)}

        graph = outer.graph()
        assert list(graph.steps) == [
            "inner_both",
            "inner_plus",
            "inner_2_both",
            "inner_2_plus",
            "square",
        ]
        assert graph.steps["square"].dependencies == ("inner_2_both", "inner_2_plus")
        assert "test_looping.py" in graph.locations["$.graph.inner_both"]
        job = outer.run()
        assert job.outputs["sum"].load() == 20

    def test_names_of_steps_and_deeper_ones(self, ws: Workspace) -> None:
        @pipeline
        def deep(x: int) -> Any:
            call: Any = looped_tasks.square.options(step="first")
            after: Any = looped_tasks.square.options(step="second", after="first")
            return {"a": call(x), "b": after(x)}

        @pipeline
        def middle(x: int) -> Any:
            return deep(x)

        @pipeline
        def top(x: int = 3) -> Any:
            return middle(x)

        graph = top.graph()
        assert list(graph.steps) == ["middle_deep_first", "middle_deep_second"]
        assert graph.steps["middle_deep_second"].dependencies == ("middle_deep_first",)
        assert top.run().outputs["b"].load() == 9


def test_what_map_refuses() -> None:
    with pytest.raises(InvalidPipeline, match="given no list"):
        trace(lambda: looped_tasks.square.map(3))
    with pytest.raises(InvalidPipeline, match="twice"):
        trace(lambda: looped_tasks.square.map([1], x=[2]))
    options: Any = looped_tasks.square.options(when="yes")
    with pytest.raises(InvalidPipeline, match="no condition"):
        trace(lambda: options(1))
    problems = check(trace(lambda: looped_tasks.square.map(["a"])).graph)
    assert "elements of type integer" in problems[0].expected


def test_map_outside_a_pipeline_calls_the_function() -> None:
    assert looped_tasks.square.map([1, 2, 3], plus=1) == [2, 5, 10]
    assert looped_tasks.both.map([1, 2]) == ([0, 1], [2, 3])
    with pytest.raises(ValueError, match="differ in length"):
        looped_tasks.plus.map([1, 2], [1])
