"""Pictures of charts that JavaScript draws: Plotly's by a browser, Vega-Lite's without one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import altair
import pandas as pd
import plotly.graph_objects as go
import psutil
import pytest
from PIL import Image

from findspot import Workspace
from findspot.artifacts.kinds import show_plot
from findspot.handlers import (
    CannotConvert,
    PlainLoadFolder,
    PlainSaveFolder,
    SavedFigure,
    default_registry,
    drawing,
    load_value,
    round_trip,
)
from findspot.handlers.thumbnails import SIDE, png_size

SPEC: dict[str, Any] = {
    "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
    "data": {"values": [{"a": "x", "b": 3}, {"a": "y", "b": 5}]},
    "mark": {"type": "bar", "color": "#ff0000"},
    "encoding": {"x": {"field": "a", "type": "nominal"}, "y": {"field": "b"}},
}


def figure() -> Any:
    bars = go.Bar(x=["x", "y"], y=[3, 5], marker={"color": "#ff0000"})
    return go.Figure(bars, layout={"title": "Finds <b>here</b>", "width": 300, "height": 200})


def colours(image: Any) -> set[Any]:
    return {colour for _, colour in image.convert("RGB").getcolors(1 << 24)}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(tmp_path / "ws") as opened:
        yield opened


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process that has not drawn yet."""
    monkeypatch.setattr(drawing, "_drawing", None)
    yield
    drawing.close_drawing()


# --------------------------------------------------------------------------- Vega-Lite


def test_a_chart_of_altair_is_saved_with_its_pictures(workspace: Workspace) -> None:
    data = pd.DataFrame({"x": ["a", "b"], "y": [4.0, 5.5]})
    chart = altair.Chart(data, title="Grüße").mark_bar(color="#ff0000").encode(x="x", y="y")
    saved = workspace.save_artifact(chart, "chart")
    assert [file.path for file in saved.files] == ["chart.vl.json", "figure.png", "figure.svg"]
    assert saved.metadata["pictures"] == ["png", "svg"]
    assert saved.load().to_dict() == chart.to_dict()
    picture = workspace.load_artifact("chart", as_type=Image.Image)
    assert (255, 0, 0) in colours(picture)
    pictures = workspace.load_artifact("chart", as_type=SavedFigure)
    assert isinstance(pictures, SavedFigure)
    assert pictures.svg is not None
    assert "Grüße" in pictures.svg.decode()
    shown = show_plot(saved)
    assert next(iter(shown)) == "application/vnd.vegalite.v6+json"
    assert shown["image/png"] == pictures.png


def test_equal_charts_give_equal_pictures() -> None:
    first, second = (drawing.draw("vega-lite", json.dumps(SPEC).encode()) for _ in range(2))
    assert first.figure is not None
    assert first == second


def test_a_large_chart_has_its_picture_as_preview(workspace: Workspace) -> None:
    spec = {**SPEC, "description": "x" * 100_000}
    saved = workspace.save_artifact(spec, "chart", handler="vega-lite")
    assert saved.load() == spec
    preview = saved.record.preview
    assert preview is not None
    assert preview.media_type == "image/png"
    assert max(png_size(preview.data)) <= 2 * SIDE


def test_pictures_can_be_left_out(tmp_path: Path) -> None:
    handler = default_registry().by_name("vega-lite")
    assert round_trip(SPEC, "vega-lite", folder=tmp_path, pictures=False) == SPEC
    assert [path.name for path in tmp_path.iterdir()] == ["spec.vl.json"]
    folder = PlainLoadFolder(tmp_path)
    assert json.loads(load_value(handler, folder, as_type=bytes)) == SPEC
    with pytest.raises(CannotConvert, match="it was saved without pictures"):
        load_value(handler, folder, as_type=Image.Image)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"mark": {"nothing": 7}}, "Error"),
        ({"data": {"url": "http://127.0.0.1:1/a.json"}}, "not allowed"),
        ({"data": {"url": "other.json"}}, "not allowed"),
        ({"data": {"url": " FILE:///etc/hostname"}}, "it refers to a file of the disk"),
        ({"mark": {"type": "image", "url": "/etc/hostname"}}, "it shows images"),
        ({"mark": "image"}, "it shows images"),
        ({"description": "x" * (17 << 20)}, "larger than 16 MiB"),
    ],
)
def test_a_chart_that_cannot_be_drawn_is_saved_and_says_why(
    changes: dict[str, Any], reason: str, workspace: Workspace
) -> None:
    spec = SPEC | changes
    saved = workspace.save_artifact(spec, "chart", handler="vega-lite")
    assert [file.path for file in saved.files] == ["spec.vl.json"]
    assert saved.metadata["pictures"] == []
    assert reason in saved.metadata["pictures_missing"]
    assert saved.load() == spec


@pytest.mark.slow
def test_a_chart_with_much_data_has_no_svg() -> None:
    chart = json.dumps(SPEC | {"description": "x" * (3 << 20)}).encode()
    drawn = drawing.draw("vega-lite", chart)
    assert drawn.figure is not None
    assert drawn.figure.svg is None


# --------------------------------------------------------------------------- Plotly


