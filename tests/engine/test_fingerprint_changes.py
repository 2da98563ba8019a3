"""Which changes of a project change the fingerprint of a function, and which do not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from findspot.engine.code.fingerprint import fingerprint
from project_sources import WAYS, Load, forgotten_modules, loader


@pytest.fixture(params=WAYS)
def load(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Load]:
    with forgotten_modules():
        yield loader(request.param, tmp_path)


PLAIN = """
    def main(x):
        y = x + 1
        return y
"""

SAME = {
    "a comment": """
    # new
    def main(x):  # new
        y = x + 1
        # new
        return y
""",
    "a docstring": '''
    def main(x):
        """New."""
        y = x + 1
        return y
''',
    "layout": """


    def main(
        x,
    ):

        y = (x +
             1)

        return y
""",
    "something beside it": """
    OTHER = 3
    def unused():
        return OTHER
    def main(x):
        y = x + 1
        return y
""",
}


@pytest.mark.parametrize("changed", SAME.values(), ids=SAME.keys())
def test_what_does_not_change_the_result_keeps_the_fingerprint(load: Load, changed: str) -> None:
    assert fingerprint(load(PLAIN)).digest == fingerprint(load(changed)).digest


# One template each: A in it is one state of the project, B the other.
CHANGES = {
    "its own text": "def main(x): return x + A",
    "the operator": "def main(x): return x A x",
    "a name it uses": "def A(): return 1\ndef main(x): return A()",
    "a default value": "def main(x, y=A): return x",
    "a keyword's default": "def main(*, y=A): return y",
    "a default by name": "K = A\ndef main(x, y=K): return x",
    "a constant": "K = A\ndef main(x): return x * K",
    "a constant in a list": "K = [1, {'a': (A,)}]\ndef main(x): return K",
    "a constant of text": "K = 'A'\ndef main(x): return K",
    "a set": "K = {'p', 'q', 'A'}\ndef main(x): return x in K",
    "a set in the code": "def main(x): return x in {'p', 'q', 'A'}",
    "the type of a constant": "K = TYPE(1)\ndef main(x): return K",
    "the order of a mapping": "K = dict(PAIRS)\ndef main(x): return K",
    "a helper": "def helper(x): return x + A\ndef main(x): return helper(x)",
    "a helper's helper": (
        "def deep(x): return x + A\ndef helper(x): return deep(x)\ndef main(x): return helper(x)"
    ),
    "a helper's constant": "K = A\ndef helper(x): return x + K\ndef main(x): return helper(x)",
    "a helper's default": "def helper(x, y=A): return x\ndef main(x): return helper(x)",
    "a helper in a comprehension": (
        "def helper(x): return x + A\ndef main(x): return [helper(y) for y in x]"
    ),
    "a helper in a lambda": (
        "def helper(x): return x + A\ndef main(x): return sorted(x, key=lambda y: helper(y))"
    ),
    "a helper in an inner function": """
def helper(x): return x + A
def main(x):
    def inner():
        return helper(x)
    return inner()
""",
    "a helper passed on": "def helper(x): return x + A\ndef main(x): return list(map(helper, x))",
    "a helper as default": "def helper(x): return x + A\ndef main(x, f=helper): return f(x)",
    "a helper in a table": "def one(x): return A\nTABLE = {'one': one}\ndef main(x): return TABLE",
    "a lambda": "f = lambda x: x + A\ndef main(x): return f(x)",
    "one of two lambdas in a line": "f, g = lambda x: x, lambda x: A\ndef main(x): return g(f(x))",
    "a closure": ("def make(k):\n    def inner(x): return x + k\n    return inner\nmain = make(A)"),
    "a helper in a closure": """
def helper(x): return x + A
def make(f):
    def inner(x): return f(x)
    return inner
main = make(helper)
""",
    "a method": """
class Model:
    def fit(self): return A
def main(x): return Model().fit()
""",
    "an attribute of a class": "class Model:\n    rate = A\ndef main(x): return Model.rate",
    "a base class": """
class Base:
    def fit(self): return A
class Model(Base): pass
def main(x): return Model()
""",
    "a method of a base through super": """
class Base:
    def fit(self): return A
class Model(Base):
    def fit(self): return super().fit()
def main(x): return Model()
""",
    "a property": """
class Model:
    @property
    def rate(self): return A
def main(x): return Model()
""",
    "a cached property": """
import functools
class Model:
    @functools.cached_property
    def rate(self): return A
def main(x): return Model()
""",
    "a static method": """
class Model:
    @staticmethod
    def rate(): return A
def main(x): return Model()
""",
    "a class method": """
