"""How versions and workspaces look to people, and how versions compare."""

from __future__ import annotations

from typing import Any

import pytest

from findspot import Handler, Workspace
from findspot.core.records import Preview


class Shown(Handler):
    name = "tests.shown"

    def accepts(self, value: Any) -> bool:
        return False

    def save(self, value: Preview, folder: Any, /, **args: Any) -> None:
        folder.write("data", value.data)

    def load(self, folder: Any, /, **args: Any) -> bytes:
        return bytes(folder.read("data"))

    def preview(self, value: Preview) -> Preview:
        return value


def test_a_version_is_equal_to_itself_however_it_was_found(local: Workspace) -> None:
    saved = local.save_artifact(1, "x")
    other = local.save_artifact(1, "x")
    assert saved == local.get_artifact("x:1")
    assert saved != other
    assert saved != saved.uid
    assert {saved, local.get_artifact(saved.uid), other} == {saved, other}


def test_a_version_is_short_in_a_console(local: Workspace) -> None:
    saved = local.save_artifact("text", "reports/x")
    assert repr(saved) == f"<ArtifactVersion reports/x:1 (value, {saved.size} bytes)>"
    assert repr(local) == f"<Workspace {local.folder}>"


def test_a_version_is_a_table_in_a_notebook_in_which_nothing_runs(local: Workspace) -> None:
    evil = "<script>alert(1)</script>"
    saved = local.save_artifact(evil, "x", metadata={evil: evil}, labels={"a": evil}, tags="golden")
    html = saved._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert saved.uri in html
    assert "golden" in html


@pytest.mark.parametrize(
    ("preview", "expected"),
    [
        (Preview("text/plain", b"<b>\xff"), "<pre>&lt;b&gt;\ufffd</pre>"),
        (Preview("image/png", b"png"), 'src="data:image/png;base64,cG5n"'),
        (Preview("image/svg+xml", b"<svg/>"), 'src="data:image/svg+xml;base64,'),
        (Preview('image/x" onerror="alert(1)', b"x"), "onerror=&quot;alert"),
        (Preview("text/html", b"<script>"), "</table>"),
    ],
)
def test_a_preview_is_shown_where_that_is_safe(
    local: Workspace, preview: Preview, expected: str
) -> None:
    html = local.save_artifact(preview, "x", handler=Shown)._repr_html_()
    assert expected in html
    assert "<script" not in html
