"""The real command: in a terminal, in pipes, interrupted, and how fast it starts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import FLOW, argv, interrupt, run_in_terminal, run_process
from findspot import Workspace

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a job and some artifacts, and a file of pipelines."""
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "flow.py").write_text(FLOW)
    assert run_process("run", "flow.py:halving", "-e", "first", cwd=folder).code == 0
    return folder


@pytest.fixture
def place(prepared: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return shutil.copytree(prepared, tmp_path / "place")


def plain_lines(shown: str) -> list[str]:
    return [line.rstrip() for line in ESCAPES.sub("", shown).splitlines()]


@pytest.mark.slow
def test_listings_fit_a_terminal_of_80_columns(place: Path) -> None:
    ids = [job.id for job in Workspace(place).list_jobs()]
    for words in (["artifacts"], ["lineage", "result"]):
        code, shown = run_in_terminal(*words, cwd=place)
        assert code == 0
        lines = plain_lines(shown)
        assert max(map(len, lines)) <= 80
        assert ids[0] not in shown
    code, shown = run_in_terminal("jobs", cwd=place)
    short = plain_lines(shown)[2].split()[0]
    assert short == ids[0][-8:]
    code, shown = run_in_terminal("job", "show", short, cwd=place)
    assert (code, ids[0] in shown) == (0, True)


@pytest.mark.slow
@pytest.mark.parametrize("columns", [76, 80, 120])
def test_nothing_is_lost_where_a_table_is_wider_than_the_terminal(
    place: Path, columns: int
) -> None:
    key = "measurements/of-the-second-campaign/at-the-northern-wall"
    workspace = Workspace(place)
    workspace.save_artifact(1, key, tags=["good"])
    job = workspace.list_jobs()[0].id[-8:]
    code, shown = run_in_terminal("artifacts", cwd=place, columns=columns)
    lines = plain_lines(shown)
    assert code == 0
    assert max(map(len, lines)) <= columns
    first = "".join(re.match(r" (\S*)", line)[1] for line in lines[2:])  # type: ignore[index]
    assert first.startswith(f"{key}:1")
    assert shown.count(job) == 3


@pytest.mark.slow
def test_a_run_in_a_terminal_shows_its_steps(place: Path) -> None:
    flag = place / "begun"
    options = ("-p", f"flag={flag}", "-p", "seconds=0.5")
    code, shown = run_in_terminal("run", "flow.py:waiting", *options, cwd=place)
    assert code == 0
    before, _, after = ESCAPES.sub("", shown).partition("job  ")
    assert "  wait " in before
    assert "1 finished" in before
    assert "status      finished" in after


@pytest.mark.slow
def test_what_tasks_print_is_above_the_progress(place: Path) -> None:
    code, shown = run_in_terminal("run", "flow.py:halving", "-p", "x=2", cwd=place)
    assert (code, "starting with 2\n" in shown) == (0, True)


@pytest.mark.slow
def test_ctrl_c_in_a_terminal(place: Path) -> None:
    flag = place / "begun"
    code, shown = run_in_terminal(
        "run", "flow.py:waiting", "-p", f"flag={flag}", cwd=place, typed=b"\x03", when=flag.exists
    )
    job = Workspace(place).list_jobs()[0]
    assert code == 130
    ending = f"findspot: interrupted\nGo on: findspot job resume {job.id[-8:]}\n"
    assert shown.endswith(ending)
    assert "Traceback" not in shown
    assert (job.status, job.steps["wait"].status) == ("interrupted", "interrupted")
    # What is left of it can be run.
    shorter = FLOW.replace("time.sleep(seconds)", "time.sleep(0)")
    (place / "flow.py").write_text(shorter)
    resumed = run_process("job", "resume", job.id[-8:], "--json", cwd=place)
    assert resumed.document()["status"] == "finished"


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_an_interrupt_without_a_terminal(place: Path, executor: str) -> None:
    flag = place / "begun"
    command = argv("run", "flow.py:waiting", "-p", f"flag={flag}", "--executor", executor)
    process = subprocess.Popen(
        command,
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not flag.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    interrupt(process)
    out, err = process.communicate(timeout=300)
    job = Workspace(place).list_jobs()[0]
    assert (process.returncode, out) == (130, "")
    assert f"findspot: interrupted\nGo on: findspot job resume {job.id}\n" in err
    assert job.status == "interrupted"


@pytest.mark.slow
def test_a_reader_that_has_had_enough(place: Path) -> None:
    Workspace(place).save_artifact("line\n" * 500_000, "long")
    with subprocess.Popen(
        argv("artifact", "load", "long"),
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "line\n"
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (0, "")


@pytest.mark.slow
def test_a_reader_that_is_gone_before_the_first_line(place: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            argv("jobs"), cwd=place, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_json_can_be_piped_on(place: Path) -> None:
    command = f"{sys.executable} -m findspot jobs --json | {sys.executable} -m json.tool --compact"
    done = subprocess.run(
        command, shell=True, cwd=place, capture_output=True, text=True, check=True
    )
    assert [job["experiment"] for job in json.loads(done.stdout)] == ["first"]


@pytest.mark.slow
def test_a_terminal_without_the_characters(place: Path) -> None:
    Workspace(place).save_artifact(1, "größe")
    poor = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    listed = run_process("artifacts", "gr*", cwd=place, env=poor)
    assert (listed.code, listed.err) == (0, "")
    assert "gr??e:1" in listed.out


def test_the_installed_command_and_the_module_are_the_same() -> None:
    script = Path(sys.executable).with_name("findspot")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == run_process("--version").out
    assert re.fullmatch(r"findspot \d+\.\d+\.\d+\n", done.stdout)


@pytest.mark.slow
def test_help() -> None:
    overview = run_process("--help")
    assert overview.code == 0
    for name in ("init", "run", "check", "jobs", "job", "artifacts", "artifact", "lineage"):
        assert f" {name} " in overview.out
    told = run_process("run", "-h").out
    assert "findspot run training:train -p lr=0.1 --experiment sweep" in told
    assert "script.py:score -i rows=https://example.org/iris.csv" in told  # in one line
    assert run_process().err.strip() == overview.out.strip()


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import findspot", {"typer", "rich", "sqlalchemy", "numpy", "yaml", "findspot.core"}),
        (
            "import findspot.cli.app",
            {"sqlalchemy", "numpy", "yaml", "blake3", "rich.progress", "findspot.workspace"},
        ),
    ],
)
def test_what_a_start_does_not_import(code: str, heavy: set[str]) -> None:
    probe = f"import sys; {code}; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert heavy & set(done.stdout.splitlines()) == set()


AS_NOBODY = """
import contextlib, io, os, sys
sys.path[:0] = {search!r}
from findspot.cli import main
# Once in another workspace: afterwards Python's own folders may be out of reach, so whatever
# the command imports must be imported before.
for words in (["artifact", "save", "a", "--value", "1"], {words!r}):
    sys.argv = ["findspot", "-w", {other!r}, *words]
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        main()
sys.argv = ["findspot", "-w", {place!r}, *{words!r}]
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
main()
"""


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    """A folder that every user can read; pytest's own are root's alone if root runs it."""
    folder = Path(tempfile.mkdtemp(prefix="findspot-test-"))
    folder.chmod(0o755)
    yield folder
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    shutil.rmtree(folder)


@pytest.mark.slow
def test_a_workspace_that_may_only_be_read(shared: Path, tmp_path: Path) -> None:
    with Workspace(shared) as workspace:
        workspace.save_artifact([1, 2], "numbers")
    for path in (*shared.rglob("*"), shared):
        path.chmod(0o555 if path.is_dir() else 0o444)

    def as_nobody(*words: str) -> subprocess.CompletedProcess[str]:
        search = [entry for entry in sys.path if entry]
        code = AS_NOBODY.format(
            search=search, words=list(words), place=str(shared), other=str(tmp_path)
        )
        return subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd="/"
        )

    listed = as_nobody("artifacts", "--json")
    assert listed.returncode == 0, listed.stderr
    assert [item["key"] for item in json.loads(listed.stdout)] == ["numbers"]
    refused = as_nobody("artifact", "save", "numbers", "--value", "3")
    assert (refused.returncode, refused.stdout) == (6, "")
    assert "read-only" in refused.stderr
    assert "Traceback" not in refused.stderr
