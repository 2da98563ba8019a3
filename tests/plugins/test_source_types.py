"""Types read from source equal the types of the same annotations once they have run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from findspot.core.types import (
    INTEGER,
    STRING,
    UNKNOWN,
    ListOf,
    MappingOf,
    Record,
    Simple,
    TupleOf,
    Type,
    Union,
)
from findspot.graph.annotations import annotations_of, from_annotation
from findspot.plugins.analysis import analyse

HEADER = """\
import collections
import datetime
import decimal
import enum
import pathlib
import typing
import typing as t
from abc import ABC
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import (
    Annotated, Any, Dict, Final, Generic, List, Literal, NamedTuple, NewType, Optional, Protocol,
    Tuple, TypedDict, TypeVar, Union,
)

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib import pyplot as plt
from numpy import ndarray

from findspot.plugins import register

Array = np.ndarray
Numbers = list[float]
Maybe = Optional[Numbers]
Id = NewType("Id", int)
Named = Annotated[np.ndarray, "named"]
T = TypeVar("T")
Bound = TypeVar("Bound", bound=np.ndarray)
Either = TypeVar("Either", int, str)

class Plain: ...
class Below(Plain): ...
class Other(ABC): ...
class Box(Generic[T]): ...
class Shape(np.ndarray): ...
class Colour(enum.Enum):
    RED = 1
class Word(str): ...
class Count(enum.IntEnum):
    ONE = 1
class Rows(list): ...
class Settings(Dict[str, int]): ...
class Drawable(Protocol): ...
class Sized(NamedTuple):
    width: int
    height: float
class Card(TypedDict):
    title: str
    pages: list[int]
class Longer(Card):
    author: "str | None"
class Partial(TypedDict, total=False):
    left: int
    right: str
@dataclass
class Point:
    x: float

