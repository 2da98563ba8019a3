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
    from findspot.plugins.analysis import Analysis, analyse
    from findspot.plugins.errors import (
        ArtifactTaskFailed,
        PluginBroken,
        PluginDamaged,
        PluginNameMissing,
    )
    from findspot.plugins.loading import LoadedPlugin, PluginSource, load_plugin
    from findspot.plugins.snapshots import read_analysis, snapshot

_LAZY = {
    "Analysis": "analysis",
    "ArtifactTaskFailed": "errors",
    "LoadedPlugin": "loading",
    "PluginBroken": "errors",
    "PluginDamaged": "errors",
    "PluginNameMissing": "errors",
    "PluginSource": "loading",
    "analyse": "analysis",
    "load_plugin": "loading",
    "read_analysis": "snapshots",
    "snapshot": "snapshots",
}

__all__ = [
    "Analysis",
    "ArtifactTask",
    "ArtifactTaskFailed",
    "ArtifactTaskInterface",
    "LoadedPlugin",
    "PluginBroken",
    "PluginDamaged",
    "PluginNameMissing",
    "PluginSource",
    "analyse",
    "load_plugin",
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