class Model:
    @classmethod
    def rate(cls): return A
def main(x): return Model()
""",
    "a helper of a method": """
def helper(): return A
class Model:
    def fit(self): return helper()
def main(x): return Model()
""",
    "an instance": """
class Model:
    def __init__(self, rate): self.rate = rate
MODEL = Model(A)
def main(x): return MODEL.rate
""",
    "the class of an instance": """
class Model:
    def fit(self): return A
MODEL = Model()
def main(x): return MODEL.fit()
""",
    "an instance with slots": """
class Model:
    __slots__ = ("rate",)
    def __init__(self, rate): self.rate = rate
MODEL = Model(A)
def main(x): return MODEL.rate
""",
    "a dataclass's default": """
from dataclasses import dataclass
@dataclass
class Settings:
    rate: float = A
def main(x): return Settings()
""",
    "a dataclass's factory": """
from dataclasses import dataclass, field
@dataclass
class Settings:
    rates: list = field(default_factory=lambda: [A])
def main(x): return Settings()
""",
    "an enumeration": """
import enum
class Colour(enum.Enum):
    RED = A
def main(x): return Colour.RED
""",
    "a member of an enumeration": """
import enum
class Colour(enum.Enum):
    X1 = 1
    X2 = 2
CHOSEN = Colour.XA
def main(x): return CHOSEN
""",
    "a named tuple": """
from typing import NamedTuple
class Point(NamedTuple):
    x: int = A
def main(x): return Point()
""",
    "a pydantic model": """
from pydantic import BaseModel
class Settings(BaseModel):
    rate: float = A
def main(x): return Settings()
""",
    "a decorator": """
import functools
def twice(f):
    @functools.wraps(f)
    def inner(*args): return A * f(*args)
    return inner
@twice
def main(x): return x
""",
    "a decorator's argument": """
import functools
def times(n):
    def decorate(f):
        @functools.wraps(f)
        def inner(*args): return n * f(*args)
        return inner
    return decorate
@times(A)
def main(x): return x
""",
    "a function below a library's decorator": """
import functools
@functools.lru_cache
def helper(x): return x + A
def main(x): return helper(x)
""",
    "a function below a context manager": """
import contextlib
@contextlib.contextmanager
def helper():
    yield A
def main(x):
    with helper() as y: return y
""",
    "a partial function": """
import functools
def helper(x, y): return x
part = functools.partial(helper, A)
def main(x): return part(x)
""",
    "a pattern": "import re\nPATTERN = re.compile('A')\ndef main(x): return PATTERN.match(x)",
    "a path": "from pathlib import Path\nDATA = Path('A')\ndef main(x): return DATA",
    "an array": "import numpy as np\nW = np.array([1, A])\ndef main(x): return W",
    "an array's type": "import numpy as np\nW = np.zeros(2, 'fB8A')\ndef main(x): return W",
    "a table": "import pandas as pd\nT = pd.DataFrame({'a': [A]})\ndef main(x): return T",
    "an estimator": """
from sklearn.linear_model import Ridge
MODEL = Ridge(alpha=A)
def main(x): return MODEL
""",
    "which of two helpers": """
def one(): return 1
def two(): return 2
first, second = SWAP
def main(x): return first() - second()
""",
    "two that call each other": """
def even(n): return n == 0 or odd(n - 1)
def odd(n): return n != A and even(n - 1)
def main(x): return even(x)
""",
    "a nested class": """
class Outer:
    class Inner:
        rate = A
def main(x): return Outer
""",
    "an annotated field's class": """
from dataclasses import dataclass
class Inner:
    rate = A
@dataclass
class Outer:
    inner: list[Inner]
def main(x): return Outer
""",
}


def state(template: str, letter: str) -> str:
    first = letter == "A"
    text = template.replace("x A x", "x + x" if first else "x - x")
    text = text.replace("fB8A", "f8" if first else "i8")
    text = text.replace("TYPE", "int" if first else "float")
    text = text.replace("PAIRS", "[(1, 2), (3, 4)]" if first else "[(3, 4), (1, 2)]")
    text = text.replace("SWAP", "one, two" if first else "two, one")
    if "def A" in text:
        return text.replace("A", "first" if first else "second")
    return text.replace("A", "1" if first else "2") if " ABC" not in text else text


@pytest.mark.parametrize("template", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_is_noticed_and_its_undoing_too(load: Load, template: str) -> None:
    first = fingerprint(load(state(template, "A")))
    second = fingerprint(load(state(template, "B")))
    again = fingerprint(load(state(template, "A")))
    assert first.unfingerprintable == second.unfingerprintable == ()
    assert first.digest != second.digest
    assert first == again
