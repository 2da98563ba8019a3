"""scikit-learn estimators, in skops files; pickle only for what skops does not take."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Mapping
from typing import Any

import skops.io
from skops.io.exceptions import UnsupportedTypeException, UntrustedTypesFoundException

from findspot.core.records import Preview
from findspot.handlers.classes import class_path
from findspot.handlers.errors import BadFiles, Untrusted
from findspot.handlers.handler import Handler, text_preview
from findspot.handlers.pickles import PickleHandler
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.tables import file_of
from findspot.handlers.values import is_exact_json

_SKOPS, _PICKLE = "model.skops", "value.pkl"
_SHOWN = 50


class EstimatorHandler(Handler):
    """scikit-learn estimators, pipelines, and what follows their interface, in ``model.skops``.

    skops reads its files without running code, as long as they hold only types that it knows; for
    others `load` raises `Untrusted` with their names, unless the version is trusted. An estimator
    with parts that skops cannot write is pickled instead, and then always needs trust. Equal
    estimators give equal bytes.
    """

    name = "model.skops"
    types = ("sklearn.base.BaseEstimator",)
    kind = "model"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        cls = type(value)
        if class_path(cls) is None or cls.__module__ == "__main__":
            # Such a class can be found by no name elsewhere; cloudpickle takes its code along.
            PickleHandler().save(value, folder)
            return
        try:
            data = same_every_time(skops.io.dumps(value))
        except (UnsupportedTypeException, _NoName, TypeError, ValueError, NotImplementedError):
            PickleHandler().save(value, folder)
        else:
            folder.write(_SKOPS, data)

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        if file_of(folder, (_SKOPS, _PICKLE)) == _PICKLE:
            return PickleHandler().load(folder)
        data = folder.read(_SKOPS)
        try:
            unknown = skops.io.get_untrusted_types(data=data)
            if unknown and not folder.trusted:
                raise Untrusted(
                    "The model holds types that skops does not know as safe.",
                    unknown,
                    "Load it as trusted if you know these types, or who made it.",
                )
            return skops.io.loads(data, trusted=unknown)
        except UntrustedTypesFoundException as error:
            raise Untrusted(str(error)) from error
        except (zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError, OSError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise BadFiles(
                f"it is no skops file, or a damaged one: {reason}", where=_SKOPS
            ) from error
        except (ImportError, AttributeError) as error:
            raise BadFiles(
                f"the model needs something that is not here: {error}",
                where=_SKOPS,
                how="Install the libraries that it was saved with.",
            ) from error

    def describe(self, value: Any) -> Mapping[str, Any]:
        """Class, library, own parameters, and of a fitted one its features and classes."""
        cls = type(value)
        library = cls.__module__.partition(".")[0]
        described: dict[str, Any] = {"class": f"{cls.__module__}.{cls.__qualname__}"}
        version = getattr(sys.modules.get(library), "__version__", None)
        if isinstance(version, str):
            described["library"] = f"{library} {version}"
        params = value.get_params(deep=False)
        described["params"] = {
            str(key): item if _is_short(item) else repr(item)[:200]
            for key, item in list(params.items())[:_SHOWN]
        }
        features = getattr(value, "n_features_in_", None)
        if features is not None:
            described["features"] = int(features)
        names = getattr(value, "feature_names_in_", None)
        if names is not None:
            described["feature_names"] = [str(name) for name in names[:_SHOWN]]
        classes = getattr(value, "classes_", None)
        if classes is not None and getattr(classes, "ndim", 0) == 1:
            described["classes"] = [str(item) for item in classes[:_SHOWN]]
        return described

    def preview(self, value: Any) -> Preview | None:
        return text_preview(repr(value))


def _is_short(item: Any) -> bool:
    if isinstance(item, float) and not -1e308 < item < 1e308:
        return False
    return isinstance(item, bool | int | float | str | None) and is_exact_json(item)


class _NoName(Exception):
    """Part of a model is a lambda, or was made in a script or inside a function."""


def same_every_time(data: bytes) -> bytes:
    """A skops archive without what differs between two dumps of one object: times, and the
    addresses in memory that skops numbers parts by. `_NoName` if it names a class or function that
    no other process can find."""
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(sink, "w") as new:
        numbers: dict[int, int] = {}
        files: dict[str, str] = {}
        schema = _numbered(json.loads(old.read("schema.json")), numbers, files)
        text = json.dumps(schema, indent=2)
        for name, renamed in files.items():
            new.writestr(_entry(renamed), old.read(name))
        new.writestr(_entry("schema.json"), text)
    return sink.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))


def _numbered(node: Any, numbers: dict[int, int], files: dict[str, str]) -> Any:
    if isinstance(node, list):
        return [_numbered(item, numbers, files) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("__module__") == "__main__" or "<" in str(node.get("__class__", "")):
        raise _NoName
    made: dict[str, Any] = {}
    for key, item in node.items():
        if key == "__id__" and isinstance(item, int):
            made[key] = numbers.setdefault(item, len(numbers) + 1)
        elif key == "file" and isinstance(item, str) and "__loader__" in node:
            ending = item.rpartition(".")[2]
            made[key] = files.setdefault(item, f"{len(files) + 1}.{ending}")
        else:
            made[key] = _numbered(item, numbers, files)
    return made
