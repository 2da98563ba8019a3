"""Ed25519 signatures of versions: who vouches for them, whatever workspace they are in.

A signature is over a statement of all that decides what a version loads as, and of its identity:
its uid, digest, kind, handler, handler arguments, Python type, time and origin, and the plugin's
code where one loads it. Its place (project, key, number) is no part of it: a version that is moved,
pushed or imported is still what was signed.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal, TypeAlias

from findspot.artifacts.given_paths import file_path
from findspot.artifacts.location import storage_error, write_once
from findspot.artifacts.plugin_handlers import PREFIX as PLUGIN
from findspot.artifacts.version import uri_of
from findspot.core.canonical import canonical_json
from findspot.core.errors import Conflict, FindspotError
from findspot.core.names import check_name
from findspot.core.records import Signature, VersionRecord, manifest_digest, now

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from findspot.artifacts.space import ArtifactLike, ArtifactSpace
    from findspot.core.records import FileEntry

PREFIX = "ed25519:"
TRUSTED_KEYS = "trusted_keys"
"""The file of a workspace's folder that lists the keys it trusts."""

_STATEMENT = "findspot version statement 1"
_KEY_BYTES = 32

KeySource: TypeAlias = "str | os.PathLike[str] | Ed25519PrivateKey"


class BadKey(FindspotError):
    """A text or a file is no key of the expected sort."""

    exit_code = 2


