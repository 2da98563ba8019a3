"""Whether the numbers in two files are the same but for a tolerance."""

from __future__ import annotations

import io
from typing import Any

from findspot.core.records import FileEntry
from findspot.handlers.protocol import LoadFolder


def close_arrays(
    before: LoadFolder, old: FileEntry, after: LoadFolder, new: FileEntry, tolerance: float
) -> bool:
    """Whether two npy files hold arrays of one shape whose elements differ by ``tolerance`` at
    most; NaN equals NaN and nothing else."""
    import numpy as np

    left, right = (
        np.load(folder.path(entry.path), mmap_mode="r", allow_pickle=False)
        for folder, entry in ((before, old), (after, new))
    )
    same = left.shape == right.shape and left.dtype == right.dtype
    return bool(same and left.dtype.kind in "biufc") and _close(left, right, tolerance)


def close_tables(
    before: LoadFolder, old: FileEntry, after: LoadFolder, new: FileEntry, tolerance: float
) -> bool:
    """Whether two tables (Parquet, Arrow) have one schema and as many rows, and equal columns but
    for floats that differ by ``tolerance`` at most."""
    import pyarrow as pa

    tables = [_table(folder, entry) for folder, entry in ((before, old), (after, new))]
    if not tables[0].schema.equals(tables[1].schema) or tables[0].num_rows != tables[1].num_rows:
        return False
    for left, right in zip(tables[0].columns, tables[1].columns, strict=True):
        if left.equals(right):
            continue
        if not pa.types.is_floating(left.type) or not left.is_null().equals(right.is_null()):
            return False
        if not _close(left.to_numpy(), right.to_numpy(), tolerance):
            return False
    return True


def _close(left: Any, right: Any, tolerance: float) -> bool:
    import numpy as np

    with np.errstate(all="ignore"):
        return bool(np.allclose(left, right, rtol=0.0, atol=tolerance, equal_nan=True))


def _table(folder: LoadFolder, entry: FileEntry) -> Any:
    import pyarrow as pa

    source = io.BytesIO(folder.read(entry.path))
    if entry.path.endswith(".parquet"):
        from pyarrow import parquet

        return parquet.ParquetFile(source).read()
    return pa.ipc.open_file(source).read_all()