@pytest.mark.slow
def test_a_plotly_figure_is_saved_with_its_pictures(browser: str, workspace: Workspace) -> None:
    saved = workspace.save_artifact(figure(), "figure")
    names = [file.path for file in saved.files]
    assert names == ["figure.plotly.json", "figure.png", "figure.svg"]
    assert saved.metadata["pictures"] == ["png", "svg"]
    assert saved.load() == figure()
    picture = workspace.load_artifact("figure", as_type=Image.Image)
    assert picture.size == (600, 400)
    assert (255, 0, 0) in colours(picture)
    pictures = workspace.load_artifact("figure", as_type=SavedFigure)
    assert isinstance(pictures, SavedFigure)
    assert pictures.svg is not None
    assert "Finds" in pictures.svg.decode()
    preview = saved.record.preview
    assert preview is not None
    assert preview.media_type == "image/png"
    assert max(png_size(preview.data)) <= 2 * SIDE
    assert set(show_plot(saved)) == {
        "application/vnd.plotly.v1+json",
        "image/png",
        "image/svg+xml",
    }
    # The names that plotly.js gives to the parts of a drawing would differ each time.
    assert workspace.save_artifact(figure(), "again").digest == saved.digest


@pytest.mark.slow
def test_a_figure_that_no_browser_draws_is_saved_and_the_next_one_is_drawn(browser: str) -> None:
    broken = drawing.draw("plotly", b'{"data": 7, "layout": {"width": "wide"}}')
    assert broken.figure is None
    assert broken.missing
    assert drawing.draw("plotly", figure().to_json().encode()).figure is not None


_PROGRAM = """
    import sys, time
    import plotly.graph_objects as go
    from findspot.handlers import drawing
    assert drawing.draw("plotly", go.Figure(go.Bar(y=[1])).to_json().encode()).figure is not None
    print(drawing._drawing[1]._process.pid, drawing._drawing[1]._folder, flush=True)
    if sys.argv[1] == "wait":
        time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.parametrize("end", ["wait", "exit"])
def test_no_browser_outlives_the_process_that_drew(browser: str, end: str) -> None:
    program = textwrap.dedent(_PROGRAM)
    with subprocess.Popen(
        [sys.executable, "-c", program, end], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        number, name = process.stdout.readline().split()
        started = []
        if end == "wait":
            drawer = psutil.Process(int(number))
            started = [drawer, *drawer.children(recursive=True)]
            assert len(started) > 1
            process.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(started, timeout=300)
    assert not alive
    deadline = time.monotonic() + 120
    while (psutil.pid_exists(int(number)) or Path(name).exists()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(int(number))
    assert not Path(name).exists()


def hanging(tmp_path: Path) -> Path:
    program = tmp_path / "chromium"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    program.chmod(0o755)
    return program


@pytest.mark.slow
def test_a_browser_that_hangs_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: None
) -> None:
    monkeypatch.setenv("BROWSER_PATH", str(hanging(tmp_path)))
    chart = figure().to_json().encode()
    reasons: list[str | None] = []
    for seconds in (4.0, 16.0, 64.0):  # until it was started before it was given up
        drawing.close_drawing()
        monkeypatch.setattr(drawing, "_drawing", None)
        monkeypatch.setattr(drawing, "START_SECONDS", seconds)
        monkeypatch.setattr(drawing, "DRAW_SECONDS", seconds / 2)
        reasons = [drawing.draw("plotly", chart).missing for _ in range(3)]
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
            break
    assert reasons == [
        "the drawing process did not answer in time",
        "the drawing process did not answer in time",
        "the drawing process failed before, and is not tried again",
    ]
    number = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 120
    while psutil.pid_exists(number) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(number)


@pytest.mark.slow
def test_a_browser_that_crashes_gives_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: None
) -> None:
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("BROWSER_PATH", str(program))
    missing = drawing.draw("plotly", figure().to_json().encode()).missing
    assert missing
    assert "in time" not in missing


def test_without_a_browser_only_the_json_is_saved(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fresh: None
) -> None:
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "none"))
    saved = workspace.save_artifact(figure(), "figure")
    assert [file.path for file in saved.files] == ["figure.plotly.json"]
    assert "no Chrome or Chromium" in saved.metadata["pictures_missing"]
    preview = saved.record.preview
    assert preview is not None
    assert preview.media_type == "text/plain"
    assert drawing._drawing is None


def test_a_saved_figure_can_do_without_pictures(workspace: Workspace, fresh: None) -> None:
    saved = workspace.save_artifact(figure(), "figure", handler_args={"pictures": False})
    assert [file.path for file in saved.files] == ["figure.plotly.json"]
    assert "pictures" not in saved.metadata
    assert drawing._drawing is None
    assert saved.load() == figure()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot fork here")
def test_a_fork_has_a_drawing_process_of_its_own() -> None:
    chart = json.dumps(SPEC).encode()
    assert drawing.draw("vega-lite", chart).figure is not None
    program = f"""
        import os
        from findspot.handlers import drawing
        chart = {chart!r}
        first = drawing.draw("vega-lite", chart)
        child = os.fork()
        if child == 0:
            good = drawing._drawing is None and drawing.draw("vega-lite", chart) == first
            drawing.close_drawing()
            os._exit(0 if good else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert drawing.draw("vega-lite", chart) == first
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=300)


def test_the_folder_of_a_chart_can_be_read_by_name(tmp_path: Path) -> None:
    handler = default_registry().by_name("vega-lite")
    handler.save(SPEC, PlainSaveFolder(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "figure.png",
        "figure.svg",
        "spec.vl.json",
    ]
    assert handler.load(PlainLoadFolder(tmp_path)) == SPEC
