"""The names of plugins written for Dioptra, so that only their import lines change.

from findspot.plugins.dioptra import ArtifactTaskInterface, pyplugs
"""

from __future__ import annotations

from findspot.plugins import pyplugs
from findspot.plugins.registration import ArtifactTask as ArtifactTaskInterface

__all__ = ["ArtifactTaskInterface", "pyplugs"]
