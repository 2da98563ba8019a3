"""The state of the git repository that a folder belongs to."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from pathlib import Path
from time import monotonic

from findspot.core.canonical import JsonObject
from findspot.core.digests import hash_bytes, hash_stream
from findspot.engine.environment.redaction import without_credentials

SECONDS = 5.0
CHANGED = 100


class _Failed(Exception):
    """Git is missing, refused, or took too long; the text says which."""


def describe_checkout(folder: Path, *, seconds: float = SECONDS) -> JsonObject | None:
    """Commit, branch, remote and local changes of the repository around ``folder``.

    Never raises and never changes the repository. Files that git does not track are not looked at.

    Args:
        folder: an existing folder.
        seconds: how long git may take in all.

    Returns:
        None outside any repository. Otherwise ``commit`` (None before the first), ``branch`` (None
        where HEAD is detached), ``remote`` (a URL without credentials, or None), ``folder`` (where
        ``folder`` is in the repository, "." for its top), ``dirty`` (whether tracked files differ
        from the commit), ``changed`` (up to 100 of their paths) and ``changes`` (a digest of what
        all of them hold now, None where nothing differs). Where git cannot be asked, ``problem``
        says why, and what is not known is missing.
    """
    folder = folder.resolve()
    root = next((p for p in (folder, *folder.parents) if (p / ".git").exists()), None)
    if root is None:
        return None
    found: JsonObject = {"folder": folder.relative_to(root).as_posix()}
    end = monotonic() + seconds
    try:
        status = _git(root, end, "status", "--porcelain=v2", "--branch", "-z", *_STATUS)
        headers, changed = _parse(status)
        commit, branch = headers.get("branch.oid"), headers.get("branch.head")
        paths = sorted(changed)
        found |= {
            "commit": None if commit == "(initial)" else commit,
            "branch": None if branch == "(detached)" else branch,
            "dirty": bool(changed),
            "changed": [*paths[:CHANGED]],
            "changes": _digest(root, changed) if changed else None,
            "remote": _remote(root, end, headers.get("branch.upstream", "")),
        }
    except _Failed as failure:
        found["problem"] = str(failure)
    return found


_STATUS = ("--untracked-files=no", "--no-renames", "--ignore-submodules=none")


def _parse(status: str) -> tuple[dict[str, str], dict[str, str]]:
    """The headers of a status, and its changed paths with what git says of their state."""
    headers: dict[str, str] = {}
    changed: dict[str, str] = {}
    for entry in status.split("\0"):
        mark, _, rest = entry.partition(" ")
        if mark == "#":
            name, _, value = rest.partition(" ")
            headers[name] = value
        elif mark == "1":
            _, submodule, _, _, mode, _, _, path = rest.split(" ", 7)
            changed[path] = f"{submodule} {mode}"
        elif mark == "u":
            _, submodule, _, _, _, mode, _, _, _, path = rest.split(" ", 9)
            changed[path] = f"{submodule} {mode}"
    return headers, changed


def _digest(root: Path, changed: dict[str, str]) -> str:
    # Of the files rather than of a diff: that would depend on everybody's settings of git.
    states: list[str] = []
    for path, state in sorted(changed.items()):
        file = root / path
        content = ""
        try:
            if file.is_symlink():
                content = os.readlink(file)
            elif file.is_file():
                with file.open("rb") as stream:
                    content = hash_stream(stream)
        except OSError as error:
            content = f"unreadable: {error.strerror}"
        states += [path, state, content]
    return hash_bytes(os.fsencode("\0".join(states)))


def _remote(root: Path, end: float, upstream: str) -> str | None:
    listing = _git(root, end, "config", "-z", "--get-regexp", r"^remote\..*\.url$", ok=(0, 1))
    urls: dict[str, str] = {}
    for entry in listing.split("\0"):
        key, found, url = entry.partition("\n")
        if found:
            urls.setdefault(key.removeprefix("remote.").removesuffix(".url"), url)
    if not urls:
        return None
    followed = next((name for name in urls if upstream.startswith(f"{name}/")), "origin")
    return without_credentials(urls.get(followed, next(iter(urls.values()))))


def _git(root: Path, end: float, *arguments: str, ok: tuple[int, ...] = (0,)) -> str:
    environment = {
        **os.environ,
        "GIT_OPTIONAL_LOCKS": "0",  # ours must not be in the way of the user's next commit
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    # A repository may name a program to be asked for changes; merely looking must not start it.
    command = ["git", "-c", "core.fsmonitor=false", *arguments]
    try:
        # A file instead of pipes: nothing that git has started can keep us waiting.
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaints:
            process = subprocess.Popen(
                command,
                cwd=root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=complaints,
                start_new_session=True,
            )
            try:
                code = process.wait(max(0.0, end - monotonic()))
            except subprocess.TimeoutExpired:
                raise _Failed("git took too long to answer") from None
            finally:
                _end(process)
            output.seek(0)
            complaints.seek(0)
            said = complaints.read(1000).decode(errors="replace").strip()
            if code not in ok:
                raise _Failed(f"git {arguments[0]} failed: {said}")
            return os.fsdecode(output.read())
    except FileNotFoundError:
        raise _Failed("git is not installed") from None
    except OSError as error:
        raise _Failed(f"git could not be started: {error.strerror}") from None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing running behind."""
    if process.poll() is not None:
        return
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
