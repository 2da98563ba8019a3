"""The process that draws: it turns the JSON of charts into PNG and SVG, and nothing else.

`findspot.handlers.drawing` starts this file as a program of its own, so that a browser that hangs,
JavaScript that never ends and the threads of the libraries that drive them stay out of the process
that saves. It must import nothing of Findspot: its start is waited for.

Each line of standard input names a library and the formats that are wanted; the chart is in
``chart.json`` of the folder that is the only argument, and the pictures are put beside it as
``picture.png`` and ``picture.svg``. One line of JSON is the answer: ``{}``, or ``{"error": ...}``.
The process ends, and takes its browser and the folder with it, when its input ends (its parent has
closed it, or is gone), or when nothing was asked for some minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import shutil
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

IDLE_SECONDS = 300
SCALE = 2
"""Pixels of a PNG for each of a chart's own, so that it is sharp on today's screens."""

# plotly.js names the parts of a drawing by chance; equal figures shall give equal bytes. The page
# is loaded anew for each picture, so that each begins with the same numbers.
_SAME_CHANCE = """\
(function () {
  var state = 20010101;
  Math.random = function () {
    state = (state + 0x6d2b79f5) | 0;
    var mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
})();
"""


class Drawer:
    """Draws one chart after another; its browser is started when a figure first needs one."""

    def __init__(self, folder: Path, browser: str | None) -> None:
        self._folder, self._browser_path = folder, browser
        self._browser: Any = None
        self._loop = asyncio.new_event_loop()

    def draw(self, library: str, forms: Sequence[str]) -> None:
        chart = (self._folder / "chart.json").read_bytes()
        draw = {"plotly": self._plotly, "vega-lite": self._vega_lite}[library]
        for form in forms:
            (self._folder / f"picture.{form}").write_bytes(draw(chart, form))

    def kill_browser(self) -> None:
        """End the browser at once, from any thread; there may be none."""
        process = getattr(self._browser, "subprocess", None)
        if process is not None:
            # It was started as the leader of a group, in which all its processes are.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if hasattr(os, "killpg"):
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()

    def _plotly(self, chart: bytes, form: str) -> bytes:
        drawn: bytes = self._loop.run_until_complete(self._plotly_picture(chart, form))
        return drawn

    async def _plotly_picture(self, chart: bytes, form: str) -> bytes:
        import kaleido

        if self._browser is None:
            chance = self._folder / "chance.js"
            chance.write_text(_SAME_CHANCE, encoding="utf-8")
            # Without MathJax, which would come from the network each time.
            page = kaleido.PageGenerator(mathjax=False, others=[chance.as_uri()])
            self._browser = kaleido.Kaleido(
                n=1, timeout=None, page_generator=page, path=self._browser_path
            )
            await self._browser.open()
        scale = SCALE if form == "png" else 1
        drawn: bytes = await self._browser.calc_fig(
            json.loads(chart), opts={"format": form, "scale": scale}
        )
        return drawn

    def _vega_lite(self, chart: bytes, form: str) -> bytes:
        import vl_convert

        spec = json.loads(chart)
        # Only what a chart has with it is drawn: nothing is fetched, nor read from the disk.
        if _shows_images(spec):
            raise ValueError("it shows images, whose addresses are not followed")
        options: dict[str, Any] = {
            "vl_version": _version_for(spec, vl_convert.get_vegalite_versions()),
            "allowed_base_urls": [],
        }
        if form == "svg":
            return str(vl_convert.vegalite_to_svg(spec, **options)).encode()
        return bytes(vl_convert.vegalite_to_png(spec, scale=SCALE, **options))


def _shows_images(spec: Any) -> bool:
    if isinstance(spec, dict):
        mark = spec.get("mark")
        if "image" in (mark, mark.get("type") if isinstance(mark, dict) else None):
            return True
        # Rows of data are many, and hold no marks.
        return any(_shows_images(part) for key, part in spec.items() if key != "datasets")
    return isinstance(spec, list) and any(map(_shows_images, spec))


def _version_for(spec: dict[str, Any], known: Sequence[str]) -> str | None:
    """The newest Vega-Lite of the major version that a chart is written for, if there is one."""
    major = str(spec.get("$schema", "")).rpartition("/v")[2].split(".")[0]
    fitting = [version for version in known if version.split(".")[0] == major]
    return fitting[-1] if fitting else None


def _listen(requests: queue.Queue[str | None]) -> None:
    for line in sys.stdin:
        requests.put(line)
    requests.put(None)


def _watch(requests: queue.Queue[str | None], end: Any) -> None:
    """End when the input does, even in the midst of a drawing that never will."""
    parent = os.getppid()
    listener = threading.Thread(target=_listen, args=(requests,), daemon=True)
    listener.start()
    # A fork of the parent may hold the pipe open, so that its end is not seen.
    while listener.is_alive() and os.getppid() == parent:
        listener.join(1)
    end()


def main(folder: Path, browser: str | None) -> None:
    drawer = Drawer(folder, browser)
    # What libraries print is no answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def end() -> None:
        drawer.kill_browser()
        # The dying browser may still write a last file.
        for _ in range(20):
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break
            time.sleep(0.05)
        os._exit(0)

    requests: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_watch, args=(requests, end), daemon=True).start()
    while True:
        try:
            line = requests.get(timeout=IDLE_SECONDS)
        except queue.Empty:
            line = None
        if line is None:
            end()
        else:
            request = json.loads(line)
            try:
                drawer.draw(request["library"], request["forms"])
                answer = {}
            except Exception as error:  # whatever a library raises, the answer is what it says
                answer = {"error": f"{type(error).__name__}: {error}"}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] or None)
