"""Ray clusters that somebody else started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import sample_tasks
from findspot import Workspace

pytestmark = pytest.mark.slow

_OWNER = """
import sys; sys.path.insert(0, sys.argv[1])
import os
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # loopback only
import ray
import sample_tasks
from findspot import CheckFailed, pipeline, task
from findspot.engine.executors import ExecutorUnavailable

ray.init(address="local", num_cpus=2, num_gpus=1, include_dashboard=False,
         object_store_memory=100 * 2**20, configure_logging=False, log_to_driver=False)
here = ray.get_runtime_context().gcs_address
print(sample_tasks.pids.run(executor="ray:").status)
print(sample_tasks.pids.run(executor=f"ray:{here}").status)
try:
    sample_tasks.pids.run(executor="ray:127.0.0.1:1")
except ExecutorUnavailable as error:
    print("refused:", error.reason)
print(ray.is_initialized(), here, flush=True)

@task(cpus=0.5, gpus=1, memory="1 MiB", cache=False)
def sees(x: int) -> str | None:
    return os.environ.get("CUDA_VISIBLE_DEVICES")

@task(cpus=3)
def wide(x: int) -> int:
    return x

@pipeline
def looking():
    return {"seen": sees(1)}

@pipeline
def wishing():
    return {"x": wide(1)}

print(looking.run(executor="ray:").outputs["seen"].load())
try:
    wishing.run(executor="ray:")
except CheckFailed as error:
    print([(p.expected, p.found) for p in error.problems], flush=True)
sys.stdin.read()
"""

_GUEST = """
import sys; sys.path.insert(0, sys.argv[1])
import sample_tasks
job = sample_tasks.diamond.run(samples=__import__("numpy").arange(6.0), executor=sys.argv[2])
print(job.status, job.outputs["low"].load().tolist())
"""


def test_clusters_by_connection_and_by_address(ws: Workspace) -> None:
    tests = str(Path(sample_tasks.__file__).parent)
    with subprocess.Popen(
        [sys.executable, "-c", _OWNER, tests],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        said = [owner.stdout.readline().strip() for _ in range(4)]
        assert said[:2] == ["finished", "finished"]
        still, address = said[3].split()
        assert said[2] == f"refused: this process is connected to Ray at {address}."
        assert still == "True"
        assert owner.stdout.readline().strip() == "0"
        assert owner.stdout.readline().strip() == "[('at most 2 cpus', '3 cpus')]"
        guest = subprocess.run(
            [sys.executable, "-c", _GUEST, tests, f"ray:{address}"],
            capture_output=True,
            text=True,
            timeout=600,
            env={**os.environ, "RAY_AUTH_MODE": "token"},
            check=False,
        )
        assert guest.stdout.splitlines()[-1:] == ["finished [0.0, 2.0, 4.0]"], guest.stderr
        assert owner.stdin is not None
        owner.stdin.close()
    assert {job.record.options["executor"] for job in ws.list_jobs()} == {"ray:", f"ray:{address}"}


def test_an_address_at_which_nobody_listens_is_refused_soon(ws: Workspace) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import sample_tasks\n"
        "sample_tasks.pids.run(executor='ray:127.0.0.1:9')"
    )
    tests = str(Path(sample_tasks.__file__).parent)
    ran = subprocess.run(
        [sys.executable, "-c", script, tests],
        cwd=ws.folder.parent,
        capture_output=True,
        text=True,
        timeout=120,  # Ray itself tries for many minutes
        check=False,
    )
    assert "no Ray cluster answers at 127.0.0.1:9" in ran.stderr
    assert ws.list_jobs() == []