"""

ANNOTATIONS = """
int; float; str; bool; None; bytes; object; complex; Any; typing.Any; list; dict; tuple; set
list[int]; List[int]; list[list[float]]; Sequence[str]; t.Sequence[bytes]; set[int]; frozenset[str]
dict[str, float]; Dict[str, Any]; Mapping[str, int]; MutableMapping[int, str]; t.Mapping[str, int]
OrderedDict[str, int]; defaultdict[str, int]; collections.Counter
tuple[int, str]; tuple[int, ...]; tuple[()]; Tuple[int, float]; List; Dict
int | None; int | str | None; Optional[int]; Union[int, str]; Optional[list[int] | str]; int | Any
Literal["a", "b"]; Literal[1, "x", None, True]; Annotated[int, "n"]; Annotated[list[int], 1, 2]
np.ndarray; ndarray; Array; npt.NDArray[np.float64]; npt.NDArray; np.float64; np.ndarray[Any, Any]
Path; pathlib.Path; datetime.datetime; decimal.Decimal; Figure; plt.Figure; plt.Axes
Numbers; Maybe; Id; T; list[T]; Bound; Either; Named; Iterable[int]; Callable[[int], str]
Callable; type; type[int]; collections.OrderedDict; Sequence; Mapping
Plain; Below; Other; Box; Box[int]; Shape; Colour; Word; Count; Rows; Settings; Drawable; Sized
Card; Longer; Partial; Point; list[Point]; dict[str, Card | None]; "int"; "list[Point]"
list["Point"]; "Optional[np.ndarray]"; dict[str, "np.ndarray"]; "Missing"; "numbers_that_are_not.X"
""".replace("\n", ";").split(";")
CASES = [text.strip() for text in ANNOTATIONS if text.strip()]


@pytest.fixture(scope="module")
def both(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, tuple[Type, Type]]:
    """Each annotation with its type from source, and from the module that has run."""
    folder = tmp_path_factory.mktemp("types") / "shapes"
    folder.mkdir()
    functions = "".join(
        f"@register\ndef task_{i}(x: {text}) -> list: ...\n" for i, text in enumerate(CASES)
    )
    source = HEADER + functions
    (folder / "kinds.py").write_text(source, encoding="utf-8")
    found = analyse(folder)
    assert found.problems == ()
    module = ModuleType("shapes.kinds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "shapes.kinds", module)
        exec(compile(source, "kinds.py", "exec", dont_inherit=True), vars(module))
        live = {
            i: from_annotation(annotations_of(getattr(module, f"task_{i}")).hints["x"])
            for i in range(len(CASES))
        }
    return {
        text: (found.tasks[f"task_{i}"].inputs[0].type, live[i]) for i, text in enumerate(CASES)
    }


@pytest.mark.parametrize("annotation", CASES)
def test_the_type_from_source_is_that_of_the_live_annotation(
    annotation: str, both: Mapping[str, tuple[Type, Type]]
) -> None:
    from_source, from_live = both[annotation]
    assert _comparable(from_source) == _comparable(from_live)


def _comparable(type: Type) -> Type:
    """Without what only live classes tell: bases of outside classes, and the plugin's classes as
    objects of Python."""
    match type:
        case Simple():
            own = type.name.startswith("shapes.")
            parents = [p for p in type.parents if isinstance(p, Simple)] if own else []
            return replace(
                type,
                parents=tuple(map(_parent, parents)),
                python=None if own else type.python,
            )
        case ListOf():
            return replace(type, item=_comparable(type.item))
        case TupleOf():
            return replace(type, items=tuple(map(_comparable, type.items)))
        case Record():
            return Record({k: _comparable(t) for k, t in type.properties.items()}, type.name)
        case MappingOf():
            return replace(type, key=_comparable(type.key), value=_comparable(type.value))
        case Union():
            return replace(type, members=tuple(map(_comparable, type.members)))
        case _:
            return type


def _parent(parent: Simple) -> Simple:
    found = _comparable(parent)
    assert isinstance(found, Simple)
    return found


WritePlugin = Callable[[str, Mapping[str, str]], Path]


def test_a_type_is_followed_through_the_plugins_own_modules(write_plugin: WritePlugin) -> None:
    folder = write_plugin(
        "shapes",
        {
            "__init__.py": "from .models import Model as PublicModel\n",
            "models.py": "class Model: ...\nclass Better(Model): ...\n",
            "aliases.py": "import numpy as np\nfrom models import Better\nArray = np.ndarray\n",
            "deep/steps.py": """\
                from findspot.plugins import register
                from shapes import PublicModel
                from ..aliases import Array, Better as Best
                @register
                def fit(x: Array, start: PublicModel) -> Best: ...
                """,
        },
    )
    task = analyse(folder).tasks["fit"]
    model = Simple("shapes.models.Model")
    assert [i.type for i in task.inputs] == [Simple("numpy.ndarray", (), "numpy.ndarray"), model]
    assert task.outputs[0].type == Simple("shapes.models.Better", (model,))


def test_circles_of_aliases_end_as_unknown(write_plugin: WritePlugin) -> None:
    folder = write_plugin(
        "circle",
        {
            "a.py": "from .b import X\nfrom findspot.plugins import register\n"
            "@register\ndef f(x: X, y: Y) -> None: ...\nY = Z\nZ = Y\n",
            "b.py": "from .a import X\n",
        },
    )
    assert [i.type for i in analyse(folder).tasks["f"].inputs] == [UNKNOWN, UNKNOWN]


def test_a_typed_dict_with_optional_keys_is_a_mapping_of_its_values(
    write_plugin: WritePlugin,
) -> None:
    folder = write_plugin(
        "keys",
        {
            "a.py": """\
                from typing import NotRequired, Required, TypedDict
                from findspot.plugins import register
                class Some(TypedDict):
                    a: int
                    b: NotRequired[str]
                class All(TypedDict, total=False):
                    a: Required[int]
                @register
                def f(x: Some, y: All) -> None: ...
                """
        },
    )
    types = [i.type for i in analyse(folder).tasks["f"].inputs]
    assert types == [MappingOf(STRING, Union((INTEGER, STRING))), Record({"a": INTEGER})]
