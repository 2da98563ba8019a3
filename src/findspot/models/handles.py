"""`get_model`: a model's file on disk, its record, its extra data, and the model itself."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from findspot.artifacts.current import current_space
from findspot.artifacts.kinds.models import Model
from findspot.artifacts.kinds.updates import described, extra_data_of
from findspot.artifacts.location import NoWorkspace
from findspot.artifacts.version import ArtifactVersion
from findspot.core.errors import CheckFailed, InvalidReference, NotFound, Problem
from findspot.data.item import DataItem, get_dataitem
from findspot.engine.logged.models import principal_file
from findspot.handlers.errors import Untrusted
from findspot.models.errors import NoModelFile, NotLoadable, WrongKind

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

_PICKLES = frozenset({".pkl", ".pickle"})


@dataclass(frozen=True)
class ModelHandle:
    """A model: where its file is, and what is known of it.

    It unpacks as ``file, version, extra_data``.

    Args:
        file: a local file (or folder) of the model; read-only, its bytes verified where it is of
            an artifact.
        version: the artifact's version; None of a model that was found by its path.
    """

    file: Path
    version: ArtifactVersion | None
    _space: ArtifactSpace = field(repr=False)

    @cached_property
    def fields(self) -> Model:
        """Framework, metrics, signature ... with all updates; empty where there is no version."""
        if self.version is None:
            return Model()
        found = described(self._space, self.version)
        return found if isinstance(found, Model) else Model()

    @cached_property
    def extra_data(self) -> dict[str, DataItem]:
        """What belongs to the model, by name, as data items; nothing is read before it is used."""
        version = self.version
        if version is None:
            return {}
        own = {file.path for file in version.files}
        return {
            name: get_dataitem(
                version.path(target) if target in own else target, key=name, space=self._space
            )
            for name, target in extra_data_of(self._space, version).items()
        }

    def load(self, *, trust: bool = False) -> Any:
        """The model as an object.

        Args:
            trust: load it even if that may run code, and it is not of this workspace.

        Raises:
            Untrusted: its file may run code, and nobody vouches for it.
            NotLoadable: Findspot does not read such files; `file` is there for who does.
        """
        version = self.version
        if version is not None and not version.handler.startswith("path."):
            return version.load(trust=trust)
        if version is not None:
            trust = self._space.load_folder(version.record, version.files, trust=trust).trusted
        return _load_file(self.file, trust=trust)

    def __iter__(self) -> Iterator[Any]:
        return iter((self.file, self.version, self.extra_data))


def get_model(
    model: str | os.PathLike[str] | ArtifactVersion | DataItem,
    suffix: str | None = None,
    *,
    workspace: ArtifactSpace | None = None,
    project: str | None = None,
) -> ModelHandle:
    """Find a model; inside a job, it becomes an input of the job.

    Args:
        model: an artifact (a key, a ``store://`` reference, an `ArtifactVersion`), or a file or a
            folder by its path or URL. A text that names an artifact means the artifact; a
            `pathlib.Path` is always a path.
        suffix: the ending of the model's file in a folder, as ``.pkl``; None: any that models have.

    Raises:
        NotFound: there is neither such an artifact nor such a path.
        CheckFailed: it is neither text, a path, a version nor a data item.
        WrongKind: the artifact is no model. NoModelFile: no file in it, or several, could be it.
    """
    space = current_space() if workspace is None else workspace
    given: object = model
    if not isinstance(given, str | os.PathLike | ArtifactVersion | DataItem):
        expected = "an artifact's key or reference, a path, an ArtifactVersion or a DataItem"
        mistake = Problem("model", f"it is {given!r}", expected=expected)
        raise CheckFailed("The model to find", [mistake])
    if isinstance(model, DataItem):
        return _of_item(space, model, suffix)
    if isinstance(model, ArtifactVersion):
        return _of_version(space, model, suffix)
    if isinstance(model, str):
        if "://" in model and not model.startswith("store://"):
            return _of_item(space, get_dataitem(model, space=space), suffix)
        try:
            return _of_version(space, space.get_artifact(model, project=project), suffix)
        except (InvalidReference, NotFound, NoWorkspace) as error:
            if "://" in model or not model or "\0" in model:
                raise
            if not os.path.exists(model):
                near = error.near if isinstance(error, NotFound) else ()
                raise _no_model(model, near) from None
    return _of_item(space, get_dataitem(Path(model)), suffix)


def _of_version(space: ArtifactSpace, version: ArtifactVersion, suffix: str | None) -> ModelHandle:
    if version.kind not in ("model", "file", "directory"):
        raise WrongKind(version.uri, version.kind, "model")
    names = [file.path for file in version.files]
    name = version.metadata.get("model_file")
    if name not in names or (suffix is not None and not str(name).endswith(suffix)):
        name = _chosen(names, suffix, version.uri) if names != [name] or suffix else names[0]
    return ModelHandle(version.path(str(name)), version, space)


def _of_item(space: ArtifactSpace, item: DataItem, suffix: str | None) -> ModelHandle:
    if item.meta is not None:
        return _of_version(space, item.meta, suffix)
    local = Path(item.url) if item.kind == "file" else None
    if local is not None and not local.exists():
        raise _no_model(str(local), ())
    is_folder = local.is_dir() if local is not None else item.url.endswith("/")
    if not is_folder:
        return ModelHandle(item.local(), None, space)
    entries = {entry.name: entry for entry in item.ls()}
    files = [name for name, entry in entries.items() if local is None or not _is_folder(entry)]
    return ModelHandle(entries[_chosen(files, suffix, item.url)].local(), None, space)


def _no_model(name: str, near: Sequence[str]) -> NotFound:
    how = f"Neither an artifact nor a file is called so, seen from {os.getcwd()}. " + (
        f"Did you mean {', '.join(near)}?" if near else "List: findspot artifacts --kind model"
    )
    return NotFound("model", name, near=near, how=how)


def _is_folder(item: DataItem) -> bool:
    return Path(item.url).is_dir()


def _chosen(names: list[str], suffix: str | None, where: str) -> str:
    """The model's file among several."""
    if suffix is None:
        name = names[0] if len(names) == 1 else principal_file(names)
        if name is None:
            raise NoModelFile(where, suffix, names)
        return name
    fitting = [name for name in names if name.endswith(suffix)]
    if len(fitting) != 1:
        raise NoModelFile(where, suffix, names)
    return fitting[0]


def _load_file(file: Path, *, trust: bool) -> Any:
    loader = _LOADERS.get(file.suffix.lower())
    if loader is None:
        raise NotLoadable(
            f"Findspot does not load files that end in {file.suffix or 'nothing'}.",
            where=str(file),
            how="Open the handle's `file` with the library that wrote it.",
        )
    try:
        return loader(file, trust)
    except ImportError as error:
        raise NotLoadable(
            f"The model needs something that is not here: {error}",
            where=str(file),
            how="Install the libraries that it was saved with.",
        ) from error


def _pickled(file: Path, trust: bool) -> Any:
    _ask(file, trust)
    import pickle

    try:
        with file.open("rb") as source:
            return pickle.load(source)
    except (pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError) as error:
        raise NotLoadable(f"It is no pickle, or a damaged one: {error}", where=str(file)) from error


def _joblib(file: Path, trust: bool) -> Any:
    _ask(file, trust)
    import joblib

    return joblib.load(file)


def _skops(file: Path, trust: bool) -> Any:
    import skops.io

    unknown = skops.io.get_untrusted_types(file=file)
    if unknown and not trust:
        raise Untrusted(
            "The model holds types that skops does not know as safe.",
            unknown,
            "Load it with trust=True if you know these types, or who made it.",
            where=str(file),
        )
    return skops.io.load(file, trusted=unknown)


def _ask(file: Path, trust: bool) -> None:
    if not trust:
        raise Untrusted(
            "The model is a pickle, which can run any code when it is loaded.",
            how="Load it with trust=True only if you know who made it.",
            where=str(file),
        )


_LOADERS: Mapping[str, Any] = {
    **dict.fromkeys(_PICKLES, _pickled),
    ".joblib": _joblib,
    ".skops": _skops,
}
