"""`register` under the name that plugins written for Dioptra use: ``@pyplugs.register``."""

from __future__ import annotations

from findspot.plugins.registration import register

__all__ = ["register"]
