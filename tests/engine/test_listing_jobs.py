"""What jobs can be searched for, and what cannot be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from findspot import FindspotError, Workspace


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ({"status": "done"}, "'done' is no status"),
        ({"since": "yesterday"}, "'yesterday' is no time"),
        ({"until": 5}, "5 is no time"),
        ({"limit": 0}, "A page of 0 jobs"),
        ({"limit": "many"}, "A page of 'many' jobs"),
        ({"labels": {"a/b": 1}}, "'a/b' is no label"),
        ({"project": "a/b"}, "no project name"),
    ],
)
def test_conditions_that_cannot_be(ws: Workspace, condition: dict[str, Any], said: str) -> None:
    ws.init()
    with pytest.raises(FindspotError, match=said):
        ws.list_jobs(**condition)


def test_conditions_narrow(ws: Workspace) -> None:
    for name in ("one", "two"):
        with ws.start_job(name, labels={"round": 1}):
            pass
    now = datetime.now(UTC)
    assert [job.name for job in ws.list_jobs(name="one", status="finished")] == ["one"]
    assert len(ws.list_jobs(labels={"round": 1}, since=now - timedelta(hours=1))) == 2
    assert ws.list_jobs(until=now - timedelta(hours=1)) == []
    assert ws.list_jobs(status="failed") == []
