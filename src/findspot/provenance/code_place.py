"""The code that a job ran, as a folder: the recorded commit where it can be had, else what is
there now."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from findspot.core.digests import hash_stream
from findspot.engine.jobs import Job
from findspot.provenance.errors import CannotReproduce
from findspot.provenance.materials import Recipe

_GIT_SECONDS = 120


@dataclass(frozen=True, slots=True)
class CodePlace:
    """Where a job is run again.

    Args:
        cwd: the current folder of the process.
        path: folders for its search path, before all others.
        script: the file of the script, where the job had one.
        notes: what is not as it was, as sentences.
    """

    cwd: Path
    path: tuple[str, ...]
    script: Path | None
    notes: tuple[str, ...] = ()


def place_code(job: Job, recipe: Recipe, folder: Path, version: str) -> CodePlace:
    """The code of a job in ``folder``, from the recorded commit; or where it is now, with a note.

    Raises:
        CannotReproduce: a script is neither in the commit nor where it was.
    """
    placing = _Placing(job, recipe)
    found = placing.from_commit(folder) or placing.as_it_is()
    if recipe.script and found.script is None and recipe.kind == "script":
        raise CannotReproduce(
            version,
            "the script that made it is not there any more.",
            missing=[recipe.script],
            how="Restore the file, or run this in the repository that holds its commit.",
        )
    return found


@dataclass(slots=True)
class _Placing:
    job: Job
    recipe: Recipe
    notes: list[str] = field(default_factory=list)

    @property
    def environment(self) -> Mapping[str, Any]:
        return self.job.environment

    @property
    def cwd(self) -> Path:
        return Path(str(self.environment.get("cwd") or os.getcwd()))

    def from_commit(self, folder: Path) -> CodePlace | None:
        """The recorded commit, unpacked; None where it does not hold all the code."""
        git = self.environment.get("git") or {}
        commit = git.get("commit")
        if not commit or git.get("dirty") is None:
            return None
        if git["dirty"]:
            self.notes.append(
                "The repository had changes that were not committed; the code that is there now "
                "was run."
            )
            return None
        root = _repository(commit, self.cwd)
        if root is None:
            self.notes.append(
                f"No repository with the commit {commit[:12]} is at hand; the code that is there "
                "now was run."
            )
            return None
        if not _unpack(root, commit, folder):
            self.notes.append(f"The commit {commit[:12]} could not be unpacked by git.")
            return None
        cwd = folder / str(git.get("folder") or ".")
        # Where the repository was when the job ran: it may have been moved since.
        before = self.cwd
        for _ in Path(str(git.get("folder") or ".")).parts:
            before = before.parent
        # An installed program (`findspot run`) is where it was.
        script = self._script(self.cwd)
        recorded = self.cwd / self.recipe.script
        if self.recipe.script and recorded.is_relative_to(before):
            script = folder / recorded.relative_to(before)
            if not script.is_file():
                self.notes.append(
                    f"The script {self.recipe.script} is not in the commit {commit[:12]}; the code "
                    "that is there now was run."
                )
                return None
        path = [*self._roots(cwd, script), str(folder), str(folder / "src")]
        target = self.recipe.target.partition(":")[0]
        if target and target != "__main__" and not _holds(path, target):
            if _holds(list(_project_path()), target):
                self.notes.append(
                    f"The module {target!r} is not in the commit {commit[:12]}; the code that is "
                    "there now was run."
                )
            return None
        cwd.mkdir(parents=True, exist_ok=True)
        self._bring_sources(before, folder)
        return CodePlace(cwd, (*path, *_project_path()), script, tuple(self.notes))

    def as_it_is(self) -> CodePlace:
        """The code where it was, as it is now."""
        cwd = self.cwd
        if not cwd.is_dir():
            self.notes.append(f"Its folder {cwd} is not there any more.")
            cwd = Path.cwd()
        script = self._script(cwd)
        digest = (self.environment.get("entry") or {}).get("digest")
        if script is not None and digest and self.recipe.kind == "script":
            with script.open("rb") as stream:
                if hash_stream(stream) != digest:
                    self.notes.append(
                        f"The script {self.recipe.script} was edited since; it was run as it is "
                        "now."
                    )
        path = (*self._roots(cwd, script), *_project_path())
        return CodePlace(cwd, path, script, tuple(self.notes))

    def _script(self, cwd: Path) -> Path | None:
        path = cwd / self.recipe.script
        return path if self.recipe.script and path.is_file() else None

    def _roots(self, cwd: Path, script: Path | None) -> Iterator[str]:
        """Where Python looked for the project's modules: beside the script, and in the current
        folder; and beside files that the program was to run (``findspot run jobs/train.py:train``).
        """
        if script is not None:
            yield str(script.parent)
        yield str(cwd)
        for argument in self.environment.get("argv") or ():
            file = str(argument).partition(":")[0]
            if file.endswith(".py") and (cwd / file).is_file():
                yield str((cwd / file).parent)

    def _bring_sources(self, before: Path, folder: Path) -> None:
        """Copy local files that the job read and that git does not track."""
        for read in self.job.space.catalog.sources(self.job.id):
            source = Path(read.url.removeprefix("file://"))
            if not source.is_absolute():
                source = self.cwd / source
            if not source.is_relative_to(before) or not source.is_file():
                continue
            place = folder / source.relative_to(before)
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, place)


def _repository(commit: str, cwd: Path) -> Path | None:
    """A repository that holds the commit: that around the recorded folder, or the current one."""
    for start in (cwd, Path.cwd()):
        root = next((p for p in (start, *start.parents) if (p / ".git").exists()), None)
        if root is not None and _git(root, "cat-file", "-e", f"{commit}^{{commit}}"):
            return root
    return None


def _unpack(root: Path, commit: str, folder: Path) -> bool:
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder.with_suffix(".tar")
    try:
        if not _git(root, "archive", "--format=tar", f"--output={archive}", commit):
            return False
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, OSError):
        return False
    finally:
        archive.unlink(missing_ok=True)
    return True


def _git(root: Path, *arguments: str) -> bool:
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", *arguments],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _holds(path: Iterable[str], module: str) -> bool:
    """Whether a module's file is in one of the folders."""
    place = Path(*module.split("."))
    return any(
        (Path(root) / place).with_suffix(".py").is_file()
        or (Path(root) / place / "__init__.py").is_file()
        for root in path
    )


def _project_path() -> Iterator[str]:
    """The folders that this process imports from besides installed packages."""
    paths = sysconfig.get_paths()
    installed = tuple(paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    for entry in sys.path:
        if entry and not entry.startswith(installed) and not entry.endswith(".zip"):
            yield os.path.abspath(entry)
