"""`pathlib.Path`: the file or folder that it points to, byte for byte."""

from __future__ import annotations

import mimetypes
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from findspot.core.errors import FindspotError
from findspot.core.names import check_file_path
from findspot.core.records import Preview
from findspot.handlers.errors import BadFiles, BadValue, CannotConvert
from findspot.handlers.handler import PREVIEW_TEXT, Handler, text_preview
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.selecting import chosen_name

_PREVIEW_BYTES = 512 << 10
_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_SHOWN = 50
_EMPTY = ".findspot-empty-folders"
"""A file of a folder version that lists its empty folders, one a line, where there are any."""


class FileHandler(Handler):
    """A path to a regular file (or to a link to one): its bytes, under its own name.

    `load` gives the path of a read-only file with that name and those bytes.
    """

    name = "path.file"
    types = ("pathlib.Path",)
    kind = "file"
    representations = ("str",)

    def accepts(self, value: Any) -> bool:
        return not value.is_dir()

    def why_not(self, value: Any) -> str:
        return "it is a folder"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        # A link to a file stands for the file: the caller named it on purpose.
        source = _existing(value)
        if not source.is_file():
            raise BadValue(
                f"It is neither a file nor a folder but a {_what(source)}.", where=os.fspath(value)
            )
        folder.add(value.name, source)

    def load(self, folder: LoadFolder, /, **args: Any) -> Path:
        if len(folder.files) != 1:
            raise BadFiles(f"there are {len(folder.files)} files instead of one")
        return folder.folder() / folder.files[0].path

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> str:
        """The text of the file, which is UTF-8."""
        return file_text(folder, folder.files[0].path, self.name)

    def describe(self, value: Any) -> Mapping[str, Any]:
        described: dict[str, Any] = {"file_name": _text(value.name), "bytes": value.stat().st_size}
        media_type = mimetypes.guess_type(value.name)[0]
        return described | ({"media_type": media_type} if media_type else {})

    def preview(self, value: Any) -> Preview | None:
        """The picture itself, or the beginning of a text."""
        media_type = mimetypes.guess_type(value.name)[0]
        if media_type in _IMAGES:
            if value.stat().st_size > _PREVIEW_BYTES:
                return None
            return Preview(media_type or "", value.read_bytes())
        with value.open("rb") as file:
            data = file.read(PREVIEW_TEXT)
        if b"\0" in data:
            return None
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            if error.start < len(data) - 3:
                return None
            text = data[: error.start].decode()
        return text_preview(text + ("…" if len(data) == PREVIEW_TEXT else ""), PREVIEW_TEXT + 1)


class DirectoryHandler(Handler):
    """A path to a folder: every file below it, under its own name.

    Links inside that lead to a file of the same folder are saved as that file; links that lead out
    of it, devices, pipes and sockets are refused, all of them listed. Empty folders are kept;
    permissions and times are not. `load` gives the path of a read-only folder.
    """

    name = "path.directory"
    types = ("pathlib.Path",)
    kind = "directory"
    representations = ("bytes", "str")
    selections = ("file",)

    def accepts(self, value: Any) -> bool:
        return bool(value.is_dir())

    def why_not(self, value: Any) -> str:
        return "it is no folder"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        root = _existing(value)
        files, links, empty, problems = _survey(os.fspath(root))
        if problems:
            listing = "\n  ".join(problems[:20])
            raise BadValue(
                f"It holds what cannot be saved:\n  {listing}",
                where=os.fspath(value),
                how="Replace links that lead out of the folder by the files themselves; remove "
                "devices, pipes and sockets; rename what has a bad name.",
            )
        for name in files:
            folder.add(name, Path(links.get(name) or root / name))
        if empty:
            folder.write(_EMPTY, "".join(f"{name}\n" for name in empty).encode())

    def load(self, folder: LoadFolder, /, **args: Any) -> Path:
        root = folder.folder()
        root.mkdir(parents=True, exist_ok=True)  # there is none for a folder without files
        if not any(entry.path == _EMPTY for entry in folder.files):
            return root
        for name in folder.read(_EMPTY).decode().splitlines():
            (root / check_file_path(name)).mkdir(parents=True, exist_ok=True)
        return root

    def load_part(self, folder: LoadFolder, what: Mapping[str, Any], /, **args: Any) -> Path:
        """A read-only path of one file; no other is fetched. Its name may differ."""
        return folder.path(_chosen(folder, what["file"]))

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> bytes | str:
        """The bytes, or the text in UTF-8, of one file."""
        if "file" not in what:
            raise CannotConvert(
                self.name, as_type, ("pathlib.Path",), reason="say which file: file='name'"
            )
        name = _chosen(folder, what["file"])
        return folder.read(name) if as_type == "bytes" else file_text(folder, name, self.name)

    def describe(self, value: Any) -> Mapping[str, Any]:
        count = size = 0
        for _, entry in _walk(os.fspath(value)):
            if entry.is_file():
                count += 1
                size += entry.stat().st_size
        return {"folder_name": _text(value.resolve().name), "files": count, "bytes": size}

    def preview(self, value: Any) -> Preview | None:
        """The first names in it, with their sizes."""
        lines: list[str] = []
        for name, entry in _walk(os.fspath(value)):
            if entry.is_dir(follow_symlinks=False):
                continue
            if len(lines) == _SHOWN:
                lines.append("…")
                break
            if entry.is_file():
                lines.append(f"{entry.stat().st_size:>12,}  {_text(name)}")
        return text_preview("\n".join(lines))


