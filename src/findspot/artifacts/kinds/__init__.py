"""Typed kinds: what a version's metadata mean, by its kind.

Each kind is a frozen class whose fields stand in the metadata under the same names, so the catalog
knows nothing of them. `kind_of` gives the fields of any version, `to_yaml` and `from_yaml` write a
version's record and read it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from findspot.artifacts.kinds.documents import BadDocument, VersionDocument, from_yaml, to_yaml
    from findspot.artifacts.kinds.fields import KindFields
    from findspot.artifacts.kinds.files import Directory, File
    from findspot.artifacts.kinds.models import Model
    from findspot.artifacts.kinds.plots import Plot
    from findspot.artifacts.kinds.signature import Column, ModelSignature
    from findspot.artifacts.kinds.signatures import check_data, infer_signature
    from findspot.artifacts.kinds.statistics import table_statistics
    from findspot.artifacts.kinds.tables import Dataset, Table
    from findspot.artifacts.kinds.values import Value
    from findspot.artifacts.kinds.views import NotShown, kind_of, show_plot

# Imported when they are first asked for, so that a job that logs nothing pays nothing.
_HOMES = {
    "BadDocument": "documents",
    "Column": "signature",
    "Dataset": "tables",
    "Directory": "files",
    "File": "files",
    "KindFields": "fields",
    "Model": "models",
    "ModelSignature": "signature",
    "NotShown": "views",
    "Plot": "plots",
    "Table": "tables",
    "Value": "values",
    "VersionDocument": "documents",
    "check_data": "signatures",
    "from_yaml": "documents",
    "infer_signature": "signatures",
    "kind_of": "views",
    "show_plot": "views",
    "table_statistics": "statistics",
    "to_yaml": "documents",
}

__all__ = [
    "BadDocument",
    "Column",
    "Dataset",
    "Directory",
    "File",
    "KindFields",
    "Model",
    "ModelSignature",
    "NotShown",
    "Plot",
    "Table",
    "Value",
    "VersionDocument",
    "check_data",
    "from_yaml",
    "infer_signature",
    "kind_of",
    "show_plot",
    "table_statistics",
    "to_yaml",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
