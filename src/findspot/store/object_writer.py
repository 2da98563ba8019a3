"""The writer of `ObjectBlobStore`: hashes while it uploads to a temporary key."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol

from findspot.core.digests import Digest, Hasher
from findspot.store.buffers import flat
from findspot.store.object_clients import Place
from findspot.store.object_errors import object_failures
from findspot.store.object_transfers import PARALLEL, PART, part_size
from findspot.store.protocol import Blob

if TYPE_CHECKING:
    from obstore import WritableFile
    from obstore.store import ObjectStore

UNKNOWN_PART: Final = 16 << 20
"""Bytes of a part where nobody says how many bytes are to come: room for 160 GB in 10,000 parts."""


class Owner(Protocol):
    """What the writer needs of its store."""

    def put(self, data: bytes | bytearray | memoryview) -> Blob: ...

    def publish(self, temporary: str, digest: Digest, size: int) -> None:
        """Give the bytes under a temporary key their place, and free that key."""
        ...


class ObjectBlobWriter:
    """Nothing is visible under a digest before `commit`; memory for a few parts is needed.

    What is at most one part stays in memory and is hashed before anything is sent.

    Args:
        owner: the store.
        client: of obstore.
        place: for errors.
        temporary: a key that nothing has.
        size_hint: how many bytes are to come, if known.
    """

    def __init__(
        self, owner: Owner, client: ObjectStore, place: Place, temporary: str, size_hint: int | None
    ) -> None:
        self._owner, self._client, self._place = owner, client, place
        self._temporary = temporary
        self._part = part_size(size_hint) if size_hint else UNKNOWN_PART
        self._buffer = bytearray()
        self._upload: WritableFile | None = None
        self._hasher = Hasher()
        self._blob: Blob | None = None
        self._closed = False

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        """Take all of ``data``; its length in bytes. A failed write ends the writer."""
        if self._closed:
            raise ValueError("This blob writer has ended; open a new one.")
        view = flat(data)
        if self._upload is None and len(self._buffer) + view.nbytes <= PART:
            self._buffer += view
            return view.nbytes
        try:
            if self._upload is None:
                buffer, self._buffer = self._buffer, bytearray()
                self._send(memoryview(buffer))
            self._send(view)
        except BaseException:
            self._discard()
            raise
        return view.nbytes

    def commit(self) -> Blob:
        """Publish the bytes under their digest, atomically; a blob that exists already stays.

        After it the writer takes nothing more; calling it again gives the same `Blob`.
        """
        if self._blob is not None:
            return self._blob
        if self._closed:
            raise ValueError("This blob writer has ended without a commit; open a new one.")
        try:
            if self._upload is None:
                self._blob = self._owner.put(self._buffer)
            else:
                upload, self._upload = self._upload, None
                with object_failures(self._place, "write"):
                    upload.close()
                digest = self._hasher.digest()
                self._owner.publish(self._temporary, digest, self._hasher.size)
                self._blob = Blob(digest, self._hasher.size)
        finally:
            self._discard()
        return self._blob

    def _send(self, view: memoryview) -> None:
        with object_failures(self._place, "write"):
            if self._upload is None:
                import obstore

                self._upload = obstore.open_writer(
                    self._client,
                    self._temporary,
                    buffer_size=self._part,
                    max_concurrency=PARALLEL,
                )
            # In pieces, so that an interrupt can come between and memory stays bounded.
            for start in range(0, view.nbytes, PART):
                piece = view[start : start + PART]
                # The client reads from the buffer later: it gets one that nobody can change.
                self._upload.write(piece if type(view.obj) is bytes else bytes(piece))
                self._hasher.update(piece)

    def _discard(self) -> None:
        self._closed = True
        self._buffer = bytearray()
        upload, self._upload = self._upload, None
        if upload is not None:
            # Told that its block failed, it aborts the upload instead of finishing it.
            failure = InterruptedError("The blob is not wanted any more.")
            with object_failures(self._place, "write"):
                upload.__exit__(InterruptedError, failure, None)

    def __enter__(self) -> ObjectBlobWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        self._discard()
