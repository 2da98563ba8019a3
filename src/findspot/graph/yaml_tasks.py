"""The section ``tasks`` of a document: task declarations, which override or complete what the
source of the functions says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from findspot.core.types import UNKNOWN
from findspot.graph.declarations import TypeNames
from findspot.graph.paths import child
from findspot.graph.spec import DEFAULT_OUTPUT, InputSpec, OutputSpec, TaskSpec
from findspot.graph.yaml_reading import Reading, describe
from findspot.graph.yaml_source import Node

_TASK_KEYS = ("plugin", "function", "inputs", "outputs")
_INPUT_KEYS = (
    "name",
    "type",
    "required",
    "variadic",
    "keyword_only",
    "positional_only",
    "injected",
)
_PLUGIN = "plugin:"


def dotted_source(source: str) -> str:
    """A task's source as documents name it: ``package.module.function``.

    >>> dotted_source("plugin:rescaling/methods/scale.py:scale_array")
    'rescaling.methods.scale.scale_array'
    >>> dotted_source("statistics:mean")
    'statistics.mean'
    """
    if not source.startswith(_PLUGIN):
        return source.replace(":", ".")
    file, _, qualname = source.removeprefix(_PLUGIN).rpartition(":")
    module = file.removesuffix(".py").removesuffix("/__init__")
    return f"{module.replace('/', '.')}.{qualname}"


def find_source(name: str, tasks: Iterable[TaskSpec]) -> list[TaskSpec]:
    """The tasks that ``name`` (``plugin.module.function``, or as `TaskSpec.source`) may mean.

    The exact one; else those for which one of the two names is the end of the other, so that the
    package a plugin is in, or the file a function is in, may be named or left out.
    """
    known = list(tasks)
    exact = [task for task in known if name in (task.source, dotted_source(task.source))]
    if exact:
        return exact[:1]
    wanted = name.split(".")
    found = []
    for task in known:
        parts = dotted_source(task.source).split(".")
        ends = parts[-len(wanted) :] == wanted or wanted[-len(parts) :] == parts
        # A plugin's function is also called plugin.function, without its file.
        brief = len(wanted) == 2 and parts[0] == wanted[0] and parts[-1] == wanted[1]
        if task.source.startswith(_PLUGIN) and len(wanted) > 1 and (ends or brief):
            found.append(task)
    return found


def read_tasks(
    node: Node, known: Mapping[str, TaskSpec], types: TypeNames, reading: Reading
) -> dict[str, TaskSpec]:
    """The tasks that the document declares, by the names that steps use."""
    tasks = {}
    for name, item, path, line in reading.named(node, "$.tasks", "The tasks"):
        if not isinstance(item.value, dict):
            reading.problem(
                path,
                line,
                f"The declaration of the task {name!r} must be a mapping.",
                expected="{plugin: name.file.function, inputs: [...], outputs: ...}",
                found=describe(item),
            )
            tasks[name] = known.get(name) or _anything(name, "")
            continue
        reading.known_keys(item, path, _TASK_KEYS, "A task")
        analysed = _function(name, item, path, line, known, reading)
        spec = analysed or _anything(name, "")
        if "function" in item.value and isinstance(item.value["function"].value, str):
            spec = replace(spec, source=item.value["function"].value)
        spec = replace(spec, name=name)
        if "inputs" in item.value:
            declared = _inputs(item.value["inputs"], child(path, "inputs"), types, reading)
            if analysed is not None and not _collects_all(analysed):
                demanded = _demanded(item.value["inputs"])
                declared = _merge(declared, demanded, analysed, path, line, reading)
            spec = replace(spec, inputs=tuple(declared))
        elif analysed is None:
            spec = replace(spec, inputs=_ANY_INPUTS)
        if "outputs" in item.value:
            outputs, unpack = read_outputs(
                item.value["outputs"], child(path, "outputs"), types, reading
            )
            spec = replace(spec, outputs=outputs, unpack=unpack)
        tasks[name] = spec
    return tasks


_ANY_INPUTS = (
    InputSpec("args", required=False, variadic="args"),
    InputSpec("kwargs", required=False, variadic="kwargs"),
)


def _anything(name: str, source: str) -> TaskSpec:
    """A task of which nothing is known, so that nothing about its use is reported."""
    return TaskSpec(name=name, source=source, inputs=_ANY_INPUTS)


def _collects_all(spec: TaskSpec) -> bool:
    return spec.inputs == _ANY_INPUTS


def _function(
    name: str,
    item: Node,
    path: str,
    line: int,
    known: Mapping[str, TaskSpec],
    reading: Reading,
) -> TaskSpec | None:
    plugin, function = item.value.get("plugin"), item.value.get("function")
    if plugin is not None and function is not None:
        reading.problem(
            path,
            line,
            f"The task {name!r} names a plugin's function and another function.",
            expected="either plugin or function",
        )
        return None
    if function is not None:
        place = child(path, "function")
        text = reading.text(function, place, "The function")
        if text is None:
            return None
        module, colon, qualname = text.rpartition(":")
        parts = [*module.removeprefix(_PLUGIN).split("."), *qualname.split(".")]
        if not text.startswith(_PLUGIN) and not (colon and all(p.isidentifier() for p in parts)):
            reading.problem(
                place,
                function.line,
                f"{text!r} does not name a function.",
                expected="module:function, such as statistics:mean",
            )
            return None
        return next((task for task in known.values() if task.source == text), None)
    if plugin is None:
        if name not in known:
            reading.problem(
                path,
                line,
                f"The task {name!r} names no function.",
                expected="plugin: name.file.function, or function: module:function",
                hint=reading.near(name, known, role="tasks"),
            )
        return known.get(name)
    place = child(path, "plugin")
    text = reading.text(plugin, place, "The plugin's function")
    if text is None:
        return None
    found = find_source(text, known.values())
    if len(found) == 1:
        return found[0]
    dotted = {dotted_source(task.source): task for task in known.values()}
    if found:
        message = f"{text!r} may mean several functions."
        shown = ", ".join(dotted_source(task.source) for task in found)
        reading.problem(place, plugin.line, message, found=shown, hint="Write the full name.")
    else:
        reading.problem(
            place,
            plugin.line,
            f"No plugin of this document has the function {text!r}.",
            expected="plugin.file.function of a registered function",
            hint=reading.near(text, dotted, role="functions"),
        )
    return None


def _inputs(node: Node, path: str, types: TypeNames, reading: Reading) -> list[InputSpec]:
    value = node.value
    if value is None:
        return []
    if isinstance(value, dict):
        # A mapping from names to types says as much as a list of such.
        return [
            InputSpec(name, types.read(item, place))
            for name, item, place, _ in reading.named(node, path, "The inputs")
        ]
    if not isinstance(value, list):
        reading.problem(
            path,
            node.line,
            "The inputs must be a list.",
            expected="[{name: type}, {name: n, type: T, required: false}]",
            found=describe(node),
        )
        return []
    inputs: list[InputSpec] = []
    for index, item in enumerate(value):
        place = child(path, index)
        found = _input(item, place, types, reading)
        if found is None:
            continue
        if any(found.name == other.name for other in inputs):
            reading.problem(place, item.line, f"The input {found.name!r} is declared twice.")
            continue
        inputs.append(found)
    return inputs


def _input(item: Node, path: str, types: TypeNames, reading: Reading) -> InputSpec | None:
    value = item.value
    if isinstance(value, str):
        return InputSpec(value)
    if isinstance(value, dict) and len(value) == 1:
        ((name, type_node),) = value.items()
        if isinstance(name, str):
            return InputSpec(name, types.read(type_node, child(path, name)))
    if not isinstance(value, dict) or "name" not in value:
        reading.problem(
            path,
            item.line,
            "This is no input.",
            expected="{name: type}, or {name: n, type: T, required: false}",
            found=describe(item),
        )
        return None
    reading.known_keys(item, path, _INPUT_KEYS, "An input")
    name_text = reading.text(value["name"], child(path, "name"), "An input's name")
    if name_text is None:
        return None
    flags = {
        key: reading.flag(value[key], child(path, key), f"The key {key!r}") or False
        for key in ("required", "keyword_only", "positional_only", "injected")
        if key in value
    }
    variadic = ""
    if "variadic" in value:
        variadic = value["variadic"].value
        if variadic not in ("args", "kwargs"):
            reading.problem(
                child(path, "variadic"),
                value["variadic"].line,
                "An input collects surplus arguments either by position or by name.",
                expected="args or kwargs",
                found=describe(value["variadic"]),
            )
            variadic = ""
    return InputSpec(
        name_text,
        types.read(value["type"], child(path, "type")) if "type" in value else UNKNOWN,
        required=flags.get("required", not variadic),
        variadic=variadic,
        keyword_only=flags.get("keyword_only", False),
        positional_only=flags.get("positional_only", False),
        injected=flags.get("injected", False),
    )


def _demanded(node: Node) -> frozenset[str]:
    """The inputs that say ``required: true`` themselves; others follow the function's defaults."""
    if not isinstance(node.value, list):
        return frozenset()
    entries = [item.value for item in node.value if isinstance(item.value, dict)]
    return frozenset(
        entry["name"].value
        for entry in entries
        if "name" in entry
        and isinstance(entry["name"].value, str)
        and "required" in entry
        and entry["required"].value is True
    )


