"""Write constraints.txt anew: the newest release of every dependency, for every Python we support.

Run it as ``make constraints``. It asks pip what it would install for each Python version, and
writes one line a package, or several with markers where the versions differ.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = ("all", "dev")
# 3.11.0 stands for the first releases of 3.11, which some distributions still ship.
PYTHONS = ("3.11.0", "3.11.9", "3.12.0", "3.13.0", "3.14.0")


def requirements(project: dict[str, object]) -> set[str]:
    """The project's own requirements and those of `EXTRAS`, with references to itself resolved."""
    extras = project["optional-dependencies"]
    dependencies = project["dependencies"]
    assert isinstance(extras, dict)
    assert isinstance(dependencies, list)

    def expand(lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            if own := re.fullmatch(r"findspot\[(.+)\]", line):
                for extra in own[1].split(","):
                    yield from expand(extras[extra])
            else:
                yield line

    return {*expand(dependencies), *expand([f"findspot[{','.join(EXTRAS)}]"])}


def resolve(lines: set[str], python: str) -> dict[str, str]:
    """Name to version of everything that pip would install for a Python version."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"]
        command += ["--ignore-installed", "--only-binary=:all:", "--target", folder]
        command += ["--python-version", python, "--report", str(report), *sorted(lines)]
        # pip remarks on every index that lacks a package; its exit status says what matters.
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        installed = json.loads(report.read_text())["install"]
    return {
        i["metadata"]["name"].lower().replace("_", "-"): i["metadata"]["version"] for i in installed
    }


def pins(resolved: dict[str, dict[str, str]]) -> Iterator[str]:
    """The lines of the file: ``resolved`` is Python version to name to version."""
    for name in sorted({name for versions in resolved.values() for name in versions}):
        runs: list[tuple[str, str]] = []  # (first Python with this version, version)
        for python in PYTHONS:
            version = resolved[python].get(name)
            if version is not None and (not runs or runs[-1][1] != version):
                runs.append((python, version))
        for place, (python, version) in enumerate(runs):
            bounds = [] if place == 0 else [f'python_full_version >= "{marker(python)}"']
            if place + 1 < len(runs):
                bounds.append(f'python_full_version < "{marker(runs[place + 1][0])}"')
            yield f"{name}=={version}" + (f" ; {' and '.join(bounds)}" if bounds else "")


def marker(python: str) -> str:
    """Where a difference seen at ``python`` begins: 3.11.9 stands for 3.11.5 and later."""
    return "3.11.5" if python == "3.11.9" else python


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = requirements(project)
    resolved = {python: resolve(lines, python) for python in PYTHONS}
    (ROOT / "constraints.txt").write_text("\n".join(pins(resolved)) + "\n")


if __name__ == "__main__":
    main()
