"""Which process runs a job, and whether it still does.

A job's record names its process by host, boot, process id and start time. A process id alone would
not do: ids are used again after a crash, and after a reboot they mean nothing.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from findspot.core.digests import hash_bytes

_PROC = Path("/proc")
_HAS_PROC = (_PROC / "self" / "stat").exists()
_PS_SECONDS = 5.0

_known: tuple[int, dict[str, Any]] | None = None


class _Seen(NamedTuple):
    """What the system says of a process: its start (in the system's own unit), and if it ended."""

    started: int | str | None
    ended: bool


def this_process() -> dict[str, Any]:
    """This process as plain JSON, so that `is_alive` can later tell whether it still runs.

    Returns:
        ``host`` (its name), ``machine`` (a digest that tells machines of one name apart, or ""),
        ``boot`` (the id of the machine's current boot, or ""), ``namespace`` (of process ids, as
        containers have one each, or ""), ``pid``, and ``started`` (the start time in a unit of the
        system's own, None where the system does not tell).

    Computed once a process, and again in a forked child; later calls take under a microsecond.

    >>> is_alive(this_process())
    True
    """
    global _known
    pid = os.getpid()
    known = _known
    if known is None or known[0] != pid:
        seen = _look(pid)
        known = _known = (
            pid,
            {**_place(), "pid": pid, "started": None if seen is None else seen.started},
        )
    return dict(known[1])


def is_alive(process: Mapping[str, Any]) -> bool | None:
    """Whether ``process``, as `this_process` described it, still runs.

    False is certain: the process ended, its id now belongs to another one, or the machine has
    been started again since. None means that it cannot be known from here: the process is on
    another host, in another container, or the description lacks what is needed.

    Args:
        process: what `this_process` returned there, perhaps after a round trip through JSON.
    """
    pid = process.get("pid")
    if not isinstance(pid, int) or isinstance(pid, bool) or pid <= 0:
        return None
    here = _place()
    if process.get("host") != here["host"]:
        return None
    if _differ(process.get("machine"), here["machine"]):
        return None
    if _differ(process.get("boot"), here["boot"]):
        # Containers may lack the machine's id; then this may be another machine of the same name.
        return False if here["machine"] and process.get("machine") else None
    if _differ(process.get("namespace"), here["namespace"]):
        return None
    seen = _look(pid)
    if seen is None:
        return None if os.name == "nt" else False
    if seen.ended:
        return False
    started = process.get("started")
    return started is None or seen.started is None or seen.started == started


def _differ(recorded: object, here: object) -> bool:
    return bool(recorded) and bool(here) and recorded != here


def _place() -> dict[str, Any]:
    return {
        "host": platform.node(),
        "machine": _machine(),
        "boot": _read(_PROC / "sys/kernel/random/boot_id"),
        "namespace": _namespace(),
    }


def _machine() -> str:
    # The machine's id is meant to stay on the machine, so only a digest of it is recorded.
    text = _read(Path("/etc/machine-id"))
    return hash_bytes(f"findspot {text}".encode()).partition(":")[2][:16] if text else ""


def _namespace() -> str:
    try:
        return os.readlink(_PROC / "self/ns/pid")
    except OSError:
        return ""


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _look(pid: int) -> _Seen | None:
    """What the system says of the process with id ``pid``; None if there is none."""
    if _HAS_PROC:
        return _look_in_proc(pid)
    if os.name == "nt":
        # os.kill(pid, 0) would send Ctrl-C there instead of asking, and there is no `ps`.
        return _Seen(None, False) if pid == os.getpid() else None
    return _ask_ps(pid)


def _look_in_proc(pid: int) -> _Seen | None:
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        # Gone; or it belongs to somebody else, and this system hides those.
        return _ask_by_signal(pid)
    # The second field is the program's name in brackets, and may itself hold brackets and spaces.
    fields = stat[stat.rfind(b")") + 2 :].split()
    # A zombie (Z) has ended and only waits for its parent to hear of it.
    return _Seen(int(fields[19]), fields[0] in (b"Z", b"X", b"x"))


def _ask_ps(pid: int) -> _Seen | None:
    """As `_look`, by the `ps` program: state and start time, to the second."""
    import subprocess

    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC0"}
    try:
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment,
            timeout=_PS_SECONDS,
            check=False,
            text=True,
        )
    except (OSError, subprocess.TimeoutExpired):
        return _ask_by_signal(pid)
    state, _, started = answer.stdout.strip().partition(" ")
    if not state:
        return None
    return _Seen(" ".join(started.split()) or None, state.startswith("Z"))


def _ask_by_signal(pid: int) -> _Seen | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # It exists, and belongs to somebody else.
    return _Seen(None, False)