def file_text(folder: LoadFolder, name: str, handler: str) -> str:
    """The text of a file in UTF-8; `CannotConvert` if it is none."""
    try:
        return folder.read(name).decode()
    except UnicodeDecodeError as error:
        others = ("pathlib.Path", "bytes")
        raise CannotConvert(handler, "str", others, reason=f"it is no UTF-8: {error}") from error


def _chosen(folder: LoadFolder, wanted: Any) -> str:
    names = [entry.path for entry in folder.files if entry.path != _EMPTY]
    if isinstance(wanted, os.PathLike):
        wanted = Path(wanted).as_posix()
    return chosen_name(wanted, names, what="file")


def _existing(path: Path) -> Path:
    try:
        return path.resolve(strict=True)
    except FileNotFoundError:
        link = " (it is a link to nothing)" if path.is_symlink() else ""
        raise BadValue(
            f"There is no such file or folder{link}.",
            where=os.fspath(path.absolute()),
            how="A pathlib.Path is saved as the file or folder it points to. To save the path "
            "itself, save str(path).",
        ) from None
    except (OSError, RuntimeError) as error:  # a loop of links is a RuntimeError
        raise BadValue(f"It cannot be read: {error}.", where=os.fspath(path)) from error


def _survey(root: str) -> tuple[list[str], dict[str, str], list[str], list[str]]:
    """What is below ``root``, whose own path holds no links: the names of the files, where those
    that are links lead to, the empty folders, and what is wrong.

    Of a file that is no link only the name is held, which its version needs anyway.
    """
    files: list[str] = []
    links: dict[str, str] = {}
    empty: list[str] = []
    problems: list[str] = []
    for name, entry in _walk(root):
        if name == _EMPTY:
            continue  # a folder that was loaded from a version; the list is made anew
        try:
            check_file_path(name)
            name.encode()
        except (FindspotError, UnicodeEncodeError) as error:
            problems.append(f"{_text(name)}: {getattr(error, 'what', error)}")
            continue
        if entry.is_symlink():
            source = Path(os.path.realpath(entry.path))  # Path.resolve raises for a loop of links
            if not source.exists():
                problems.append(f"{name}: a link to nothing")
            elif not source.is_relative_to(root):
                problems.append(f"{name}: a link that leads out of the folder, to {source}")
            elif source.is_dir():
                problems.append(f"{name}: a link to a folder")
            elif source.is_file():
                files.append(name)
                links[name] = os.fspath(source)
            else:
                problems.append(f"{name}: a {_what(source)}")
        elif entry.is_dir():
            with os.scandir(entry.path) as listing:
                if next(listing, None) is None:
                    empty.append(name)
        elif entry.is_file():
            files.append(name)
        else:
            problems.append(f"{name}: a {_what(Path(entry.path))}")
    return files, links, empty, problems


def _walk(folder: str, start: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Everything below a folder in order of names, which ``start`` begins; links to folders are not
    followed."""
    with os.scandir(folder) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    for entry in entries:
        name = start + entry.name
        yield name, entry
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path, f"{name}/")


def _what(path: Path) -> str:
    mode = path.stat().st_mode
    for test, name in _SPECIAL:
        if test(mode):
            return name
    return "special file"


_SPECIAL = (
    (stat.S_ISFIFO, "pipe"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISCHR, "device"),
    (stat.S_ISBLK, "device"),
    (stat.S_ISDIR, "folder"),
)


def _text(name: str) -> str:
    return name.encode("utf-8", "replace").decode()
