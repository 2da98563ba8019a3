"""`findspot schedule ...`, and jobs by label."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from commands import Command, argv, interrupt, run_process
from findspot import Workspace
from scheduled import until


def test_added_listed_shown_and_removed(findspot: Command, flow: Path) -> None:
    done = findspot(
        *("schedule", "add", "nightly", "flow.py:halving", "--cron", "30 3 * * *"),
        *("--timezone", "Europe/Berlin", "-p", "x=2", "-l", "team=a", "-e", "sweep"),
    )
    assert done.code == 0, done.err
    assert done.out.startswith("nightly: due ")
    assert " 03:30 CE" in done.out
    (listed,) = findspot("schedule", "list", "--json").document()
    assert (listed["name"], listed["target"]) == ("nightly", "flow.py:halving")
    assert (listed["params"], listed["labels"]) == ({"x": 2}, {"team": "a"})
    assert "30 3 * * *" in findspot("schedule", "list").out
    shown = findspot("schedule", "show", "nightly", "--json").document()
    assert len(shown["next"]) == 5
    assert shown["last_job"] is None
    assert findspot("schedule", "show", "nightly").out.count(" 03:30 ") == 5
    assert findspot("schedule", "remove", "nightly").code == 0
    assert findspot("schedule", "list", "--json").document() == []
    assert "findspot schedule add" in findspot("schedule", "list").err
    assert findspot("schedule", "show", "nightly").code == 3


def test_paused_replaced_and_run_by_hand(findspot: Command, flow: Path) -> None:
    add = ("schedule", "add", "often", "flow.py:halving", "--cron")
    assert findspot(*add, "* * * * *").code == 0
    assert findspot("schedule", "pause", "often").out == "often is paused.\n"
    assert "paused" in findspot("schedule", "list").out
    assert findspot("schedule", "unpause", "often").out.startswith("often: due ")
    assert "already" in findspot(*add, "@daily").err
    replaced = findspot(*add, "@daily", "--replace", "-p", "x=2", "--json").document()
    assert (replaced["version"], replaced["cron"]) == (2, "@daily")
    job = findspot("schedule", "run", "often", "--json").document()
    assert (job["status"], job["params"]) == ("finished", {"x": 2})
    assert job["labels"] == {"schedule": "often"}
    (found,) = findspot("jobs", "-l", "schedule=often", "--json").document()
    assert found["id"] == job["id"]
    assert findspot("jobs", "-l", "schedule=other", "--json").document() == []
    assert job["id"] in findspot("schedule", "show", "often").out


def test_every_mistake_at_once(findspot: Command, flow: Path) -> None:
    done = findspot(
        *("schedule", "add", "a/b", "flow.py:halving", "--cron", "0 0 30 2 *"),
        *("--timezone", "Mars/Base", "-p", "x=many", "-p", "y=1"),
    )
    assert done.code == 2
    for part in ("a/b", "day-of-month", "Mars/Base", "'many'", "y: "):
        assert part in done.err
    assert "Traceback" not in done.err
    broken = flow.with_name("broken.py")
    broken.write_text("1 / 0\n")
    done = findspot("schedule", "add", "s", "broken.py:p", "--cron", "@daily")
    assert (done.code, "ZeroDivisionError" in done.err) == (2, True)
    assert findspot("schedule", "list", "--json").document() == []


@pytest.mark.parametrize(
    "arguments",
    [("run", "s", "--once"), ("run", "--json"), ("run", "--for", "1e300"), ("run", "--for", "-1")],
)
def test_options_that_mean_nothing(
    findspot: Command, flow: Path, arguments: tuple[str, ...]
) -> None:
    findspot("schedule", "add", "s", "flow.py:halving", "--cron", "@daily")
    done = findspot("schedule", *arguments)
    assert done.code == 2
    assert "Traceback" not in done.err


@pytest.mark.slow
def test_a_worker_with_nothing_to_do(findspot: Command, flow: Path) -> None:
    findspot("schedule", "add", "s", "flow.py:halving", "--cron", "@yearly")
    done = findspot("schedule", "run", "--once")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert findspot("schedule", "run", "--for", "0.2").code == 0


def test_without_a_workspace(findspot: Command, folder: Path) -> None:
    for words in (("list",), ("run",), ("show", "s"), ("pause", "s")):
        assert findspot("schedule", *words).code == 3


@pytest.mark.slow
def test_a_worker_notices_what_is_added_and_ends_by_ctrl_c(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.init()
    (tmp_path / "flow.py").write_text("def plain(n: int = 1) -> int:\n    return n\n")
    worker = subprocess.Popen(
        argv("schedule", "run"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        added = run_process(
            "schedule", "add", "s", "flow.py:plain", "--cron", "* * * * *", cwd=tmp_path
        )
        assert added.code == 0, added.err
        until(lambda: [job.status for job in workspace.list_jobs()][:1] == ["finished"], 300)
        interrupt(worker)
        out, _ = worker.communicate(timeout=300)
    finally:
        worker.kill()
    assert worker.returncode == 0
    assert "default/s: job " in out
    assert "finished after" in out
