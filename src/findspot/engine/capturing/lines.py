"""The log lines of one step: cut from text as it is written, cleaned, and limited in number."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from findspot.core.records import LogLine

LINE_BYTES = 64 * 1024
STEP_LINES = 100_000
STEP_BYTES = 64 * 1024 * 1024

Sink = Callable[[LogLine], None]

_ANSI = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and cursor movements
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\)"  # window titles, hyperlinks and other strings
    r"|\x1b[ -/]*[0-~]"  # the rest
)


class _Voice(threading.local):
    """What this thread is in the middle of.

    ``quiet``: it is inside a hook already, so what passes a second hook is known.
    ``muted``: what passes meanwhile is not to reach the terminal either.
    """

    quiet = False
    muted = False


VOICE = _Voice()


@contextmanager
def unrecorded() -> Iterator[None]:
    """What this thread says inside reaches the user but no log: progress bars, our own messages.

    A rich progress that is started before the capture is opened needs no such context.
    """
    before = VOICE.quiet
    VOICE.quiet = True
    try:
        yield
    finally:
        VOICE.quiet = before


@dataclass(slots=True)
class Rules:
    """Where the lines of a job go, and how many of them; the arguments of `Capture`.

    ``abandoned``: this is a forked child, and the sink is the parent's.
    """

    sink: Sink
    level: int
    echo: bool
    line_bytes: int
    max_lines: int
    max_bytes: int
    abandoned: bool = False


class StepLines:
    """Takes what one step says and gives its lines to the sink; any thread may add.

    Args:
        rules: of the capture that it belongs to.
        job: the job's id.
        name: the step's name; None for the job itself.
        outer: who gets the lines once this step is closed.
    """

    __slots__ = (
        "_bytes",
        "_closed",
        "_dropped",
        "_dropped_bytes",
        "_lines",
        "_lock",
        "_partial",
        "job",
        "name",
        "outer",
        "rules",
    )

    def __init__(self, rules: Rules, job: str, name: str | None, outer: StepLines | None) -> None:
        self.rules = rules
        self.job = job
        self.name = name
        self.outer = outer
        self._closed = False
        # Re-entrant: a signal handler or a finaliser may print while this thread holds it.
        self._lock = threading.RLock()
        self._partial: dict[tuple[str, int], _Partial] = {}
        self._lines = self._bytes = self._dropped = self._dropped_bytes = 0

    @property
    def closed(self) -> bool:
        # Also keeps a forked child off the lock, which a thread of the parent may have held.
        return self._closed or self.rules.abandoned

    def add_text(self, source: str, text: str) -> None:
        """Record the whole lines in ``text``; keep an unfinished last one until it is finished."""
        if self.closed:
            return
        with self._lock:
            if self._dropped:
                self._dropped += text.count("\n")
                self._dropped_bytes += len(text)
                return
            # Threads of one step take turns within a line, so each has unfinished lines of its own.
            key = (source, threading.get_ident())
            *lines, rest = text.split("\n")
            for line in lines:
                partial = self._partial.pop(key, None)
                if partial is None:
                    self.add_line(source, "INFO", line)
                else:
                    partial.add(line, self.rules.line_bytes)
                    self.add_line(source, "INFO", partial.text, surplus=partial.surplus)
            if rest:
                self._partial.setdefault(key, _Partial()).add(rest, self.rules.line_bytes)

    def add_line(
        self, source: str, level: str, text: str, *, time: datetime | None = None, surplus: int = 0
    ) -> None:
        """Record one line, cleaned and cut; ``surplus`` bytes of it were thrown away before."""
        if self.closed:
            return
        with self._lock:
            rules = self.rules
            text, size = _clean(text, surplus, rules.line_bytes)
            if (
                self._dropped
                or self._lines >= rules.max_lines
                or self._bytes + size > rules.max_bytes
            ):
                self._dropped += 1
                self._dropped_bytes += size + surplus
                return
            self._lines += 1
            self._bytes += size
            self._send(source, level, text, time)

    def finish(self) -> None:
        """Record unfinished lines and what was dropped; nothing is recorded afterwards."""
        if self.closed:
            return
        with self._lock:
            for (source, _), partial in self._partial.items():
                self.add_line(source, "INFO", partial.text, surplus=partial.surplus)
            self._partial = {}
            if self._dropped:
                rules = self.rules
                note = (
                    f"{self._dropped:,} more lines ({self._dropped_bytes:,} bytes) were not "
                    f"recorded: a step's log holds at most {rules.max_lines:,} lines "
                    f"and {rules.max_bytes:,} bytes."
                )
                self._send("findspot", "WARNING", note, None)
            self._closed = True

    def _send(self, source: str, level: str, text: str, time: datetime | None) -> None:
        before = VOICE.quiet
        VOICE.quiet = True
        try:
            self.rules.sink(
                LogLine(self.job, self.name, time or datetime.now(UTC), level, source, text)
            )
        finally:
            VOICE.quiet = before


class _Partial:
    """A line that is not finished yet, held to at most a little more than the allowed length."""

    __slots__ = ("_pieces", "_size", "surplus")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._size = 0
        self.surplus = 0

    def add(self, piece: str, limit: int) -> None:
        if "\r" in piece:
            # A progress bar drawn over itself would otherwise pile up without end.
            self._pieces = [_last_drawn(self.text + piece)]
            self._size = len(self._pieces[0])
            self.surplus = 0
        elif self._size > limit:
            self.surplus += len(piece.encode(errors="backslashreplace"))
        else:
            self._pieces.append(piece)
            self._size += len(piece)

    @property
    def text(self) -> str:
        return "".join(self._pieces)


def _last_drawn(text: str) -> str:
    """What a terminal shows of ``text`` that returns to the line's start; a last return is kept."""
    kept = text.rstrip("\r")
    return text[kept.rfind("\r") + 1 :]


def _clean(text: str, surplus: int, limit: int) -> tuple[str, int]:
    """``text`` without terminal codes, and nothing that a database refuses; its size in bytes."""
    if "\r" in text:
        text = _last_drawn(text).rstrip("\r")
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    if text.isascii():
        size = len(text)
    else:
        encoded = text.encode(errors="backslashreplace")
        size = len(encoded)
        text = encoded.decode()
    if size + surplus > limit:
        kept = text.encode()[:limit].decode(errors="ignore")
        text = f"{kept} [cut: the line has {size + surplus:,} bytes]"
        size = limit
    return text, size