def _merge(
    declared: list[InputSpec],
    demanded: frozenset[str],
    analysed: TaskSpec,
    path: str,
    line: int,
    reading: Reading,
) -> list[InputSpec]:
    """The declared inputs with what only the function's signature knows of them."""
    signature = {known.name: known for known in analysed.inputs}
    takes_any_name = any(known.variadic == "kwargs" for known in analysed.inputs)
    merged = []
    for given in declared:
        known = signature.get(given.name)
        if known is not None:
            merged.append(
                replace(
                    known,
                    type=given.type if given.type is not UNKNOWN else known.type,
                    required=given.name in demanded or known.required,
                )
            )
            if known.required and not given.required and not known.injected:
                reading.problem(
                    child(path, "inputs"),
                    line,
                    f"The input {given.name!r} is declared as not required, "
                    "but the function has no default for it.",
                    found=f"the function at {analysed.location or analysed.source}",
                    hint="Give the function's parameter a default.",
                )
        elif takes_any_name:
            merged.append(replace(given, keyword_only=True))
        else:
            reading.problem(
                child(path, "inputs"),
                line,
                f"The function of the task {analysed.name!r} has no parameter {given.name!r}.",
                found=f"the function at {analysed.location or analysed.source}",
                hint=reading.near(given.name, signature, role="parameters"),
            )
    names = {given.name for given in declared}
    for known in analysed.inputs:
        if known.name in names:
            continue
        if known.injected:
            merged.append(known)
        elif known.required:
            reading.problem(
                child(path, "inputs"),
                line,
                f"The function of the task {analysed.name!r} requires {known.name!r}, "
                "which is not among the declared inputs.",
                found=f"the function at {analysed.location or analysed.source}",
                hint=f"Add {{{known.name}: {known.type}}} to the inputs.",
            )
    order = {known.name: index for index, known in enumerate(analysed.inputs)}
    return sorted(merged, key=lambda given: order.get(given.name, len(order)))


