"""Placeholders: what stands for a value while a pipeline is traced, before the value exists."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NoReturn

from findspot.core.errors import FindspotError
from findspot.core.types import UNKNOWN, Type
from findspot.graph.spec import DEFAULT_OUTPUT, Ref


class PlaceholderUsed(FindspotError):
    """A pipeline's own code used a value that does not exist before the pipeline runs.

    Args:
        placeholder: what was used, as ``$step.output``.
        use: how, such as "compared" or "iterated over".
        location: ``file:line``.
    """

    exit_code = 2

    def __init__(self, placeholder: str, use: str, location: str) -> None:
        self.placeholder, self.use, self.location = placeholder, use, location
        super().__init__(
            f"{placeholder} has no value yet, so it cannot be {use} here: a pipeline only says "
            "which task gets which result.",
            where=location or None,
            how="Move this line into a task, and pass the value to that task.",
        )


class Placeholder:
    """Stands for a step's output, a parameter or an artifact input; can only be passed on.

    Args:
        ref: what it stands for.
        type: what is known of it.
        trace: the trace it belongs to.
        output: the output's name, for naming what the pipeline returns.
    """

    __slots__ = ("_output", "_ref", "_trace", "_type")

    def __init__(
        self, ref: Ref, type: Type = UNKNOWN, trace: object = None, output: str = DEFAULT_OUTPUT
    ) -> None:
        # Past __setattr__, which is for what users do to it.
        put = object.__setattr__
        put(self, "_ref", ref)
        put(self, "_type", type)
        put(self, "_trace", trace)
        put(self, "_output", output)

    def __repr__(self) -> str:
        return f"<placeholder {self._ref}>"

    __hash__ = object.__hash__

    def __copy__(self) -> Placeholder:
        return self

    def __deepcopy__(self, _memo: object) -> Placeholder:
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # asked by copy, numpy, notebooks and so on: not the user's doing
            raise AttributeError(name)
        if name == self._output and self._ref.output in (None, name):
            return self
        raise _used(self, f"asked for its attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        raise _used(self, f"given the attribute {name!r}")


def _forbidden(use: str) -> Callable[..., NoReturn]:
    def method(self: Placeholder, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise _used(self, use)

    return method


_INSTALLED = re.compile(
    rf"[/\\](?:site|dist)-packages[/\\]|^<frozen |^{re.escape(os.path.dirname(os.__file__))}"
)
_CALCULATED = (
    "add sub mul truediv floordiv mod pow matmul lshift rshift and or xor divmod "
    "radd rsub rmul rtruediv rfloordiv rmod rpow rmatmul rlshift rrshift rand ror rxor rdivmod "
    "iadd isub imul itruediv ifloordiv imod ipow imatmul ilshift irshift iand ior ixor "
    "neg pos abs invert round trunc floor ceil array array_ufunc array_function"
)
_USES = {
    "bool": "tested in a condition",
    "iter": "iterated over or unpacked",
    "next": "iterated over",
    "reversed": "iterated over",
    "len": "measured",
    "contains": "searched",
    "getitem": "indexed",
    "setitem": "changed",
    "delitem": "changed",
    "delattr": "changed",
    "str": "made into text",
    "format": "made into text",
    "bytes": "made into bytes",
    "fspath": "used as a path",
    "int": "made into a number",
    "float": "made into a number",
    "complex": "made into a number",
    "index": "used as an index",
    "call": "called",
    "enter": "entered",
    "exit": "entered",
    "await": "awaited",
    "reduce_ex": "copied or sent elsewhere",
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge"), "compared"),
    **dict.fromkeys(_CALCULATED.split(), "calculated with"),
}
for _name, _use in _USES.items():
    setattr(Placeholder, f"__{_name}__", _forbidden(_use))


def _used(placeholder: Placeholder, use: str) -> PlaceholderUsed:
    return PlaceholderUsed(str(placeholder._ref), use, _place_of_use())


def _place_of_use() -> str:
    """Where the pipeline's code is, also if a library that it called asked for the value."""
    frame: FrameType | None = sys._getframe(3)
    nearest = location_of_frame(frame) if frame is not None else ""
    while frame is not None:
        if not _INSTALLED.search(frame.f_code.co_filename):
            return location_of_frame(frame)
        frame = frame.f_back
    return nearest


class StepOutputs(tuple[Placeholder, ...]):
    """The placeholders of a step with several outputs: a tuple of them in order, also by name.

    ``train, test = split(x)``, ``split(x)[0]`` and ``split(x).train`` are the same outputs.
    """

    _names: Sequence[str]
    _step: str

    def __new__(cls, step: str, items: Sequence[Placeholder]) -> StepOutputs:
        outputs = super().__new__(cls, items)
        outputs._step = step
        outputs._names = tuple(item._output for item in items)
        return outputs

    def __getattr__(self, name: str) -> Placeholder:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._names:
            return self[self._names.index(name)]
        raise AttributeError(
            f"the step {self._step!r} has no output {name!r}; it has {', '.join(self._names)}"
        )

    def __repr__(self) -> str:
        return f"<outputs {', '.join(str(item._ref) for item in self)}>"


def location_of_frame(frame: FrameType) -> str:
    """``file:line`` that a frame is at."""
    return f"{shown_file(frame.f_code.co_filename)}:{frame.f_lineno}"


_shown: dict[tuple[str, str], str] = {}


def shown_file(file: str) -> str:
    """A source file as people call it: relative to the working folder where it is below it."""
    try:
        here = os.getcwd()
    except OSError:  # the folder was deleted
        return file
    found = _shown.get((here, file))
    if found is None:
        inside = os.path.isabs(file) and file.startswith(here.rstrip(os.sep) + os.sep)
        found = _shown[here, file] = os.path.relpath(file, here) if inside else file
    return found
