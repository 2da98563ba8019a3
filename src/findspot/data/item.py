"""`DataItem`: the bytes behind a URL or a path."""

from __future__ import annotations

import io
import os
import secrets
import tempfile
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Literal, overload

from findspot.artifacts.active import ACTIVE
from findspot.core.digests import Digest, hash_stream
from findspot.core.errors import FindspotError, NotFound
from findspot.data.errors import BadUrl, NotAFile
from findspot.data.local_files import (
    LocalSource,
    draft_beside,
    draft_name,
    local_error,
    take_place,
)
from findspot.data.places import source_of
from findspot.data.protocol import CHUNK, ItemStat, Source
from findspot.data.transfer import Transfer, copy_into, persistently
from findspot.data.urls import safe_file_name
from findspot.data.writing import Data, DraftWriter, reader_of

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.artifacts.version import ArtifactVersion
    from findspot.data.tables import Engine

_HASHED_UNASKED = 256 << 20
"""Up to this size a local file is hashed for the lineage even where it is only opened."""


def get_dataitem(
    url: str | os.PathLike[str] | DataItem,
    *,
    key: str | None = None,
    space: ArtifactSpace | None = None,
    project: str | None = None,
) -> DataItem:
    """The item behind a URL or a path; nothing is read, and nothing need be there yet.

    Args:
        url: a local path, or a URL of scheme file, http, https, s3, gs, az, memory or store.
            Credentials of buckets come from the environment (``AWS_*``, ``AWS_ENDPOINT_URL``,
            ``GOOGLE_APPLICATION_CREDENTIALS``, ``AZURE_*``).
        key: what the item is to its reader: an input's name. None: its own name.
        space: the workspace of ``store://`` references; None: the current one.
        project: of ``store://`` references that name none; None: the current one.

    Raises:
        UnknownScheme, BadUrl, InvalidReference: the text means no item.

    >>> item = get_dataitem("memory://demo/greeting.txt")
    >>> item.put("Hello")
    >>> item.get(encoding="utf-8"), item.name, item.suffix
    ('Hello', 'greeting.txt', '.txt')
    """
    if isinstance(url, DataItem):
        return url
    return DataItem(source_of(url, space, project), key=key)