def read_outputs(
    node: Node, path: str, types: TypeNames, reading: Reading
) -> tuple[tuple[OutputSpec, ...], bool]:
    """Outputs, and whether the value is unpacked: one as a mapping, several as a list of such."""
    value = node.value
    if value is None or value == []:
        return (), False
    if isinstance(value, str):
        return (OutputSpec(value),), False
    if isinstance(value, list):
        outputs: list[OutputSpec] = []
        for index, item in enumerate(value):
            place = child(path, index)
            one = _output(item, place, types, reading)
            if one is None:
                continue
            if any(one.name == other.name for other in outputs):
                reading.problem(place, item.line, f"The output {one.name!r} is declared twice.")
                continue
            outputs.append(one)
        return tuple(outputs), True
    if isinstance(value, dict) and len(value) > 1:
        reading.problem(
            path,
            node.line,
            "Several outputs must be a list, because they are taken in order.",
            expected="[" + ", ".join(f"{{{key}: ...}}" for key in value) + "]",
            found=describe(node),
        )
        entries = reading.named(node, path, "The outputs")
        return tuple(OutputSpec(n, types.read(item, place)) for n, item, place, _ in entries), True
    single = _output(node, path, types, reading)
    return (single or OutputSpec(DEFAULT_OUTPUT),), False


def _output(item: Node, path: str, types: TypeNames, reading: Reading) -> OutputSpec | None:
    value = item.value
    if isinstance(value, str):
        return OutputSpec(value)
    if isinstance(value, dict) and value.keys() == {"name", "type"}:
        name = reading.text(value["name"], child(path, "name"), "An output's name")
        type_ = types.read(value["type"], child(path, "type"))
        return None if name is None else OutputSpec(name, type_)
    if isinstance(value, dict) and len(value) == 1:
        ((key, type_node),) = value.items()
        if isinstance(key, str):
            return OutputSpec(key, types.read(type_node, child(path, key)))
    reading.problem(
        path, item.line, "This is no output.", expected="{name: type}", found=describe(item)
    )
    return None
