"""Plugins: folders of Python files that hold function tasks and artifact tasks.

A plugin's code imports `register` and `ArtifactTask` from here. The rest analyses plugins without
running them, keeps snapshots of them, and loads a snapshot in the process that runs it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from findspot.plugins.registration import ArtifactTask, register

ArtifactTaskInterface = ArtifactTask
"""The name that plugins written for Dioptra use."""

if TYPE_CHECKING:
    from findspot.plugins.analysis import PluginAnalysis, analyse
    from findspot.plugins.artifact_handler import artifact_handler
    from findspot.plugins.loading import ensure, load_function, load_handler, materialise
    from findspot.plugins.snapshots import read_analysis, snapshot

_LAZY = {
    "PluginAnalysis": "analysis",
    "analyse": "analysis",
    "artifact_handler": "artifact_handler",
    "ensure": "loading",
    "load_function": "loading",
    "load_handler": "loading",
    "materialise": "loading",
    "read_analysis": "snapshots",
    "snapshot": "snapshots",
}

__all__ = [
    "ArtifactTask",
    "ArtifactTaskInterface",
    "PluginAnalysis",
    "analyse",
    "artifact_handler",
    "ensure",
    "load_function",
    "load_handler",
    "materialise",
    "read_analysis",
    "register",
    "snapshot",
]


def __getattr__(name: str) -> Any:
    # Plugin code imports two small names from here; it must not pay for the analysis.
    if name in _LAZY:
        return getattr(import_module(f"findspot.plugins.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
