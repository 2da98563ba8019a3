"""Settings of a workspace: a TOML file, overridden by environment variables, then by arguments."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from findspot.core.errors import CheckFailed, FindspotError, FormatTooNew, InvalidName, Problem
from findspot.core.names import check_name

FORMAT = 1
"""The number of the workspace's layout on disk; raised when an older program could not read it."""

FILE_NAME = "findspot.toml"
ENVIRONMENT_PREFIX = "FINDSPOT_"


class BadSettings(FindspotError):
    """The settings file, an environment variable or an argument holds something that is no setting.

    Args:
        where: the workspace's folder.
        problems: every mistake; its `location` is the file, ``environment`` or ``arguments``.
    """

    exit_code = 2

    def __init__(self, where: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        listing = "\n".join(f"  {p.location}: {p.path}: {p.message}" for p in problems)
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
        executor: ``inline``, ``threads``, ``processes``, ``dask:`` or ``ray:`` (these two also with
            an address behind them), where a job names none.
        workers: how many steps run at once on threads and processes; 0: one for each core.
        inline_limit: files up to this size in bytes live in the catalog.
        preview_limit: larger previews are left out; bytes.
        durable: wait for the disk on every save (survives a power cut, not only a killed process).
        cache_limit: bytes of a remote store's blobs that are kept on this machine, at most.
        artifact_path: where readable copies of what jobs make and log are published: a folder or
            URL, with variables such as ``{{project}}``; a relative path counts from the workspace's
            folder; empty: nowhere.
        projects: settings of single projects by name, in the file the tables ``[projects.<name>]``:
            ``artifact_path``.
        trusted_modules: pickles from elsewhere load if they need nothing but these modules; in the
            file it is ``modules`` of the table ``[trust]``.
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
    cache_limit: int = 10_000_000_000
    artifact_path: str = ""
    projects: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    trusted_modules: tuple[str, ...] = ()

    @classmethod
    def read(
        cls, folder: Path, overrides: Mapping[str, Any], environment: Mapping[str, str]
    ) -> Settings:
        """Settings from the folder's file (where there is one), the environment and arguments.

        Raises:
            BadSettings: lists every unknown key and every value of a wrong type, of all three.
            FormatTooNew: a newer program wrote the file.
        """
        problems: list[Problem] = []
        values: dict[str, Any] = {}
        file = folder / FILE_NAME
        if file.is_file():
            values |= _checked(_from_file(file, problems), str(file), problems)
        for name, value in _from_environment(environment, problems).items():
            variable = ENVIRONMENT_PREFIX + name.upper()
            values |= _checked({name: value}, "environment", problems, shown=variable)
        values |= _checked(overrides, "arguments", problems)
        if problems:
            raise BadSettings(str(folder), problems)
        return cls(**values)


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


def _from_file(file: Path, problems: list[Problem]) -> dict[str, Any]:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        reason = "cannot be read" if isinstance(error, OSError) else "is no TOML"
        problems.append(Problem("$", f"it {reason}: {error}", str(file)))
        return {}
    number = document.pop("format", FORMAT)
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        problems.append(Problem("format", "it is no whole number from 1 up", str(file)))
    elif number > FORMAT:
        raise FormatTooNew(number, FORMAT, str(file))
    document.pop("retention", None)  # read by `findspot.artifacts.retention`
    trust = document.pop("trust", {})
    if not isinstance(trust, dict) or trust.keys() - {"modules"}:
        problems.append(Problem("trust", "write [trust] with modules = [...]", str(file)))
    elif "modules" in trust:
        document["trusted_modules"] = trust["modules"]
    return document


def _from_environment(
    environment: Mapping[str, str], problems: list[Problem]
) -> dict[str, int | bool | str]:
    found: dict[str, int | bool | str] = {}
    for setting in fields(Settings):
        name = ENVIRONMENT_PREFIX + setting.name.upper()
        text = environment.get(name, "")
        if not text:
            continue
        if setting.type == "int":
            try:
                found[setting.name] = int(text)
            except ValueError:
                problems.append(Problem(name, f"{text!r} is no whole number", "environment"))
        elif setting.type == "bool":
            if text.lower() not in ("0", "1", "true", "false", "yes", "no"):
                problem = f"{text!r} is neither true nor false"
                problems.append(Problem(name, problem, "environment"))
            found[setting.name] = text.lower() in ("1", "true", "yes")
        else:
            found[setting.name] = text
    return found


def _checked(
    values: Mapping[str, Any], where: str, problems: list[Problem], *, shown: str = ""
) -> dict[str, Any]:
    """The values that are settings; what is wrong with the others is added to the problems."""
    known = {setting.name: setting.type for setting in fields(Settings)}
    result: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if key == "projects":
            found = _project_mistakes(value, shown or key, where)
            problems += found
            if not found:
                result[key] = value
            continue
        message = _mistake(key, value, known)
        if message:
            problems.append(Problem(shown or key, message, where))
        else:
            result[key] = tuple(value) if key == "trusted_modules" else value
    return result


def _mistake(key: str, value: Any, known: Mapping[str, Any]) -> str:
    """What is wrong with a setting; "" if nothing is."""
    expected = known.get(key)
    if expected is None:
        import difflib

        near = difflib.get_close_matches(key, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
        return f"there is no such setting; {hint}"
    if expected == "bool":
        return "" if isinstance(value, bool) else "it must be true or false"
    if expected == "int":
        if not isinstance(value, int) or isinstance(value, bool):
            return "it must be a whole number"
        return "it must not be negative" if value < 0 else ""
    if key == "trusted_modules":
        from findspot.artifacts.listed_pickles import check_modules

        try:
            check_modules(value)
        except CheckFailed as error:
            return "; ".join(problem.message for problem in error.problems)
        return ""
    if not isinstance(value, str):
        return "it must be text"
    if key == "project":
        try:
            check_name(value, "project name")
        except InvalidName as error:
            return error.what
    return _path_mistake(value) if key == "artifact_path" else ""


def _path_mistake(value: str) -> str:
    """What is wrong with an artifact path; "" if nothing is, or it is empty."""
    from findspot.artifacts.path_templates import check_template

    try:
        if value:
            check_template(value)
    except CheckFailed as error:
        known = {problem.expected for problem in error.problems if problem.expected}
        listed = "; ".join(f"{problem.path}: {problem.message}" for problem in error.problems)
        return f"{listed} (known are {', '.join(known)})" if known else listed
    except FindspotError as error:
        return error.what
    return ""


def _project_mistakes(value: Any, path: str, where: str) -> list[Problem]:
    """Every mistake in the settings of single projects."""
    if not isinstance(value, Mapping):
        return [Problem(path, "write a table [projects.<name>] in the file", where)]
    problems: list[Problem] = []
    for name, table in value.items():
        place = f"{path}.{name}"
        try:
            check_name(name, "project name")
        except InvalidName as error:
            problems.append(Problem(place, error.what, where))
        if not isinstance(table, Mapping):
            problems.append(Problem(place, 'write artifact_path = "..." in a table', where))
            continue
        for key, chosen in table.items():
            if key != "artifact_path":
                message = "there is no such setting of a project; known is artifact_path"
            elif not isinstance(chosen, str):
                message = "it must be text"
            else:
                message = _path_mistake(chosen)
            if message:
                problems.append(Problem(f"{place}.{key}", message, where))
    return problems
