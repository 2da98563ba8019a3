"""What can go wrong with models."""

from __future__ import annotations

from collections.abc import Sequence

from findspot.core.errors import FindspotError


class NoModelFile(FindspotError):
    """No file of a model is found, or several that could be it.

    Args:
        found: the names of the files that are there.
    """

    exit_code = 3

    def __init__(self, where: str, suffix: str | None, found: Sequence[str]) -> None:
        self.suffix, self.found = suffix, tuple(found)
        ending = "of a known ending" if suffix is None else f"that ends in {suffix}"
        fitting = [name for name in found if suffix is not None and name.endswith(suffix)]
        what = (
            f"There are {len(fitting)} files {ending}" if fitting else f"There is no file {ending}"
        )
        shown = ", ".join((fitting or list(found))[:20]) or "nothing"
        super().__init__(
            f"{what}: {shown}.",
            where=where,
            how="Say which with suffix=, or give the path of the file itself.",
        )


class NotLoadable(FindspotError):
    """A model's file can be had, but not be loaded as an object."""


class WrongKind(FindspotError):
    """An artifact is of another kind than is asked for."""

    exit_code = 2

    def __init__(self, uri: str, found: str, expected: str) -> None:
        self.found, self.expected = found, expected
        super().__init__(
            f"It is of kind {found}, not a {expected}.",
            where=uri,
            how=f"Give the reference of a {expected}; list them: "
            f"findspot artifacts --kind {expected}",
        )


class NoSignature(FindspotError):
    """A model was saved without a signature, so that data cannot be checked against it."""

    def __init__(self, where: str) -> None:
        super().__init__(
            "The model has no signature.",
            where=where,
            how="Log it with inputs= (a sample of its data), or add one: "
            "update_model(uri, inputs=sample).",
        )


class NotEvaluable(FindspotError):
    """A model, or the data given with it, cannot be evaluated."""

    exit_code = 2
