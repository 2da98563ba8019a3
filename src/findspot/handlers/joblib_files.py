"""Any object in a joblib file, where that is asked for. Loaded only where it is trusted."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

import joblib

from findspot.handlers.errors import BadFiles, BadValue, Untrusted
from findspot.handlers.handler import Handler
from findspot.handlers.pickles import PickleHandler
from findspot.handlers.protocol import LoadFolder, SaveFolder

_FILE = "value.joblib"


class JoblibHandler(Handler):
    """Any object that joblib dumps, in ``value.joblib``: a pickle with arrays beside it.

    It is used only where it is named: ``handler="joblib"``. Loading runs code that the bytes name,
    so it needs trust, as for a pickle.

    Keyword argument of `save`: ``compress``, as in `joblib.dump`.
    """

    name = "joblib"
    types = ("object",)
    kind = "model"
    deterministic = False
    safe = False

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        if advice := PickleHandler().advice(value):
            raise BadValue("It cannot be saved with joblib.", how=advice)
        try:
            joblib.dump(value, folder.path(_FILE), compress=args.get("compress", 0), protocol=5)
        except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as error:
            raise BadValue(
                f"joblib cannot save it: {error}.",
                how="Save it with the handler of its type, or as pickle: handler='pickle'.",
            ) from error

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        if not folder.trusted:
            raise Untrusted("It is a joblib file, which can run any code when it is loaded.")
        try:
            return joblib.load(folder.path(_FILE))
        except (pickle.UnpicklingError, EOFError, IndexError, KeyError, ValueError) as error:
            raise BadFiles(f"it is no joblib file, or a damaged one: {error}", where=_FILE) from (
                error
            )
        except (ImportError, AttributeError) as error:
            raise BadFiles(
                f"the file needs something that is not here: {error}",
                where=_FILE,
                how="Install the libraries (and the versions) that it was saved with.",
            ) from error

    def describe(self, value: Any) -> Mapping[str, Any]:
        return PickleHandler().describe(value)
