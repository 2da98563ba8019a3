"""Where workspaces are: finding one, making one, and what lies in its folder.

.findspot/
  findspot.toml   settings and the format's number
  catalog.db      the catalog (SQLite), unless the settings name another
  blobs/          the blob store, unless the settings name another
  secret          the key of the seals that tell own versions from foreign ones
  trusted         digests of foreign versions that the user trusts, one a line
  cache/          blobs of a remote store, the least recently used leave first
  views/          readable copies of versions, rebuilt at will
  plugins/        the source files of plugin snapshots, rebuilt at will
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from findspot.artifacts.settings import FILE_NAME, write_default_settings
from findspot.core.digests import hash_bytes
from findspot.core.errors import FindspotError, StorageFull
from findspot.store.errors import write_failure

FOLDER_NAME = ".findspot"
WORKSPACE = "The workspace"
_PLACE_PARAMETERS = frozenset({"host", "hostaddr", "port", "dbname", "service"})
_USER = re.compile(r"(://[^/?#:@]*):[^/?#]*@")
_PASSWORD = re.compile(r"([?&](?:ssl)?password=)[^&#]*")


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
            f"{shown_url(url)[:200]!r} is no workspace: {reason}.",
            how="Give a folder, file:///folder, or postgresql://user@host/database?store=<folder>.",
        )


@dataclass(frozen=True, slots=True)
class Location:
    """Where a workspace is.

    Args:
        folder: its folder on this machine.
        url: what leads to the same place from any folder and process.
        overrides: the settings that its URL brings along.
    """

    folder: Path
    url: str = field(repr=False)
    overrides: Mapping[str, str] = field(default_factory=dict, repr=False)


def locate(url: str | os.PathLike[str] | None, environment: Mapping[str, str]) -> Location:
    """The place of a workspace: given, or ``FINDSPOT_WORKSPACE``, or found by walking up from the
    current folder, or (not yet there) ``.findspot`` in the current folder."""
    if url is None:
        given = environment.get("FINDSPOT_WORKSPACE")
        if not given:
            here = Path.cwd()
            return _on_disk(find_upwards(here) or here / FOLDER_NAME)
        url = given
    try:
        text = os.fspath(url)
    except TypeError:
        raise BadWorkspaceUrl(repr(url), "it is neither text nor a path") from None
    if not text or "\0" in text:
        raise BadWorkspaceUrl(text, "it is empty, or holds NUL")
    if "://" in text:
        return _from_url(text, environment)
    try:
        os.fsencode(text)
        return _on_disk(_folder(Path(text).expanduser()))
    except UnicodeEncodeError:
        raise BadWorkspaceUrl(text, "no folder can be called so") from None
    except RuntimeError:
        raise BadWorkspaceUrl(text, "nobody has this home folder") from None
    except OSError as error:
        raise BadWorkspaceUrl(text, f"{error.strerror}") from None


def shown_url(url: str) -> str:
    """A URL as it may be shown: without passwords.

    >>> shown_url("postgresql://ann:secret@db/lab?store=/data&password=secret")
    'postgresql://ann:***@db/lab?store=/data&password=***'
    """
    hidden = _USER.sub(r"\1:***@", url)
    return _PASSWORD.sub(r"\1***", hidden)


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


def storage_error(error: OSError, where: str, what: str = WORKSPACE) -> FindspotError:
    """The Findspot error for an operating system's refusal to write.

    Args:
        what: is written to, as the error calls it.
    """
    failure = write_failure(error, where)
    if isinstance(failure, StorageFull) or (
        isinstance(failure, FindspotError) and what == WORKSPACE
    ):
        return failure
    return FindspotError(
        f"{what} cannot be written to: {error.strerror or error}.",
        where=where,
        how="Check that the folder exists, is a folder, and that you may write to it.",
    )


def _folder(path: Path) -> Path:
    path = path.absolute()
    if path.name == FOLDER_NAME or (path / FILE_NAME).is_file():
        return path
    return path / FOLDER_NAME


def _on_disk(folder: Path) -> Location:
    return Location(folder, str(folder))


def _from_url(text: str, environment: Mapping[str, str]) -> Location:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise BadWorkspaceUrl(text, str(error)) from None
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or not parts.path:
            raise BadWorkspaceUrl(text, "a file URL has three slashes: file:///folder")
        path = unquote(parts.path)
        if "\0" in path or parts.query or parts.fragment:
            raise BadWorkspaceUrl(text, "a folder's name holds no NUL, and '?' and '#' escaped")
        return _on_disk(_folder(Path(path)))
    if parts.scheme not in ("postgresql", "postgres"):
        raise BadWorkspaceUrl(text, f"its scheme {parts.scheme!r} is not known")
    # As libpq reads it: a plus sign stands for itself.
    query = parse_qsl(parts.query.replace("+", "%2B"), keep_blank_values=True)
    stores = [value for name, value in query if name == "store"]
    if len(stores) != 1 or not stores[0]:
        raise BadWorkspaceUrl(text, "it does not say where the blobs are (?store=...)")
    others = [(name, value) for name, value in query if name != "store"]
    plain = urlunsplit(
        ("postgresql", parts.netloc, parts.path, urlencode(others, quote_via=quote), "")
    )
    home = Path(
        environment.get("FINDSPOT_HOME")
        or Path(environment.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "findspot"
    )
    # Whoever comes to the same database, by whatever user and password, has the same folder here.
    places = [f"{name}={value}" for name, value in sorted(others) if name in _PLACE_PARAMETERS]
    database = f"{parts.hostname or ''}:{port or ''}{parts.path}?{'&'.join(places)}"
    folder = home.absolute() / hash_bytes(database.encode())[7:23]
    return Location(folder, text, {"catalog": plain, "store": stores[0]})
