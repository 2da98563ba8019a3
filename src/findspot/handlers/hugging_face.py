"""Hugging Face's datasets, and models, tokenizers and configurations that save themselves to a
folder. Everything stays on this machine: nothing is fetched from a hub."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from findspot.core.records import Preview
from findspot.handlers.classes import class_path, find_class
from findspot.handlers.column_labels import schema_of
from findspot.handlers.errors import BadFiles, CannotConvert, Untrusted
from findspot.handlers.handler import Handler, text_preview
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.selecting import as_slice, chosen_names, row_range
from findspot.handlers.values import decode_json, encode_json

_DATASET, _PRETRAINED, _ABOUT = "dataset", "pretrained", "class.json"
_OWN = "transformers"


class DatasetHandler(Handler):
    """Datasets and dicts of splits, by their own `save_to_disk` (Arrow files); loaded as maps of
    the stored files. Streams (`IterableDataset`) are refused."""

    name = "huggingface.dataset"
    types = ("datasets.Dataset", "datasets.DatasetDict")
    kind = "dataset"
    deterministic = False
    representations = ("pandas.DataFrame", "polars.DataFrame", "pyarrow.Table", "dict", "list")
    selections = ("split", "columns", "rows")

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        with _quiet():
            value.save_to_disk(str(folder.path(_DATASET)), num_shards=_shards(value))

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        datasets: Any = import_module("datasets")
        try:
            return datasets.load_from_disk(str(folder.folder() / _DATASET))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadFiles(f"it is no stored dataset: {error}", where=_DATASET) from error

    def load_part(self, folder: LoadFolder, what: Mapping[str, Any], /, **args: Any) -> Any:
        """A split, its columns, its rows; of a dict of splits, columns and rows of each."""
        value = self.load(folder)
        if "split" in what:
            splits = list(value) if isinstance(value, dict) else []
            value = value[chosen_names([what["split"]], splits, what="split")[0]]
        if isinstance(value, dict):
            made = {name: _narrowed(each, what) for name, each in value.items()}
            return type(value)(made)
        return _narrowed(value, what)

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        value = self.load_part(folder, what)
        if isinstance(value, dict):
            raise CannotConvert(
                self.name,
                as_type,
                self.representations,
                reason=f"it has the splits {', '.join(value)}; choose one: split={min(value)!r}",
            )
        from findspot.handlers.table_views import table_as

        return table_as(value.with_format("arrow")[:], as_type, self.name)

    def describe(self, value: Any) -> Mapping[str, Any]:
        if isinstance(value, dict):
            return {"splits": {str(name): len(each) for name, each in list(value.items())[:50]}}
        schema = schema_of(value.features.items())
        return {"rows": len(value), "columns": len(value.column_names), "schema": schema}

    def preview(self, value: Any) -> Preview | None:
        return text_preview(repr(value))


def _shards(value: Any) -> Any:
    """As many files as the library would make, but one where there are no rows: of none it could
    not read the columns again."""
    if isinstance(value, dict):
        return {name: _shards(split) for name, split in value.items()}
    return None if len(value) else 1


class PretrainedHandler(Handler):
    """Whatever saves itself by `save_pretrained` and is read by its class' `from_pretrained`:
    models, tokenizers, processors and configurations of transformers, and classes alike.

    Classes of transformers are loaded from anywhere; others only where the version is trusted, as
    nobody knows what their `from_pretrained` does with the files.
    """

    name = "huggingface.pretrained"
    types = ()
    kind = "model"
    deterministic = False

    def accepts(self, value: Any) -> bool:
        cls = type(value)
        return _is_pretrained(cls) and class_path(cls) is not None

    def why_not(self, value: Any) -> str:
        return "its class has no save_pretrained and from_pretrained, or is found by no name"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        folder.write(_ABOUT, encode_json({"findspot": 1, "class": class_path(type(value))}))
        path = folder.path(_PRETRAINED)
        path.mkdir(parents=True, exist_ok=True)
        with _quiet():
            value.save_pretrained(str(path))

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        about = decode_json(folder.read(_ABOUT), where=_ABOUT)
        path = about.get("class") if isinstance(about, dict) else None
        if not isinstance(path, str):
            raise BadFiles("it names no class", where=_ABOUT)
        known = path.partition(":")[0].split(".")[0] == _OWN
        if not known and not folder.trusted:
            raise Untrusted(
                "Loading it runs from_pretrained of a class that may do anything.", [path]
            )
        cls = find_class(
            path,
            trusted=True,
            right=_is_pretrained,
            role="class with save_pretrained and from_pretrained",
            fields={},
        )
        options = {"local_files_only": True} if known else {}
        with _quiet():
            return cls.from_pretrained(str(folder.folder() / _PRETRAINED), **options)

    def describe(self, value: Any) -> Mapping[str, Any]:
        described: dict[str, Any] = {"class": class_path(type(value))}
        count = getattr(value, "num_parameters", None)
        if callable(count):
            described["parameters"] = int(count())
        config = getattr(value, "config", None)
        kind = getattr(config, "model_type", None)
        return described | ({"model_type": kind} if isinstance(kind, str) else {})


def _is_pretrained(cls: type) -> bool:
    return all(
        callable(inspect.getattr_static(cls, name, None))
        or isinstance(inspect.getattr_static(cls, name, None), classmethod)
        for name in ("save_pretrained", "from_pretrained")
    )


def _narrowed(value: Any, what: Mapping[str, Any]) -> Any:
    if "columns" in what:
        value = value.select_columns(chosen_names(what["columns"], value.column_names))
    if "rows" in what:
        as_slice(what["rows"])
        value = value.select(row_range(what["rows"], len(value)))
    return value


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars of the libraries while a version is saved or loaded."""
    silenced = []
    for name in ("datasets.utils", "transformers.utils.logging"):
        module: Any = sys.modules.get(name)
        for on, off, ask in _BARS:
            if module is not None and hasattr(module, ask) and getattr(module, ask)():
                getattr(module, off)()
                silenced.append(getattr(module, on))
    try:
        yield
    finally:
        for enable in silenced:
            enable()


_BARS = (
    ("enable_progress_bars", "disable_progress_bars", "are_progress_bars_enabled"),
    ("enable_progress_bar", "disable_progress_bar", "is_progress_bar_enabled"),
)
