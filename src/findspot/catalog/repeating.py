"""Jobs that repeat a whole earlier job: its steps and outputs are taken over, in one go.

Most runs of a pipeline in daily work differ from an earlier one in nothing. Asking and writing step
by step would cost more than all else in them.
"""

from __future__ import annotations

from findspot.catalog.database import Database, Row, Session, chunks, insert, marks
from findspot.catalog.protocol import Repeatable
from findspot.catalog.rows import STEP_COLUMNS, mappings_from
from findspot.core.digests import Digest

_OWN = {
    "job": "?",
    "cached": "?",
    "parts": "'{}'",
    "source_job": "COALESCE(source_job, job)",
    "started": "?",
    "ended": "?",
    "attempt": "1",
}
_COPY_STEPS = (
    f"INSERT INTO steps ({','.join(STEP_COLUMNS)})"
    f" SELECT {','.join(_OWN.get(name, name) for name in STEP_COLUMNS)} FROM steps WHERE job = ?"
)
_COPY_OUTPUTS = (
    "INSERT INTO job_outputs (job, name, version) SELECT ?, name, version FROM job_outputs"
    " WHERE job = ?"
)
_EDGE = ("version", "job", "step", "name")
_STEP_INPUT = insert("step_inputs", _EDGE, "ON CONFLICT DO NOTHING")
_STEP_OUTPUT = insert("step_outputs", _EDGE, "ON CONFLICT DO NOTHING")


def find_repeatable(database: Database, key: str) -> Repeatable | None:
    """See `Catalog.repeatable`."""
    row = database.row(
        "SELECT c.job FROM cache c JOIN jobs j ON j.id = c.job"
        " WHERE c.key = ? AND c.step = '' AND j.status = 'finished'",
        (key,),
    )
    if row is None:
        return None
    job: str = row[0]
    outputs = database.rows(
        "SELECT outputs FROM steps WHERE job = ? AND status = 'finished'", (job,)
    )
    wanted = {uid for made in mappings_from([row[0] for row in outputs]) for uid in made.values()}
    wanted.update(
        uid for (uid,) in database.rows("SELECT version FROM job_outputs WHERE job = ?", (job,))
    )
    found: list[Row] = []
    for chunk in chunks(wanted):
        text, values = marks(chunk)
        found += database.rows(f"SELECT uid, in_store FROM versions WHERE uid IN ({text})", values)
    if len(found) < len(wanted):
        return None
    digests: set[Digest] = set()
    for chunk in chunks(uid for uid, in_store in found if in_store):
        text, values = marks(chunk)
        rows = database.rows(
            f"SELECT digest FROM files WHERE owner IN ({text}) AND in_store", values
        )
        digests.update(Digest(digest) for (digest,) in rows)
    return Repeatable(job, frozenset(digests))


def copy_job(session: Session, target: str, source: str, now: int) -> list[str]:
    """Give ``target`` the steps and outputs of ``source``; the names of the steps."""
    session.run(_COPY_STEPS, _own_values(target, now, source))
    session.run(_COPY_OUTPUTS, (target, source))
    rows = session.rows("SELECT name, inputs, outputs FROM steps WHERE job = ?", (target,))
    for text, index in ((_STEP_INPUT, 1), (_STEP_OUTPUT, 2)):
        session.many(
            text,
            sorted(
                (version, target, row[0], name)
                for row, edges in zip(rows, mappings_from([r[index] for r in rows]), strict=True)
                for name, version in edges.items()
            ),
        )
    return sorted(row[0] for row in rows)


def _own_values(target: str, now: int, source: str) -> list[object]:
    values: dict[str, object] = {"job": target, "cached": True, "started": now, "ended": now}
    return [*(values[name] for name in STEP_COLUMNS if name in values), source]
