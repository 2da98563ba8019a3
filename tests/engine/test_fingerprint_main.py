"""A file that is run and the same file imported are the same code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from findspot.engine.code.project import main_module, stable_module
from findspot.engine.targets.targets import find_function

FILE = """
import enum, logging
from dataclasses import dataclass, field
from typing import NamedTuple, Optional
from findspot import pipeline, task

LOG = logging.getLogger(__name__)

class Colour(enum.Enum):
    RED = 1

@dataclass
class Settings:
    a: int = 1
    b: list = field(default_factory=list)

class Point(NamedTuple):
    x: int = 1

class Base:
    def go(self):
        return 1

class Sub(Base):
    def go(self):
        return super().go() + 1

SETTINGS = Settings()
KINDS = {Point: Settings, "or none": Optional[Sub]}

def helper(x):
    return Sub().go()

@task
def count(x: int) -> int:
    LOG.info("counting")
    return x + helper(x) + Colour.RED.value + SETTINGS.a + Point().x + len(KINDS)

@task(cache=False)
def inner(x: int) -> list:
    job = nested.run()
    return [job.status, job.steps["count"].cached]

@pipeline
def nested():
    return {"y": count(1)}

@pipeline
def outer():
    return {"y": inner(1)}

def show():
    job = nested.run()
    print(job.status, job.steps["count"].cached)

if __name__ == "__main__":
    import sys
    if sys.argv[1:]:
        print(*outer.run(executor=sys.argv[1], workers=1).outputs["y"].load())
    else:
        show()
"""


def say(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "FINDSPOT_WORKSPACE": str(folder / "workspace")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "counting.py").write_text(FILE)
    (tmp_path / "parts" / "deep").mkdir(parents=True)
    (tmp_path / "parts" / "deep" / "counting.py").write_text(FILE)
    return tmp_path


@pytest.mark.slow
def test_a_script_and_who_imports_it_reuse_each_others_steps(folder: Path) -> None:
    assert say(folder, "counting.py") == "finished False"
    assert say(folder, "-c", "import counting; counting.show()") == "finished True"
    (folder / "counting.py").write_text(FILE.replace("super().go() + 1", "super().go() + 2"))
    assert say(folder, "-c", "import counting; counting.show()") == "finished False"
    assert say(folder, "counting.py") == "finished True"


def test_a_module_that_is_run_and_who_imports_it_reuse_each_others_steps(folder: Path) -> None:
    module = "parts.deep.counting"
    assert say(folder, "-m", module) == "finished False"
    assert say(folder, "-c", f"import {module}; {module}.show()") == "finished True"


def test_a_script_in_a_package_and_who_imports_it_from_there(folder: Path) -> None:
    for package in ("parts", "parts/deep"):
        (folder / package / "__init__.py").touch()
    assert say(folder, "parts/deep/counting.py") == "finished False"
    module = "parts.deep.counting"
    assert say(folder, "-c", f"import {module}; {module}.show()") == "finished True"
    by_file = "from findspot import Workspace\nprint(Workspace().run({!r}).steps['count'].cached)"
    assert say(folder, "-c", by_file.format("parts/deep/counting.py:nested")) == "True"


def test_a_file_of_a_package_is_found_by_its_path_with_its_relative_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "outer_4711" / "inner"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package.parent / "other.py").write_text("VALUE = 3")
    (package / "script.py").write_text("from ..other import VALUE\ndef f(): return VALUE")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    found = find_function("outer_4711/inner/script.py:f")
    assert (found.__module__, found()) == ("outer_4711.inner.script", 3)
    assert find_function("outer_4711.inner.script:f") is found


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["processes", "dask:", "ray:"])
def test_jobs_inside_of_steps_in_workers_too(folder: Path, executor: str) -> None:
    assert say(folder, "counting.py") == "finished False"
    assert say(folder, "counting.py", executor) == "finished True"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["script.py"], "script"),
        (["no-name.py"], "__main__"),
        (["-c", "from findspot.engine.code.project import *; print(main_module())"], "__main__"),
        (["-m", "package"], "package.__main__"),
        (["package"], "__main__"),
        (["-m", "cProfile", "-o", os.devnull, "script.py"], "__main__"),
    ],
)
def test_what_the_main_module_is_called(tmp_path: Path, arguments: list[str], name: str) -> None:
    text = "from findspot.engine.code.project import main_module\nprint(main_module())\n"
    (tmp_path / "package").mkdir()
    for file in ("script.py", "no-name.py", "package/__main__.py"):
        (tmp_path / file).write_text(text)
    assert say(tmp_path, *arguments) == name


@pytest.mark.parametrize(
    ("here", "arguments", "name"),
    [
        (".", ["outer/inner/script.py"], "outer.inner.script"),
        ("outer", ["inner/script.py"], "script"),
        ("outer/inner", ["script.py"], "script"),
        ("outer/inner", ["-m", "script"], "script"),
        (".", ["outer/plain/script.py"], "script"),
        (".", ["not-a-name/script.py"], "script"),
    ],
)
def test_what_a_script_in_a_package_is_called(
    tmp_path: Path, here: str, arguments: list[str], name: str
) -> None:
    text = "from findspot.engine.code.project import main_module\nprint(main_module())\n"
    for folder in ("outer/inner", "outer/plain", "not-a-name"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "script.py").write_text(text)
    for package in ("outer", "outer/inner", "not-a-name"):
        (tmp_path / package / "__init__.py").touch()
    assert say(tmp_path / here, *arguments) == name


def test_spawned_processes_call_it_so_too() -> None:
    assert stable_module("__mp_main__") == stable_module("__main__") == main_module()
