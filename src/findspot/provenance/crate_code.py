"""The code of a job as files, as far as it was kept; the first one is what the job ran."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from findspot.engine.jobs import Job
from findspot.provenance.code import kept_parts

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

_SAFE = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class CodeFile:
    """One file of code: its path in a folder, and its bytes."""

    path: str
    data: bytes
    language: str
    media_type: str


def code_files(space: ArtifactSpace, job: Job) -> list[CodeFile]:
    """The text of an entrypoint with the files of its plugins, the graph of a pipeline with the
    kept text of its tasks, the file of a function; of a script, of which no text is kept, what is
    known of it."""
    record = job.record
    found: list[CodeFile] = []
    entrypoint = None if record.entrypoint is None else space.catalog.snapshot(record.entrypoint)
    if entrypoint is not None and entrypoint.body.get("syntax") == "yaml":
        name = _file_name(str(entrypoint.body.get("file") or "entrypoint.yaml"))
        text = str(entrypoint.body["text"]).encode()
        found.append(CodeFile(f"workflow/{name}", text, "Findspot YAML", "application/yaml"))
    elif entrypoint is not None:
        found.append(_json("workflow/graph.json", dict(entrypoint.body), "Findspot task graph"))
    elif isinstance(record.options.get("code"), str):
        data = space.catalog.document(record.options["code"]) or b""
        module = str(record.options.get("function", "function")).partition(":")[0]
        found.append(_python(f"workflow/{_file_name(module)}.py", data))
    else:
        facts = {
            "script": record.options.get("script"),
            "entry": job.environment.get("entry"),
            "git": job.environment.get("git"),
        }
        found.append(_json("workflow/script.json", facts, "Findspot script's record"))
    for plugin, id in record.plugins.items():
        for file in space.catalog.files(id):
            data = space.store.read(file.digest) if file.inline is None else file.inline
            found.append(_python(f"workflow/plugins/{_file_name(plugin)}/{file.path}", data))
    if not record.plugins:
        found += _tasks(space, job)
    return found


def _tasks(space: ArtifactSpace, job: Job) -> list[CodeFile]:
    """The functions that the steps ran, by module."""
    texts: dict[str, dict[str, str]] = {}
    for step in job.steps.values():
        for name, (_, text) in (kept_parts(space, step.record) or {}).items():
            module, _, inner = name.partition(":")
            texts.setdefault(module, {})[inner] = text
    return [
        _python(
            f"workflow/tasks/{_file_name(module)}.py",
            ("\n\n\n".join(parts[name] for name in sorted(parts)) + "\n").encode(),
        )
        for module, parts in sorted(texts.items())
    ]


def _python(path: str, data: bytes) -> CodeFile:
    kind = "text/x-python" if path.endswith(".py") else "application/octet-stream"
    return CodeFile(path, data, "Python", kind)


def _json(path: str, facts: dict[str, Any], language: str) -> CodeFile:
    text = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
    return CodeFile(path, text.encode(), language, "application/json")


def _file_name(name: str) -> str:
    return _SAFE.sub("_", name).strip(".") or "code"
