"""What is recorded of the git repository around the user's code."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from findspot.core.canonical import canonical_json
from findspot.engine.environment.checkout import describe_checkout


def git(folder: Path, *arguments: str) -> str:
    answer = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return answer.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A clean repository with one commit on branch ``trunk``."""
    folder = tmp_path / "repository"
    (folder / "code").mkdir(parents=True)
    git(folder, "init", "-q", "-b", "trunk")
    (folder / "code" / "train.py").write_text("lr = 0.1\n")
    (folder / "spaced ünd ö.txt").write_text("text\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def state(folder: Path) -> dict[str, Any]:
    found = describe_checkout(folder)
    assert found is not None
    assert "problem" not in found
    canonical_json(found)
    return found


def test_a_clean_repository(repository: Path) -> None:
    assert state(repository) == {
        "folder": ".",
        "commit": git(repository, "rev-parse", "HEAD"),
        "branch": "trunk",
        "dirty": False,
        "changed": [],
        "changes": None,
        "remote": None,
    }


def test_from_a_folder_inside(repository: Path) -> None:
    assert state(repository / "code") == {**state(repository), "folder": "code"}


def test_no_repository(tmp_path: Path) -> None:
    assert describe_checkout(tmp_path) is None


def test_a_repository_without_commits(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "trunk")
    found = state(tmp_path)
    assert (found["commit"], found["branch"], found["dirty"]) == (None, "trunk", False)


def test_a_detached_head(repository: Path) -> None:
    git(repository, "checkout", "-q", "--detach")
    found = state(repository)
    assert found["branch"] is None
    assert found["commit"] == git(repository, "rev-parse", "HEAD")


def test_a_second_worktree(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "-q", "-b", "other", str(tmp_path / "tree"))
    found = state(tmp_path / "tree" / "code")
    assert (found["branch"], found["folder"], found["dirty"]) == ("other", "code", False)


def test_changes_make_it_dirty_and_each_state_has_its_digest(repository: Path) -> None:
    script = repository / "code" / "train.py"
    digests = []
    for text in ("lr = 0.2\n", "lr = 0.3\n"):
        script.write_text(text)
        found = state(repository)
        assert found["dirty"] is True
        assert found["changed"] == ["code/train.py"]
        digests.append(found["changes"])
    assert len(set(digests)) == 2
    # Adding it to the index changes nothing of what would run.
    git(repository, "add", ".")
    assert state(repository)["changes"] == digests[1]
    script.write_text("lr = 0.2\n")
    assert state(repository)["changes"] == digests[0]
    script.write_text("lr = 0.1\n")
    git(repository, "add", ".")
    assert state(repository)["dirty"] is False


def test_every_kind_of_change(repository: Path) -> None:
    seen = {None}

    def changed(*paths: str) -> None:
        found = state(repository)
        assert found["changed"] == sorted(paths)
        assert found["changes"] not in seen
        seen.add(found["changes"])

    script = repository / "code" / "train.py"
    script.unlink()
    changed("code/train.py")
    script.symlink_to("elsewhere.py")
    changed("code/train.py")
    script.unlink()
    script.write_text("lr = 0.1\n")
    script.chmod(0o755)
    changed("code/train.py")
    git(repository, "mv", "spaced ünd ö.txt", "renamed.txt")
    changed("code/train.py", "renamed.txt", "spaced ünd ö.txt")
    (repository / "added.py").write_text("")
    git(repository, "add", "added.py")
    changed("added.py", "code/train.py", "renamed.txt", "spaced ünd ö.txt")


def test_a_name_that_is_no_text(repository: Path) -> None:
    name = os.fsdecode(b"caf\xe9.py")
    (repository / name).write_text("")
    git(repository, "add", ".")
    found = describe_checkout(repository)
    assert found is not None
    assert found["changed"] == [name]


def test_a_conflict(repository: Path) -> None:
    script = repository / "code" / "train.py"
    git(repository, "checkout", "-q", "-b", "other")
    script.write_text("lr = 1\n")
    git(repository, "commit", "-q", "-a", "-m", "other")
    git(repository, "checkout", "-q", "trunk")
    script.write_text("lr = 2\n")
    git(repository, "commit", "-q", "-a", "-m", "ours")
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, "merge", "other")
    found = state(repository)
    assert found["changed"] == ["code/train.py"]
    assert found["dirty"] is True


def test_files_that_git_does_not_track_do_not_count(repository: Path) -> None:
    (repository / "notes.txt").write_text("mine")
    assert state(repository)["dirty"] is False


def test_the_remote_is_the_followed_one_without_credentials(repository: Path) -> None:
    git(repository, "remote", "add", "backup", "https://backup.example.org/a.git")
    assert state(repository)["remote"] == "https://backup.example.org/a.git"
    git(repository, "remote", "add", "origin", "https://me:hunter2@example.org/a.git")
    assert state(repository)["remote"] == "https://example.org/a.git"
    git(repository, "config", "branch.trunk.remote", "backup")
    git(repository, "config", "branch.trunk.merge", "refs/heads/trunk")
    assert state(repository)["remote"] == "https://backup.example.org/a.git"


def test_looking_changes_nothing_and_starts_nothing(repository: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    for setting in ("core.fsmonitor", "diff.external", "core.pager", "core.sshCommand"):
        git(repository, "config", setting, str(trap))
    (repository / "code" / "train.py").write_text("lr = 0.2\n")
    index = (repository / ".git" / "index").read_bytes()
    assert state(repository)["dirty"] is True
    assert not (tmp_path / "sprung").exists()
    assert (repository / ".git" / "index").read_bytes() == index


def test_a_lock_of_somebody_elses_does_not_matter(repository: Path) -> None:
    (repository / ".git" / "index.lock").touch()
    assert state(repository)["dirty"] is False


def test_without_git_the_reason_is_recorded(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert describe_checkout(repository) == {"folder": ".", "problem": "git is not installed"}


def test_a_damaged_repository(repository: Path) -> None:
    (repository / ".git" / "HEAD").write_text("nonsense")
    found = describe_checkout(repository)
    assert found is not None
    assert str(found["problem"]).startswith("git status failed: fatal")


@pytest.mark.slow
def test_git_that_hangs_is_given_up_and_ended(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What it has started itself is ended, too, and does not keep us waiting.
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text(f"#!/bin/sh\nsleep 3600 &\necho $! > {tmp_path}/child\nwait\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    seconds = 0.5
    start = time.monotonic()
    found = describe_checkout(repository, seconds=seconds)
    while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text():
        assert seconds < 60  # it was ended before it had even begun
        seconds *= 4
        start = time.monotonic()
        found = describe_checkout(repository, seconds=seconds)
    assert time.monotonic() - start < seconds + 120
    assert found == {"folder": ".", "problem": "git took too long to answer"}
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 120
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    """Whether a process runs; one that ended and waits for its parent does not."""
    answer = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()[:1] not in ("", "Z")