class DataItem:
    """The bytes behind a URL, wherever they are; `get_dataitem` makes it.

    Large items travel in pieces, never whole in memory; cut connections are taken up where they
    broke off, for the same bytes only. The first read inside a running job is noted in its lineage.
    """

    __slots__ = ("_key", "_local", "_noted", "_source")

    def __init__(self, source: Source, *, key: str | None = None) -> None:
        self._source = source
        self._key = key
        self._local: Path | None = None
        self._noted: object | None = None

    # ------------------------------------------------------------------ names

    @property
    def url(self) -> str:
        """The URL, or the path of a local file; credentials in it are replaced by three stars."""
        return self._source.url

    @property
    def key(self) -> str:
        """What the item is to its reader: the input's name, else its own."""
        return self._key or self.name

    @property
    def kind(self) -> str:
        """The scheme: file, http, https, s3, gs, az, memory or store."""
        return self._source.scheme

    @property
    def name(self) -> str:
        """The last part of the URL's path, decoded."""
        return self._source.name

    @property
    def suffix(self) -> str:
        """The ending of the name with its dot, as ``.csv``; empty where it has none."""
        return Path(self.name).suffix

    @property
    def meta(self) -> ArtifactVersion | None:
        """The version behind a ``store://`` item; None for all others."""
        from findspot.data.store_items import StoreSource

        return self._source.version if isinstance(self._source, StoreSource) else None

    # ------------------------------------------------------------------ questions

    def stat(self) -> ItemStat:
        """Size, time, media type and etag, without reading it.

        Raises:
            NotFound: there is no such item; names like it are listed where that is cheap.
            AccessDenied, Unreachable, ItemRefused
        """
        return persistently(self._source.stat)

    def exists(self) -> bool:
        """Whether it is there. That it cannot be reached, or must not be seen, is an error."""
        from findspot.data.object_stores import ObjectSource

        source = self._source
        try:
            self.stat()
        except (NotFound, BadUrl):
            # Only an object's URL may end with a slash, or with the bucket.
            return isinstance(source, ObjectSource) and persistently(source.is_folder)
        return True

    def ls(self) -> list[DataItem]:
        """The items directly inside a folder, sorted by name; a file lists itself.

        Raises:
            NoListing: the place has no listings (web servers).
        """
        source = self._source
        found = persistently(source.entries)
        return [DataItem(source.child(entry)) for entry in found if _is_plain(entry.name)]

    def listdir(self) -> list[str]:
        """The names inside a folder, sorted; those of folders end with ``/``."""
        return [
            f"{entry.name}/" if entry.folder else entry.name
            for entry in persistently(self._source.entries)
            if _is_plain(entry.name)
        ]

    # ------------------------------------------------------------------ reading

    @overload
    def get(self, size: int | None = None, offset: int = 0, encoding: None = None) -> bytes: ...

    @overload
    def get(self, size: int | None = None, offset: int = 0, *, encoding: str) -> str: ...

    @overload
    def get(self, size: int | None, offset: int, encoding: str) -> str: ...

    def get(
        self, size: int | None = None, offset: int = 0, encoding: str | None = None
    ) -> bytes | str:
        """The bytes (or the text, with ``encoding``); only what is asked for travels.

        Args:
            size: at most so many bytes; None: up to the end.
            offset: bytes to leave out; behind the end there are none.
        """
        if offset < 0 or (size is not None and size < 0):
            raise FindspotError(
                f"There is no range of {size} bytes from {offset}.",
                where=self.url,
                how="Give an offset and a size of 0 or more.",
            )
        stop = None if size is None else offset + size
        transfer = Transfer(self._source, offset, stop)
        if size == 0:
            self.stat()
        data = b"" if size == 0 else b"".join(transfer)
        if transfer.stat is not None:
            self._note(transfer.stat, transfer.digest)
        return data if encoding is None else data.decode(encoding)

    @overload
    def open(self, mode: Literal["rb"] = "rb", *, encoding: None = None) -> BinaryIO: ...

    @overload
    def open(self, mode: Literal["r"], *, encoding: str = "utf-8") -> io.TextIOWrapper: ...

    @overload
    def open(self, mode: Literal["wb"], *, encoding: None = None) -> DraftWriter: ...

    def open(self, mode: str = "rb", *, encoding: str | None = None) -> IO[Any]:
        """A file object. Readers seek, and fetch only what is read; use them in a ``with`` block.

        Args:
            mode: ``rb``, ``r`` (text), or ``wb``: what is written takes effect, as a whole, when
                the file is closed, and not at all if the ``with`` block ends by an error.
            encoding: of the text.
        """
        if mode == "wb":
            return self._writer()
        if mode not in ("rb", "r"):
            raise FindspotError(
                f"An item cannot be opened in mode {mode!r}.",
                where=self.url,
                how="Say rb, r or wb.",
            )
        reader = self._reader()
        if mode == "r":
            return io.TextIOWrapper(reader, encoding=encoding or "utf-8")
        return reader

    def download(self, target: str | os.PathLike[str]) -> Path:
        """Copy the item to a local file, which is there whole or not at all; the file's path.

        Args:
            target: the file, replaced where it is there; or an existing folder, where the file gets
                the item's name. Missing folders are made.
        """
        path = Path(target)
        if path.is_dir() or os.fspath(target).endswith(("/", os.sep)):
            path = path / safe_file_name(self.name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with draft_beside(path) as draft, draft.open("xb") as sink:
                transfer = copy_into(self._source, sink)
        except OSError as error:
            raise local_error(error, str(path)) from error
        if transfer.stat is not None:
            self._note(transfer.stat, transfer.digest)
        return path

    def local(self) -> Path:
        """A local file with the item's bytes, not to be changed: of a local item and of a
        ``store://`` item the file itself, of any other a copy, downloaded once for each state of
        the item and kept for some days."""
        source = self._source
        path = source.path()
        if path is not None:
            if self.kind == "file":
                self._note_local(path, whole=True)
            return path
        if self._local is None or not self._local.exists():
            from findspot.data.cache import copy_of

            copy = copy_of(source, self.stat())
            self._local = copy.path
            self._note(copy.stat, copy.digest)
        return self._local

    def as_df(
        self,
        format: str | None = None,
        columns: Sequence[str] | None = None,
        engine: Engine = "pandas",
        **options: Any,
    ) -> Any:
        """The item as a data frame.

        Args:
            format: csv, tsv, parquet, json, jsonl, arrow or excel; None: by the name's ending (also
                with .gz, .bz2 or .xz behind it), or by the media type.
            columns: only these, in this order; of a remote Parquet file nothing else travels.
            engine: ``pandas`` or ``polars``.
            options: go to the engine's reader.

        Raises:
            UnknownFormat: no format can be told. BadTable: the bytes are not of that format.
            MissingLibrary: says what to install.
        """
        from findspot.data import tables

        tables.check_engine(engine)
        loaded = self._loaded_unless(tables.format_of, format)
        if loaded is not None:
            return tables.as_frame(loaded[0], columns, engine, self.url)
        name, stat = self._file_name(), None
        try:
            chosen = tables.format_of(name, None, format, self.url)
        except FindspotError:
            if format is not None:
                raise
            stat = self.stat()
            chosen = tables.format_of(name, stat.content_type, None, self.url)
        if chosen == "parquet" and columns and not options and self._source.path() is None:
            with self.open("rb") as reader:
                return tables.read_parquet_parts(reader, columns, engine, self.url)
        return tables.read_table(self.local(), chosen, columns, engine, options, self.url)

    def as_array(self, format: str | None = None, name: str | None = None, **options: Any) -> Any:
        """The item as a NumPy array; pickled objects in it are refused.

        Args:
            format: npy, npz, csv or tsv; None: by the name's ending. A first line of a csv that
                holds other than numbers is left out.
            name: which one of several arrays in an npz.
            options: go to `numpy.load` (``mmap_mode="r"``) or `numpy.loadtxt`.
        """
        from findspot.data import arrays

        loaded = self._loaded_unless(
            lambda file, _kind, given, url: arrays.array_format_of(file, given, url), format
        )
        if loaded is not None:
            import numpy

            return numpy.asarray(loaded[0])
        chosen = arrays.array_format_of(self._file_name(), format, self.url)
        return arrays.read_array(self.local(), chosen, name, options, self.url)

    def load(self, *, trust: bool = False) -> Any:
        """The value of a ``store://`` item, by the handler that saved it; see
        `ArtifactVersion.load`."""
        version = self.meta
        if version is None:
            raise FindspotError(
                "Only artifacts (store://) are loaded as the values that they were.",
                where=self.url,
                how="Use get(), as_df() or as_array(); or save it as an artifact first.",
            )
        return version.load(trust=trust)

    # ------------------------------------------------------------------ writing

    def put(self, data: Data, append: bool = False) -> None:
        """Write the item; it is replaced whole or not at all, and folders are made.

        Args:
            data: bytes, text (as UTF-8), a file open for reading in binary, or pieces of bytes.
            append: write behind what is there. A local file grows; an object is rewritten.

        Raises:
            ItemReadOnly: it is a version of an artifact, or its server takes nothing.
        """
        reader = reader_of(data)
        if reader.seekable() and not hasattr(data, "read") and not append:

            def write() -> None:
                reader.seek(0)
                self._source.write(reader, append=append)

            persistently(write)
        else:
            # Tried once: a stream cannot be read again, and must not be appended twice.
            try:
                self._source.write(reader, append=append)
            except Exception as error:
                raise _unwrapped(error) from None
        self._local = None

    def upload(self, path: str | os.PathLike[str]) -> None:
        """Write the item from a local file, in pieces; several travel at once to a bucket."""
        file = Path(path)
        if file.is_dir():
            raise NotAFile(str(file), "a folder", how="Upload its files one by one.")
        LocalSource(file).stat()

        def write() -> None:
            with file.open("rb") as reader:
                self._source.write(reader, append=False)

        try:
            persistently(write)
        except OSError as error:
            raise local_error(error, str(file)) from error
        self._local = None

    def delete(self) -> None:
        """Remove the item; `NotFound` where there is none."""
        persistently(self._source.delete)
        self._local = None

    def __reduce__(self) -> tuple[Any, ...]:
        # What was noted, and the local copy, belong to this process.
        return _made_again, (self._source, self._key)

    def __repr__(self) -> str:
        return f"<DataItem {self.url}>"

    def __str__(self) -> str:
        return self.url

    # ------------------------------------------------------------------ inside

    def _file_name(self) -> str:
        """The name whose ending tells the format: of a version, that of its file."""
        from findspot.data.store_items import StoreSource

        return self._source.file.path if isinstance(self._source, StoreSource) else self.name

    def _loaded_unless(self, format_of: Any, given: str | None) -> tuple[Any] | None:
        """The value of a version, unless it is a file in a format that can be read as it is."""
        from findspot.data.store_items import StoreSource

        source = self._source
        if not isinstance(source, StoreSource):
            return None
        if source.version.handler.startswith("path.") or given is not None:
            return None
        return (source.version.load(),)

    def _reader(self) -> BinaryIO:
        source = self._source
        path = source.path()
        if path is None:
            stat = self.stat()
            if stat.size is None or not stat.recognisable:
                # Ranges of it could be of different bytes, so they are taken from one copy.
                path = self.local()
            else:
                from findspot.data.reading import RangeReader

                self._note(stat, None)
                return io.BufferedReader(RangeReader(source, stat), CHUNK)
        elif self.kind == "file":
            self._note_local(path, whole=False)
        try:
            return path.open("rb")
        except OSError as error:
            raise local_error(error, self.url) from error

    def _writer(self) -> DraftWriter:
        if self.kind == "store":
            self._source.write(io.BytesIO(), append=False)
        if isinstance(self._source, LocalSource):
            target = Path(self._source.url)
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                return DraftWriter(draft_name(target), partial(_take_place, target))
            except OSError as error:
                raise local_error(error, self.url) from error
        draft = Path(tempfile.gettempdir()) / f"findspot-draft-{secrets.token_hex(8)}"
        return DraftWriter(draft, self.upload)

    def _note_local(self, path: Path, *, whole: bool) -> None:
        if ACTIVE.get() is None:
            return
        stat = self._source.stat()
        digest = None
        if whole or (stat.size or 0) <= _HASHED_UNASKED:
            digest = _digest_of(path, stat.etag)
        self._note(stat, digest)

    def _note(self, stat: ItemStat, digest: Digest | None) -> None:
        """Tell the running job, once, that the item was read."""
        active = ACTIVE.get()
        if active is None or active is self._noted or self.kind == "store":
            return
        self._noted = active
        tell = getattr(active, "read_source", None)
        if tell is not None:
            tell(
                self.url,
                name=self.key,
                size=stat.size,
                etag=stat.etag,
                digest=digest,
                modified=stat.modified,
            )


@lru_cache(maxsize=256)
def _digest_of(path: Path, etag: str | None) -> Digest:
    """The digest of a local file in the state that ``etag`` stands for."""
    with path.open("rb") as reader:
        return hash_stream(reader)


def _take_place(target: Path, draft: Path) -> None:
    try:
        take_place(draft, target)
    except OSError as error:
        raise local_error(error, str(target)) from error


def _made_again(source: Source, key: str | None) -> DataItem:
    return DataItem(source, key=key)


def _is_plain(name: str) -> bool:
    """Whether a listed name stands for something inside the folder, and not for a way out of it."""
    return name not in ("", ".", "..") and "\0" not in name


def _unwrapped(error: Exception) -> Exception:
    from findspot.data.protocol import Transient

    return error.error if isinstance(error, Transient) else error
