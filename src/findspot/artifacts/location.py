"""Where workspaces are: finding one, making one, and what lies in its folder.

.findspot/
  findspot.toml   settings and the format's number
  catalog.db      the catalog (SQLite), unless the settings name another
  blobs/          the blob store, unless the settings name another
  secret          the key of the seals that tell own versions from foreign ones
  trusted         digests of foreign versions that the user trusts, one a line
  views/          readable copies of versions, rebuilt at will
  plugins/        the source files of plugin snapshots, rebuilt at will
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

from findspot.artifacts.settings import FILE_NAME, write_default_settings
from findspot.core.errors import FindspotError, ReadOnly, StorageFull

FOLDER_NAME = ".findspot"


class NoWorkspace(FindspotError):
    """There is no workspace where one was looked for."""

    exit_code = 3

    def __init__(self, where: str) -> None:
        super().__init__(
            "There is no Findspot workspace here.", where=where, how="Make one: findspot init"
        )


class BadWorkspaceUrl(FindspotError):
    """A text names no workspace."""

    exit_code = 2

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"{url!r} is no workspace: {reason}",
            how="Give a folder, file:///folder, or postgresql://user@host/database?store=<folder>.",
        )


@dataclass(frozen=True, slots=True)
class Location:
    """A workspace's folder on this machine, and the settings that its URL brings along."""

    folder: Path
    overrides: Mapping[str, str]


def locate(url: str | os.PathLike[str] | None, environment: Mapping[str, str]) -> Location:
    """The place of a workspace: given, or ``FINDSPOT_WORKSPACE``, or found by walking up from the
    current folder, or (not yet there) ``.findspot`` in the current folder."""
    if url is None:
        given = environment.get("FINDSPOT_WORKSPACE")
        if not given:
            return Location(find_upwards(Path.cwd()) or Path.cwd() / FOLDER_NAME, {})
        url = given
    text = os.fspath(url)
    if "://" in text:
        return _from_url(text, environment)
    return Location(_folder(Path(text).expanduser()), {})


def find_upwards(start: Path) -> Path | None:
    """The nearest ``.findspot`` folder at or above ``start``."""
    for folder in (start, *start.parents):
        if (folder / FOLDER_NAME / FILE_NAME).is_file():
            return folder / FOLDER_NAME
    return None


def create(folder: Path, project: str | None = None) -> bool:
    """Make a workspace's folder; False where it exists. Safe to call from two processes at once.

    Args:
        project: written into the settings as the project where none is named.
    """
    settings = folder / FILE_NAME
    if settings.exists():
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return write_once(settings, write_default_settings(project).encode())
    except OSError as error:
        raise storage_error(error, str(folder)) from error


def write_once(file: Path, data: bytes, mode: int = 0o644) -> bool:
    """Write a file whole, only where there is none; False where there is one."""
    draft = file.with_name(f"{file.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as sink:
            sink.write(data)
        os.link(draft, file)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def storage_error(error: OSError, where: str) -> FindspotError:
    """The Findspot error for an operating system's refusal to write."""
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(where)
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return ReadOnly(where)
    return FindspotError(
        f"The workspace cannot be written to: {error.strerror or error}.",
        where=where,
        how="Check that the folder exists, is a folder, and that you may write to it.",
    )


def _folder(path: Path) -> Path:
    path = path.absolute()
    if path.name == FOLDER_NAME or (path / FILE_NAME).is_file():
        return path
    return path / FOLDER_NAME


def _from_url(text: str, environment: Mapping[str, str]) -> Location:
    parts = urlsplit(text)
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or not parts.path:
            raise BadWorkspaceUrl(text, "a file URL has three slashes: file:///folder")
        return Location(_folder(Path(unquote(parts.path))), {})
    if parts.scheme in ("postgresql", "postgres"):
        query = parse_qs(parts.query)
        stores = query.pop("store", [])
        if len(stores) != 1:
            raise BadWorkspaceUrl(text, "it does not say where the blobs are (?store=...)")
        plain = urlunsplit(
            (
                "postgresql",
                parts.netloc,
                parts.path,
                "&".join(f"{k}={v}" for k, vs in query.items() for v in vs),
                "",
            )
        )
        home = Path(
            environment.get("FINDSPOT_HOME")
            or Path(environment.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "findspot"
        )
        from findspot.core.digests import hash_bytes

        name = hash_bytes(f"{parts.hostname}:{parts.port}{parts.path}".encode())[7:23]
        return Location(home / name, {"catalog": plain, "store": stores[0]})
    raise BadWorkspaceUrl(text, f"its scheme {parts.scheme!r} is not known")
