"""Values and their files: handlers, the registry that finds them, and what they can raise."""

from findspot.handlers.errors import (
    BadFiles,
    BadValue,
    ClassNotFound,
    HandlerFailed,
    InvalidHandler,
    NoHandler,
    UnknownHandler,
    Untrusted,
)
from findspot.handlers.folders import PlainLoadFolder, PlainSaveFolder
from findspot.handlers.handler import Handler
from findspot.handlers.hierarchy import python_type_name
from findspot.handlers.protocol import ArtifactHandler, LoadFolder, SaveFolder
from findspot.handlers.registry import HandlerRegistry, default_registry
from findspot.handlers.saved_figures import SavedFigure
from findspot.handlers.trial import round_trip

__all__ = [
    "ArtifactHandler",
    "BadFiles",
    "BadValue",
    "ClassNotFound",
    "Handler",
    "HandlerFailed",
    "HandlerRegistry",
    "InvalidHandler",
    "LoadFolder",
    "NoHandler",
    "PlainLoadFolder",
    "PlainSaveFolder",
    "SaveFolder",
    "SavedFigure",
    "UnknownHandler",
    "Untrusted",
    "default_registry",
    "python_type_name",
    "round_trip",
]
