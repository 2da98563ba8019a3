"""The sections ``graph`` and ``artifact_outputs``: steps, references, what is saved."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from findspot.graph.paths import child
from findspot.graph.spec import ArtifactOutput, Opaque, Ref, Step, references
from findspot.graph.yaml_reading import Reading, describe
from findspot.graph.yaml_source import Node, plain

STEP_KEYS = ("task", "args", "kwargs", "each", "when", "dependencies", "cache")
_OUTPUT_KEYS = ("contents", "task", "kind")
_FORMS = "{task: name, args: [...], kwargs: {...}}, {name: [arguments]} or {name: {key: value}}"


def parse_reference(text: str) -> Ref | str | None:
    """What a text means: a reference, a plain text (``$$`` at its head stands for ``$``), or None
    when a ``$`` is followed by no name.

    >>> parse_reference("$scale.low"), parse_reference("$$5"), parse_reference("5 $")
    (Ref(name='scale', output='low'), '$5', '5 $')
    """
    if not text.startswith("$"):
        return text
    if text.startswith("$$"):
        return text[1:]
    name, dot, output = text[1:].partition(".")
    if not name or name != name.strip() or (dot and not output):
        return None
    return Ref(name, output if dot else None)


class StepReader:
    """Reads values with references in them, steps and artifact outputs.

    Args:
        tasks: names of all tasks, to tell a misspelt key from a task's name.
    """

    def __init__(self, reading: Reading, tasks: Iterable[str]) -> None:
        self._reading = reading
        self._tasks = frozenset(tasks)

    def value(self, node: Node, path: str) -> Any:
        """The value of a node, references and escapes resolved, its places noted."""
        value = node.value
        if isinstance(value, str):
            found = parse_reference(value)
            if found is None:
                self._reading.problem(
                    path,
                    node.line,
                    "The reference has no name.",
                    expected="$name or $name.output",
                    found=f"the text {value[:80]!r}",
                    hint="Write $$ for text that begins with a dollar sign.",
                )
                return Opaque(None)  # of unknown type, so that nothing more is said of it
            return found
        if isinstance(value, dict):
            converted = {}
            for key, item in value.items():
                place = child(path, key)
                self._reading.at(place, node.key_lines[key])
                converted[key] = self.value(item, place)
            return converted
        if isinstance(value, list):
            items = []
            for index, item in enumerate(value):
                place = child(path, index)
                self._reading.at(place, item.line)
                items.append(self.value(item, place))
            return items
        return value

    def steps(self, node: Node) -> dict[str, Step]:
        """The section ``graph``."""
        steps = {}
        for name, item, path, line in self._reading.named(node, "$.graph", "The graph"):
            step = self._step(name, item, path, line)
            # Of a step that cannot be read the name is kept, so that others may refer to it.
            steps[name] = step or Step(name=name, task="")
        return steps

    def _step(self, name: str, node: Node, path: str, line: int) -> Step | None:
        value = node.value
        if not isinstance(value, dict):
            hint = ""
            if isinstance(value, str) and value in self._tasks:
                hint = f"Write {{{value}: []}} to invoke it without arguments."
            self._reading.problem(
                path,
                line,
                f"The step {name!r} must be a mapping.",
                expected=_FORMS,
                found=describe(node),
                hint=hint,
            )
            return None
        if "task" in value:
            return self._explicit(name, node, path)
        others = [key for key in value if key not in STEP_KEYS]
        if len(others) != 1 or value.keys() & {"args", "kwargs"}:
            return self._unclear(name, node, path, line, others)
        (task,) = others
        if not isinstance(task, str):
            self._reading.problem(path, line, f"The task's name {task} is a number.")
            return None
        invoked = value[task]
        self._reading.at(child(path, "task"), node.key_lines[task])
        args: tuple[Any, ...] = ()
        kwargs: dict[str, Any] = {}
        if isinstance(invoked.value, dict):
            kwargs = self._keywords(invoked, child(path, "kwargs"))
        else:
            args = self._positional(invoked, child(path, "args"))
        return self._finish(name, task, args, kwargs, node, path)

    def _unclear(
        self, name: str, node: Node, path: str, line: int, others: list[Any]
    ) -> Step | None:
        tasks = [key for key in others if key in self._tasks]
        hint = ""
        if len(tasks) == 1 and len(others) > 1:
            (wrong, *_) = [key for key in others if key not in self._tasks]
            hint = self._reading.near(str(wrong), STEP_KEYS) or (
                f"Keyword arguments stand below the task: {{{tasks[0]}: {{{wrong}: ...}}}}"
            )
        elif len(tasks) > 1:
            hint = "Make one step of each task."
        elif others:
            hint = self._reading.near(str(others[0]), STEP_KEYS)
        self._reading.problem(
            path,
            line,
            f"It is not clear which task the step {name!r} invokes.",
            expected=_FORMS,
            found=describe(node),
            hint=hint,
        )
        return None

    def _explicit(self, name: str, node: Node, path: str) -> Step | None:
        value = node.value
        task = self._reading.text(value["task"], child(path, "task"), "The task of a step")
        self._reading.known_keys(node, path, STEP_KEYS, "A step")
        args: tuple[Any, ...] = ()
        kwargs: dict[str, Any] = {}
        if "args" in value:
            place = child(path, "args")
            if isinstance(value["args"].value, dict):
                self._reading.problem(
                    place,
                    value["args"].line,
                    "Positional arguments must be a list.",
                    found=describe(value["args"]),
                    hint="Arguments with names stand under kwargs.",
                )
            else:
                args = self._positional(value["args"], place)
        if "kwargs" in value:
            kwargs = self._keywords(value["kwargs"], child(path, "kwargs"))
        if task is None:
            return None
        return self._finish(name, task, args, kwargs, node, path)

    def _positional(self, node: Node, path: str) -> tuple[Any, ...]:
        if node.value is None:
            return ()
        if isinstance(node.value, list):
            return tuple(self.value(node, path))
        # One scalar counts as a list of one.
        self._reading.at(child(path, 0), node.line)
        return (self.value(node, child(path, 0)),)

    def _keywords(self, node: Node, path: str) -> dict[str, Any]:
        entries = self._reading.named(
            node, path, "Keyword arguments", "a mapping from names to values"
        )
        return {key: self.value(item, place) for key, item, place, _ in entries}

    def _finish(
        self,
        name: str,
        task: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        node: Node,
        path: str,
    ) -> Step:
        for key in STEP_KEYS:
            if key in node.key_lines:
                self._reading.at(child(path, key), node.key_lines[key])
        cache = None
        if "cache" in node.value and node.value["cache"].value is not None:
            cache = self._reading.flag(node.value["cache"], child(path, "cache"), "cache")
        return Step(
            name=name,
            task=task,
            args=args,
            kwargs=kwargs,
            dependencies=self._dependencies(node.value.get("dependencies"), path),
            cache=cache,
            each=self._each(node.value.get("each"), child(path, "each")),
            when=self._when(node.value.get("when"), child(path, "when")),
        )

    def _each(self, node: Node | None, path: str) -> dict[str, Any]:
        if node is None or node.value is None:
            return {}
        if isinstance(node.value, dict):
            return self._keywords(node, path)
        self._reading.problem(
            path,
            node.line,
            "What is taken element by element has names.",
            expected="{argument: $list}",
            found=describe(node),
        )
        return {}

    def _when(self, node: Node | None, path: str) -> Any:
        if node is None or node.value is None:
            return None
        found = self.value(node, path)
        if isinstance(found, Ref | bool | Opaque):
            return found
        self._reading.problem(
            path,
            node.line,
            "A condition is a reference, or true or false.",
            expected="when: $flag",
            found=describe(node),
            hint="Compute it in a step that returns a boolean.",
        )
        return None

    def _dependencies(self, node: Node | None, path: str) -> tuple[str, ...]:
        if node is None or node.value is None:
            return ()
        place = child(path, "dependencies")
        items = node.value if isinstance(node.value, list) else [node]
        names = []
        for index, item in enumerate(items):
            here = child(place, index)
            self._reading.at(here, item.line)
            text = self._reading.text(item, here, "A dependency")
            if text is not None:
                # "$step" is a natural slip, and can mean nothing else here.
                names.append(text.removeprefix("$"))
        return tuple(names)

    def outputs(self, node: Node) -> dict[str, ArtifactOutput]:
        """The section ``artifact_outputs``."""
        outputs = {}
        root = "$.artifact_outputs"
        for name, item, path, line in self._reading.named(node, root, "The artifact outputs"):
            if isinstance(item.value, dict) and "contents" not in item.value:
                self._reading.problem(
                    path,
                    line,
                    f"The artifact output {name!r} has no contents.",
                    expected="{contents: $step, task: {name: Handler, args: {...}}}",
                    found=describe(item),
                )
                continue
            if not isinstance(item.value, dict):
                # Only what is saved, by the handler that its type chooses.
                outputs[name] = ArtifactOutput(name=name, contents=self.value(item, path))
                continue
            outputs[name] = self._output(name, item, path)
        return outputs

    def _output(self, name: str, item: Node, path: str) -> ArtifactOutput:
        self._reading.known_keys(item, path, _OUTPUT_KEYS, "An artifact output")
        place = child(path, "contents")
        self._reading.at(place, item.key_lines["contents"])
        contents = self.value(item.value["contents"], place)
        kind = None
        if "kind" in item.value and item.value["kind"].value is not None:
            kind = self._reading.text(item.value["kind"], child(path, "kind"), "The kind")
            self._reading.at(child(path, "kind"), item.key_lines["kind"])
        handler: str | None = None
        args: dict[str, Any] = {}
        if "task" in item.value:
            self._reading.at(child(path, "task"), item.key_lines["task"])
            handler, args = self._handler(item.value["task"], child(path, "task"))
        return ArtifactOutput(name=name, contents=contents, handler=handler, args=args, kind=kind)

    def _handler(self, node: Node, path: str) -> tuple[str | None, dict[str, Any]]:
        if node.value is None:
            return None, {}
        if isinstance(node.value, str):
            return node.value, {}
        entries = self._reading.mapping(
            node, path, "The artifact task", "{name: Handler, args: {...}}"
        )
        if not isinstance(node.value, dict):
            return None, {}
        self._reading.known_keys(node, path, ("name", "args"), "An artifact task")
        for key in ("name", "args"):
            if key in entries:
                self._reading.at(child(path, key), node.key_lines[key])
        handler = None
        if "name" in entries:
            handler = self._reading.text(entries["name"], child(path, "name"), "The handler's name")
        else:
            self._reading.problem(
                path,
                node.line,
                "The artifact task has no name.",
                expected="{name: Handler, args: {...}}",
                found=describe(node),
            )
        args: dict[str, Any] = {}
        if "args" in entries:
            place = child(path, "args")
            args = self._keywords(entries["args"], place)
            for ref in references(args):
                self._reading.problem(
                    place,
                    entries["args"].line,
                    "A handler's arguments are fixed; they cannot refer to anything.",
                    found=str(ref),
                    hint="Write $$ for text that begins with a dollar sign.",
                )
            if any(True for _ in references(args)):
                args = plain(entries["args"])
        return handler, args
