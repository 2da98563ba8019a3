"""Static checks: everything that can be known to be wrong in a graph before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from findspot.core.errors import InvalidName, Problem
from findspot.core.names import check_key, check_name
from findspot.core.records import KINDS
from findspot.core.types import ANY, BOOLEAN, BUILTINS, UNKNOWN, Type
from findspot.graph.compatibility import explain, fits
from findspot.graph.handler_arguments import argument_problems
from findspot.graph.hierarchy import ClassHierarchy, ImportedHierarchy
from findspot.graph.inference import infer
from findspot.graph.mapped import element_type, outputs_of
from findspot.graph.paths import child, locate
from findspot.graph.places import in_order
from findspot.graph.plan import circle_problems
from findspot.graph.spec import (
    ArtifactOutput,
    InputSpec,
    Opaque,
    OutputSpec,
    Ref,
    Step,
    TaskGraph,
    TaskSpec,
)
from findspot.graph.suggestions import Suggester


def check(graph: TaskGraph, *, hierarchy: ClassHierarchy | None = None) -> list[Problem]:
    """All mistakes of a graph at once, in the order of the places they stand at.

    Found are: names that cannot be or are taken twice; unknown tasks, steps, parameters, outputs
    and handlers; missing, surplus and duplicate arguments; types that do not fit; circles; invalid
    arguments of handlers. A sound graph has none.

    Args:
        hierarchy: asked whether one Python class is below another. By default installed libraries
            are imported where it must be known; a server passes `LoadedHierarchy`.
    """
    return _Checker(graph, hierarchy or ImportedHierarchy()).run()


def unused(graph: TaskGraph) -> list[Problem]:
    """Parameters and artifact inputs that no step and no output refers to. Not mistakes, but worth
    a note: an unused artifact is loaded for nothing."""
    used: set[str] = set()

    def note(ref: Ref, path: str) -> Type:
        used.add(ref.name)
        return UNKNOWN

    for step in graph.steps.values():
        infer(list(step.values), note)
    for output in graph.outputs.values():
        infer(output.contents, note)
    problems = []
    for section, role, names in (
        ("$.parameters", "parameter", graph.parameters),
        ("$.artifact_inputs", "artifact input", graph.artifact_inputs),
    ):
        for name in names:
            if name not in used:
                path = child(section, name)
                location = locate(graph.locations, path)
                problems.append(Problem(path, f"The {role} {name!r} is never used.", location))
    return in_order(problems)


def signature(task: TaskSpec) -> str:
    """How a task is invoked, for messages.

    >>> signature(TaskSpec(name="scale", source="", inputs=(InputSpec("x"),)))
    'scale(x)'
    """
    parts = []
    starred = False
    for given in task.inputs:
        if given.injected:
            continue
        stars = {"args": "*", "kwargs": "**"}.get(given.variadic, "")
        if given.keyword_only and not starred:
            parts.append("*")
        starred = starred or given.keyword_only or given.variadic == "args"
        type_ = "" if given.type == UNKNOWN else f": {given.type}"
        default = "" if given.required or given.variadic else " = ..."
        parts.append(f"{stars}{given.name}{type_}{default}")
    return f"{task.name}({', '.join(parts)})"


class _Checker:
    def __init__(self, graph: TaskGraph, hierarchy: ClassHierarchy) -> None:
        self.graph = graph
        self.hierarchy = hierarchy
        self.problems: list[Problem] = []
        self.near = Suggester()
        self.referable = (*graph.steps, *graph.artifact_inputs, *graph.parameters)

    def run(self) -> list[Problem]:
        self._names()
        for step in self.graph.steps.values():
            self._step(step)
        self.problems.extend(circle_problems(self.graph))
        for output in self.graph.outputs.values():
            self._output(output)
        return in_order(self.problems)

    def problem(
        self, path: str, message: str, *, expected: str = "", found: str = "", hint: str = ""
    ) -> None:
        location = locate(self.graph.locations, path)
        self.problems.append(Problem(path, message, location, expected, found, hint))

    # Names

    def _names(self) -> None:
        graph = self.graph
        taken: dict[str, tuple[str, str]] = {}
        for section, role, names in (
            ("$.parameters", "parameter", graph.parameters),
            ("$.artifact_inputs", "artifact input", graph.artifact_inputs),
            ("$.graph", "step", graph.steps),
        ):
            for name in names:
                path = child(section, name)
                self._name(name, role, path)
                other = taken.setdefault(name, (role, path))
                if other[1] != path:
                    where = locate(graph.locations, other[1])
                    self.problem(
                        path,
                        f"The {role} {name!r} has the name of another {other[0]}."
                        if role == other[0]
                        else f"The {role} {name!r} has the name of the {other[0]} {name!r}.",
                        found=f"the other one at {where or other[1]}",
                        hint=f"Rename one of them, so that ${name} means one thing.",
                    )
        for name in graph.outputs:
            self._valid(name, "artifact output", child("$.artifact_outputs", name), key=True)
        for name in graph.types:
            if name in BUILTINS or name == UNKNOWN.name:
                self.problem(
                    child("$.types", name),
                    f"{name!r} is the name of a builtin type.",
                    hint="Give your type another name.",
                )

    def _name(self, name: str, role: str, path: str) -> None:
        if "." in name:
            self.problem(
                path,
                f"The name {name!r} of a {role} holds a dot.",
                hint="After the dot of a reference comes an output's name; use '_' instead.",
            )
        else:
            self._valid(name, role, path)

    def _valid(self, name: str, role: str, path: str, *, key: bool = False) -> None:
        if name.isascii() and name.isidentifier() and len(name) < 100:
            return
        try:
            if key:
                check_key(name, f"name of an {role}")
            else:
                check_name(name, f"name of a {role}")
        except InvalidName as error:
            self.problem(path, f"{error.what}.", hint=error.how or "")

    # Steps

    def _step(self, step: Step) -> None:
        path = child("$.graph", step.name)
        for index, name in enumerate(step.dependencies):
            if name not in self.graph.steps:
                self._unknown_dependency(name, child(child(path, "dependencies"), index))
        task = self.graph.tasks.get(step.task)
        if task is None and not step.task:
            return  # a step of which only the name could be read; that is reported already
        if task is None:
            self.problem(
                child(path, "task"),
                f"There is no task {step.task!r}.",
                hint=self.near(step.task, self.graph.tasks, role="tasks")
                or "Look at the plugins of the document.",
            )
            for place, value in _arguments(step, path):
                self._type_of(value, place)
            return
        self._bind(step, task, path)
        self._condition(step, path)

    def _unknown_dependency(self, name: str, path: str) -> None:
        role = next(
            (
                role
                for role, names in (
                    ("a parameter", self.graph.parameters),
                    ("an artifact input", self.graph.artifact_inputs),
                )
                if name in names
            ),
            "",
        )
        self.problem(
            path,
            f"{name!r} is {role}; only steps can be waited for."
            if role
            else f"There is no step {name!r} to wait for.",
            hint="" if role else self.near(name, self.graph.steps, role="steps"),
        )

    def _bind(self, step: Step, task: TaskSpec, path: str) -> None:
        positional = [i for i in task.inputs if not (i.keyword_only or i.variadic or i.injected)]
        collecting = {i.variadic: i for i in task.inputs if i.variadic}
        bound: dict[str, str] = {}
        args_path = child(path, "args")
        for index, value in enumerate(step.args):
            place = f"{args_path}[{index}]"
            if index < len(positional):
                wanted: InputSpec | None = positional[index]
            else:
                wanted = collecting.get("args")
            if wanted is None:
                self._type_of(value, place)
                if index == len(positional):
                    self._surplus(step, task, len(positional), place)
                continue
            if not wanted.variadic:
                bound[wanted.name] = f"argument {index + 1} by position"
            self._argument(value, wanted, task, place)
        named = {i.name: i for i in task.inputs if not (i.positional_only or i.variadic)}
        for name, value in step.kwargs.items():
            place = child(child(path, "kwargs"), name)
            wanted = named.get(name) or collecting.get("kwargs")
            if wanted is None or wanted.injected:
                self._type_of(value, place)
                self._unwanted(name, wanted, step, task, place)
            elif name in bound and name in named:
                self._type_of(value, place)
                self.problem(
                    place,
                    f"The argument {name!r} of the task {task.name!r} is given twice.",
                    found=f"{bound[name]}, and by name",
                    hint="Remove one of the two.",
                )
            else:
                if not wanted.variadic:
                    bound[name] = "by name"
                self._argument(value, wanted, task, place)
        self._bind_each(step, task, named, collecting.get("kwargs"), bound, path)
        for wanted in task.inputs:
            needed = wanted.required and not wanted.variadic and not wanted.injected
            if needed and wanted.name not in bound:
                self.problem(
                    path,
                    f"The step {step.name!r} gives no {wanted.name!r}, "
                    f"which the task {task.name!r} requires.",
                    expected=signature(task),
                    hint="" if wanted.type == UNKNOWN else f"It is of type {wanted.type}.",
                )

    def _bind_each(
        self,
        step: Step,
        task: TaskSpec,
        named: Mapping[str, InputSpec],
        surplus: InputSpec | None,
        bound: dict[str, str],
        path: str,
    ) -> None:
        """The arguments of which each call is given one element."""
        for name, value in step.each.items():
            place = child(child(path, "each"), name)
            found = self._type_of(value, place)
            element = element_type(found)
            wanted = named.get(name) or surplus
            if wanted is None or wanted.injected:
                self._unwanted(name, wanted, step, task, place)
                continue
            if name in bound or name in step.kwargs:
                self.problem(
                    place,
                    f"The argument {name!r} of the task {task.name!r} is given twice.",
                    found=f"{bound.get(name, 'by name')}, and under each",
                    hint="Remove one of the two.",
                )
                continue
            if not wanted.variadic:
                bound[name] = "under each"
            whole_fits = fits(found, wanted.type, self.hierarchy) and found != UNKNOWN
            hint = "fixed(...), or kwargs in YAML, gives the same value to each call."
            if element is None:
                self.problem(
                    place,
                    f"The step {step.name!r} is called once for each element of {name!r}, "
                    "which is no list.",
                    expected="a list",
                    found=_shown(value, found),
                    hint=hint if whole_fits else "",
                )
            elif not fits(element, wanted.type, self.hierarchy):
                where = f" ({task.location})" if task.location else ""
                self.problem(
                    place,
                    f"The elements for the argument {name!r} of the task {task.name!r} do not fit "
                    "its type.",
                    expected=f"elements of type {wanted.type}{where}",
                    found=_shown(value, found),
                    hint=hint if whole_fits else self._why(element, wanted.type),
                )

    def _condition(self, step: Step, path: str) -> None:
        if step.when is None:
            return
        place = child(path, "when")
        found = self._type_of(step.when, place)
        if found != ANY and not fits(found, BOOLEAN, self.hierarchy):
            self.problem(
                place,
                f"The condition of the step {step.name!r} is neither true nor false.",
                expected="boolean",
                found=_shown(step.when, found),
                hint="Refer to a parameter or a step's output that is a boolean.",
            )

    def _surplus(self, step: Step, task: TaskSpec, taken: int, place: str) -> None:
        self.problem(
            place,
            f"The step {step.name!r} gives too many arguments by position.",
            expected=f"at most {taken}: {signature(task)}",
            found=str(len(step.args)),
        )

    def _unwanted(
        self, name: str, wanted: InputSpec | None, step: Step, task: TaskSpec, place: str
    ) -> None:
        if wanted is not None:
            self.problem(
                place,
                f"The argument {name!r} of the task {task.name!r} is filled in when it runs.",
                hint="Leave it out.",
            )
            return
        if any(i.name == name and i.positional_only for i in task.inputs):
            hint = "This argument can be given by position only."
        else:
            options = [i.name for i in task.inputs if not (i.injected or i.positional_only)]
            hint = self.near(name, options)
        self.problem(
            place,
            f"The task {task.name!r} has no argument {name!r}.",
            expected=signature(task),
            hint=hint,
        )

    def _argument(self, value: Any, wanted: InputSpec, task: TaskSpec, place: str) -> None:
        found = self._type_of(value, place)
        if fits(found, wanted.type, self.hierarchy):
            return
        where = f" ({task.location})" if task.location else ""
        self.problem(
            place,
            f"The argument {wanted.name!r} of the task {task.name!r} does not fit its type.",
            expected=f"{wanted.type}{where}",
            found=_shown(value, found),
            hint=self._why(found, wanted.type),
        )

    def _why(self, found: Type, wanted: Type) -> str:
        reason = explain(found, wanted, self.hierarchy)
        # What was expected and found stands there already.
        return "" if reason == f"{found} is not {wanted}." else reason

    # References

    def _type_of(self, value: Any, path: str) -> Type:
        return infer(value, self._reference, path)

    def _reference(self, ref: Ref, path: str) -> Type:
        graph = self.graph
        step = graph.steps.get(ref.name)
        if step is not None:
            task = graph.tasks.get(step.task)
            if task is None:  # reported where the step is
                return UNKNOWN
            outputs = outputs_of(step, task)
            return self._output_type(ref, outputs, f"step {ref.name!r}", task.name, path)
        chosen = graph.artifact_inputs.get(ref.name)
        if chosen is not None:
            return self._output_type(ref, chosen.outputs, f"artifact input {ref.name!r}", "", path)
        parameter = graph.parameters.get(ref.name)
        if parameter is not None:
            if ref.output is not None:
                self.problem(
                    path,
                    f"{ref.name!r} is a parameter; it has no outputs.",
                    found=str(ref),
                    hint=f"Write ${ref.name}.",
                )
                return UNKNOWN
            return parameter.type
        hint = self.near(ref.name, self.referable)
        self.problem(
            path,
            f"There is no step, parameter or artifact input {ref.name!r}.",
            found=str(ref),
            hint=hint or f"Write ${ref} for the text {str(ref)!r}.",
        )
        return UNKNOWN

    def _output_type(
        self, ref: Ref, outputs: tuple[OutputSpec, ...], owner: str, task: str, path: str
    ) -> Type:
        of_task = f" (of the task {task!r})" if task else ""
        if ref.output is not None:
            for output in outputs:
                if output.name == ref.output:
                    return output.type
            self.problem(
                path,
                f"The {owner}{of_task} has no output {ref.output!r}.",
                found=str(ref),
                hint=self.near(ref.output, [o.name for o in outputs], role="outputs"),
            )
            return UNKNOWN
        if len(outputs) == 1:
            return outputs[0].type
        if not outputs:
            self.problem(
                path,
                f"The {owner}{of_task} has no output to refer to.",
                found=str(ref),
                hint="List the step under dependencies if it must only come first.",
            )
            return UNKNOWN
        options = " or ".join(f"${ref.name}.{output.name}" for output in outputs[:8])
        self.problem(
            path,
            f"The {owner}{of_task} has {len(outputs)} outputs; say which one is meant.",
            expected=options,
            found=str(ref),
        )
        return UNKNOWN

    # Outputs

    def _output(self, output: ArtifactOutput) -> None:
        path = child("$.artifact_outputs", output.name)
        contents = child(path, "contents")
        found = self._type_of(output.contents, contents)
        if output.kind is not None and output.kind not in KINDS:
            self.problem(
                child(path, "kind"),
                f"There is no kind of artifacts {output.kind!r}.",
                expected=f"one of {', '.join(KINDS)}",
                hint=self.near(output.kind, KINDS),
            )
        task = child(path, "task")
        if output.handler is None:
            if output.args:
                self.problem(
                    child(task, "args"),
                    f"The artifact output {output.name!r} has arguments, but names no handler.",
                    hint="Name the handler that takes them.",
                )
            return
        handler = self.graph.handlers.get(output.handler)
        if handler is None:
            self.problem(
                child(task, "name"),
                f"There is no handler {output.handler!r}.",
                hint=self.near(output.handler, self.graph.handlers, role="handlers"),
            )
            return
        if not fits(found, handler.type, self.hierarchy):
            where = f" ({handler.location})" if handler.location else ""
            self.problem(
                contents,
                f"The handler {handler.name!r} cannot save this.",
                expected=f"{handler.type}{where}",
                found=_shown(output.contents, found),
                hint=self._why(found, handler.type),
            )
        for place, fault in argument_problems(output.args, handler, child(task, "args")):
            self.problem(
                place, fault.message, expected=fault.expected, found=fault.found, hint=fault.hint
            )


def _arguments(step: Step, path: str) -> Iterable[tuple[str, Any]]:
    args, kwargs = child(path, "args"), child(path, "kwargs")
    for index, value in enumerate(step.args):
        yield child(args, index), value
    for name, value in step.kwargs.items():
        yield child(kwargs, name), value
    for name, value in step.each.items():
        yield child(child(path, "each"), name), value
    if step.when is not None:
        yield child(path, "when"), step.when


def _shown(value: Any, type_: Type) -> str:
    """A value and its type, short."""
    if isinstance(value, Ref):
        return f"{value}, of type {type_}"
    if isinstance(value, Opaque):
        return f"a value of type {type_}"
    if isinstance(value, Mapping | list | tuple):
        return f"a value of type {type_}"
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'}, of type {type_}"
