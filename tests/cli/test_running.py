"""`findspot run`, `check`, `jobs` and `job ...`."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import Command, strict_json


def test_a_run_says_what_became_of_the_job(flow: Path, findspot: Command) -> None:
    outcome = findspot("run", "flow.py:halving", "-e", "first")
    assert outcome.code == 0
    for words in (
        "status      finished",
        "experiment  first",
        "parameters  x=5",
        "result  store://values/default/result:1@",
    ):
        assert words in outcome.out
    again = findspot("run", "flow.py:halving")
    assert again.out.count(" reused ") == 3


def test_what_tasks_print_stays_out_of_the_result(flow: Path, findspot: Command) -> None:
    outcome = findspot("run", "flow.py:halving", "--json")
    job = outcome.document()
    assert job["status"] == "finished"
    assert outcome.err == "starting with 5\n"
    assert [step["name"] for step in job["steps"]] == ["start", "halve", "publish"]
    assert job["outputs"]["result"].startswith("store://values/default/result:1@")


@pytest.mark.slow
def test_also_where_worker_processes_print(flow: Path, findspot: Command) -> None:
    outcome = findspot("run", "flow.py:halving", "--json", "--executor", "processes")
    assert outcome.document()["status"] == "finished"
    assert "starting with 5" in outcome.err


def test_copies_are_published_at_the_artifact_path(flow: Path, findspot: Command) -> None:
    outcome = findspot("run", "flow.py:halving", "--artifact-path", "out/{{step}}")
    assert outcome.code == 0
    (copy,) = (path for path in (flow.parent / "out").rglob("*") if path.is_file())
    assert copy.relative_to(flow.parent).as_posix() == "out/publish/result.json"
    wrong = findspot("run", "flow.py:halving", "--artifact-path", "out/{{colour}}")
    assert wrong.code == 2
    assert "{{colour}}: there is no such variable" in wrong.err


def test_a_failed_task(flow: Path, findspot: Command) -> None:
    outcome = findspot("run", "flow:halving", "-p", "x=0")
    assert outcome.code == 1
    assert "status      failed" in outcome.out
    # On standard error: what, where, and what to do next. The traceback is in the log.
    assert "step 'halve': ZeroDivisionError: " in outcome.err
    assert f"  {flow}:16 in halve: return 10 // x\n" in outcome.err
    job = strict_json(findspot("jobs", "--json").out)[0]["id"]
    assert f"Log: findspot job log {job}; go on: findspot job resume {job}" in outcome.err
    assert "Traceback" not in outcome.out + outcome.err
    log = findspot("job", "log", "latest")
    assert "Traceback (most recent call last):" in log.out
    assert "start: starting with 0" in log.out


def test_a_failed_task_as_json(flow: Path, findspot: Command) -> None:
    outcome = findspot("run", "flow:halving", "-p", "x=0", "--json")
    assert outcome.code == 1
    document = strict_json(outcome.out)
    assert document["failure"]["type"] == "ZeroDivisionError"
    assert [step["status"] for step in document["steps"]] == ["finished", "failed", "skipped"]


def test_resume_after_the_code_was_mended(flow: Path, findspot: Command) -> None:
    assert findspot("run", "flow:halving", "-p", "x=0").code == 1
    assert findspot("job", "resume", "latest").code == 1
    text = flow.read_text()
    other = flow.with_name("mended.py")
    other.write_text(text.replace("10 // x", "10 // (x or 1)"))
    resumed = findspot("job", "resume", "latest", "--pipeline", "mended.py:halving", "--json")
    document = resumed.document()
    assert document["status"] == "finished"
    assert len(findspot("jobs", "--json").document()) == 1
    over = findspot("job", "resume", "latest")
    assert over.code == 4
    assert "nothing is missing" in over.err


def test_resume_with_something_that_is_no_pipeline(flow: Path, findspot: Command) -> None:
    assert findspot("run", "flow:halving", "-p", "x=0").code == 1
    outcome = findspot("job", "resume", "latest", "--pipeline", "entry.yaml")
    assert outcome.code == 2
    assert "Write module:pipeline or file.py:pipeline." in outcome.err


def test_a_job_by_parts_of_its_id_and_as_the_latest(flow: Path, findspot: Command) -> None:
    findspot("run", "flow:halving")
    findspot("run", "flow:halving", "-p", "x=2")
    second, first = findspot("jobs", "--json").document()
    assert (first["params"], second["params"]) == ({"x": 5}, {"x": 2})
    for text, meant in ((first["id"], first), (first["id"][-8:], first), ("latest", second)):
        assert findspot("job", "show", text, "--json").document()["id"] == meant["id"]
    several = findspot("job", "show", first["id"][:6])
    assert several.code == 3
    assert first["id"] in several.err
    missing = findspot("job", "show", "abcdabcd")
    assert (missing.code, missing.out) == (3, "")
    assert "List them: findspot jobs" in missing.err


def test_jobs_are_chosen_and_counted(flow: Path, findspot: Command) -> None:
    findspot("run", "flow:halving", "-e", "one")
    findspot("run", "flow:halving", "-p", "x=0", "-e", "two")

    def names(*options: str) -> list[str]:
        return [job["experiment"] for job in findspot("jobs", "--json", *options).document()]

    assert names() == ["two", "one"]
    assert names("--status", "failed") == ["two"]
    assert names("-e", "one") == ["one"]
    assert names("--name", "halving", "--since", "1h") == ["two", "one"]
    assert names("--name", "halve") == []
    assert names("--until", "2020-01-01") == []
    page = findspot("jobs", "-n", "1")
    assert "There are more: --limit 2" in page.err
    assert page.out.splitlines()[2].split()[1:4] == ["halving", "failed", "two"]
    empty = findspot("jobs", "--name", "nothing")
    assert (empty.code, empty.out) == (0, "")
    assert empty.err == "There are no such jobs. Run one: findspot run <entrypoint>\n"


def test_the_log_of_one_step_and_as_json(flow: Path, findspot: Command) -> None:
    findspot("run", "flow:halving", "-p", "x=0")
    assert findspot("job", "log", "latest", "--step", "start").out.count("\n") == 1
    lines = findspot("job", "log", "latest", "--json").document()
    assert [line["text"] for line in lines if line["step"] == "start"] == ["starting with 0"]
    assert findspot("job", "log", "latest", "--follow").out == findspot("job", "log", "latest").out


def test_the_log_of_a_step_that_is_not_there(flow: Path, findspot: Command) -> None:
    findspot("run", "flow:halving", "-p", "x=0")
    outcome = findspot("job", "log", "latest", "--step", "sart")
    assert outcome.code == 3
    assert "There is no step 'sart'" in outcome.err
    assert "start" in outcome.err


PARAMETERS = [
    (["-p", "x"], "'x' is not of the form name=value"),
    (["-p", "=3"], "'=3' is not of the form name=value"),
    (["-p", "x=1", "-p", "x=2"], "'x' is given twice"),
    (["-p", "x=five"], "expected: integer"),
    (["-p", "y=5"], "there is no such parameter or artifact input"),
    (["-l", "x"], "The option --label"),
    (["-a", "x"], "The option --artifact"),
    (["-a", "x=nothing"], "There is no artifact 'default/nothing'."),
    (["-e", "../up"], "experiment name"),
    (["--project", "../up"], "project name"),
    (["--executor", "dask"], "dask:<address>"),
    (["--workers", "-1"], "--workers"),
    (["--seed", "x"], "--seed"),
]


def test_a_text_that_cannot_be_read_hides_no_other_mistake(flow: Path, findspot: Command) -> None:
    outcome = findspot("run", "flow:halving", "-p", "x=five", "-p", "sede=3", "-a", "z=nothing")
    assert outcome.code == 2
    assert "3 mistakes" in outcome.err
    for words in ("expected: integer", "sede: there is no such parameter", "z: there is no such"):
        assert words in outcome.err
    assert outcome.err.count("not of its type") == 1


@pytest.mark.parametrize(("options", "words"), PARAMETERS)
def test_mistakes_in_options(flow: Path, findspot: Command, options: list[str], words: str) -> None:
    outcome = findspot("run", "flow:halving", *options)
    assert outcome.code == 2
    assert words in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.out == ""
    assert findspot("jobs", "--json").document() == []


TARGETS = [
    ("nothing.yaml", 3, "There is no file 'nothing.yaml'."),
    ("nothing.py", 3, "There is no file 'nothing.py'."),
    ("nothing", 3, "There is no entrypoint 'nothing'."),
    ("nothing:p", 3, "There is no module 'nothing'."),
    ("nothing.py:p", 3, "There is no file 'nothing.py'."),
    ("flow:halvin", 3, "Did you mean halving"),
    ("flow.py:halvin", 3, "Did you mean halving"),
    ("flow.py", 2, "flow.py:halving, flow.py:waiting, flow.py:wrong"),
    ("flow:time", 2, "neither a pipeline nor a function"),
    ("flow:", 2, "Write module:name."),
    (".", 2, "'.' is a folder."),
    ("flow:wrong", 2, "flow.py:43"),
]


@pytest.mark.parametrize(("target", "code", "words"), TARGETS)
@pytest.mark.parametrize("command", ["run", "check"])
def test_targets_that_are_none(
    flow: Path, findspot: Command, command: str, target: str, code: int, words: str
) -> None:
    outcome = findspot(command, target)
    assert (outcome.code, outcome.out) == (code, "")
    assert words in outcome.err
    assert "Traceback" not in outcome.err


OTHERS = [
    ("from findspot import task\n@task\ndef f(x: int = 1) -> int:\n    return x", "others.py:f"),
    ("def g() -> int:\n    return 1", "others.py:g"),
    ("x = 1", "others.py:name"),
    (
        "from findspot import Experiment\nasked = Experiment(name='a', pipeline=[print])",
        "findspot experiment run others.py:asked",
    ),
]


@pytest.mark.parametrize(("text", "advice"), OTHERS)
def test_a_file_without_a_pipeline_says_what_else_it_has(
    flow: Path, findspot: Command, text: str, advice: str
) -> None:
    (flow.parent / "others.py").write_text(text)
    outcome = findspot("run", "others.py")
    assert outcome.code == 2
    assert "others.py holds no pipeline." in outcome.err
    assert advice in outcome.err


def test_an_experiment_is_not_run_as_a_pipeline(flow: Path, findspot: Command) -> None:
    (flow.parent / "asking.py").write_text(OTHERS[-1][0])
    outcome = findspot("run", "asking.py:asked")
    assert outcome.code == 2
    assert "findspot experiment run asking.py:asked" in outcome.err


BROKEN = [
    ("import nothing_of_the_kind", "ModuleNotFoundError: No module named 'nothing_of_the_kind'"),
    ("def f(: pass", "SyntaxError: invalid syntax"),
    ("raise RuntimeError('no luck')", "RuntimeError: no luck"),
    ("import json\njson.loads('{')", "JSONDecodeError"),
    ("open('nothing')", "FileNotFoundError"),
    ("import findspot\nfindspot.load_artifact('none')", "There is no artifact"),
    ("import findspot\n@findspot.task(retries=-1)\ndef f(): pass", "f cannot be a task: retries"),
]


@pytest.mark.parametrize(("text", "words"), BROKEN)
@pytest.mark.parametrize("target", ["broken.py", "broken.py:p", "broken:p"])
def test_modules_that_raise(
    workspace: Path, findspot: Command, text: str, words: str, target: str
) -> None:
    (workspace / "broken.py").write_text(text)
    for command in ("run", "check"):
        outcome = findspot(command, target)
        assert outcome.code == 2
        assert words in outcome.err
        assert str(workspace / "broken.py") in outcome.err
        assert "Traceback" not in outcome.err
        assert "findspot.graph." not in outcome.err


def test_a_pipeline_that_raises_while_it_is_traced(workspace: Path, findspot: Command) -> None:
    (workspace / "broken.py").write_text(
        "from findspot import pipeline\n\n@pipeline\ndef p():\n    return {}['missing']\n"
    )
    outcome = findspot("run", "broken:p")
    assert outcome.code == 2
    assert "KeyError: 'missing'" in outcome.err
    assert f"{workspace / 'broken.py'}:5" in outcome.err


def test_the_whole_traceback_when_asked_for(
    workspace: Path, findspot: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / "broken.py").write_text("raise RuntimeError('no luck')")
    monkeypatch.setenv("FINDSPOT_DEBUG", "1")
    with pytest.raises(RuntimeError, match="no luck"):
        findspot("run", "broken:p")


MISTAKES = """\
parameters: {title: Rescaled}
grph: {}
graph:
  a: [1
"""


def test_a_document_with_mistakes(workspace: Path, findspot: Command) -> None:
    (workspace / "bad.yaml").write_text(MISTAKES)
    for command in ("run", "check"):
        outcome = findspot(command, "bad.yaml")
        assert (outcome.code, outcome.out) == (2, "")
        assert "bad.yaml:" in outcome.err
        assert "A bracket or brace is not closed" in outcome.err
    (workspace / "bad.yaml").write_bytes(b"\xff\xfe\x00graph")
    outcome = findspot("check", "bad.yaml")
    assert outcome.code == 2
    assert "Traceback" not in outcome.err


def test_every_mistake_as_json(tutorial: Path, findspot: Command) -> None:
    text = (tutorial / "tutorial" / "entrypoint_5.yaml").read_text()
    plugins = (tutorial / "tutorial" / "plugins").resolve()
    text = text.replace("plugins/", f"{plugins}/").replace("$figure_title", "$figure_titel")
    (tutorial / "bad.yaml").write_text(text)
    outcome = findspot("check", "bad.yaml", "--json")
    assert outcome.code == 2
    (problem,) = strict_json(outcome.out)
    assert problem["location"].startswith("bad.yaml:")
    assert "figure_title" in problem["hint"]
    assert findspot("check", "tutorial/entrypoint_5.yaml", "--json").document() == []


@pytest.mark.slow
def test_the_tutorial(tutorial: Path, findspot: Command) -> None:
    assert findspot("run", "tutorial/entrypoint_4.yaml", "-e", "experiment_2").code == 0
    chosen = ("-a", "artifact_input_array=samples:latest", "-p", "figure_title=Three ways")
    second = findspot("run", "tutorial/entrypoint_5.yaml", *chosen, "--json").document()
    assert second["params"] == {"figure_title": "Three ways"}

    tree = findspot("lineage", "rescaled_figure").out
    assert "rescaled_figure:1  plot" in tree
    assert tree.count("experiment experiment_2") == 3
    document = findspot("lineage", "rescaled_figure", "--json").document()
    assert {job["name"] for job in document["jobs"]} == {"entrypoint_4", "entrypoint_5"}
    below = findspot("lineage", "samples", "-d", "downstream").out
    assert "rescaled_figure:1" in below
    near = findspot("lineage", "rescaled_figure", "--depth", "1", "--json").document()
    assert [job["name"] for job in near["jobs"]] == ["entrypoint_5"]

    written = findspot("artifact", "download", "rescaled_figure", "--to", "out")
    assert written.out == "out/rescaled_figure.png\n"
    assert (tutorial / "out" / "rescaled_figure.png").read_bytes().startswith(b"\x89PNG")
    again = findspot("artifact", "download", "rescaled_figure", "--to", "out")
    assert (again.code, "--force" in again.err) == (4, True)
    assert findspot("artifact", "download", "rescaled_figure", "--to", "out", "--force").code == 0

    listed = findspot("plugins", "--json").document()
    names = {plugin["name"]: plugin["tasks"] for plugin in listed}
    assert names["rescaling_plugin"] == ["scale_array", "visualize_rescaling_multi"]
    assert "scale_array" in findspot("plugins", "show", "rescaling_plugin").out
    near_miss = findspot("plugins", "show", "rescaling_plugn")
    assert (near_miss.code, "Did you mean rescaling_plugin" in near_miss.err) == (3, True)

    entrypoints = findspot("entrypoints", "--json").document()
    assert [(e["name"], e["number"], e["file"]) for e in entrypoints] == [
        ("entrypoint_4", 1, "entrypoint_4.yaml"),
        ("entrypoint_5", 1, "entrypoint_5.yaml"),
    ]
    assert "entrypoint_5.yaml" in findspot("entrypoints").out

    loaded = findspot("artifact", "load", "samples")
    assert loaded.out.startswith("[273.00127")
    assert "..." in loaded.out
    assert loaded.err == "array of float64, 1000\n"
    assert len(findspot("artifact", "load", "samples", "--json").document()) == 1000
    picture = findspot("artifact", "load", "rescaled_figure", "--json")
    assert (picture.code, picture.out) == (2, "")
    assert "matplotlib.figure.Figure has no JSON form" in picture.err


def test_plugins_are_added_without_running_them(workspace: Path, findspot: Command) -> None:
    plugin = workspace / "lens"
    plugin.mkdir()
    (plugin / "__init__.py").write_text("")
    (plugin / "focus.py").write_text(
        "from findspot.plugins import register\n\nprint('imported')\n\n"
        "@register\ndef focus(x: int) -> float:\n    return x / 2\n"
    )
    added = findspot("plugins", "add", "lens")
    assert (added.code, added.out, added.err) == (0, "lens, snapshot 1\n", "")
    assert findspot("plugins", "add", "lens", "--json").document()["number"] == 1
    assert "x: integer" in findspot("plugins", "show", "lens").out
    assert findspot("plugins", "add", "nothing").code == 3
    (plugin / "focus.py").write_text("def f(: pass")
    broken = findspot("plugins", "add", "lens")
    assert (broken.code, "focus.py:1" in broken.err) == (2, True)


def test_the_artifact_path_of_a_job_is_shown(flow: Path, findspot: Command) -> None:
    assert findspot("run", "flow.py:halving", "--artifact-path", "out/{{step}}").code == 0
    shown = findspot("job", "show", "latest").out
    assert f"artifact path  {flow.parent}/out/{{{{step}}}}" in shown
    assert findspot("run", "flow.py:halving").code == 0
    assert "artifact path" not in findspot("job", "show", "latest").out


def test_names_that_jobs_share_are_listed(flow: Path, findspot: Command) -> None:
    empty = findspot("experiments")
    assert "No experiment was run yet." in empty.err
    for x in (1, 2):
        findspot("run", "flow.py:halving", "-p", f"x={x}", "-e", "sweep")
    findspot("run", "flow.py:halving", "-e", "trial")
    listed = findspot("experiments")
    assert [line.split()[:2] for line in listed.out.splitlines()[-2:]] == [
        ["trial", "1"],
        ["sweep", "2"],
    ]
    assert "findspot jobs --experiment NAME" in listed.err
    document = findspot("experiments", "--json").document()
    assert document["experiments"] == []
    assert [(g["name"], g["jobs"]) for g in document["shared_names"]] == [
        ("trial", 1),
        ("sweep", 2),
    ]
