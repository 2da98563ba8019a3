"""Plots that code in a job logs: figures of matplotlib and Plotly, Vega-Lite, HTML, pictures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from findspot.artifacts.kinds.plots import Plot, spec_version
from findspot.core.errors import FindspotError
from findspot.engine.logged.artifacts import log_artifact
from findspot.handlers import python_type_name

if TYPE_CHECKING:
    from findspot.artifacts.version import ArtifactVersion
    from findspot.engine.context import JobContext

_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg"})
_PAGES = frozenset({".html", ".htm"})


class NotAPlot(FindspotError):
    """A value cannot be logged as a plot."""

    exit_code = 2


@dataclass(frozen=True)
class Drawn:
    """What is saved of a plot: a value, the plot's fields, and the name of the handler that takes
    the value where it is not that of its type."""

    value: Any
    fields: Plot
    handler: str | None = None


def log_plot(
    context: JobContext, key: str, figure: Any, *, title: str | None = None, **options: Any
) -> ArtifactVersion:
    """See `JobContext.log_plot`."""
    drawn = plot_of(key, figure, title)
    if options.get("handler") is None:
        options["handler"] = drawn.handler
    return log_artifact(context, key, drawn.value, kind="plot", fields=drawn.fields, **options)


def is_plot(value: Any) -> bool:
    """Whether a value is drawn: a figure, or an object of a library that draws. Texts and paths are
    not, since they may be anything."""
    if isinstance(value, str | Path):
        return False
    try:
        plot_of("", value)
    except NotAPlot:
        return False
    return True


def plot_of(key: str, figure: Any, title: str | None = None) -> Drawn:
    """What to save of a plot.

    Raises:
        NotAPlot: says what can be one.
    """
    name = python_type_name(figure)
    library = name.partition(".")[0]
    if library == "findspot" and name.endswith("SavedFigure"):
        return Drawn(figure, Plot(format="matplotlib", title=title))
    if name.endswith("HtmlPage") or name == "IPython.core.display.HTML":
        return Drawn(figure, Plot(format="html", title=title))
    if library == "altair" and hasattr(figure, "to_dict"):
        return Drawn(figure, Plot(format="vega-lite", title=title))
    if library == "plotly" and hasattr(figure, "to_plotly_json"):
        return Drawn(figure, Plot(format="plotly", title=title))
    if library == "PIL" and hasattr(figure, "mode"):
        return Drawn(figure, Plot(format="image", title=title))
    if isinstance(figure, Path):
        return _of_file(figure, title)
    if isinstance(figure, str):
        return _of_text(key, figure, title)
    if spec_version(figure) is not None:
        return _of_spec(key, figure, title)
    drawn = _matplotlib_figure(figure)
    if drawn is None:
        raise _refused(key, f"a {name}")
    return Drawn(drawn, Plot(format="matplotlib", title=title))


def _matplotlib_figure(value: Any) -> Any:
    """The figure itself, or that of axes, of a seaborn grid, of a scikit-learn display."""
    for candidate in (
        value,
        getattr(value, "figure", None),
        getattr(value, "figure_", None),
        getattr(value, "fig", None),
    ):
        if hasattr(candidate, "savefig") and hasattr(candidate, "get_size_inches"):
            # Of a part of a figure the whole is saved.
            root = getattr(candidate, "get_figure", None)
            return candidate if root is None else (root(root=True) or candidate)
    return None


def _of_spec(key: str, spec: Any, title: str | None) -> Drawn:
    try:
        plain = json.loads(json.dumps(spec, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise _refused(key, f"a Vega-Lite specification that is no JSON ({error})") from error
    return Drawn(plain, Plot(format="vega-lite", title=title), handler="vega-lite")


def _of_text(key: str, text: str, title: str | None) -> Drawn:
    stripped = text.lstrip()
    if stripped.startswith("<"):
        from findspot.handlers.html_pages import HtmlPage

        return Drawn(HtmlPage(text), Plot(format="html", title=title))
    if stripped.startswith("{"):
        try:
            spec = json.loads(text)
        except ValueError:
            spec = None
        if spec_version(spec) is not None:
            return _of_spec(key, spec, title)
    path = Path(text) if len(text) < 4096 and "\n" not in text else None
    if path is not None and path.is_file():
        return _of_file(path, title)
    raise _refused(key, f"the text {text[:40]!r}")


def _of_file(path: Path, title: str | None) -> Drawn:
    suffix = path.suffix.lower()
    if not path.is_file():
        raise NotAPlot("There is no such file.", where=str(path.absolute()))
    if suffix in _PAGES:
        return Drawn(path, Plot(format="html", title=title))
    if suffix in _PICTURES:
        return Drawn(path, Plot(format="image", title=title))
    raise _refused(str(path), f"a file that ends in {suffix or 'nothing'}")


def _refused(key: str, what: str) -> NotAPlot:
    return NotAPlot(
        f"A plot cannot be made of {what}.",
        where=key or None,
        how="Give a matplotlib or Plotly figure, a Vega-Lite specification (with its $schema), "
        "HTML as text, or the path of a picture or an HTML file.",
    )
