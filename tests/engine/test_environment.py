"""The environment of a job is described completely, quickly, and without secrets."""

from __future__ import annotations

import json
import os
import platform
import re
import socket
import subprocess
import sys
import textwrap
import threading
import time
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from findspot.core.canonical import canonical_json
from findspot.core.digests import hash_bytes
from findspot.engine.environment.document import EnvironmentProbe, Gathering, describe_environment
from findspot.engine.environment.packages import installed_packages
from findspot.engine.environment.redaction import redacted, without_credentials


def describe(cwd: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(canonical_json(describe_environment(cwd)))
    return document


# ------------------------------------------------------------------ the document


def test_the_document(tmp_path: Path) -> None:
    found = describe(tmp_path)
    assert found["format"] == 1
    assert found["python"] == {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
    }
    assert found["platform"]["system"] == platform.system()
    assert found["platform"]["machine"] == platform.machine()
    assert found["host"] == socket.gethostname()
    assert 1 <= found["cpus"]["usable"] <= found["cpus"]["count"]
    assert found["cwd"] == str(tmp_path)
    assert found["git"] is None
    assert found["packages"]["blake3"]
    assert found["packages"]["findspot"]


def test_only_the_variables_that_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    found = describe(tmp_path)
    assert found["variables"]["PYTHONHASHSEED"] == "0"
    assert found["variables"]["OMP_NUM_THREADS"] == "2"
    assert "CUDA_VISIBLE_DEVICES" not in found["variables"]
    assert "hunter2" not in json.dumps(found)


def test_arguments_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", "--token", "hunter2", "--lr", "0.1"])
    assert describe(tmp_path)["argv"] == ["train.py", "--token", "***", "--lr", "0.1"]


def test_arguments_that_are_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", os.fsdecode(b"caf\xe9.csv")])
    assert describe(tmp_path)["argv"] == ["train.py", "caf\\udce9.csv"]


def run(folder: Path, *arguments: str) -> dict[str, Any]:
    answer = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, check=True, timeout=300
    )
    document: dict[str, Any] = json.loads(answer.stdout)
    return document


PRINT_ENTRY = textwrap.dedent(
    """
    import json
    from findspot.engine.environment.document import describe_environment
    print(json.dumps(describe_environment()["entry"]))
    """
)


