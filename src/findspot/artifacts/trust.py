"""Whose bytes may run code when they are loaded. The policy lives outside the artifacts.

Every version is sealed: a keyed BLAKE3 hash over its uid, digest and handler, under a secret that
never leaves the workspace's folder. A version whose seal is right was made by this workspace,
whatever its record says of its origin.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from hmac import compare_digest
from pathlib import Path

from blake3 import blake3

from findspot.artifacts.location import storage_error, write_once
from findspot.core.digests import hash_bytes
from findspot.core.errors import FindspotError
from findspot.core.records import FileEntry, VersionRecord, manifest_digest
from findspot.handlers import Untrusted


class UntrustedVersion(Untrusted):
    """Loading the version could run code, and nothing says that it may.

    Args:
        uri: the version.
        handler: what it was saved with.
        origin: id of the workspace that its record says made it.
        types: the types or functions that its bytes ask for, where they are known.
    """

    def __init__(self, uri: str, handler: str, origin: str, types: Sequence[str] = ()) -> None:
        self.uri, self.handler, self.origin = uri, handler, origin
        super().__init__(
            f"It was saved with {handler!r}, which can run any code when it is loaded, and it was "
            f"not made by this workspace (its record names workspace {origin or 'unknown'}).",
            types,
            where=uri,
            how="If you trust whoever made it: load_artifact(..., trust=True) for once, "
            f"or `findspot artifact trust {uri}` for good.",
        )


class Trust:
    """The trust policy of one workspace's folder.

    Args:
        folder: the workspace's folder; ``secret`` and ``trusted`` lie in it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._secret: bytes | None = None

    def seal(self, uid: str, digest: str, handler: str) -> str:
        """The seal of a version that this workspace makes now."""
        if self._secret is None:
            try:
                self._secret = self._read_secret() or self._make_secret()
            except PermissionError as error:
                raise FindspotError(
                    f"The workspace's secret cannot be read ({error.strerror}); nothing was saved.",
                    where=os.fspath(self._folder / "secret"),
                    how="Ask the workspace's owner for the right to read this file: whoever has it "
                    "can save versions that are trusted here.",
                ) from error
        return self._hash(self._secret, uid, digest, handler)

    def is_own(self, record: VersionRecord) -> bool:
        """Whether this workspace made the version: its seal is right."""
        if self._secret is None:
            try:
                self._secret = self._read_secret()
            except PermissionError:
                return False
            if self._secret is None:
                return False
        right = self._hash(self._secret, record.uid, record.digest, record.handler)
        return compare_digest(right.encode(), record.seal.encode())

    def allows(self, record: VersionRecord, files: tuple[FileEntry, ...], code: str = "") -> bool:
        """Whether loading the version may run code.

        Args:
            code: digest of the plugin's code that it is loaded by, where it is; what is trusted
                with one code is not trusted with another.

        Seal and list of trust speak of the record's digest, so the files that are to be loaded must
        be those that have it: a catalog whose rows were exchanged gains no trust by that.
        """
        if manifest_digest(files, record.handler) != record.digest:
            return False
        return self.is_own(record) or _entry(record, code) in self._trusted_digests()

    def trust(self, record: VersionRecord, code: str = "") -> None:
        """Trust the version's content from now on, in this workspace; ``code`` as for `allows`."""
        entry = _entry(record, code)
        if entry in self._trusted_digests():
            return
        try:
            with (self._folder / "trusted").open("a", encoding="ascii") as sink:
                sink.write(f"{entry}\n")
        except OSError as error:
            raise storage_error(error, os.fspath(self._folder)) from error

    def _trusted_digests(self) -> frozenset[str]:
        try:
            text = (self._folder / "trusted").read_text(encoding="ascii", errors="replace")
        except OSError:  # not there, or not for this user: nothing is trusted
            return frozenset()
        return frozenset(text.split())

    @staticmethod
    def _hash(secret: bytes, uid: str, digest: str, handler: str) -> str:
        return blake3(f"{uid}\0{digest}\0{handler}".encode(), key=secret).hexdigest()

    def _read_secret(self) -> bytes | None:
        try:
            secret = (self._folder / "secret").read_bytes()
        except FileNotFoundError:
            return None
        if len(secret) != 32:
            raise FindspotError(
                "The workspace's secret is damaged.",
                where=os.fspath(self._folder / "secret"),
                how="Restore it from a backup, or delete it: versions made before then count as "
                "foreign.",
            )
        return secret

    def _make_secret(self) -> bytes:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_once(self._folder / "secret", secrets.token_bytes(32), mode=0o600)
        except OSError as error:
            raise storage_error(error, os.fspath(self._folder)) from error
        made = self._read_secret()
        assert made is not None
        return made


def _entry(record: VersionRecord, code: str) -> str:
    """A version's content in the list of trust: its digest, and that of the code that loads it."""
    return hash_bytes(f"{record.digest} {code}".encode()) if code else record.digest
