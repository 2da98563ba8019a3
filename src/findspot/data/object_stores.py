"""Objects in buckets (``s3://``, ``gs://``, ``az://``) and in this process (``memory://``).

Keys are taken as they are written: ``%20`` in one is three characters.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from findspot.core.errors import FindspotError, NotFound
from findspot.data.errors import (
    AccessDenied,
    BadUrl,
    ItemChanged,
    ItemRefused,
    NoListing,
    Unreachable,
)
from findspot.data.libraries import need
from findspot.data.local_files import content_type_of
from findspot.data.protocol import CHUNK, Answer, Entry, ItemStat, Transient
from findspot.data.urls import last_part, without_secrets, without_secrets_in

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore

_PART = 8 << 20
_AT_ONCE = 4
_COMPARED = 200
_REWRITTEN_AT_ONCE = 8 << 20
_NO_BUCKET = re.compile(r"\b(NoSuchBucket|ContainerNotFound)\b|specified bucket does not exist")
_VARIABLES = ("AWS_", "GOOGLE_", "AZURE_")

_lock = threading.Lock()
_stores: dict[tuple[str, str, tuple[tuple[str, str], ...]], ObjectStore] = {}


def _store_of(scheme: str, bucket: str, url: str) -> ObjectStore:
    """The client of a bucket, one for each set of credentials that the environment held."""
    import obstore.store

    seen: tuple[tuple[str, str], ...] = ()
    if scheme != "memory":
        seen = tuple(sorted(p for p in os.environ.items() if p[0].upper().startswith(_VARIABLES)))
    place = (scheme, "" if scheme == "memory" else bucket, seen)
    with _lock:
        store = _stores.get(place)
        if store is None:
            try:
                store = _stores[place] = _connect(scheme, bucket)
            except obstore.exceptions.BaseError as error:
                how = "Set AZURE_STORAGE_ACCOUNT_NAME." if scheme == "az" else None
                raise BadUrl(url, _first_line(error), how=how) from None
        return store


def _connect(scheme: str, bucket: str) -> ObjectStore:
    from datetime import timedelta

    import obstore.store

    if scheme == "memory":
        return obstore.store.MemoryStore()
    client: Any = {
        "allow_http": True,
        "connect_timeout": timedelta(seconds=10),
        "read_timeout": timedelta(seconds=60),
        # Of a whole transfer, however large: a stalled one is noticed by the read's.
        "timeout": timedelta(hours=24),
    }
    # The transfer has its own patience on top of this one.
    retry: Any = {"max_retries": 2, "retry_timeout": timedelta(seconds=60)}
    if scheme == "s3":
        return obstore.store.S3Store(bucket, client_options=client, retry_config=retry)
    if scheme == "gs":
        return obstore.store.GCSStore(bucket, client_options=client, retry_config=retry)
    config: Any = azure_settings(os.environ.get("AZURE_STORAGE_CONNECTION_STRING", ""))
    return obstore.store.AzureStore(
        bucket, config=config, client_options=client, retry_config=retry
    )


def azure_settings(connection: str) -> dict[str, str]:
    """What a connection string of Azure Storage says, under the names of obstore's settings.

    >>> azure_settings("AccountName=a;AccountKey=k==;EndpointSuffix=core.windows.net")
    {'account_name': 'a', 'account_key': 'k=='}
    """
    pairs = dict(part.split("=", 1) for part in connection.split(";") if "=" in part)
    names = {
        "AccountName": "account_name",
        "AccountKey": "account_key",
        "SharedAccessSignature": "sas_key",
        "BlobEndpoint": "endpoint",
    }
    return {ours: pairs[theirs] for theirs, ours in names.items() if pairs.get(theirs)}


class ObjectSource:
    """One key of a bucket. Large objects travel in parts; a put becomes visible as a whole."""

    def __init__(self, scheme: str, url: str) -> None:
        need("obstore", "s3", f"A data item of {scheme}://")
        bucket, _, key = url.partition("://")[2].partition("/")
        self.scheme = scheme
        self.url = without_secrets(url)
        self.identity = url
        if "@" in bucket or re.search(r"[?&](sig|X-Amz-Signature)=", url):
            raise BadUrl(
                self.url,
                "credentials do not belong into it",
                how="Give them by environment variables (AWS_*, GOOGLE_*, AZURE_*).",
            )
        if not bucket:
            raise BadUrl(self.url, "it names no bucket", how=f"Write {scheme}://bucket/key.")
        self.name = last_part(key) or bucket
        # All buckets of the memory are folders of one store.
        self._key = f"{bucket}/{key}" if scheme == "memory" else key
        for part in self._key.rstrip("/").split("/"):
            if part in (".", ".."):
                raise BadUrl(self.url, f"{part!r} is not allowed in a key")
        self._bucket = bucket

    @property
    def _store(self) -> ObjectStore:
        return _store_of(self.scheme, self._bucket, self.url)

    def path(self) -> Path | None:
        return None

    def stat(self) -> ItemStat:
        import obstore

        try:
            result = obstore.get(self._store, self._checked_key(), options={"head": True})
            return self._described(result.meta, result.attributes)
        except Exception as error:
            raise self._refusal(error) from None

    def open(self, start: int, stop: int | None, pinned: ItemStat | None) -> Answer:
        import obstore

        options: Any = {}
        if stop is not None:
            # Buckets refuse empty ranges; the first byte is asked for, and dropped.
            options["range"] = (start, max(stop, start + 1))
        elif start:
            options["range"] = {"offset": start}
        if pinned is not None and pinned.etag is not None:
            options["if_match"] = pinned.etag
        try:
            result = obstore.get(self._store, self._checked_key(), options=options)
        except Exception as error:
            refusal = self._refusal(error)
            if options.get("range") and not isinstance(refusal, ItemChanged | NotFound):
                found = pinned or self.stat()
                if found.size is not None and start >= found.size:
                    return Answer(found, start, start, iter(()), _nothing)
            raise refusal from None
        stat = self._described(result.meta, result.attributes)
        if pinned is not None and pinned.differs(stat):
            raise ItemChanged(self.url)
        first, end = result.range
        if stop is not None and stop <= start:
            return Answer(stat, start, start, iter(()), _nothing)
        return Answer(stat, first, end, self._chunks(result), _nothing)

    def write(self, reader: BinaryIO, *, append: bool) -> None:
        kind = content_type_of(self.name)
        attributes: Any = {"Content-Type": kind} if kind and self.scheme != "memory" else None
        self._checked_key()
        try:
            # obstore reads on a thread of its own runtime, where nothing that uses obstore may
            # be read from; so it gets plain files only.
            with _local_file(reader) as file:
                if not append or not self._appended(file, attributes):
                    self._put(file, attributes)
        except Exception as error:
            raise self._refusal(error) from None

    def delete(self) -> None:
        import obstore

        self.stat()
        try:
            obstore.delete(self._store, self._checked_key())
        except Exception as error:
            raise self._refusal(error) from None

    def entries(self) -> list[Entry]:
        import obstore

        prefix = self._key.rstrip("/")
        try:
            found = obstore.list_with_delimiter(self._store, prefix or None)
        except obstore.exceptions.InvalidPathError as error:
            reason = f"it holds a key that is no path ({_first_line(error)})"
            raise NoListing(self.url, reason) from None
        except Exception as error:
            raise self._refusal(error) from None
        folders = {Entry(last_part(name), True) for name in found["common_prefixes"]}
        files = {
            Entry(last_part(meta["path"]))
            for meta in found["objects"]
            if meta["path"] != prefix  # the folder's own mark
        }
        if not folders and not files and prefix:
            if self._key.endswith("/"):
                raise NotFound("folder", self.url)
            self.stat()
            return [Entry(self.name)]
        return sorted(folders | files, key=lambda entry: entry.name)

    def child(self, entry: Entry) -> ObjectSource:
        folder = self.identity.rstrip("/")
        if entry.name == self.name and not entry.folder and not self.is_folder():
            return ObjectSource(self.scheme, folder)
        return ObjectSource(self.scheme, f"{folder}/{entry.name}")

    # ------------------------------------------------------------------ inside

    def is_folder(self) -> bool:
        """Whether there is anything inside; a bucket may be empty."""
        import obstore

        prefix = self._key.rstrip("/")
        try:
            first = next(iter(obstore.list(self._store, prefix or None, chunk_size=1)), ())
        except obstore.exceptions.InvalidPathError:
            return True
        except Exception as error:
            refusal = self._refusal(error)
            if isinstance(refusal, NotFound):
                return False
            raise refusal from None
        return bool(first) or not prefix

    def _checked_key(self) -> str:
        if not self._key or self._key.endswith("/"):
            raise BadUrl(self.url, "it names a folder, not an object")
        return self._key

    def _put(self, reader: BinaryIO, attributes: Any) -> None:
        import obstore

        obstore.put(
            self._store,
            self._key,
            reader,
            attributes=attributes,
            chunk_size=_PART,
            max_concurrency=_AT_ONCE,
        )

    def _appended(self, reader: BinaryIO, attributes: Any) -> bool:
        """Rewrite the object with more behind it; False where there is none yet."""
        import obstore

        key = self._key
        try:
            before = obstore.get(self._store, key)
        except FileNotFoundError:
            return False
        size = reader.seek(0, 2) - reader.seek(0)
        if before.meta["size"] + size <= _REWRITTEN_AT_ONCE:
            # Small enough to be replaced only if nobody else was faster.
            whole = bytes(before.bytes()) + reader.read()
            mode: Any = {"e_tag": before.meta["e_tag"]}
            obstore.put(self._store, key, whole, attributes=attributes, mode=mode)
            return True
        with tempfile.TemporaryFile() as both:
            for data in before.stream(CHUNK):
                both.write(data)
            shutil.copyfileobj(reader, both, CHUNK)
            both.seek(0)
            self._put(both, attributes)
        return True

    def _described(self, meta: ObjectMeta, attributes: Any) -> ItemStat:
        kind = attributes.get("Content-Type") or content_type_of(self.name)
        return ItemStat(meta["size"], meta["last_modified"], kind, meta["e_tag"])

    def _chunks(self, result: Any) -> Iterator[bytes]:
        try:
            yield from result.stream(CHUNK)
        except Exception as error:
            refusal = self._refusal(error)
            if isinstance(refusal, ItemRefused):
                raise Transient(refusal) from None
            raise refusal from None

    def _refusal(self, error: Exception) -> Exception:
        """What an error of obstore means."""
        from obstore import exceptions

        if isinstance(error, FindspotError | Transient):
            return error
        text = str(error)
        said = without_secrets_in(_first_line(error).partition(": <")[0])[:300]
        if isinstance(error, FileNotFoundError | exceptions.NotFoundError):
            return self._absent(error)
        if re.search(r"status code: 404\b", text):
            return self._bucket_missing()
        if isinstance(error, exceptions.PreconditionError):
            return ItemChanged(self.url)
        if "169.254.169.254" in text or "metadata.google" in text:
            # Without credentials the machine's own are asked for, at these addresses.
            return AccessDenied(self.url, self.scheme, "there are no credentials")
        denied = exceptions.PermissionDeniedError | exceptions.UnauthenticatedError
        if isinstance(error, denied) or re.search(r"status code: 40[13]\b", text):
            return AccessDenied(self.url, self.scheme, said)
        if "ConnectionRefused" in text:
            return Unreachable(self.url, "the connection was refused")
        if re.search(r"kind: (Connect|Timeout)\b", text):
            return Unreachable(self.url, said)
        if re.search(r"status code: 5\d\d\b|kind: (Request|Interrupted|Decode)\b", text):
            return Transient(ItemRefused(self.url, said))
        if isinstance(error, ValueError):
            return BadUrl(self.url, said)
        return ItemRefused(self.url, said)

    def _absent(self, error: Exception) -> NotFound:
        """That the item is missing, with keys like it among the first of its folder; or the bucket,
        which the answer to a question for the item alone may not tell."""
        import obstore

        if _NO_BUCKET.search(str(error)):
            return self._bucket_missing()
        folder = self._key.rpartition("/")[0]
        try:
            page = next(iter(obstore.list(self._store, folder or None, chunk_size=_COMPARED)), [])
        except (obstore.exceptions.BaseError, OSError, ValueError) as other:
            if _NO_BUCKET.search(str(other)):
                return self._bucket_missing()
            page = []
        names = [meta["path"].removeprefix(folder).lstrip("/") for meta in page]
        return NotFound("item", self.url, near=get_close_matches(self.name, names, n=3))

    def _bucket_missing(self) -> NotFound:
        how = "Make the bucket (Findspot makes none), or mend its name in the URL."
        return NotFound("bucket", f"{self.scheme}://{self._bucket}", how=how)


@contextmanager
def _local_file(reader: BinaryIO) -> Iterator[BinaryIO]:
    """``reader`` if it is in memory or a file of this machine, else all that it gives in one."""
    if isinstance(reader, io.BytesIO) or isinstance(getattr(reader, "raw", None), io.FileIO):
        yield reader
        return
    with tempfile.TemporaryFile() as file:
        shutil.copyfileobj(reader, file, CHUNK)
        file.seek(0)
        yield cast("BinaryIO", file)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _nothing() -> None:
    """The connection is given up with the stream."""
