"""`findspot experiments` and `findspot experiment ...`, as typed."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import time
import xml.etree.ElementTree
from pathlib import Path

import pytest

from commands import Command, argv, run_in_terminal, strict_json
from findspot import Workspace

FILE = """
import time
from pathlib import Path

from findspot import Artifact, Experiment, ExperimentGraph, Hypothesis, Treatment

model_file = Artifact("model.txt")


def load(ctx):
    return [float(ctx.rng().normal()) for _ in range(5)]


def fit(data, ctx, out: Artifact = model_file, gain: float = 0.0, wait: float = 0.0):
    print("fitting")
    time.sleep(wait)
    if Path(f"fail-{ctx.condition}-{ctx.replicate}").exists():
        raise ValueError("told to fail")
    ctx.log_metric("accuracy", sum(data) + gain + ctx.rng().normal() / 100)
    out.write(str(sum(data)))


def read(data, ctx):
    ctx.log_metric("size", len(data.read_text()))


compare = Experiment(
    name="compare",
    description="Does a gain help?",
    datasource=load,
    pipeline=[fit],
    treatments=[Treatment("more", {"gain": 1.0}), Treatment("less", {"gain": -1.0})],
    replicates=6,
    seed=3,
    outputs=[model_file],
    hypotheses=[Hypothesis("accuracy", test="t")],
)
score = Experiment(
    name="score",
    pipeline=[read],
    datasource=compare.artifact_datasource(step="fit", name="model.txt"),
)


def chain():
    return ExperimentGraph([compare, score])


def slow():
    data = [[1.0]] * 50
    return Experiment(name="slow", pipeline=[fit], datasource=data, parameters={"wait": 0.1})


def with_argument(x):
    return compare