class SigningUnavailable(FindspotError):
    """The library that signs is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "Signatures need the library cryptography.", how="pip install 'findspot[sign]'"
        )


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """What became of one signature.

    Args:
        key: the public key, ``ed25519:<base64>``.
        name: what the key is called among those that are trusted; None where it is not.
        status: ``valid``: the key's owner signed this very version. ``invalid``: the signature
            is not over this version, or it is damaged. ``unknown key``: it is valid, but its key
            is not among those that were asked for.
    """

    key: str
    name: str | None
    status: Literal["valid", "invalid", "unknown key"]
    signature: Signature


# --------------------------------------------------------------------------- keys


def generate_key(path: str | os.PathLike[str]) -> str:
    """Make a key pair: the private key at ``path`` (PEM, readable by its owner only), the public
    key beside it in ``<path>.pub``. Returns the public key, ``ed25519:<base64>``.

    Raises:
        BadPath: it can be no path of a file.
        FindspotError: there is a file already; it stays as it is.
    """
    ed25519, serialization = _library()
    private = file_path(path)
    made = ed25519.Ed25519PrivateKey.generate()
    pem = made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = public_text(made)
    beside = private.with_name(f"{private.name}.pub")
    try:
        private.parent.mkdir(parents=True, exist_ok=True)
        for file in (private, beside):
            if os.path.lexists(file):
                raise _taken(file)
        if not write_once(private, pem, mode=0o600):
            raise _taken(private)
        if not write_once(beside, f"{public}\n".encode(), mode=0o644):
            raise _taken(beside)
    except OSError as error:
        raise storage_error(error, os.fspath(private), "The file") from error
    return public


def read_private_key(path: str | os.PathLike[str]) -> Ed25519PrivateKey:
    """A private key from its PEM file.

    Raises:
        BadPath: it can be no path of a file.
        BadKey: it is none, or others may read it.
    """
    ed25519, serialization = _library()
    file = file_path(path)
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise BadKey(
                "Others may read this private key.", where=str(file), how=f"chmod 600 {file}"
            )
        data = file.read_bytes()
    except OSError as error:
        raise BadKey(
            f"It cannot be read: {error.strerror}.",
            where=str(file),
            how="Make a key pair: findspot key generate <file>",
        ) from error
    try:
        key: object = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as error:
        raise BadKey("It is no private key in PEM.", where=str(file)) from error
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise BadKey("It is a private key, but not one of Ed25519.", where=str(file))
    private: Ed25519PrivateKey = key
    return private


def public_text(key: KeySource) -> str:
    """The public key of a private one, as ``ed25519:<base64>``."""
    _, serialization = _library()
    private = _private(key)
    raw = private.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    return PREFIX + base64.b64encode(raw).decode()


def parse_public_key(text: str) -> str:
    """A public key in its one spelling; `BadKey` if it is none.

    >>> parse_public_key("ed25519:" + "A" * 43 + "=")
    'ed25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='
    """
    raw = b""
    if not isinstance(text, str):
        raise BadKey(
            f"{repr(text)[:80]} is no public key.", how="Public keys are written ed25519:<base64>."
        )
    if text.startswith(PREFIX):
        try:
            raw = base64.b64decode(text.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            raw = b""
    if len(raw) != _KEY_BYTES:
        raise BadKey(
            f"{text[:80]!r} is no public key.", how="Public keys are written ed25519:<base64>."
        )
    return PREFIX + base64.b64encode(raw).decode()


# --------------------------------------------------------------------------- trusted keys


def trusted_keys(space: ArtifactSpace) -> dict[str, str]:
    """The keys that the workspace trusts, and what they are called.

    Raises:
        BadKey: a line of the file is wrong; no key of it is trusted then.
    """
    file = space.folder / TRUSTED_KEYS
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BadKey(f"It cannot be read: {error.strerror}.", where=str(file)) from error
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        key, _, name = line.partition("#")[0].strip().partition(" ")
        if not key:
            continue
        try:
            found[parse_public_key(key)] = name.strip()
        except BadKey as error:
            raise BadKey(
                error.what,
                where=f"{file}, line {number}",
                how="Each line is: ed25519:<base64> name",
            ) from None
    return found


def trust_key(space: ArtifactSpace, key: str, name: str) -> None:
    """Trust all versions that the owner of a public key signs, from now on."""
    parsed, name = parse_public_key(key), check_name(name, "name of a key")
    if parsed in trusted_keys(space):
        return
    file = space.folder / TRUSTED_KEYS
    try:
        data = file.read_bytes() if file.exists() else b""
        ended = b"" if not data or data.endswith(b"\n") else b"\n"
        with file.open("ab") as sink:
            sink.write(ended + f"{parsed} {name}\n".encode())
    except OSError as error:
        raise storage_error(error, str(file)) from error


def distrust_key(space: ArtifactSpace, key_or_name: str) -> int:
    """Take keys off the list, by key or by name; how many there were."""
    keys = trusted_keys(space)
    kept = {k: n for k, n in keys.items() if key_or_name not in (k, n)}
    if len(kept) < len(keys):
        file = space.folder / TRUSTED_KEYS
        draft = file.with_name(f"{file.name}.{os.getpid()}.tmp")
        try:
            draft.write_text("".join(f"{k} {n}\n" for k, n in kept.items()), encoding="utf-8")
            draft.replace(file)
        except OSError as error:
            raise storage_error(error, str(file)) from error
    return len(keys) - len(kept)


# --------------------------------------------------------------------------- sign and verify


def statement(record: VersionRecord, code: str | None = None) -> bytes:
    """What a signature of a version is over: canonical JSON.

    Args:
        code: the digest of the plugin's files that load it, see `loading_code`.
    """
    return canonical_json(
        {
            "statement": _STATEMENT,
            "code": code,
            "uid": record.uid,
            "kind": record.kind,
            "digest": record.digest,
            "handler": record.handler,
            "handler_args": dict(record.handler_args),
            "python_type": record.python_type,
            "created": record.created.isoformat(timespec="microseconds"),
            "origin": record.origin,
        }
    )


def loading_code(space: ArtifactSpace, record: VersionRecord) -> str | None:
    """The digest of the plugin's files that a version is loaded by; None where no plugin is needed,
    or none is here. Without it a signature would vouch for whatever code comes along."""
    if not record.handler.startswith(PLUGIN) or record.producer is None:
        return None
    plugin = record.handler.removeprefix(PLUGIN).partition("/")[0]
    job = space.catalog.job(record.producer.job)
    snapshot = None if job is None else job.plugins.get(plugin)
    if snapshot is None:
        return None
    return manifest_digest(space.catalog.files(snapshot), PLUGIN + plugin)


def sign(space: ArtifactSpace, artifact: ArtifactLike, key: KeySource) -> Signature:
    """Sign a version with a private key, and record the signature; signing again changes nothing.

    Args:
        key: a private key, or its file.

    Raises:
        BadKey: it is no private key.
        FindspotError: the version's files are not those of its digest.
    """
    version = space.get_artifact(artifact)
    if manifest_digest(version.files, version.handler) != version.digest:
        raise FindspotError("Its files are not those of its digest.", where=version.uri)
    private = _private(key)
    code = _code(space, version.record)
    signed = base64.b64encode(private.sign(statement(version.record, code))).decode()
    public = public_text(private)
    for known in space.catalog.signatures(version.uid):
        if (known.key, known.signature) == (public, signed):
            return known
    made = Signature(version.uid, public, signed, space.owner, now())
    space.catalog.add_signature(made)
    return made


def verify_signatures(
    space: ArtifactSpace,
    artifact: ArtifactLike,
    keys: Mapping[str, str] | Iterable[str] | None = None,
) -> list[SignatureCheck]:
    """Check every signature of a version.

    Args:
        keys: public keys (and what they are called); None: those that the workspace trusts.
    """
    version = space.get_artifact(artifact)
    if keys is None:
        names = trusted_keys(space)
    else:
        if isinstance(keys, str) or not isinstance(keys, Iterable):
            raise BadKey("Keys are given as a list, or as a mapping to their names.")
        given = keys.items() if isinstance(keys, Mapping) else ((key, "") for key in keys)
        names = {parse_public_key(key): name for key, name in given}
    right_files = manifest_digest(version.files, version.handler) == version.digest
    code = loading_code(space, version.record)
    if _needs_code(version.record) and code is None:
        right_files = False
    return [
        _checked(version.record, code, signature, names, right_files)
        for signature in space.catalog.signatures(version.uid)
    ]


def signed_by_trusted(
    space: ArtifactSpace, record: VersionRecord, files: tuple[FileEntry, ...]
) -> str | None:
    """The name of a trusted key whose owner signed the version, None where there is none.

    Args:
        files: those that are to be loaded; they must be those that the record's digest names.
    """
    names = trusted_keys(space)
    if not names or manifest_digest(files, record.handler) != record.digest:
        return None
    code = loading_code(space, record)
    if _needs_code(record) and code is None:
        return None
    for signature in space.catalog.signatures(record.uid):
        if signature.key in names:
            found = _checked(record, code, signature, names, True)
            if found.status == "valid":
                return found.name or found.key
    return None


def _private(key: KeySource) -> Ed25519PrivateKey:
    ed25519, _ = _library()
    if isinstance(key, ed25519.Ed25519PrivateKey):
        private: Ed25519PrivateKey = key
        return private
    if isinstance(key, str | os.PathLike):
        return read_private_key(key)
    raise BadKey(
        f"A {type(key).__name__} is no private key.", how="Give the path of its file, or the key."
    )


def _needs_code(record: VersionRecord) -> bool:
    return record.handler.startswith(PLUGIN)


def _code(space: ArtifactSpace, record: VersionRecord) -> str | None:
    code = loading_code(space, record)
    if code is None and _needs_code(record):
        raise FindspotError(
            "It is loaded by a plugin, and no job says which state of the plugin that is.",
            where=uri_of(record),
            how="Sign versions that a job made, in a workspace that has the job's record.",
        )
    return code


def _checked(
    record: VersionRecord,
    code: str | None,
    signature: Signature,
    names: Mapping[str, str],
    right_files: bool,
) -> SignatureCheck:
    from cryptography.exceptions import InvalidSignature

    ed25519, _ = _library()
    status: Literal["valid", "invalid", "unknown key"] = "invalid"
    key = signature.key
    try:
        key = parse_public_key(signature.key)
        raw = base64.b64decode(key.removeprefix(PREFIX))
        signed = base64.b64decode(signature.signature, validate=True)
        ed25519.Ed25519PublicKey.from_public_bytes(raw).verify(signed, statement(record, code))
    except (InvalidSignature, BadKey, ValueError):
        pass  # whatever is wrong with it, it vouches for nothing
    else:
        if right_files and signature.version == record.uid:
            status = "valid" if key in names else "unknown key"
    return SignatureCheck(key, names.get(key), status, signature)


def _library() -> tuple[ModuleType, ModuleType]:
    """What makes keys, and what writes them down; imported only where somebody signs."""
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise SigningUnavailable from error
    return ed25519, serialization


def _taken(file: Path) -> Conflict:
    return Conflict(
        "There is a file already, and keys are never overwritten.",
        where=str(file),
        how="Choose another path, or move the file away.",
    )
