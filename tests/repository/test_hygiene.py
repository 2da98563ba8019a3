"""What must hold for every file in the repository, whoever wrote it."""

from __future__ import annotations

import re
import subprocess
import tomllib
from functools import cache
from importlib import metadata
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LINE_LIMIT = 600
CODE = (".py", ".ts", ".tsx")
# The patterns are put together here so that this file does not match itself.
REGISTRY_HOSTS = re.compile(
    "|".join(
        host.replace(".", r"\.")
        for host in (
            "pypi" + ".org",
            "python" + "hosted.org",
            "registry." + "npmjs",
            "registry." + "yarnpkg",
            "conda." + "anaconda.org",
            "deb." + "debian.org",
            "proxy." + "golang.org",
        )
    )
)
MACHINE_PATHS = re.compile(
    r"(?<![\w.])/(?:" + "|".join(("work", "farm", "root", "home" + "/[a-z]", "Users")) + r")/\w"
)
WORDLESS = re.compile(r"(^|/)_?(utils?|helpers?|misc|common|manager|base)\.(py|ts|tsx)$")


@cache
def tracked() -> tuple[str, ...]:
    """The paths of all tracked files, relative to the root."""
    listing = subprocess.run(
        # In a container the checkout may belong to somebody else; git refuses to read it then.
        ["git", "-c", "safe.directory=*", "ls-files", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return tuple(name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file())


@cache
def texts() -> dict[str, str]:
    """The text of every tracked file that is text."""
    found = {}
    for name in tracked():
        data = (ROOT / name).read_bytes()
        if b"\0" not in data:
            found[name] = data.decode("utf-8")
    return found


def matches(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


@pytest.fixture(autouse=True)
def checkout() -> None:
    assert "pyproject.toml" in tracked(), "these tests read the files that git tracks"


def test_no_file_names_a_package_registry() -> None:
    assert matches(REGISTRY_HOSTS) == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    assert matches(MACHINE_PATHS) == []


def test_no_source_file_is_longer_than_the_limit() -> None:
    long = {
        name: lines
        for name, text in texts().items()
        if name.endswith(CODE) and (lines := text.count("\n")) > LINE_LIMIT
    }
    assert long == {}


def test_every_file_name_says_what_is_in_it() -> None:
    assert [name for name in tracked() if WORDLESS.search(name)] == []


def test_nothing_is_left_unfinished_or_switched_off() -> None:
    marks = "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", r"mark\.(?:skip|x" + "fail)"))
    found = re.compile(rf"\b(?:{marks})\b")
    assert [line for line in matches(found) if line.split(":")[0].endswith(CODE)] == []


def test_no_build_products_are_tracked() -> None:
    products = re.compile(r"(^|/)(__pycache__|\.venv|\.findspot|site|dist|demo-output)/|\.pyc$")
    assert [name for name in tracked() if products.search(name)] == []


def constraints() -> dict[str, list[Requirement]]:
    pins: dict[str, list[Requirement]] = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        pin = Requirement(line)
        pins.setdefault(canonicalize_name(pin.name), []).append(pin)
    return pins


def required(extras: frozenset[str]) -> set[str]:
    """Every distribution that ``findspot[extras]`` needs here, directly or not."""
    found: set[str] = set()
    waiting = [("findspot", extra) for extra in ("", *sorted(extras))]
    seen = set(waiting)
    while waiting:
        name, extra = waiting.pop()
        for line in metadata.requires(name) or ():
            need = Requirement(line)
            if need.marker is not None and not need.marker.evaluate({"extra": extra}):
                continue
            needed = canonicalize_name(need.name)
            found.add(needed)
            for step in [(needed, inner) for inner in ("", *sorted(need.extras))]:
                if step not in seen:
                    seen.add(step)
                    waiting.append(step)
    return found - {"findspot"}


def test_constraints_are_plain_pins_in_order() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    plain = re.compile(r"[a-z0-9.-]+==[0-9][\w.!+]*( ; python_full_version [^;]+)?")
    assert [line for line in lines if not plain.fullmatch(line)] == []
    names = [line.split("==")[0] for line in lines]
    assert names == sorted(names)


def test_constraints_pin_all_that_the_extras_install() -> None:
    pins = constraints()
    missing, different = [], []
    for name in sorted(required(frozenset({"all", "dev"}))):
        here = [pin for pin in pins.get(name, ()) if pin.marker is None or pin.marker.evaluate()]
        if len(here) != 1:
            missing.append(name)
        elif not here[0].specifier.contains(metadata.version(name), prereleases=True):
            different.append(f"{name}: {metadata.version(name)} is installed, not {here[0]}")
    assert (missing, different) == ([], [])


def own_requirements() -> list[Requirement]:
    """What pyproject.toml asks for, of all extras but those that are tested in an environment of
    their own (see `make test-torch`); references to the project itself left out."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    apart = ("torch", "keras")
    lines = [
        *project["dependencies"],
        *chain(*(extras[name] for name in extras if name not in apart)),
    ]
    found = [Requirement(line) for line in lines]
    return [need for need in found if need.name != "findspot"]


def test_every_pin_satisfies_what_the_project_asks_for() -> None:
    pins = constraints()
    wrong = []
    for need in own_requirements():
        chosen = pins.get(canonicalize_name(need.name), [])
        if not chosen:
            wrong.append(f"{need.name} is not pinned")
        for pin in chosen:
            (version,) = (specifier.version for specifier in pin.specifier)
            if not need.specifier.contains(version, prereleases=True):
                wrong.append(f"{pin} does not satisfy {need}")
    assert wrong == []


def test_requirements_have_lower_bounds_and_no_upper_ones() -> None:
    operators = {
        need.name: sorted(s.operator for s in need.specifier) for need in own_requirements()
    }
    assert {name: found for name, found in operators.items() if found != [">="]} == {}


@pytest.mark.parametrize("python", ["3.11.0", "3.11.9", "3.12.0", "3.13.0", "3.14.0"])
def test_no_package_is_pinned_twice_for_one_python(python: str) -> None:
    environment = {
        "python_full_version": python,
        "python_version": python.rsplit(".", 1)[0],
    }
    twice = {
        name: [str(pin) for pin in here]
        for name, pins in constraints().items()
        if len(
            here := [pin for pin in pins if pin.marker is None or pin.marker.evaluate(environment)]
        )
        > 1
    }
    assert twice == {}
