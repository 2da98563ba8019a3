"""How a worker died, as far as anybody says: crashes are told from a want of memory."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from findspot.core.records import Failure

_COUNTS = Path("/proc/vmstat")
_EXIT = re.compile(r"(?P<name>[A-Z]+)\((?P<code>-?\d+)\)")

_SIGNALS = {
    "SIGKILL": "killed by SIGKILL: by somebody, or by the system for want of memory",
    "SIGSEGV": "a crash in native code, SIGSEGV",
    "SIGABRT": "native code gave up, SIGABRT",
    "SIGBUS": "a crash in native code, or a full disk behind mapped memory, SIGBUS",
    "SIGTERM": "ended from outside by SIGTERM",
}


@dataclass(frozen=True, slots=True)
class Death:
    """Args:
    cause: in a few words. memory: known to be for want of memory. killed: it may have been.
    """

    cause: str
    memory: bool = False
    killed: bool = True

    @classmethod
    def by_exit(cls, text: str) -> Death:
        """From a text that holds exit codes as ``SIGSEGV(-11)`` or ``EXIT(3)``."""
        found = {m["name"]: m["code"] for m in _EXIT.finditer(text)}
        for name, cause in _SIGNALS.items():
            if name in found:
                return cls(cause, killed=name == "SIGKILL")
        for name, code in found.items():
            cause = f"it left with exit code {code}" if name == "EXIT" else f"ended by {name}"
            return cls(cause, killed=False)
        return cls("killed, out of memory, or a crash in native code")

    def failure(self, memory_kills: int | None, words: str = "") -> Failure:
        """The failure of the step.

        Args:
            memory_kills: how many processes of this machine were killed for want of memory
                meanwhile; None: nobody knows.
            words: the last that the worker wrote past Python.
        """
        if self.memory or (self.killed and memory_kills):
            return Failure(
                "OutOfMemory",
                f"The worker process was killed while it ran the step, for want of memory "
                f"({self.cause}). Have fewer steps run at once (workers=, or memory= of the "
                "tasks), or work on smaller parts.",
                words,
            )
        return Failure(
            "WorkerDied", f"The worker process died while it ran the step ({self.cause}).", words
        )


def memory_kills() -> int | None:
    """How many processes of this machine were killed for want of memory since it was started; None
    where the system does not say."""
    try:
        text = _COUNTS.read_text()
    except OSError:
        return None
    found = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
    return None if found is None else int(found[1])
