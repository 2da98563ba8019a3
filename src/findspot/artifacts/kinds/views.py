"""`kind_of`: a version as its kind sees it; how a plot is shown again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from html import escape
from typing import Any

from findspot.artifacts.kinds.fields import KindFields
from findspot.artifacts.kinds.files import Directory, File
from findspot.artifacts.kinds.models import Model
from findspot.artifacts.kinds.plots import Plot, spec_version
from findspot.artifacts.kinds.tables import Dataset, Table
from findspot.artifacts.kinds.values import Value
from findspot.artifacts.version import ArtifactVersion
from findspot.core.errors import FindspotError

KIND_FIELDS: Mapping[str, type[KindFields]] = {
    kind.KIND: kind for kind in (File, Directory, Dataset, Table, Model, Plot, Value)
}
_PLOT_FORMATS = {
    "matplotlib.figure": "matplotlib",
    "figure.saved": "matplotlib",
    "plotly.figure": "plotly",
    "vega-lite": "vega-lite",
    "html": "html",
    "pillow.image": "image",
}
_PICTURES = {".png": "image/png", ".svg": "image/svg+xml", ".jpg": "image/jpeg"}


class NotShown(FindspotError):
    """A version cannot be shown as a picture."""


def kind_of(version: ArtifactVersion) -> KindFields:
    """The fields of a version's kind: a `Model` for a model, a `Dataset` for a dataset ...

    It never fails for what stands in the metadata: what fits no field is in ``other``.
    """
    fields = KIND_FIELDS.get(version.kind, Value).from_metadata(version.metadata, strict=False)
    if isinstance(fields, Plot) and fields.format is None:
        return replace(fields, format=_PLOT_FORMATS.get(version.handler))
    return fields


def show_plot(version: ArtifactVersion) -> dict[str, Any]:
    """A plot as notebooks and web pages take it: its data by media type, best first.

    HTML is wrapped into a frame in which scripts run, but without any right on the page around it.

    Raises:
        NotShown: it is no plot, or nothing in it can be shown.
    """
    fields = kind_of(version)
    form = fields.format if isinstance(fields, Plot) else None
    if form == "plotly":
        return {"application/vnd.plotly.v1+json": _json(version), **_pictures(version)}
    if form == "vega-lite":
        spec = _json(version)
        major = (spec_version(spec) or "v5").partition(".")[0]
        return {f"application/vnd.vegalite.{major}+json": spec, **_pictures(version)}
    if form == "html":
        page = _bytes(version, version.files[0].path).decode("utf-8", "replace")
        frame = (
            f'<iframe sandbox="allow-scripts" width="100%" height="480" srcdoc="{escape(page)}">'
        )
        return {"text/html": f"{frame}</iframe>"}
    pictures = _pictures(version)
    if not pictures:
        raise NotShown(
            f"There is no picture in it (kind {version.kind}, handler {version.handler}).",
            where=version.uri,
            how="Save a figure with log_plot, or with save_artifact(figure, key).",
        )
    return pictures


def _pictures(version: ArtifactVersion) -> dict[str, Any]:
    return {
        media_type: _bytes(version, file.path)
        for ending, media_type in _PICTURES.items()
        for file in version.files
        if file.path.endswith(ending)
    }


def _json(version: ArtifactVersion) -> Any:
    return json.loads(
        next(_bytes(version, file.path) for file in version.files if file.path.endswith(".json"))
    )


def _bytes(version: ArtifactVersion, name: str) -> bytes:
    with version.open(name) as reader:
        return reader.read()
