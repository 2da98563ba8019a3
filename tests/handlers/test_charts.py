"""Charts of Vega-Lite and pages of HTML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import altair
import pandas as pd
import pytest

from findspot.handlers import (
    BadFiles,
    BadValue,
    HtmlPage,
    PlainLoadFolder,
    PlainSaveFolder,
    default_registry,
    load_value,
    round_trip,
)


def chart() -> Any:
    data = pd.DataFrame({"x": [1, 2, 3], "y": [4.0, 5.5, 6.0], "k": ["a", "b", "a"]})
    return altair.Chart(data, title="Ä").mark_point().encode(x="x", y="y", color="k")


@pytest.mark.parametrize("kind", ["plain", "layer", "beside", "facet"])
def test_charts_of_altair_come_back(kind: str) -> None:
    plain = chart()
    value = {
        "plain": plain,
        "layer": plain + plain.mark_line(),
        "beside": plain | plain,
        "facet": plain.facet("k"),
    }[kind]
    handler = default_registry().for_value(value)
    assert (handler.name, handler.kind) == ("vega-lite", "plot")
    loaded = round_trip(value)
    assert type(loaded) is type(value)
    assert loaded.to_dict() == value.to_dict()
    preview = handler.preview(value)
    assert preview is not None
    assert json.loads(preview.data) == value.to_dict()


def test_a_chart_as_its_specification(tmp_path: Path) -> None:
    handler = default_registry().for_value(chart())
    handler.save(chart(), PlainSaveFolder(tmp_path))
    folder = PlainLoadFolder(tmp_path)
    assert load_value(handler, folder, as_type=dict) == chart().to_dict()
    assert json.loads(load_value(handler, folder, as_type=str)) == chart().to_dict()
    assert handler.describe(chart())["mark"] == "point"
    assert handler.describe(chart())["title"] == "Ä"
    (tmp_path / "chart.vl.json").write_text('{"mark": {"type": 7}}')
    with pytest.raises(BadFiles, match="no chart of Vega-Lite"):
        handler.load(PlainLoadFolder(tmp_path))


def test_specifications_are_charts_where_the_handler_is_named() -> None:
    spec = {"mark": "bar", "data": {"values": [{"a": 1}]}, "encoding": {"x": {"field": "a"}}}
    assert round_trip(spec, "vega-lite") == spec
    assert default_registry().for_value(spec).name == "json"
    with pytest.raises(BadValue, match="none of mark, layer"):
        round_trip({"a": 1}, "vega-lite")
    with pytest.raises(BadValue, match="JSON does not"):
        round_trip({"mark": {1, 2}}, "vega-lite")


def test_pages_of_html_come_back(tmp_path: Path) -> None:
    page = HtmlPage("<p>Grüße</p><script>alert('no')</script><b>done</b>")
    loaded = round_trip(page)
    assert loaded == page
    assert str(loaded) == loaded._repr_html_() == page.html
    assert loaded.save(tmp_path / "page.html").read_text(encoding="utf-8") == page.html
    handler = default_registry().for_value(page)
    assert (handler.name, handler.kind) == ("html", "plot")
    preview = handler.preview(page)
    assert preview is not None
    assert (preview.media_type, preview.data.decode()) == ("text/plain", "Grüße done")


def test_html_of_notebooks_is_a_page() -> None:
    cls = type("HTML", (), {"__module__": "IPython.core.display", "data": "<i>x</i>"})
    assert round_trip(cls()) == HtmlPage("<i>x</i>")
    linked = type("HTML", (), {"__module__": "IPython.core.display", "data": None})()
    assert default_registry().for_value(linked).name == "pickle"