number = 5
"""


@pytest.fixture
def file(workspace: Path) -> Path:
    """A file of experiments in the current folder."""
    place = workspace / "compare.py"
    place.write_text(FILE)
    return place


@pytest.mark.slow
def test_an_experiment_is_run_shown_and_listed(findspot: Command, file: Path) -> None:
    done = findspot("experiment", "run", "compare.py:compare", "--register")
    assert done.code == 0, done.err
    assert "18 of 18 finished" in done.out
    assert re.search(r"^view +\.findspot/experiments/compare/v1$", done.out, flags=re.MULTILINE)
    assert re.search(r"accuracy +more +confirmed as registered +\+0\.99", done.out)
    assert "accuracy, higher is better: more" in done.out
    assert "store://plots/default/compare/plots/accuracy:1" in done.out
    assert "fitting" not in done.out
    assert done.err.splitlines()[0] == "compare: started, 0 of 18 cells"
    assert "compare: finished, 18 of 18 cells" in done.err
    shown = findspot("experiment", "show", "compare").out
    assert "Does a gain help?" in shown
    assert re.search(r"more +gain=1\.0", shown)
    assert re.search(r"1 +finished +\d+s ago +18/18", shown)
    assert "Registered 20" in shown
    assert re.search(r"accuracy +higher +t +0\.05 \(holm\) +all", shown)
    document = findspot("experiment", "show", "compare", "--run", "1", "--json").document()
    assert document["runs"][0]["cells"] == {"total": 18, "finished": 18, "failed": 0}
    assert [each["metric"] for each in document["hypotheses"]] == ["accuracy"]
    assert re.search(r"compare +1 +finished +18/18", findspot("experiments").out)
    assert findspot("experiments", "--json").document()["shared_names"] == []


@pytest.mark.slow
def test_a_failed_cell_is_told_once_for_its_kind_and_resumed(findspot: Command, file: Path) -> None:
    for name in ("more-1", "more-4", "baseline-2"):
        Path(f"fail-{name}").touch()
    done = findspot("experiment", "run", "compare.py:compare", "--json")
    assert done.code == 1
    document = strict_json(done.out)
    assert document["status"] == "failed"
    assert document["cells"] == {"total": 18, "finished": 15, "failed": 3, "ran": 18}
    (kind,) = document["errors"]
    assert (kind["type"], kind["step"], kind["count"]) == ("ValueError", "fit", 3)
    assert "started" not in done.err
    again = findspot("experiment", "resume", "compare.py:compare")
    assert again.code == 1
    assert "3 of them run now" in again.out
    assert again.err.count("ValueError: told to fail") == 1
    assert "3 cells (more/1, baseline/2, more/4) in step fit" in again.err
    assert "more: 2 of 6 pairs were left out" not in again.err
    for path in Path.cwd().glob("fail-*"):
        path.unlink()
    whole = findspot("experiment", "resume", "compare.py:compare", "--no-plots", "--json")
    assert whole.document()["cells"] == {"total": 18, "finished": 18, "failed": 0, "ran": 3}
    assert [v.version for v in Workspace().list_artifacts(name="compare/plots/accuracy")] == [2, 1]


@pytest.mark.slow
def test_results_are_had_by_the_name_alone(findspot: Command, file: Path) -> None:
    assert findspot("experiment", "run", "compare.py:compare", "--no-plots").code == 0
    file.unlink()
    assert "95 % interval" in findspot("experiment", "results", "compare").out
    document = findspot("experiment", "results", "compare", "--json").document()
    assert [row["condition"] for row in document["summary"]] == ["baseline", "more", "less"]
    assert document["ranking"]["accuracy"][0]["condition"] == "more"
    printed = findspot("experiment", "results", "compare", "--csv", "-m", "accuracy").out
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert len(rows) == 18
    assert set(rows[0]) >= {"condition", "replicate", "accuracy", "error"}
    table = findspot("experiment", "results", "compare", "--table", "--json").document()["table"]
    assert [str(row["accuracy"]) for row in table] == [row["accuracy"] for row in rows]
    assert len(findspot("experiment", "results", "compare", "--table").out.splitlines()) == 20
    drawn = findspot(
        "experiment", "results", "compare", "--plot", "accuracy", "--to", "a.png", "--save-plot"
    )
    assert (drawn.code, drawn.out) == (0, "a.png\n")
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")
    plot = Workspace().get_artifact("compare/plots/accuracy")
    assert plot.labels == {"experiment": "compare", "run": "1"}
    assert plot.metadata["jobs"] == document["jobs"]


@pytest.mark.slow
def test_conditions_are_compared(findspot: Command, file: Path) -> None:
    findspot("experiment", "run", "compare.py:compare", "--register", "--no-plots")
    registered = findspot("experiment", "compare", "compare").out
    assert "confirmed as registered" in registered
    pair = findspot("experiment", "compare", "compare", "--condition", "less", "more").out
    assert re.search(r"more against less +confirmed \(exploratory\)", pair)
    (verdict,) = findspot(
        "experiment", "compare", "compare.py:compare", "--condition", "baseline", "more",
        "--test", "wilcoxon", "--better", "either", "--correction", "fdr", "--json",
    ).document()  # fmt: skip
    assert verdict["hypothesis"]["test"] == "wilcoxon"
    assert (verdict["standing"], verdict["n"]) == ("exploratory", 6)


@pytest.mark.slow
def test_runs_and_experiments_are_compared(findspot: Command, file: Path) -> None:
    findspot("experiment", "run", "compare.py:chain", "--no-plots")
    findspot("experiment", "run", "compare.py:compare", "--no-plots", "--replicates", "4")
    shown = findspot("experiment", "compare", "compare@1", "compare").out
    assert "~ replicates: 6 -> 4" in shown
    assert re.search(r"accuracy, more: .*n 6 -> .*n 4", shown)
    assert "12 equal" in shown
    assert findspot("diff", "compare@1", "compare").out == shown
    document = findspot("diff", "compare", "score", "--json").document()
    assert (document["before"], document["after"]) == ("compare@2", "score@1")
    assert {pair["metric"] for pair in document["metrics"]} == {"accuracy", "size"}
    only = findspot("experiment", "compare", "compare", "score", "-m", "size", "--json").document()
    assert [pair["before"] for pair in only["metrics"]] == [None]
    assert findspot("experiment", "compare", "compare@1", "compare@9").code == 3
    assert findspot("diff", "compare", "nothing").code == 3


@pytest.mark.slow
def test_a_graph_is_run_and_drawn(findspot: Command, file: Path) -> None:
    done = findspot("experiment", "run", "compare.py:chain", "--json", "--no-plots")
    document = done.document()
    assert document["status"] == "finished"
    assert {n: d["cells"]["ran"] for n, d in document["experiments"].items()} == {
        "compare": 18,
        "score": 6,
    }
    again = findspot("experiment", "resume", "compare.py:chain", "--no-plots")
    assert again.err.splitlines() == [
        "compare (1 of 2): started, 18 of 18 cells",
        "compare (1 of 2): finished, 18 of 18 cells",
        "score (2 of 2): started, 6 of 6 cells",
        "score (2 of 2): finished, 6 of 6 cells",
    ]
    assert '-- "fit/model.txt" -->' in findspot("experiment", "graph", "compare.py:chain").out
    assert findspot("experiment", "graph", "compare.py:chain", "--to", "g.svg").code == 0
    picture = xml.etree.ElementTree.parse("g.svg").getroot()
    assert picture.tag.endswith("svg")
    assert findspot("experiment", "graph", "compare.py:chain", "--to", "g.dot").code == 0
    assert '"compare" -> "score"' in Path("g.dot").read_text()
    Path("fail-baseline-0").touch()
    failed = findspot("experiment", "run", "compare.py:chain", "--no-plots")
    assert failed.code == 1
    assert "score (2 of 2): blocked" in failed.err
    assert "whose artifacts it takes, has 1 failed cells" in failed.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["run", "compare.py:compare", "--replicates", "0"], 2, "0 replicates cannot be"),
        (["run", "compare.py:compare", "-t", "mor"], 2, "no treatment 'mor'"),
        (["run", "compare.py:compare", "--executor", "proceses"], 2, "no executor 'proceses'"),
        (["run", "compare.py:compare", "--artifact-path", "{{colour}}"], 2, "no such variable"),
        (["run", "compare.py:with_argument"], 2, "cannot be called without arguments"),
        (["run", "compare.py:number"], 2, "no experiment: its type is int"),
        (["run", "compare.py:compar"], 3, "Did you mean compare"),
        (["run", "compare.py"], 2, "Name one: compare.py:compare, compare.py:score"),
        (["run", "nothing.py:x"], 3, "no file 'nothing.py'"),
        (["run", "compare.py:chain", "--replicates", "3"], 2, "a graph of experiments"),
        (["run", "compare.py:score"], 2, "has no run in this workspace"),
        (["results", "compare"], 3, "no run of an experiment 'compare'"),
        (["results", "compare.py:compare"], 3, "has no run in this workspace"),
        (["results", "compare.py:chain"], 2, "Name one of them: compare, score"),
        (["results", "compare", "--to", "x.png"], 2, "nothing to draw"),
        (["show", "a/b"], 2, "'/'"),
        (["compare", "a", "b", "--test", "t"], 2, "compared by their means"),
        (["compare", "a@x", "b"], 2, "names no run"),
        (["graph", "compare.py:chain", "--to", "x.gif"], 2, "says not how to draw"),
    ],
)
def test_mistakes_are_said(
    findspot: Command, file: Path, words: list[str], code: int, said: str
) -> None:
    done = findspot("experiment", *words)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert "Traceback" not in done.err
    assert findspot("experiments", "--json").document() == {
        "experiments": [],
        "shared_names": [],
        "next": None,
    }
    assert Workspace().list_artifacts(name="compare/run") == []


def test_of_many_jobs_of_a_run_the_newest_are_shown(findspot: Command, file: Path) -> None:
    for count in range(1, 6):
        done = findspot(
            "experiment", "resume", "compare.py:compare", "--no-plots", "--replicates", str(count)
        )
        assert done.code == 0, done.err
    jobs = [job.id for job in Workspace().list_jobs()]
    said = f"{', '.join(jobs[:3])} and 2 before"
    assert f"1 ({said})" in done.out
    assert said in findspot("experiment", "show", "compare").out
    assert jobs[-1] not in findspot("experiment", "results", "compare").out


def test_missing_runs_and_metrics_are_said(findspot: Command, file: Path) -> None:
    findspot("experiment", "run", "compare.py:compare", "--no-plots", "--replicates", "2")
    assert "There are: 1" in findspot("experiment", "results", "compare", "--run", "3").err
    for command in ("show", "results"):
        assert findspot("experiment", command, "compare@1").code == 0
        assert "There are: 1" in findspot("experiment", command, "compare@3").err
        assert "compare@2" in findspot("experiment", command, "compare@x").err
        assert "two runs" in findspot("experiment", command, "compare@1", "--run", "2").err
    wrong = findspot("experiment", "results", "compare", "-m", "acuracy")
    assert (wrong.code, "There are: accuracy" in wrong.err) == (3, True)
    assert findspot("experiment", "results", "compare", "--plot", "x", "--to", "x.png").code == 3
    assert "'compare'" in findspot("experiment", "show", "compar").err


def test_after_a_cancel_it_says_how_to_go_on(findspot: Command, tmp_path: Path) -> None:
    (tmp_path / "stopped.py").write_text(
        "import time\n"
        "from findspot import Experiment, list_jobs\n\n\n"
        "def stop(ctx):\n"
        "    if not ctx.replicate:\n"
        "        return\n"
        "    list_jobs(status='running')[0].cancel()\n"
        "    time.sleep(60)\n\n\n"
        "stopped = Experiment(name='stopped', pipeline=[stop], replicates=3)\n"
    )
    findspot("init")
    ended = findspot("experiment", "run", "stopped.py")
    assert ended.code == 1
    assert "incomplete" in ended.out
    assert ended.err.endswith("Go on: findspot experiment resume stopped.py\n")


@pytest.mark.slow
def test_a_terminal_shows_bars_and_an_interrupted_run_is_resumed(file: Path) -> None:
    folder = file.parent
    command = ["experiment", "run", "compare.py:slow"]

    def begun() -> bool:
        return len(list((folder / ".findspot").glob("catalog.db*"))) > 0 and any(
            step.status == "finished"
            for job in Workspace(folder).list_jobs()
            for step in job.steps.values()
        )

    code, shown = run_in_terminal(*command, cwd=folder, typed=b"\x03", when=begun)
    assert code == 130
    assert "Go on: findspot experiment resume compare.py:slow" in shown
    assert re.search(r"interrupted when \d+ of 50 cells of slow were done", shown)
    assert "baseline" in shown
    assert re.search(r"\d+/50", shown)
    code, shown = run_in_terminal(
        "experiment", "resume", "compare.py:slow", "--executor", "threads", "--workers", "8",
        cwd=folder,
    )  # fmt: skip
    assert code == 0
    assert "50 of 50 finished" in shown


@pytest.mark.slow
def test_an_interrupt_ends_it_cleanly_in_a_pipe(file: Path) -> None:
    process = subprocess.Popen(
        argv("experiment", "run", "compare.py:slow", "--json"),
        cwd=file.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not Workspace(file.parent).list_jobs():
        time.sleep(0.05)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (130, "")
    assert "Go on: findspot experiment resume compare.py:slow" in err
    assert "Traceback" not in err
    (job,) = Workspace(file.parent).list_jobs()
    assert job.status == "interrupted"


@pytest.mark.slow
def test_a_job_is_exported_for_other_systems(findspot: Command, file: Path) -> None:
    findspot("experiment", "run", "compare.py:compare", "--no-plots", "--replicates", "1")
    crate = findspot("job", "export", "latest", "--to", "crate")
    assert crate.code == 0
    assert json.loads(Path("crate/ro-crate-metadata.json").read_text())["@graph"]
    assert findspot("job", "export", "latest", "--to", "crate").code != 0
    assert findspot("job", "export", "latest").code == 2
    events = findspot("job", "export", "latest", "--format", "openlineage").document()
    assert events[0]["eventType"] == "START"
    words = ("job", "export", "latest", "--format", "openlineage", "--to", "events.jsonl")
    assert findspot(*words).code == 0
    lines = Path("events.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == events
    assert findspot(*words).code == 2
    assert findspot(*words, "--force").code == 0
