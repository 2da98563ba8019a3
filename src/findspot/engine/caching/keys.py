"""The cache key of a step: a digest over everything that determines its outputs.

It is made of named parts, which the step's record keeps, so that two runs can be compared part by
part: the format of keys, the task's code (with the project's code that it calls), its arguments
(plain values as they are; artifacts by their content's digest), its seed, and the handlers that
the outputs are saved with where they were chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from findspot.core.canonical import canonical_json
from findspot.core.digests import Digest, hash_bytes
from findspot.engine.values import Arguments, Saved
from findspot.graph.spec import InputSpec, Opaque, Ref, TaskGraph, TaskSpec
from findspot.graph.task_options import CachePolicy

if TYPE_CHECKING:
    from findspot.engine.code.fingerprint import Fingerprint

KEY_FORMAT = 1
SOURCES_FORMAT = 1

KEY_PARTS = (
    *("format", "task", "code", "salt", "packages", "arguments", "outputs", "seed", "handlers"),
)
"""The parts that make a key. A step's record lists others beside them: ``sources``, the digest of
the document with the code's text; ``unfingerprintable``, what the code uses that has no digest;
``uncached``, why it may not be reused; ``skipped``, why it did not run."""


def key_parts(
    spec: TaskSpec,
    code: Digest,
    named: Mapping[str, Any],
    *,
    policy: CachePolicy | None = None,
    seed: int | None,
    handlers: Mapping[str, Any],
) -> dict[str, Any]:
    """The parts as plain JSON; ``named`` are the arguments as `named_arguments` gives them."""
    parts: dict[str, Any] = {
        "format": KEY_FORMAT,
        "task": spec.name,
        **({"code": code} if policy is None else policy_parts(policy, code)),
        "arguments": {name: encoded(value) for name, value in named.items()},
        "outputs": [output.name for output in spec.outputs],
    }
    if seed is not None:
        parts["seed"] = seed
    if handlers:
        parts["handlers"] = dict(handlers)
    return parts


def policy_parts(policy: CachePolicy, code: Digest) -> dict[str, Any]:
    """What a task itself contributes to a key: its code, and what its policy adds."""
    parts: dict[str, Any] = {"code": code if policy.code else None}
    if policy.salt:
        parts["salt"] = policy.salt
    if policy.packages:
        parts["packages"] = {name: _installed(name) for name in policy.packages}
    return parts


def sources_document(code: Fingerprint) -> bytes:
    """The digest and the text of each part of a task's code, as a document for the catalog."""
    parts = {name: [digest, code.sources.get(name, "")] for name, digest in code.parts.items()}
    return canonical_json({"format": SOURCES_FORMAT, "parts": parts})


def _installed(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def key_of(parts: Mapping[str, Any]) -> Digest:
    return hash_bytes(canonical_json(parts))


def graph_digest(graph: TaskGraph) -> Digest:
    """A digest of what each step invokes with what, and of what the outputs are: ``1``, ``1.0`` and
    ``True`` are told apart, and a list from a tuple. Of live objects it says only where they are.
    """
    steps = [
        [
            step.name,
            step.task,
            [encoded(value) for value in step.args],
            [[name, encoded(value)] for name, value in step.kwargs.items()],
            [[name, encoded(value)] for name, value in step.each.items()] if step.each else 0,
            0 if step.when is None else [encoded(step.when)],
            step.dependencies,
            step.cache,
        ]
        for step in graph.steps.values()
    ]
    outputs = [[output.name, encoded(output.contents)] for output in graph.outputs.values()]
    return hash_bytes(canonical_json([steps, outputs]))


def named_arguments(spec: TaskSpec, arguments: Arguments) -> dict[str, Any]:
    """Arguments by the names of the task's inputs: ``f(1)`` and ``f(x=1)`` are one call."""
    slots = positional_slots(spec)
    last = len(slots) - 1
    named: dict[str, Any] = {}
    for position, value in enumerate(arguments.args):
        slot = slots[min(position, last)] if slots else None
        if slot is not None and slot.variadic:
            named[f"{slot.name}[{position - last}]"] = value
        else:
            named[slot.name if slot and position <= last else f"[{position}]"] = value
    named.update(arguments.kwargs)
    return named


def positional_slots(spec: TaskSpec) -> list[InputSpec]:
    """The inputs that positional arguments go to; the engine fills in the injected ones itself."""
    return [i for i in spec.inputs if not (i.keyword_only or i.injected or i.variadic == "kwargs")]


def encoded(value: Any) -> Any:
    """A value, plain or with `Saved` in it, as unambiguous JSON: artifacts, tuples and mappings
    carry a mark; and in the arguments of a graph, references and live objects."""
    kind = type(value)
    if kind is str or kind is int or value is None:
        return value
    if kind is Saved:
        record = value.record
        mark: list[Any] = ["artifact", record.digest]
        if record.handler_args:
            mark.append(dict(record.handler_args))
        if value.part is not None:
            mark.append(value.part)
        return mark
    if kind is list:
        return ["list", [encoded(item) for item in value]]
    if kind is tuple:
        return ["tuple", [encoded(item) for item in value]]
    if kind is dict:
        return ["mapping", [[encoded(key), encoded(item)] for key, item in value.items()]]
    if kind is Ref:
        return ["ref", value.name, value.output]
    if kind is Opaque:
        return ["live"]
    return value
