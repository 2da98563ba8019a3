"""Experiments by the place of their code: ``file.py:name`` and its like."""

from __future__ import annotations

from types import FunctionType
from typing import Any

from findspot.core.errors import FindspotError
from findspot.engine.targets.targets import find_object
from findspot.experiments.experiment import Experiment
from findspot.experiments.experiment_graph import ExperimentGraph


class NoSuchExperiment(FindspotError):
    """What a target leads to is no experiment."""

    exit_code = 2


def find_experiment(target: str) -> Experiment | ExperimentGraph:
    """The experiment or graph of experiments that ``module:name`` or ``file.py:name`` leads to, or
    that a function there returns; of a file alone, the only one in it (of functions, those that are
    annotated so count).

    Raises:
        NotFound: there is nothing of that name.
        BadTarget: the file alone is named, and holds not just one experiment.
        NoSuchExperiment: what is there is something else.
    """
    found = find_object(target, "experiment", _gives_experiment)
    if isinstance(found, FunctionType):
        try:
            made = found()
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise
            raise NoSuchExperiment(
                f"The function cannot be called without arguments: {error}.",
                where=target,
                how="Give its parameters defaults.",
            ) from None
        return _checked(made, target, "The function returns")
    return _checked(found, target, "This is")


def _gives_experiment(value: Any) -> bool:
    """Whether it is one, or a function that says that it returns one."""
    said = getattr(value, "__annotations__", {}).get("return")
    named = said if isinstance(said, str) else getattr(said, "__name__", "")
    returns = isinstance(value, FunctionType) and named in ("Experiment", "ExperimentGraph")
    return returns or isinstance(value, Experiment | ExperimentGraph)


def is_target(text: str) -> bool:
    """Whether a text names code, rather than an experiment on record.

    >>> is_target("compare.py:experiment"), is_target("compare")
    (True, False)
    """
    return ":" in text or text.endswith(".py")  # no name holds a colon


def _checked(found: Any, target: str, said: str) -> Experiment | ExperimentGraph:
    if isinstance(found, Experiment | ExperimentGraph):
        return found
    raise NoSuchExperiment(
        f"{said} no experiment: its type is {type(found).__name__}.",
        where=target,
        how="Name an Experiment, an ExperimentGraph, or a function that returns one.",
    )