def test_the_script_that_was_started(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    script = tmp_path / "code" / "train.py"
    script.write_text(PRINT_ENTRY)
    digest = hash_bytes(script.read_bytes())
    assert run(tmp_path, "code/train.py") == {"script": "code/train.py", "digest": digest}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert run(elsewhere, "../code/train.py") == {"script": str(script), "digest": digest}


def test_the_module_that_was_started(tmp_path: Path) -> None:
    module = tmp_path / "project" / "__main__.py"
    module.parent.mkdir()
    module.write_text(PRINT_ENTRY)
    digest = hash_bytes(module.read_bytes())
    assert run(tmp_path, "-m", "project") == {"module": "project", "digest": digest}


def test_no_script_at_all(tmp_path: Path) -> None:
    assert run(tmp_path, "-c", PRINT_ENTRY) == {"interactive": True}


# ------------------------------------------------------------------ packages


def test_packages_are_those_that_the_standard_library_lists() -> None:
    expected: dict[str, Version] = {}
    for package in distributions():
        name = re.sub(r"[-_.]+", "-", package.name).lower()
        expected.setdefault(name, Version(package.version))
    found = installed_packages()
    assert {name: Version(version) for name, version in found.items()} == expected
    assert list(found) == sorted(found)


def test_kinds_of_metadata(tmp_path: Path) -> None:
    (tmp_path / "Wheel_Name-1.2.post1.dist-info").mkdir()
    (tmp_path / "local-2.6.0+cu121.dist-info").mkdir()
    (tmp_path / "~umpy-1.0.dist-info").mkdir()
    (tmp_path / "nothing.dist-info").mkdir()
    (tmp_path / "old.style-0.9-py3.11.egg-info").write_text("")
    (tmp_path / "source.egg-info").mkdir()
    (tmp_path / "source.egg-info" / "PKG-INFO").write_text("Name: source\nVersion: 3.1\n")
    (tmp_path / "half.egg-info").mkdir()
    (tmp_path / "unrelated.txt").write_text("")
    assert installed_packages([str(tmp_path), "/nonexistent/python311.zip"]) == {
        "local": "2.6.0+cu121",
        "old-style": "0.9",
        "source": "3.1",
        "wheel-name": "1.2.post1",
    }


def test_the_first_of_two_versions_is_imported_and_so_it_is_listed(tmp_path: Path) -> None:
    for folder, version in (("first", "1"), ("second", "2")):
        (tmp_path / folder / f"thing-{version}.dist-info").mkdir(parents=True)
    path = [str(tmp_path / "first"), str(tmp_path / "second")]
    assert installed_packages(path) == {"thing": "1"}
    assert installed_packages(path[::-1]) == {"thing": "2"}


@pytest.mark.parametrize("age", [0, 3600], ids=["fresh", "old"])
def test_an_installation_in_between_is_seen(tmp_path: Path, age: int) -> None:
    (tmp_path / "thing-1.dist-info").mkdir()
    then = time.time() - age
    os.utime(tmp_path, (then, then))
    assert installed_packages([str(tmp_path)]) == {"thing": "1"}
    (tmp_path / "thing-1.dist-info").rename(tmp_path / "thing-2.dist-info")
    assert installed_packages([str(tmp_path)]) == {"thing": "2"}


# ------------------------------------------------------------------ secrets


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (["--password=x", "--db-password", "y"], ["--password=***", "--db-password", "***"]),
        (["-p", "api_key=x", "-p", "lr=1"], ["-p", "api_key=***", "-p", "lr=1"]),
        (["--token", "--verbose"], ["--token", "--verbose"]),
        (["HF_TOKEN=x"], ["HF_TOKEN=***"]),
        (["AWS_SECRET_ACCESS_KEY=x"], ["AWS_SECRET_ACCESS_KEY=***"]),
        (["--max_tokens=5", "--tokenizer", "bpe"], ["--max_tokens=5", "--tokenizer", "bpe"]),
        (["--keys=a,b", "--author=me"], ["--keys=a,b", "--author=me"]),
        (["postgresql://me:pw@host/db"], ["postgresql://host/db"]),
        (["--url=https://tok@host/x"], ["--url=https://host/x"]),
        (["https://host/x?sig=1&access_token=y"], ["https://host/x?sig=***&access_token=***"]),
        (["me@example.org", "a=b=c"], ["me@example.org", "a=b=c"]),
    ],
)
def test_redacted(given: list[str], shown: list[str]) -> None:
    assert redacted(given) == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://host/a.git", "https://host/a.git"),
        ("https://user:p@ss@host/a.git", "https://host/a.git"),
        ("https://token@host:8443/a@b.git", "https://host:8443/a@b.git"),
        ("ssh://git@host:22/a.git", "ssh://host:22/a.git"),
        ("git@host:team/a.git", "git@host:team/a.git"),
        ("https://host/a.git?private_token=x#y", "https://host/a.git"),
        ("/srv/git/a.git", "/srv/git/a.git"),
        ("ext::sh -c 'curl -u me:pw host'", "***"),
    ],
)
def test_urls_without_credentials(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


# ------------------------------------------------------------------ the probe


def test_the_probe_gives_the_canonical_document_and_its_digest(tmp_path: Path) -> None:
    probe = EnvironmentProbe.shared()
    assert EnvironmentProbe.shared() is probe
    probe.start(tmp_path)
    digest, document = probe.result()
    assert digest == hash_bytes(document)
    assert document == canonical_json(json.loads(document))
    assert json.loads(document) == describe(tmp_path)


def test_jobs_in_several_folders_at_once(tmp_path: Path) -> None:
    probe = EnvironmentProbe()
    folders = [tmp_path / str(i) for i in range(8)]
    for folder in folders:
        folder.mkdir()
    gatherings = [probe.start(folder) for folder in folders]
    described = [json.loads(gathering.result()[1])["cwd"] for gathering in gatherings]
    assert described == [str(folder) for folder in folders]
    assert json.loads(probe.result()[1])["cwd"] == described[-1]


def test_a_probe_that_was_never_started_describes_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert json.loads(EnvironmentProbe().result()[1])["cwd"] == str(tmp_path)


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    assert describe(tmp_path / "gone")["git"] is None


def test_starting_does_not_wait_for_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git = tmp_path / "bin" / "git"
    git.parent.mkdir()
    git.write_text(f"#!/bin/sh\nwhile ! [ -e {tmp_path}/go ]; do sleep 0.01; done\n")
    git.chmod(0o755)
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", f"{git.parent}:{os.environ['PATH']}")
    gathering = EnvironmentProbe().start(tmp_path)
    assert gathering.running
    assert threading.active_count() > 1
    (tmp_path / "go").touch()
    assert json.loads(gathering.result()[1])["git"]["folder"] == "."
    assert not gathering.running


def test_who_waits_for_an_environment_comes_after_those_who_are_told_of_it(tmp_path: Path) -> None:
    gathering = Gathering(tmp_path)
    told: list[str] = []

    def slowly(digest: str, document: bytes) -> None:
        time.sleep(0.2)
        told.append(digest)

    gathering.then(slowly)
    assert [gathering.result()[0]] == told
    gathering.then(slowly)
    assert len(told) == 2
