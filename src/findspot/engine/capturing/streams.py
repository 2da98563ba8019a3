"""A stand-in for ``sys.stdout`` or ``sys.stderr`` that also records what passes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TextIO

from findspot.engine.capturing.lines import VOICE, StepLines


class RecordedStream:
    """Passes everything on to ``stream``, and gives written text to whoever is speaking.

    It may outlive the capture (a logging handler made in a step keeps it), and then only passes on.

    Args:
        stream: the stream that it stands for; every attribute is that stream's own.
        source: the source of the lines (``print`` or ``stderr``).
        speaker: tells to which step the text of this very moment belongs, if to any.
    """

    __slots__ = ("__weakref__", "_source", "_speaker", "_stream")

    def __init__(
        self, stream: TextIO, source: str, speaker: Callable[[], StepLines | None]
    ) -> None:
        object.__setattr__(self, "_stream", stream)
        object.__setattr__(self, "_source", source)
        object.__setattr__(self, "_speaker", speaker)

    def write(self, text: Any) -> Any:
        if VOICE.quiet:
            return len(text) if VOICE.muted else self._stream.write(text)
        step = self._speaker() if isinstance(text, str) else None
        if step is None:
            return self._stream.write(text)
        try:
            # Quiet while passing on, too: the stream may itself write to another stand-in.
            VOICE.quiet = True
            return self._stream.write(text) if step.rules.echo else len(text)
        finally:
            # Also when nobody listens any more at the other end of a pipe.
            try:
                step.add_text(self._source, text)
            finally:
                VOICE.quiet = False

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._stream, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._stream, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._stream)

    def __next__(self) -> str:
        line: str = next(self._stream)
        return line

    def __enter__(self) -> RecordedStream:
        self._stream.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stream.__exit__(*error)

    def __repr__(self) -> str:
        return f"<recorded {self._stream!r}>"


io.TextIOBase.register(RecordedStream)


def original(stream: Any) -> Any:
    """The stream behind any number of stand-ins."""
    while type(stream) is RecordedStream:
        stream = stream._stream
    return stream
