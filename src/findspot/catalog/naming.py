"""Which of the existing keys somebody may have meant."""

from __future__ import annotations

import difflib

from findspot.catalog.database import Database

CANDIDATES = 5000
"""So many keys are compared letter by letter."""
_LENGTHS = 4
"""Only keys whose length differs by at most so many letters are compared."""


def nearest_keys(database: Database, project: str, near: str, limit: int) -> list[str]:
    """The keys of a project that look like ``near``, nearest first."""
    folded = near.casefold()
    candidates = [
        row[0]
        for row in database.rows(
            "SELECT key FROM artifacts WHERE project = ? AND newest IS NOT NULL"
            " AND LENGTH(key) BETWEEN ? AND ? LIMIT ?",
            (project, len(near) - _LENGTHS, len(near) + _LENGTHS, CANDIDATES),
        )
    ]
    by_folded: dict[str, list[str]] = {}
    for key in candidates:
        by_folded.setdefault(key.casefold(), []).append(key)
    close = difflib.get_close_matches(folded, by_folded, n=limit, cutoff=0.6)
    found = [key for text in close for key in by_folded[text]]
    if len(found) < limit:
        # What is contained in one another may differ much in length.
        for pattern in (f"*/{near}", f"{near}/*", f"{near}*", f"*{near}*"):
            condition, param = database.glob("key", pattern)
            found += [
                row[0]
                for row in database.rows(
                    "SELECT key FROM artifacts WHERE project = ? AND newest IS NOT NULL"
                    f" AND {condition} ORDER BY key LIMIT ?",
                    (project, param, limit),
                )
            ]
    return list(dict.fromkeys(found))[:limit]
