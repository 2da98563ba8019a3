"""A model that takes only data that fit its signature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from findspot.artifacts.kinds.signature import ModelSignature
from findspot.artifacts.kinds.signatures import check_data
from findspot.models.errors import NoSignature
from findspot.models.handles import ModelHandle, get_model

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

_CHECKED = frozenset(
    {"predict", "predict_proba", "predict_log_proba", "decision_function", "transform", "score"}
)


class CheckedModel:
    """A model whose data are checked before it sees them: columns by name, types, shape.

    Methods that take data (``predict``, ``predict_proba``, ``transform`` ...) check their first
    argument; columns of a table are put into the model's order, and those that it does not know are
    left out. Everything else is the model's own.

    Raises (of these methods):
        DataDoesNotFit: lists every column that is missing or of another type.
    """

    def __init__(self, model: Any, signature: ModelSignature) -> None:
        self.model = model
        self.signature = signature

    def check(self, data: Any) -> Any:
        """``data`` as the model takes them; see `check_data`."""
        return check_data(self.signature, data)

    def __call__(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        return self.model(self.check(data), *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "model" not in self.__dict__:
            raise AttributeError(name)
        found = getattr(self.model, name)
        if name not in _CHECKED:
            return found

        def checked(data: Any, *args: Any, **kwargs: Any) -> Any:
            return found(self.check(data), *args, **kwargs)

        return checked

    def __repr__(self) -> str:
        return f"<CheckedModel {self.model!r}: {self.signature}>"


def load_checked_model(
    model: Any,
    *,
    trust: bool = False,
    workspace: ArtifactSpace | None = None,
    project: str | None = None,
) -> CheckedModel:
    """Load a model that checks its data, as `get_model` finds it.

    Args:
        trust: load it even if that may run code, and it is not of this workspace.

    Raises:
        NoSignature: it was saved without one. Further as `get_model` and `ModelHandle.load`.
    """
    handle = (
        model
        if isinstance(model, ModelHandle)
        else get_model(model, workspace=workspace, project=project)
    )
    signature = handle.fields.signature
    if signature is None:
        raise NoSignature(str(handle.file) if handle.version is None else handle.version.uri)
    return CheckedModel(handle.load(trust=trust), signature)
