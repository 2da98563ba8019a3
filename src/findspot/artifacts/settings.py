"""Settings of a workspace: a TOML file, overridden by environment variables, then by arguments."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from findspot.core.errors import FindspotError, FormatTooNew, Problem
from findspot.core.names import check_name

FORMAT = 1
"""The number of the workspace's layout on disk; raised when an older program could not read it."""

FILE_NAME = "findspot.toml"
ENVIRONMENT_PREFIX = "FINDSPOT_"


class BadSettings(FindspotError):
    """The settings file or an environment variable holds something that is no setting."""

    exit_code = 2

    def __init__(self, where: str, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        listing = "\n".join(f"  {p.path}: {p.message}" for p in problems)
        super().__init__(f"The settings have mistakes:\n{listing}", where=where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What may be chosen for a workspace.

    Each field is a key of ``findspot.toml`` and, in capitals behind ``FINDSPOT_``, an environment
    variable (``FINDSPOT_PROJECT``).

    Args:
        catalog: URL of the catalog; a relative SQLite path counts from the workspace's folder.
        store: URL or path of the blob store; a relative path counts from the workspace's folder.
        project: the project where none is named.
        owner: who saves; empty: the login name.
        executor: ``inline``, ``threads`` or ``processes``, where a job names none.
        workers: how many steps run at once on threads and processes; 0: one for each core.
        inline_limit: files up to this size in bytes live in the catalog.
        preview_limit: larger previews are left out; bytes.
        durable: wait for the disk on every save (survives a power cut, not only a killed process).
    """

    catalog: str = "sqlite:///catalog.db"
    store: str = "blobs"
    project: str = "default"
    owner: str = ""
    executor: str = "inline"
    workers: int = 0
    inline_limit: int = 4096
    preview_limit: int = 65536
    durable: bool = False

    @classmethod
    def read(
        cls, file: Path | None, overrides: Mapping[str, Any], environment: Mapping[str, str]
    ) -> Settings:
        """Settings from the file (where there is one), the environment and arguments.

        Raises:
            BadSettings: lists every unknown key and every value of a wrong type.
            FormatTooNew: a newer program wrote the file.
        """
        values: dict[str, Any] = {}
        if file is not None:
            values.update(_from_file(file))
        values.update(_from_environment(environment))
        values.update(overrides)
        return replace(cls(), **values)


def login_name() -> str:
    """The name of the user that runs this process ("" where the system does not tell)."""
    for name in ("LOGNAME", "USER", "USERNAME"):
        if found := os.environ.get(name):
            return found
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return ""


def write_default_settings(project: str | None = None) -> str:
    """The text of a new ``findspot.toml``."""
    text = (
        "# Settings of this Findspot workspace. Every key may also be given as an environment\n"
        "# variable (FINDSPOT_PROJECT for project) or as an argument of Workspace(...).\n"
        f"format = {FORMAT}\n"
    )
    # A checked name holds neither quotes nor backslashes.
    return text if project is None else f'{text}project = "{project}"\n'


def _from_file(file: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(str(file), [Problem("$", f"it is no TOML: {error}")]) from None
    number = document.pop("format", FORMAT)
    if not isinstance(number, int) or isinstance(number, bool):
        raise BadSettings(str(file), [Problem("format", "it is no whole number")])
    if number > FORMAT:
        raise FormatTooNew(number, FORMAT, str(file))
    return _checked(document, str(file))


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    problems: list[Problem] = []
    for field in fields(Settings):
        name = ENVIRONMENT_PREFIX + field.name.upper()
        text = environment.get(name)
        if text is None or text == "":
            continue
        if field.type == "int":
            if not text.lstrip("-").isdigit():
                problems.append(Problem(name, f"{text!r} is no whole number"))
                continue
            found[field.name] = int(text)
        elif field.type == "bool":
            if text.lower() not in ("0", "1", "true", "false", "yes", "no"):
                problems.append(Problem(name, f"{text!r} is neither true nor false"))
                continue
            found[field.name] = text.lower() in ("1", "true", "yes")
        else:
            found[field.name] = text
    if problems:
        raise BadSettings("environment", problems)
    return _checked(found, "environment")


def _checked(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    problems: list[Problem] = []
    known = {field.name: field.type for field in fields(Settings)}
    result: dict[str, Any] = {}
    for key, value in values.items():
        expected = known.get(key)
        if expected is None:
            import difflib

            near = difflib.get_close_matches(key, known, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
            problems.append(Problem(key, f"there is no such setting{hint}"))
        elif expected == "bool" and not isinstance(value, bool):
            problems.append(Problem(key, "it must be true or false"))
        elif expected == "int" and (not isinstance(value, int) or isinstance(value, bool)):
            problems.append(Problem(key, "it must be a whole number"))
        elif expected == "int" and value < 0:
            problems.append(Problem(key, "it must not be negative"))
        elif expected == "str" and not isinstance(value, str):
            problems.append(Problem(key, "it must be text"))
        else:
            result[key] = value
    if problems:
        raise BadSettings(where, problems)
    if "project" in result:
        check_name(result["project"], "project name")
    return result
