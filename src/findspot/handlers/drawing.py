"""Pictures of charts that only JavaScript can draw, made by a process of their own."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from findspot.handlers.saved_figures import SavedFigure

Library = Literal["plotly", "vega-lite"]

START_SECONDS = 60.0
"""How long the drawing process, with its browser, may take to start."""
DRAW_SECONDS = 60.0
"""How long the pictures of one chart may take."""
MOST_BYTES = 16 << 20
"""A chart whose JSON is larger is not drawn."""
MOST_SVG_BYTES = 2 << 20
"""A chart whose JSON is larger has no SVG, which would be slow to draw and to show."""

_NEEDED = {
    "plotly": ("kaleido", "plotly-images"),
    "vega-lite": ("vl_convert", "altair"),
}
# A picture must not show what a chart from elsewhere takes from this machine's disk.
_FROM_DISK = re.compile(rb'"(?:\\[nrt]|\s)*file:', re.IGNORECASE)
_BROWSERS = (
    *("chrome", "google-chrome", "google-chrome-stable", "chromium", "chromium-browser"),
    *("msedge", "microsoft-edge", "microsoft-edge-stable", "brave-browser", "vivaldi"),
)
_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
# Two, since the first may have been killed from outside, or met a busy machine.
_MOST_FAILURES = 2


@dataclass(frozen=True)
class Drawing:
    """What came of drawing a chart.

    Args:
        figure: the pictures; None where there are none.
        missing: why there is no picture; "" where there is one.
    """

    figure: SavedFigure | None
    missing: str = ""


def draw(library: Library, chart: bytes) -> Drawing:
    """The pictures of a chart, or the reason why there are none; it never fails.

    The first call of a process starts another one that draws (for Plotly with a browser in it),
    which is kept until this process ends, or five minutes pass without a chart. It takes at most
    `START_SECONDS` and `DRAW_SECONDS`; what takes longer is killed.

    Args:
        library: whose JSON it is.
        chart: the JSON.
    """
    missing = why_not(library)
    if not missing and len(chart) > MOST_BYTES:
        missing = f"its JSON is larger than {MOST_BYTES >> 20} MiB"
    if not missing and _FROM_DISK.search(chart):
        missing = "it refers to a file of the disk"
    if missing:
        return Drawing(None, missing)
    forms = ("png", "svg") if len(chart) <= MOST_SVG_BYTES else ("png",)
    return _of_this_process().draw(library, chart, forms)


def why_not(library: Library) -> str:
    """Why charts of a library cannot be drawn here; "" if they can. Imports and starts nothing."""
    module, extra = _NEEDED[library]
    if find_spec(module) is None:
        return f"{module} is not installed: pip install 'findspot[{extra}]'"
    if library == "plotly" and find_browser() is None:
        return "no Chrome or Chromium was found on PATH: install one, or name it in BROWSER_PATH"
    return ""


def find_browser() -> str | None:
    """The path of a browser that can draw: `BROWSER_PATH`, one on PATH, or where one usually is."""
    named = os.environ.get("BROWSER_PATH")
    if named:
        return named if Path(named).is_file() else None
    for name in _BROWSERS:
        if found := shutil.which(name):
            return found
    return next((place for place in _PLACES if Path(place).is_file()), None)


class _DrawingProcess:
    """The drawing process of this process; started when it is first needed, one chart at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._folder = Path()
        self._answers: queue.Queue[str] = queue.Queue()
        self._failures = 0

    def draw(self, library: Library, chart: bytes, forms: Sequence[str]) -> Drawing:
        with self._lock:
            if self._failures >= _MOST_FAILURES:
                return Drawing(None, "the drawing process failed before, and is not tried again")
            try:
                return self._draw(library, chart, forms)
            except (OSError, ValueError, queue.Empty) as error:
                self._failures += 1
                self._end(wait=1)
                late = isinstance(error, queue.Empty)
                reason = "did not answer in time" if late else f"failed: {error}"
                return Drawing(None, f"the drawing process {reason}")

    def close(self) -> None:
        """End the process and its browser; a later chart starts them again."""
        with self._lock:
            self._end(wait=5)

    def _draw(self, library: Library, chart: bytes, forms: Sequence[str]) -> Drawing:
        limit = DRAW_SECONDS
        if self._process is None or self._process.poll() is not None:
            self._end(wait=1)
            self._start()
            limit += START_SECONDS
        assert self._process is not None
        assert self._process.stdin is not None
        (self._folder / "chart.json").write_bytes(chart)
        self._process.stdin.write(json.dumps({"library": library, "forms": forms}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._answers.get(timeout=limit) or '{"error": "it ended"}')
        if error := answer.get("error"):
            # The browser may be what is broken; the next chart shall not suffer for it.
            self._end(wait=5)
            return Drawing(None, " ".join(str(error).split())[:300])
        pictures = {form: (self._folder / f"picture.{form}").read_bytes() for form in forms}
        self._failures = 0
        return Drawing(SavedFigure(pictures["png"], pictures.get("svg")))

    def _start(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="findspot-drawing-"))
        program = Path(__file__).with_name("drawing_process.py")
        # -P: the modules beside the program must not stand in for those of the same name.
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(program), str(self._folder), find_browser() or ""],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            # What the browser leaves in a temporary folder goes with ours. And an interrupt from
            # the keyboard is for this process, not for that one.
            env={**os.environ, "TMPDIR": str(self._folder)},
            start_new_session=True,
        )
        self._answers = queue.Queue()
        threading.Thread(
            target=_read, args=(self._process, self._answers), name="drawn-pictures", daemon=True
        ).start()

    def _end(self, *, wait: float) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()  # it ends by itself, with its browser and the folder
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def _read(process: subprocess.Popen[str], answers: queue.Queue[str]) -> None:
    """Pass the answers on; the last, when the process has ended, is empty."""
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            answers.put(line)
    answers.put("")


_lock = threading.Lock()
_drawing: tuple[int, _DrawingProcess] | None = None


def _of_this_process() -> _DrawingProcess:
    """A fork does not share the pipes of its parent."""
    global _drawing
    with _lock:
        if _drawing is None or _drawing[0] != os.getpid():
            made = _DrawingProcess()
            atexit.register(made.close)
            _drawing = (os.getpid(), made)
        return _drawing[1]


def close_drawing() -> None:
    """End this process's drawing process, if it has one; a later chart starts it again."""
    if _drawing is not None and _drawing[0] == os.getpid():
        _drawing[1].close()


# A fork while another thread draws would inherit a lock that nobody opens.
if hasattr(os, "register_at_fork"):

    def _forget() -> None:
        global _drawing, _lock
        _drawing, _lock = None, threading.Lock()

    os.register_at_fork(after_in_child=_forget)
