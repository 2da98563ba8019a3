"""Typed kinds: what a version's metadata mean, by its kind.

Each kind is a frozen class whose fields stand in the metadata under the same names, so the catalog
knows nothing of them. `kind_of` gives the fields of any version, `to_yaml` and `from_yaml` write a
version's record and read it back.
"""

from __future__ import annotations

from findspot.artifacts.kinds.documents import BadDocument, VersionDocument, from_yaml, to_yaml
from findspot.artifacts.kinds.fields import KindFields
from findspot.artifacts.kinds.files import Directory, File
from findspot.artifacts.kinds.models import Model
from findspot.artifacts.kinds.plots import Plot
from findspot.artifacts.kinds.signature import Column, ModelSignature
from findspot.artifacts.kinds.tables import Dataset, Table
from findspot.artifacts.kinds.values import Value
from findspot.artifacts.kinds.views import NotShown, kind_of, show_plot

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
    "from_yaml",
    "kind_of",
    "show_plot",
    "to_yaml",
]
