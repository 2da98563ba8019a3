"""Files as data frames of pandas or polars."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal

from findspot.core.errors import FindspotError
from findspot.data.errors import BadTable, MissingLibrary, UnknownFormat
from findspot.data.libraries import installed, need

Engine = Literal["pandas", "polars"]

FORMATS = ("csv", "tsv", "parquet", "json", "jsonl", "arrow", "excel")
_ALIASES = {"pq": "parquet", "ndjson": "jsonl", "feather": "arrow", "ipc": "arrow", "xlsx": "excel"}
_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xls": "excel",
    ".ods": "excel",
}
_MEDIA_TYPES = {
    "text/csv": "csv",
    "application/csv": "csv",
    "text/tab-separated-values": "tsv",
    "application/vnd.apache.parquet": "parquet",
    "application/json": "json",
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/vnd.apache.arrow.file": "arrow",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "excel",
    "application/vnd.ms-excel": "excel",
}
_UNPACKERS: dict[str, Callable[..., IO[Any]]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}
_TEXTUAL = ("csv", "tsv", "json", "jsonl")


def format_of(name: str, content_type: str | None, given: str | None, url: str) -> str:
    """The format of a table: as given, else by the name's ending, else by the media type."""
    if given is not None:
        chosen = _ALIASES.get(given.lower().lstrip("."), given.lower().lstrip("."))
        if chosen not in FORMATS:
            raise UnknownFormat(url, f"there is no format {given[:80]!r}", "a table", FORMATS)
        return chosen
    path = Path(name)
    if path.suffix.lower() in _UNPACKERS:
        path = path.with_suffix("")
    chosen = _SUFFIXES.get(path.suffix.lower()) or _MEDIA_TYPES.get(content_type or "", "")
    if chosen:
        return chosen
    ending = f"its ending {path.suffix!r}" if path.suffix else "a name without an ending"
    raise UnknownFormat(url, f"{ending} tells no format", "a table", FORMATS)


def check_engine(engine: str) -> None:
    """Refuse an engine that is unknown or not installed."""
    if engine not in ("pandas", "polars"):
        raise FindspotError(
            f"There is no engine {str(engine)[:80]!r} for tables.", how="Say pandas or polars."
        )
    need(engine, engine, "A data frame")


def read_table(
    path: Path,
    format: str,
    columns: Sequence[str] | None,
    engine: str,
    options: dict[str, Any],
    url: str,
) -> Any:
    """The table in a local file as a data frame.

    Args:
        format: one of `FORMATS`.
        columns: only these, in this order.
        options: go to the engine's reader.
        url: for errors.
    """
    chosen = None if columns is None else list(columns)
    with ExitStack() as stack:
        source: Any = path
        unpack = _UNPACKERS.get(path.suffix.lower())
        if unpack is not None and format in _TEXTUAL:
            source = stack.enter_context(unpack(path))
        try:
            if format == "arrow":
                return _framed(_arrow_table(path, chosen), engine)
            if engine == "pandas":
                return _by_pandas(source, format, chosen, options)
            return _by_polars(source, format, chosen, options)
        except FindspotError:
            raise
        except Exception as error:
            raise BadTable(url, format, error) from error


def read_parquet_parts(reader: BinaryIO, columns: Sequence[str], engine: str, url: str) -> Any:
    """Some columns of a Parquet file; of the others nothing is read."""
    need("pyarrow", "arrow", "Reading Parquet")
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(reader, pre_buffer=True) as file:
            missing = [name for name in columns if name not in file.schema_arrow.names]
            if missing:
                raise KeyError(f"it has no column {missing[0]!r}")
            table = file.read(columns=list(columns)).select(list(columns))
    except FindspotError:
        raise
    except Exception as error:
        raise BadTable(url, "parquet", error) from error
    return _framed(table, engine)


def as_frame(value: Any, columns: Sequence[str] | None, engine: str, url: str) -> Any:
    """A loaded value (a table of any library, an array, records) as a data frame of one engine."""
    package = type(value).__module__.partition(".")[0]
    chosen = None if columns is None else list(columns)
    try:
        if package == "pyarrow":
            value = _framed(value, engine)
        elif package == "pandas" and engine == "polars":
            import polars

            value = polars.from_pandas(value)
        elif package == "polars" and engine == "pandas":
            value = value.to_pandas()
        elif package not in ("pandas", "polars"):
            if not isinstance(value, list | dict) and package != "numpy":
                found = f"it is a {type(value).__module__}.{type(value).__qualname__}"
                raise UnknownFormat(url, found, "a table", ())
            if engine == "pandas":
                import pandas

                value = pandas.DataFrame(value)
            else:
                import polars

                value = polars.DataFrame(value)
        if getattr(value, "ndim", 2) == 1 or (package == "polars" and hasattr(value, "to_frame")):
            value = value.to_frame()
        return value if chosen is None else value[chosen]
    except FindspotError:
        raise
    except Exception as error:
        raise BadTable(url, "a table", error) from error


# --------------------------------------------------------------------------- engines


def _by_pandas(source: Any, format: str, columns: list[str] | None, options: dict[str, Any]) -> Any:
    import pandas

    if format in ("csv", "tsv"):
        separator = {"sep": "\t"} if format == "tsv" else {}
        frame = pandas.read_csv(source, **{"usecols": columns, **separator, **options})
    elif format == "parquet":
        need("pyarrow", "arrow", "Reading Parquet")
        frame = pandas.read_parquet(source, **{"columns": columns, **options})
    elif format == "excel":
        engine = _excel_engine({"openpyxl": "openpyxl", "python_calamine": "calamine"})
        frame = pandas.read_excel(source, **{"usecols": columns, "engine": engine, **options})
    else:
        frame = pandas.read_json(source, **{"lines": format == "jsonl", **options})
    return frame if columns is None else frame[columns]


def _by_polars(source: Any, format: str, columns: list[str] | None, options: dict[str, Any]) -> Any:
    import polars

    if format in ("csv", "tsv"):
        separator = {"separator": "\t"} if format == "tsv" else {}
        frame = polars.read_csv(source, **{"columns": columns, **separator, **options})
    elif format == "parquet":
        frame = polars.read_parquet(source, **{"columns": columns, **options})
    elif format == "excel":
        engine = _excel_engine({"fastexcel": "calamine", "openpyxl": "openpyxl"})
        frame = polars.read_excel(source, **{"columns": columns, "engine": engine, **options})
    elif format == "jsonl":
        frame = polars.read_ndjson(source, **options)
    else:
        frame = polars.read_json(source, **options)
    return frame if columns is None else frame.select(columns)


def _arrow_table(path: Path, columns: list[str] | None) -> Any:
    need("pyarrow", "arrow", "Reading Arrow files")
    import pyarrow as pa
    from pyarrow import ipc

    with pa.memory_map(str(path)) as mapped:
        try:
            table = ipc.open_file(mapped).read_all()
        except pa.ArrowInvalid:
            # The other form: a stream, without a footer.
            mapped.seek(0)
            table = ipc.open_stream(mapped).read_all()
    return table if columns is None else table.select(columns)


def _framed(table: Any, engine: str) -> Any:
    if engine == "pandas":
        return table.to_pandas()
    import polars

    return polars.from_arrow(table)


def _excel_engine(libraries: dict[str, str]) -> str:
    for library, engine in libraries.items():
        if installed(library):
            return engine
    raise MissingLibrary("Reading Excel files", " or ".join(libraries), "openpyxl")
